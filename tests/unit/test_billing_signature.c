/* Stripe-Signature, against vectors made with openssl and Stripe's own client (see tests/stripe).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "billing/form.h"
#include "billing/meters.h"
#include "billing/signature.h"
#include "store/hash.h"

#define STAMP 1795500000
/* printf '1795500000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_x */
#define SIGNED "e696d2605717bd1944d0d51076eba366912020a2b684630ecac02a30352940e5"

static const char body[] = "{\"id\":\"evt_1\"}";
static const char *const secrets[SIGNATURE_SECRETS] = {"whsec_other", "whsec_x"};

static bool check_at(const char *header, int64_t now)
{
    return signature_valid(header, body, sizeof(body) - 1, secrets, now);
}

static bool check(const char *header)
{
    return check_at(header, STAMP);
}

static void test_valid(void **state)
{
    (void)state;
    assert_true(check("t=1795500000,v1=" SIGNED));
    assert_true(check("v1=" SIGNED ",t=1795500000"));
    assert_true(check("t=1795500000,v0=00,v1=00,v1=" SIGNED ",v2=x"));
    assert_true(check_at("t=1795500000,v1=" SIGNED, STAMP + 300));
    assert_true(check_at("t=1795500000,v1=" SIGNED, STAMP - 300));
}

static void test_invalid(void **state)
{
    static const char *const headers[] = {
        "",
        ",",
        "t",
        "t=",
        "v1=" SIGNED,
        "t=1795500000",
        "t=1795500000,v0=" SIGNED,
        "t=1795500000,v1=" SIGNED "0",
        "t=1795500001,v1=" SIGNED,
        "t=01795500000,v1=" SIGNED,
        "t=1795500000x,v1=" SIGNED,
        "t=-1,v1=" SIGNED,
        "t=9999999999999999999999,v1=" SIGNED,
        "t=1795500000,t=1795500000,v1=" SIGNED,
        "t=1795500000 ,v1=" SIGNED,
        "t=1795500000,v1",
    };

    (void)state;
    assert_false(check(NULL));
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        if (check(headers[i]))
            fail_msg("taken: %s", headers[i]);
    assert_false(check_at("t=1795500000,v1=" SIGNED, STAMP + 301));
    assert_false(check_at("t=1795500000,v1=" SIGNED, STAMP - 301));
}

static void test_without_secrets(void **state)
{
    static const char *const none[SIGNATURE_SECRETS] = {NULL, ""};

    (void)state;
    assert_false(signature_valid("t=1795500000,v1=" SIGNED, body, sizeof(body) - 1, none, STAMP));
}

/* RFC 4231, cases 2 and 6. */
static void test_hmac(void **state)
{
    static const uint8_t two[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};
    static const uint8_t six[] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f};
    static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    char key[132];
    uint8_t mac[STORE_HASH_BYTES];

    (void)state;
    store_hmac_sha256("Jefe", "what do ya want ", 16, "for nothing?", 12, mac);
    assert_memory_equal(mac, two, sizeof(two));
    memset(key, 0xaa, sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    store_hmac_sha256(key, text, sizeof(text) - 1, "", 0, mac);
    assert_memory_equal(mac, six, sizeof(six));
}

static void test_form(void **state)
{
    struct dc_buf form;

    (void)state;
    dc_buf_init(&form, 256);
    form_add(&form, "a[b][0]", "x y&z=\xc3\xa4/");
    form_add_number(&form, "n", -5);
    assert_string_equal(dc_buf_str(&form), "a[b][0]=x%20y%26z%3D%C3%A4%2F&n=-5");
    dc_buf_release(&form);
}

