#include "net/http_body.h"

#include <ctype.h>

#include "base/poison.h"

/* The chunk grammar: size digits, CR, LF, data, CR, LF, … and after the size 0: CR, LF, CR, LF. */
enum phase { SIZE, SIZE_LF, DATA, DATA_CR, DATA_LF, LAST_CR, LAST_LF };

enum { SIZE_DIGITS_MAX = 8 };

enum http_body_state http_body_init(struct http_body *body, const struct http_head *head,
                                    size_t max_bytes)
{
    *body = (struct http_body){.chunked = head->chunked, .max = max_bytes, .phase = SIZE};
    dc_buf_init(&body->bytes, max_bytes);
    if (head->chunked)
        return HTTP_BODY_MORE;
    body->left = head->has_length ? head->length : 0;
    if (body->left > max_bytes)
        return HTTP_BODY_TOO_LONG;
    return body->left ? HTTP_BODY_MORE : HTTP_BODY_DONE;
}

void http_body_release(struct http_body *body)
{
    dc_buf_release(&body->bytes);
}

static enum http_body_state take_data(struct http_body *body, const char *bytes, size_t length,
                                      size_t *taken)
{
    size_t n = body->left < length - *taken ? (size_t)body->left : length - *taken;

    if (!dc_buf_append(&body->bytes, bytes + *taken, n))
        return HTTP_BODY_TOO_LONG;
    *taken += n;
    body->left -= n;
    return HTTP_BODY_MORE;
}

static enum http_body_state take_size(struct http_body *body, char c)
{
    if (isxdigit((unsigned char)c) && body->digits < SIZE_DIGITS_MAX) {
        unsigned digit = isdigit((unsigned char)c)
                             ? (unsigned)(c - '0')
                             : (unsigned)(tolower((unsigned char)c) - 'a') + 10;

        body->left = body->left * 16 + digit;
        body->digits++;
        return HTTP_BODY_MORE;
    }
    if (c != '\r' || body->digits == 0)
        return HTTP_BODY_BAD;
    if (body->left > body->max - body->bytes.length)
        return HTTP_BODY_TOO_LONG;
    body->phase = SIZE_LF;
    return HTTP_BODY_MORE;
}

static enum http_body_state take_control(struct http_body *body, char c)
{
    const char wanted = body->phase == DATA_CR || body->phase == LAST_CR ? '\r' : '\n';

    if (body->phase == SIZE)
        return take_size(body, c);
    if (c != wanted)
        return HTTP_BODY_BAD;
    switch ((enum phase)body->phase) {
    case SIZE_LF:
        body->phase = body->left ? DATA : LAST_CR;
        break;
    case DATA_CR:
        body->phase = DATA_LF;
        break;
    case DATA_LF:
        body->phase = SIZE;
        body->digits = 0;
        break;
    case LAST_CR:
        body->phase = LAST_LF;
        break;
    case LAST_LF:
        return HTTP_BODY_DONE;
    case SIZE:
    case DATA:
        return HTTP_BODY_BAD;
    }
    return HTTP_BODY_MORE;
}

static enum http_body_state feed_chunks(struct http_body *body, const char *bytes, size_t length,
                                        size_t *taken)
{
    enum http_body_state state = HTTP_BODY_MORE;

    while (*taken < length && state == HTTP_BODY_MORE) {
        if (body->phase == DATA) {
            state = take_data(body, bytes, length, taken);
            if (body->left == 0)
                body->phase = DATA_CR;
        } else {
            state = take_control(body, bytes[(*taken)++]);
        }
    }
    return state;
}

enum http_body_state http_body_feed(struct http_body *body, const char *bytes, size_t length,
                                    size_t *ret_taken)
{
    enum http_body_state state;

    *ret_taken = 0;
    if (body->chunked)
        return feed_chunks(body, bytes, length, ret_taken);
    state = take_data(body, bytes, length, ret_taken);
    if (state == HTTP_BODY_MORE && body->left == 0)
        return HTTP_BODY_DONE;
    return state;
}
