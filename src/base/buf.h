/*
 * A growable byte buffer with a hard maximum, chosen when it is made. Appending past the maximum or
 * without memory fails and leaves the content as it was; the failure also sticks in `failed`, so a
 * run of appends may be checked once at the end. All processes.
 */
#ifndef DOCLE_BASE_BUF_H
#define DOCLE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

struct dc_buf {
    char *data; /* owned; NUL after the last byte whenever not NULL */
    size_t length;
    size_t capacity;
    size_t max;  /* bytes of content, without the NUL */
    bool failed; /* an append did not fit */
};

void dc_buf_init(struct dc_buf *buf, size_t max);
void dc_buf_release(struct dc_buf *buf); /* accepts NULL and a released buffer */

static inline void dc_buf_release_auto(struct dc_buf *buf)
{
    dc_buf_release(buf);
}

/* All return false when the bytes did not fit. */
bool dc_buf_append(struct dc_buf *buf, const void *bytes, size_t length);
bool dc_buf_text(struct dc_buf *buf, const char *text);
bool dc_buf_byte(struct dc_buf *buf, char byte);
bool dc_buf_printf(struct dc_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends text as a JSON string with quotes. Invalid UTF-8 becomes U+FFFD, one per maximal bad
 * sequence; the output is always valid JSON. */
bool dc_buf_json_string(struct dc_buf *buf, const char *text, size_t length);

/* Makes room for length more bytes and returns where they go, or NULL. Follow with dc_buf_commit.
 */
char *dc_buf_reserve(struct dc_buf *buf, size_t length);
void dc_buf_commit(struct dc_buf *buf, size_t length);

/* Removes the first length bytes. */
void dc_buf_consume(struct dc_buf *buf, size_t length);

/* The content as a C string; never NULL. */
const char *dc_buf_str(const struct dc_buf *buf);

#endif
