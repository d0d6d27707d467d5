/* The head and the body of an HTTP request, as a connection takes them: whole, and byte by byte.
 * However the bytes are cut, the result must be the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_body.h"
#include "net/http_head.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096 };

static enum http_body_state feed(struct http_body *body, const char *bytes, size_t length,
                                 size_t step, size_t *ret_taken)
{
    enum http_body_state state = HTTP_BODY_MORE;

    *ret_taken = 0;
    while (state == HTTP_BODY_MORE && *ret_taken < length) {
        size_t left = length - *ret_taken;
        size_t taken;

        state = http_body_feed(body, bytes + *ret_taken, left < step ? left : step, &taken);
        assert(taken <= left && body->bytes.length <= BODY_MAX);
        if (state == HTTP_BODY_MORE && taken == 0)
            break;
        *ret_taken += taken;
    }
    return state;
}

static void check_body(const struct http_head *head, const char *bytes, size_t length)
{
    struct http_body whole;
    struct http_body pieces;
    enum http_body_state first = http_body_init(&whole, head, BODY_MAX);
    enum http_body_state second = http_body_init(&pieces, head, BODY_MAX);
    size_t whole_taken = 0;
    size_t pieces_taken = 0;

    assert(first == second);
    if (first == HTTP_BODY_MORE) {
        first = feed(&whole, bytes, length, SIZE_MAX, &whole_taken);
        second = feed(&pieces, bytes, length, 1, &pieces_taken);
        assert(first == second);
        if (first == HTTP_BODY_DONE) {
            assert(whole_taken == pieces_taken && whole.bytes.length == pieces.bytes.length);
            assert(memcmp(dc_buf_str(&whole.bytes), dc_buf_str(&pieces.bytes),
                          whole.bytes.length) == 0);
        }
    }
    http_body_release(&whole);
    http_body_release(&pieces);
}

static void check_strings(const struct http_head *head)
{
    assert(head->target[0] == '/' && head->method[0]);
    for (size_t i = 0; i < head->field_count; i++) {
        assert(strlen(head->fields[i].name) > 0);
        assert(!strpbrk(head->fields[i].name, ": \r\n") && !strpbrk(head->fields[i].value, "\r\n"));
    }
    assert(!(head->chunked && head->has_length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct http_refusal *refusal;
    size_t length = http_head_scan((const char *)data, size, 0, &refusal);
    static struct http_head head;
    char *text;

    if (!length || length > HTTP_HEAD_MAX_BYTES)
        return 0;
    text = malloc(length);
    assert(text);
    memcpy(text, data, length);
    if (!http_head_parse(&head, text, length)) {
        check_strings(&head);
        check_body(&head, (const char *)data + length, size - length);
    }
    free(text);
    return 0;
}
