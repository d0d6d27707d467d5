/*
 * The head of an HTTP/1.1 request: strict where parsers are lenient, since lenience is the raw
 * material of request smuggling. The bytes are checked first (RFC 9112 grammar; bare CR or LF, NUL,
 * obs-fold, space before the colon, doubtful lengths: refused), then judged by the library parser
 * too, llhttp or http-parser (http_split.c). Pure; API process.
 */
#ifndef DOCLE_NET_HTTP_HEAD_H
#define DOCLE_NET_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX_BYTES = 16 * 1024,
    HTTP_TARGET_MAX_BYTES = 8 * 1024,
    HTTP_FIELDS_MAX = 100,
};

struct http_field {
    const char *name; /* NUL-terminated, lower case; into the head's text */
    const char *value;
};

/* Why a request is refused: status and the parts of the error answer. */
struct http_refusal {
    int status;
    const char *error;
    const char *code;
    const char *message;
};

struct http_head {
    char method[16];
    const char *target; /* "/path?query", NUL-terminated, as sent */
    int minor;          /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;
    bool chunked;
    bool expect_continue;
    bool has_length;
    uint64_t length; /* of the body, with has_length */
    size_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Looks for the end of the head in what has come; the first `seen` bytes were looked at before.
 * Returns the bytes up to and with the empty line, 0 when it is not there yet: then *ret_refusal
 * says why what is there cannot become a request, or is NULL. So who does not speak HTTP is told at
 * once and not by a deadline. */
size_t http_head_scan(const char *bytes, size_t length, size_t seen,
                      const struct http_refusal **ret_refusal);

/* Parses a whole head of `length` bytes in place: text is changed and then pointed into. Returns
 * NULL, or why the request is refused. */
const struct http_refusal *http_head_parse(struct http_head *head, char *text, size_t length);

/* For heads that are too long before they end. */
const struct http_refusal *http_head_too_long(const char *bytes, size_t length);

/* The value of a field by its lower-case name, NULL when absent; the first of several. */
const char *http_head_field(const struct http_head *head, const char *name);

#endif
