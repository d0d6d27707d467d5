/* What the relay reads of a run's own bytes: questions to the stub, first bytes of connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "egress/dns_message.h"
#include "egress/http_host.h"
#include "egress/tls_hello.h"

#include "base/poison.h"

static void expect_http(const char *text, enum peek_result wanted, const char *host)
{
    char name[DC_HOST_NAME_MAX_BYTES + 1] = "";
    enum peek_result result = http_host_name((const uint8_t *)text, strlen(text), name);

    if (result != wanted || (host && strcmp(name, host) != 0))
        fail_msg("'%s' gives %d '%s'", text, (int)result, name);
}

static void test_http(void **state)
{
    (void)state;
    expect_http("GET / HTTP/1.1\r\nHost: Api.Test\r\n\r\n", PEEK_FOUND, "api.test");
    expect_http("GET / HTTP/1.0\r\nA: b\r\nhost:\tapi.test.:80 \r\n\r\nbody", PEEK_FOUND,
                "api.test");
    expect_http("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", PEEK_FOUND, "a.test");
    expect_http("GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", PEEK_FOUND, "a.test");
    expect_http("GET http://a.test?x HTTP/1.1\r\nHost: A.TEST:80\r\n\r\n", PEEK_FOUND, "a.test");
    expect_http("GET http://evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET http://a.test@evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nHost : a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\n Host: a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nX: y\r\n Host: a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\nHost: a.test\n\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nX: a\rHost: b.test\r\nHost: a.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nHost:\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET / HTTP/1.1\r\nX: y\r\n\r\n", PEEK_NONE, NULL);
    expect_http("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PEEK_NONE, NULL);
    expect_http("GET /\r\n", PEEK_NONE, NULL);
    expect_http("\r\n", PEEK_NONE, NULL);
    expect_http("SSH-2.0-x\r\n", PEEK_NONE, NULL);
    expect_http("\x16\x03\x01", PEEK_NONE, NULL);
    expect_http("", PEEK_MORE, NULL);
    expect_http("GET / HTTP/1.1\r\nHost: a.test\r\n", PEEK_MORE, NULL);
    expect_http("GE", PEEK_MORE, NULL);
}

/* --- TLS ------------------------------------------------------------------------------------- */

struct hello {
    uint8_t bytes[1024];
    size_t length;
};

static void put(struct hello *hello, size_t number, size_t width)
{
    while (width--)
        hello->bytes[hello->length++] = (uint8_t)(number >> 8 * width);
}

static void put_bytes(struct hello *hello, const void *bytes, size_t length)
{
    memcpy(hello->bytes + hello->length, bytes, length);
    hello->length += length;
}

static void put_server_name(struct hello *hello, const char *name)
{
    size_t length = strlen(name);

    put(hello, 0, 2);
    put(hello, length + 5, 2);
    put(hello, length + 3, 2);
    put(hello, 0, 1);
    put(hello, length, 2);
    put_bytes(hello, name, length);
}

/* The handshake message, without a record. */
static struct hello message_of(const char *first, const char *second, unsigned other_extension)
{
    struct hello extensions = {.length = 0};
    struct hello hello = {.length = 0};

    if (other_extension) {
        put(&extensions, other_extension, 2);
        put(&extensions, 0, 2);
    }
    if (first)
        put_server_name(&extensions, first);
    if (second)
        put_server_name(&extensions, second);
    put(&hello, 1, 1);
    put(&hello, 2 + 32 + 1 + 4 + 2 + 2 + extensions.length, 3);
    put(&hello, 0x0303, 2);
    for (int i = 0; i < 32; i++)
        put(&hello, 7, 1);
    put(&hello, 0, 1);
    put(&hello, 2, 2);
    put(&hello, 0x1301, 2);
    put(&hello, 0x0100, 2);
    put(&hello, extensions.length, 2);
    put_bytes(&hello, extensions.bytes, extensions.length);
    return hello;
}

static void put_record(struct hello *out, const uint8_t *bytes, size_t length)
{
    put(out, 0x160301, 3);
    put(out, length, 2);
    put_bytes(out, bytes, length);
}

static enum peek_result look(const struct hello *message, size_t cut, char *name)
{
    struct hello out = {.length = 0};

    put_record(&out, message->bytes, cut);
    if (cut < message->length)
        put_record(&out, message->bytes + cut, message->length - cut);
    return tls_hello_name(out.bytes, out.length, name);
}

static void test_tls(void **state)
{
    char name[DC_HOST_NAME_MAX_BYTES + 1];
    struct hello hello = message_of("API.Test.", NULL, 0x0a0a);

    (void)state;
    for (size_t cut = 1; cut <= hello.length; cut++) { /* however it is cut into records */
        assert_int_equal(look(&hello, cut, name), PEEK_FOUND);
        assert_string_equal(name, "api.test");
    }
    hello = message_of(NULL, NULL, 0x0a0a);
    assert_int_equal(look(&hello, hello.length, name), PEEK_NONE);
    hello = message_of("a.test", "b.test", 0);
    assert_int_equal(look(&hello, hello.length, name), PEEK_NONE);
    hello = message_of("a.test", NULL, 0xfe0d);
    assert_int_equal(look(&hello, hello.length, name), PEEK_NONE);
    hello = message_of("a..test", NULL, 0);
    assert_int_equal(look(&hello, hello.length, name), PEEK_NONE);
    hello = message_of("a/test", NULL, 0);
    assert_int_equal(look(&hello, hello.length, name), PEEK_NONE);
}