/* What is in a value stays in it, and what does not fit shows. */
static void test_form_is_closed(void **state)
{
    static const char evil[] = "a&b=c&d[e]=f;g+h%00\r\nX: y\x7f\xff#?/\\\"'";
    struct dc_buf form;

    (void)state;
    dc_buf_init(&form, 512);
    form_add(&form, "n&=", evil);
    assert_string_equal(dc_buf_str(&form),
                        "n%26%3D=a%26b%3Dc%26d%5Be%5D%3Df%3Bg%2Bh%2500%0D%0AX%3A%20y%7F%FF%23%3F"
                        "%2F%5C%22%27");
    dc_buf_release(&form);
    dc_buf_init(&form, 64);
    form_add(&form, "", "");
    form_add_number(&form, "min", INT64_MIN);
    form_add_number(&form, "max", INT64_MAX);
    assert_string_equal(dc_buf_str(&form), "=&min=-9223372036854775808&max=9223372036854775807");
    assert_false(form.failed);
    form_add(&form, "more", "than fits");
    assert_true(form.failed);
    dc_buf_release(&form);
}

static void test_answers(void **state)
{
    static const char text[] =
        "{\"id\":\"cus_1\",\"n\":7,\"big\":9223372036854775807,\"neg\":-1,\"f\":1.5,\"nul\":null,"
        "\"data\":[{\"price\":{\"id\":\"p\"}},{\"at\":1795500000}],\"\":{\"x\":\"y\"}}";
    json_t *answer = json_loads(text, 0, NULL);

    (void)state;
    assert_string_equal(stripe_text(answer, "id"), "cus_1");
    assert_string_equal(stripe_text(answer, "data.0.price.id"), "p");
    assert_null(stripe_text(answer, "data.2.price.id"));
    assert_null(stripe_text(answer, "data.18446744073709551615.price"));
    assert_null(stripe_text(answer, "data.-1.price"));
    assert_null(stripe_text(answer, "id.more"));
    assert_null(stripe_text(answer, "n"));
    assert_null(stripe_text(answer, "nul"));
    assert_null(stripe_text(NULL, "id"));
    assert_null(
        stripe_text(answer, "a234567890123456789012345678901234567890123456789012345678901234"));
    assert_int_equal(stripe_number(answer, "n"), 7);
    assert_int_equal(stripe_number(answer, "id"), 0);
    assert_int_equal(stripe_number(answer, "f"), 0);
    assert_int_equal(stripe_moment(answer, "data.1.at"), INT64_C(1795500000) * DC_NS_PER_S);
    assert_int_equal(stripe_moment(answer, "big"), 0); /* would not fit */
    assert_int_equal(stripe_moment(answer, "neg"), 0);
    assert_int_equal(stripe_moment(answer, "n.0"), 0);
    json_decref(answer);
}

static void test_ids(void **state)
{
    static const char *const good[] = {
        "a", "cus_AbC019", "_",
        "a23456789012345678901234567890123456789012345678901234567890123456"};
    static const char *const bad[] = {
        "",      "a/b",
        "..",    "a?b",
        "a#b",   "a b",
        "a%2fb", "a\nb",
        "a-b",   "\xc3\xa4",
        "a.b",   "a&b",
        "a'b",   "a234567890123456789012345678901234567890123456789012345678901234567"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(stripe_id_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(stripe_id_valid(bad[i]));
    assert_false(stripe_id_valid(NULL));
}

static void test_judging(void **state)
{
    static const struct {
        struct store_meter_hour hour;
        int64_t shown;
        bool settled;
        enum meter_judgement wanted;
    } rows[] = {
        {{.acked = 5}, 5, true, METER_EQUAL},
        {{.acked = 5}, 5, false, METER_EQUAL},
        {{.acked = 5}, 4, false, METER_UNDER_WAY}, /* it adds up later */
        {{.acked = 5}, 4, true, METER_DRIFT},
        {{.acked = 5}, 6, true, METER_DRIFT},
        {{.acked = 5, .open = 1}, 4, true, METER_UNDER_WAY},
        {{.acked = 5, .ambiguous = 2}, 7, false, METER_RECEIVED},
        {{.acked = 5, .ambiguous = 2}, 5, false, METER_UNDER_WAY},
        {{.acked = 5, .ambiguous = 2}, 5, true, METER_MISSING},
        {{.acked = 5, .ambiguous = 2}, 6, true, METER_DRIFT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(meters_judge(&rows[i].hour, rows[i].shown, rows[i].settled),
                         rows[i].wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_without_secrets),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_form_is_closed),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_judging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
