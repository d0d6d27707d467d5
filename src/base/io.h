/* Small wrappers over read, write and files that finish the job or say why not. All processes. */
#ifndef DOCLE_BASE_IO_H
#define DOCLE_BASE_IO_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Writes all bytes to a blocking descriptor; retries EINTR and short writes. */
DC_MUST int dc_write_all(int fd, const void *bytes, size_t length, struct dc_err *err);

/* Reads until length bytes or the end; *ret_length tells how many came. */
DC_MUST int dc_read_full(int fd, void *bytes, size_t length, size_t *ret_length,
                         struct dc_err *err);

/* Writes text to the existing file name under dir_fd in one write(2): cgroup and /proc files. */
DC_MUST int dc_write_file_at(int dir_fd, const char *name, const char *text, struct dc_err *err);

/* Reads at most size-1 bytes of the file and ends them with NUL. Returns 0; too long a file is cut.
 */
DC_MUST int dc_read_file_at(int dir_fd, const char *name, char *out, size_t size,
                            struct dc_err *err);

/* Fills bytes from the kernel's random number generator; blocks only before it is seeded. */
void dc_random_bytes(void *bytes, size_t length);

/* Lower-case hex of bytes; out has room for 2 * length + 1. */
void dc_hex(const void *bytes, size_t length, char *out);

/* Overwrites memory that held a secret; not optimised away. */
void dc_wipe(void *bytes, size_t length);

#endif
