/* Heads and bodies of requests: what is taken, what is refused, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_body.h"
#include "net/http_head.h"

static char text[HTTP_HEAD_MAX_BYTES];
static struct http_head head;

static const struct http_refusal *parse(const char *request)
{
    size_t length = strlen(request);
    const struct http_refusal *refusal;

    assert_true(length <= sizeof(text));
    memcpy(text, request, length);
    assert_int_equal(http_head_scan(text, length, 0, &refusal), length);
    return http_head_parse(&head, text, length);
}

static void test_plain(void **state)
{
    (void)state;
    assert_null(parse("POST /api/run?a=1 HTTP/1.1\r\nHost: x\r\nContent-LENGTH: 12 \r\n"
                      "X-Empty:\r\nX-Tab:\ta\tb\t\r\n\r\n"));
    assert_string_equal(head.method, "POST");
    assert_string_equal(head.target, "/api/run?a=1");
    assert_int_equal(head.minor, 1);
    assert_true(head.keep_alive && head.has_length && !head.chunked);
    assert_int_equal(head.length, 12);
    assert_string_equal(http_head_field(&head, "x-empty"), "");
    assert_string_equal(http_head_field(&head, "x-tab"), "a\tb");
    assert_null(http_head_field(&head, "absent"));
}

static void test_versions(void **state)
{
    (void)state;
    assert_null(parse("GET / HTTP/1.0\r\n\r\n"));
    assert_false(head.keep_alive);
    assert_null(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_true(head.keep_alive);
    assert_null(parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_false(head.keep_alive);
    assert_int_equal(parse("GET / HTTP/2.0\r\nHost: x\r\n\r\n")->status, 505);
}

static void test_smuggling(void **state)
{
    static const char *const refused[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551617\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: \013chunked\r\n",
        "X: a\r\n folded\r\n",
        "X: a\rb\r\n",
        "X: a\nb: c\r\n",
        "X Y: a\r\n",
        ": a\r\n",
        "X\r\n",
        "Host: y\r\n",
        "X: \x01\r\n",
        "X: \x7f\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char request[512];
        const struct http_refusal *refusal;

        (void)snprintf(request, sizeof(request), "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n",
                       refused[i]);
        refusal = parse(request);
        if (!refusal || refusal->status != 400)
            fail_msg("not refused: %s", refused[i]);
    }
}

static void test_nul(void **state)
{
    char request[] = "GET / HTTP/1.1\r\nHost: x\r\nX: a_b\r\n\r\n";

    (void)state;
    *strchr(request, '_') = '\0';
    memcpy(text, request, sizeof(request) - 1);
    assert_int_equal(http_head_parse(&head, text, sizeof(request) - 1)->status, 400);
}

static void test_request_lines(void **state)
{
    static const char *const refused[] = {
        "GET  / HTTP/1.1",        "GET / HTTP/1.1 ",   "get / HTTP/1.1",   "GET /\x80 HTTP/1.1",
        "GET http://x/ HTTP/1.1", "GET * HTTP/1.1",    "GET / HTTP/1.10",  "GET /",
        "GET /%zz HTTP/1.1",      "GET /%00 HTTP/1.1", "G\tET / HTTP/1.1", " GET / HTTP/1.1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char request[256];

        (void)snprintf(request, sizeof(request), "%s\r\nHost: x\r\n\r\n", refused[i]);
        if (!parse(request))
            fail_msg("not refused: %s", refused[i]);
    }
    assert_int_equal(parse("GET / HTTP/1.1\r\n\r\n")->status, 400); /* no Host */
}

static void test_too_many(void **state)
{
    char request[HTTP_HEAD_MAX_BYTES] = "GET / HTTP/1.1\r\nHost: x\r\n";
    size_t length = strlen(request);

    (void)state;
    for (int i = 0; i < HTTP_FIELDS_MAX; i++)
        length += (size_t)snprintf(request + length, sizeof(request) - length, "X-%d: a\r\n", i);
    (void)snprintf(request + length, sizeof(request) - length, "\r\n");
    assert_int_equal(parse(request)->status, 431);
    assert_int_equal(http_head_too_long("GET /aaaa", 9)->status, 414);
    assert_int_equal(http_head_too_long("GET / HTTP/1.1\r\nX", 17)->status, 431);
}

static enum http_body_state chunks(const char *bytes, size_t max, struct http_body *body)
{
    size_t taken;

    head = (struct http_head){.chunked = true};
    assert_int_equal(http_body_init(body, &head, max), HTTP_BODY_MORE);
    return http_body_feed(body, bytes, strlen(bytes), &taken);
}

static void test_chunks(void **state)
{
    static const char *const bad[] = {
        "5;x=1\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello",
        "\r\n5\r\nhello",
        "0x5\r\nhello",
        "-1\r\n",
        "5\nhello",
        "5\r\nhelloX0",
        "g\r\n",
        "0\r\nX: y\r\n\r\n",
        "000000005\r\nhello",
    };
    struct http_body body;

    (void)state;
    assert_int_equal(chunks("5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\nGET", 100, &body),
                     HTTP_BODY_DONE);
    assert_string_equal(dc_buf_str(&body.bytes), "hello0123456789");
    http_body_release(&body);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (chunks(bad[i], 100, &body) != HTTP_BODY_BAD)
            fail_msg("taken: %s", bad[i]);
        http_body_release(&body);
    }
    assert_int_equal(chunks("65\r\n", 100, &body), HTTP_BODY_TOO_LONG);
    http_body_release(&body);
    assert_int_equal(chunks("ffffffff\r\n", 100, &body), HTTP_BODY_TOO_LONG);
    http_body_release(&body);
}

static void test_length(void **state)
{
    struct http_body body;
    size_t taken;

    (void)state;
    head = (struct http_head){.has_length = true, .length = 5};
    assert_int_equal(http_body_init(&body, &head, 4), HTTP_BODY_TOO_LONG);
    assert_int_equal(http_body_init(&body, &head, 5), HTTP_BODY_MORE);
    assert_int_equal(http_body_feed(&body, "hel", 3, &taken), HTTP_BODY_MORE);
    assert_int_equal(http_body_feed(&body, "loGET", 5, &taken), HTTP_BODY_DONE);
    assert_int_equal(taken, 2);
    assert_string_equal(dc_buf_str(&body.bytes), "hello");
    http_body_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_versions),
        cmocka_unit_test(test_smuggling),     cmocka_unit_test(test_nul),
        cmocka_unit_test(test_request_lines), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_chunks),        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
