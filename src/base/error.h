/*
 * The error convention: a fallible function returns 0 or -DC_code and takes a caller-owned
 * struct dc_err as its last parameter, never NULL. It is filled once where the failure happens,
 * gains context on the way up, and is logged once by the function that decides what to do.
 * No allocation: works when memory is gone and in a freshly cloned child. Used by all processes.
 */
#ifndef DOCLE_BASE_ERROR_H
#define DOCLE_BASE_ERROR_H

#include <stdbool.h>

#define DC_MUST __attribute__((warn_unused_result))

/* Only INVALID and LIMIT texts may reach clients; the rest go to the log. */
enum dc_code {
    DC_OK = 0,
    DC_INVALID,   /* the caller's input is wrong */
    DC_LIMIT,     /* a named limit would be exceeded */
    DC_DENIED,    /* known, but not allowed */
    DC_NOT_FOUND, /* no such thing, or none that the caller may see */
    DC_BUSY,      /* full or taken now; may work later */
    DC_CONFLICT,  /* contradicts what is already stored */
    DC_TIMEOUT,   /* a deadline passed */
    DC_KERNEL,    /* a system call failed; errnum says how */
    DC_BUG,       /* our own mistake, or a broken peer process */
};

struct dc_err {
    int code;   /* enum dc_code */
    int errnum; /* errno of the failing call, or 0 */
    char text[248];
};

/* Fills *err and returns -code. The text is cut, never overflowed. */
int dc_fail(struct dc_err *err, enum dc_code code, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "context: " before the text, keeps code and errno, returns -code. */
int dc_context(struct dc_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Code of a failed system call: ENOENT → NOT_FOUND, EACCES/EPERM → DENIED, …, else KERNEL. */
enum dc_code dc_code_from_errno(int errnum);

/* Marks a result as ignored on purpose; say why beside it. */
static inline void dc_ignore(int result)
{
    (void)result;
}

/* Shorthand: dc_fail with the code DC_KERNEL and the current errno. */
#define dc_fail_errno(err, ...) dc_fail((err), DC_KERNEL, errno, __VA_ARGS__)

/* Lower-case name of a code, as it stands in logs: "invalid", "limit", … */
const char *dc_code_name(enum dc_code code);

/* "text: strerror" or just the text; writes at most size bytes with the NUL, returns buffer. */
const char *dc_err_describe(const struct dc_err *err, char *buffer, unsigned long size);

#endif