static void test_tls_parts(void **state)
{
    char name[DC_HOST_NAME_MAX_BYTES + 1];
    struct hello message = message_of("a.test", NULL, 0);
    struct hello whole = {.length = 0};

    (void)state;
    put_record(&whole, message.bytes, message.length);
    for (size_t length = 0; length < whole.length; length++)
        assert_int_equal(tls_hello_name(whole.bytes, length, name), PEEK_MORE);
    whole.bytes[8]++; /* its length says more than is there */
    assert_int_equal(tls_hello_name(whole.bytes, whole.length, name), PEEK_MORE);
    whole.bytes[6] = 1; /* 64 KiB and more */
    assert_int_equal(tls_hello_name(whole.bytes, whole.length, name), PEEK_NONE);
    assert_int_equal(tls_hello_name((const uint8_t *)"GET / HTTP", 10, name), PEEK_NONE);
    assert_int_equal(tls_hello_name((const uint8_t *)"\x16\x03\x01\x00\x00", 5, name), PEEK_NONE);
    assert_int_equal(tls_hello_name((const uint8_t *)"\x80\x2e", 2, name), PEEK_NONE);
}

/* --- DNS ------------------------------------------------------------------------------------- */

static const uint8_t question_a[] = {0x12, 0x34, 0x01, 0, 0,   1,   0,   0,   0, 0, 0, 0, 3,
                                     'A',  'p',  'i',  4, 't', 'e', 's', 't', 0, 0, 1, 0, 1};

static void test_dns_answer(void **state)
{
    uint8_t out[DNS_MESSAGE_MAX_BYTES];
    struct dns_question question;
    size_t length;

    (void)state;
    assert_true(dns_question_parse(question_a, sizeof(question_a), &question));
    assert_string_equal(question.name, "api.test");
    assert_int_equal(question.type, DNS_TYPE_A);
    assert_int_equal(question.code, DNS_NOERROR);
    assert_true(question.recursion);
    length = dns_answer_build(&question, DNS_NOERROR, 0xc6120105, out);
    assert_int_equal(length, sizeof(question_a) + 16);
    assert_memory_equal(out, "\x12\x34\x81\x80\0\1\0\1\0\0\0\0", 12);
    assert_memory_equal(out + 12, question_a + 12, sizeof(question_a) - 12); /* case and all */
    assert_memory_equal(out + length - 4, "\xc6\x12\x01\x05", 4);
    length = dns_answer_build(&question, DNS_NXDOMAIN, 0, out);
    assert_int_equal(length, sizeof(question_a));
    assert_memory_equal(out, "\x12\x34\x81\x83\0\1\0\0\0\0\0\0", 12);
}

static void test_dns_edges(void **state)
{
    uint8_t copy[sizeof(question_a) + 11];
    uint8_t out[DNS_MESSAGE_MAX_BYTES];
    struct dns_question question;

    (void)state;
    assert_false(dns_question_parse(question_a, 11, &question));
    for (size_t length = 12; length < sizeof(question_a); length++) {
        assert_true(dns_question_parse(question_a, length, &question));
        assert_int_equal(question.code, DNS_FORMERR);
        assert_int_equal(dns_answer_build(&question, question.code, 0, out), 12);
    }
    memcpy(copy, question_a, sizeof(question_a));
    copy[2] |= 0x80; /* an answer */
    assert_false(dns_question_parse(copy, sizeof(question_a), &question));
    copy[2] = 0x28; /* an update */
    assert_true(dns_question_parse(copy, sizeof(question_a), &question));
    assert_int_equal(question.code, DNS_NOTIMP);
    memcpy(copy, question_a, sizeof(question_a));
    copy[12] = 0xc0; /* a pointer, to itself */
    assert_true(dns_question_parse(copy, sizeof(question_a), &question));
    assert_int_equal(question.code, DNS_FORMERR);
    memcpy(copy, question_a, sizeof(question_a));
    copy[13] = '.'; /* a dot inside a label is no name that rules could match */
    assert_true(dns_question_parse(copy, sizeof(question_a), &question));
    assert_string_equal(question.name, "");
    memcpy(copy, question_a, sizeof(question_a));
    memcpy(copy + sizeof(question_a), "\0\0\x29\x10\0\0\0\0\0\0\0", 11);
    copy[11] = 1;
    assert_true(dns_question_parse(copy, sizeof(copy), &question));
    assert_true(question.edns);
    assert_int_equal(dns_answer_build(&question, DNS_NOERROR, 0, out), sizeof(copy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),      cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_parts), cmocka_unit_test(test_dns_answer),
        cmocka_unit_test(test_dns_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
