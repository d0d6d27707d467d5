/*
 * The body of a request, by Content-Length or in chunks. The chunk grammar is taken strictly: size
 * in hex, CRLF, no extension, no trailer. Pure; API process.
 */
#ifndef DOCLE_NET_HTTP_BODY_H
#define DOCLE_NET_HTTP_BODY_H

#include "base/buf.h"
#include "net/http_head.h"

enum http_body_state { HTTP_BODY_MORE, HTTP_BODY_DONE, HTTP_BODY_BAD, HTTP_BODY_TOO_LONG };

struct http_body {
    bool chunked;
    uint64_t left; /* of the body, or of the chunk at hand */
    uint64_t max;
    unsigned phase; /* internal: where in the chunk grammar */
    unsigned digits;
    struct dc_buf bytes; /* owned */
};

/* TOO_LONG when the head already tells so. */
enum http_body_state http_body_init(struct http_body *body, const struct http_head *head,
                                    size_t max_bytes);
void http_body_release(struct http_body *body);

/* Takes from bytes what belongs to the body; *ret_taken says how many. */
enum http_body_state http_body_feed(struct http_body *body, const char *bytes, size_t length,
                                    size_t *ret_taken);

#endif
