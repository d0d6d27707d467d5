#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int dc_fail(struct dc_err *err, enum dc_code code, int errnum, const char *format, ...)
{
    va_list args;

    assert(code != DC_OK);
    err->code = (int)code;
    err->errnum = errnum;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -(int)code;
}

int dc_context(struct dc_err *err, const char *format, ...)
{
    char head[sizeof(err->text)];
    char tail[sizeof(err->text)];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(head, sizeof(head), format, args);
    va_end(args);
    memcpy(tail, err->text, sizeof(tail));
    if ((size_t)snprintf(err->text, sizeof(err->text), "%s: %s", head, tail) >= sizeof(err->text))
        err->text[sizeof(err->text) - 2] = '~';
    return -err->code;
}

enum dc_code dc_code_from_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ESRCH:
        return DC_NOT_FOUND;
    case EACCES:
    case EPERM:
        return DC_DENIED;
    case EAGAIN:
    case EBUSY:
        return DC_BUSY;
    case ETIMEDOUT:
        return DC_TIMEOUT;
    default:
        return DC_KERNEL;
    }
}

const char *dc_code_name(enum dc_code code)
{
    static const char *const names[] = {
        [DC_OK] = "ok",
        [DC_INVALID] = "invalid",
        [DC_LIMIT] = "limit",
        [DC_DENIED] = "denied",
        [DC_NOT_FOUND] = "not_found",
        [DC_BUSY] = "busy",
        [DC_CONFLICT] = "conflict",
        [DC_TIMEOUT] = "timeout",
        [DC_KERNEL] = "kernel",
        [DC_BUG] = "bug",
    };

    if ((unsigned)code >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[code];
}

const char *dc_err_describe(const struct dc_err *err, char *buffer, unsigned long size)
{
    if (err->errnum)
        (void)snprintf(buffer, size, "%s: %s", err->text, strerror(err->errnum));
    else
        (void)snprintf(buffer, size, "%s", err->text);
    return buffer;
}
