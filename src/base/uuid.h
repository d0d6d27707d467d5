/* Identifiers that need no coordination and sort by time: UUID version 7 (RFC 9562). All processes.
 */
#ifndef DOCLE_BASE_UUID_H
#define DOCLE_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

enum { DC_UUID_SIZE = 37 }; /* 36 characters and the NUL */

/* A new identifier for the given moment (dc_wall_now()): 48 bits of milliseconds, 12 bits of the
 * fraction, 62 random bits. Later moments sort later, down to a quarter of a microsecond. */
void dc_uuid7(int64_t wall_ns, char out[static DC_UUID_SIZE]);

/* Is text a UUID in its canonical lower-case form, of any version? */
bool dc_uuid_valid(const char *text);

#endif
