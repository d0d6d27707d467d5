#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/auto.h"

int dc_write_all(int fd, const void *bytes, size_t length, struct dc_err *err)
{
    const char *at = bytes;

    while (length) {
        ssize_t n = write(fd, at, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dc_fail_errno(err, "write");
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

int dc_read_full(int fd, void *bytes, size_t length, size_t *ret_length, struct dc_err *err)
{
    char *at = bytes;
    size_t done = 0;

    while (done < length) {
        ssize_t n = read(fd, at + done, length - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dc_fail_errno(err, "read");
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_length = done;
    return 0;
}

int dc_write_file_at(int dir_fd, const char *name, const char *text, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t length = strlen(text);
    ssize_t n;

    if (fd < 0)
        return dc_fail(err, dc_code_from_errno(errno), errno, "open '%s' for writing", name);
    do
        n = write(fd, text, length);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)length)
        return dc_fail_errno(err, "write '%s' to '%s'", text, name);
    return 0;
}

int dc_read_file_at(int dir_fd, const char *name, char *out, size_t size, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    size_t length;

    if (fd < 0)
        return dc_fail(err, dc_code_from_errno(errno), errno, "open '%s'", name);
    if (dc_read_full(fd, out, size - 1, &length, err) < 0)
        return dc_context(err, "'%s'", name);
    out[length] = '\0';
    return 0;
}

void dc_random_bytes(void *bytes, size_t length)
{
    char *at = bytes;

    while (length) {
        ssize_t n = getrandom(at, length, 0);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            abort(); /* no randomness: nothing that follows would be safe */
        }
        at += n;
        length -= (size_t)n;
    }
}

void dc_hex(const void *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;

    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[at[i] >> 4];
        out[2 * i + 1] = digits[at[i] & 15];
    }
    out[2 * length] = '\0';
}

void dc_wipe(void *bytes, size_t length)
{
    explicit_bzero(bytes, length);
}
