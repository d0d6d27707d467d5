/* Origins, addresses, rates, counts and money: pure rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "limits/counters.h"
#include "limits/domains.h"
#include "limits/money.h"
#include "limits/networks.h"
#include "limits/rate.h"

static bool add(struct dc_buf *list, const char *rule)
{
    struct dc_err err;

    return domains_add(list, rule, strlen(rule), &err) == 0;
}

static void test_domain_rules(void **state)
{
    static const char *const bad[] = {
        "",        ".",          "*",     "*.", "*.com",   "a..b",   "https://a.com", "a.com:80",
        "a.com/x", "a b",        "a,b",   "-",  "a.*.com", "*a.com", "\xc3\xa4.de",   "a.com\n",
        "*.*.com", "user@a.com", "[::1]",
    };
    struct dc_buf list;

    (void)state;
    dc_buf_init(&list, 4096);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (strcmp(bad[i], "-") == 0)
            continue; /* odd, and harmless: nobody can come from there */
        assert_false(add(&list, bad[i]));
    }
    assert_int_equal(list.length, 0);
    assert_true(add(&list, "Example.COM."));
    assert_true(add(&list, "*.example.org"));
    assert_true(add(&list, "localhost"));
    assert_true(add(&list, "EXAMPLE.com"));
    assert_string_equal(dc_buf_str(&list), "example.com,*.example.org,localhost");
    dc_buf_release(&list);
}

static void test_domain_list_is_bounded(void **state)
{
    struct dc_buf list;
    char rule[32];

    (void)state;
    dc_buf_init(&list, 4096);
    for (int i = 0; i <= DOMAINS_MAX; i++) {
        (void)snprintf(rule, sizeof(rule), "h%d.example.com", i);
        assert_int_equal(add(&list, rule), i < DOMAINS_MAX);
    }
    dc_buf_release(&list);
}

static void test_domain_match(void **state)
{
    static const char list[] = "example.com,*.example.org,localhost";
    static const struct {
        const char *host;
        bool matches;
    } cases[] = {
        {"example.com", true},
        {"www.example.com", false},
        {"example.org", true},
        {"a.b.example.org", true},
        {"badexample.org", false},
        {"example.org.evil.com", false},
        {"localhost", true},
        {"localhost.evil.com", false},
        {"example", false},
        {"com", false},
        {"example.com,", false},
        {"xample.com", false},
        {"", false},
    };
    struct domain_set set = {0};
    struct dc_err err;

    (void)state;
    assert_int_equal(domain_set_add(&set, list, &err), 0);
    assert_int_equal(domain_set_add(&set, "other.test", &err), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (domains_match(list, cases[i].host) != cases[i].matches)
            fail_msg("%s in the list", cases[i].host);
        if (cases[i].host[0] && domain_set_match(&set, cases[i].host) != cases[i].matches)
            fail_msg("%s in the set", cases[i].host);
    }
    assert_true(domain_set_match(&set, "other.test"));
    domain_set_release(&set);
    assert_false(domain_set_match(&set, "other.test"));
}

static void test_domain_set_grows(void **state)
{
    static char texts[500][32];
    struct domain_set set = {0};
    struct dc_err err;

    (void)state;
    for (int i = 0; i < 500; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "*.h%d.example", i);
        assert_int_equal(domain_set_add(&set, texts[i], &err), 0);
        assert_int_equal(domain_set_add(&set, texts[i], &err), 0);
    }
    assert_int_equal(set.count, 500);
    assert_true(domain_set_match(&set, "h499.example"));
    assert_true(domain_set_match(&set, "a.b.h0.example"));
    assert_false(domain_set_match(&set, "h500.example"));
    domain_set_release(&set);
}

static void test_origin_hosts(void **state)
{
    static const struct {
        const char *value;
        const char *host; /* NULL: none */
    } cases[] = {
        {"https://example.com", "example.com"},
        {"http://localhost:5173", "localhost"},
        {"HTTPS://Example.COM.", "example.com"},
        {"https://example.com:8443/a/page?x#y", "example.com"},
        {"https://example.com?x", "example.com"},
        {"null", NULL},
        {"", NULL},
        {"example.com", NULL},
        {"https://", NULL},
        {"https://:80", NULL},
        {"ftp://example.com", NULL},
        {"javascript://example.com", NULL},
        {"https://example.com@evil.com", NULL},
        {"https://example.com:80@evil.com", NULL},
        {"https://evil.com\\@example.com", NULL},
        {"https://evil.com\\.example.com", NULL},
        {"https://evil.com#.example.com", "evil.com"},
        {"https://evil.com/.example.com", "evil.com"},
        {"https://evil.com%2eexample.com", NULL},
        {"https://evil.com example.com", NULL},
        {"https://evil.com,https://example.com", NULL},
        {"https:///example.com", NULL},
        {"https://[::1]:80", NULL},
        {"https://exa\tmple.com", NULL},
        {"https://example.com:123456", NULL},
        {"https://example..com", NULL},
    };
    char host[DOMAIN_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool good = origin_host(cases[i].value, host);

        if (good != (cases[i].host != NULL))
            fail_msg("%s: %s", cases[i].value, good ? host : "refused");
        if (good)
            assert_string_equal(host, cases[i].host);
    }
}

static void test_networks(void **state)
{
    static const char *const bad[] = {"",      "example.com", "10.0.0.0/33",       "::/129",
                                      "1.2.3", "10.0.0.1 ,",  "10.0.0.1 10.0.0.2", "1.2.3.4/-1",
                                      "/8"};
    struct http_address address;
    struct dc_buf list;
    struct dc_err err;

    (void)state;
    dc_buf_init(&list, 4096);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (networks_add(&list, bad[i], strlen(bad[i]), &err) == 0)
            fail_msg("'%s' became '%s'", bad[i], dc_buf_str(&list));
    assert_int_equal(list.length, 0);
    assert_int_equal(networks_add(&list, "192.0.2.0/24", 12, &err), 0);
    assert_int_equal(networks_add(&list, "2001:DB8::/32", 13, &err), 0);
    assert_int_equal(networks_add(&list, "203.0.113.7", 11, &err), 0);
    assert_string_equal(dc_buf_str(&list), "192.0.2.0/24,2001:db8::/32,203.0.113.7");
    assert_true(http_address_parse("192.0.2.99", 10, &address));
    assert_true(networks_match(list.data, &address));
    assert_true(http_address_parse("::ffff:192.0.2.99", 17, &address));
    assert_true(networks_match(list.data, &address));
    assert_true(http_address_parse("192.0.3.1", 9, &address));
    assert_false(networks_match(list.data, &address));
    assert_true(http_address_parse("2001:db8:1::5", 13, &address));
    assert_true(networks_match(list.data, &address));
    assert_false(networks_match("rubbish", &address));
    dc_buf_release(&list);
}

/* ---- rates ---- */

static const int64_t second = DC_NS_PER_S;

static bool take(struct rate_table *table, uint8_t who, uint32_t limit, int64_t now,
                 struct rate_verdict *verdict)
{
    const uint8_t id[RATE_ID_BYTES] = {who};

    rate_take(table, id, limit, now, verdict);
    return verdict->allowed;
}

static void test_rate_window(void **state)
{
    DC_AUTO(rate_table_free) struct rate_table *table = rate_table_new(8);
    struct rate_verdict verdict;
    int64_t now = 1000 * second + 300;

    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(take(table, 1, 5, now, &verdict));
        assert_int_equal(verdict.remaining, 4 - i);
    }
    assert_false(take(table, 1, 5, now + second, &verdict));
    assert_int_equal(verdict.remaining, 0);
    assert_true(verdict.wait_ns > 59 * second && verdict.wait_ns <= 61 * second);
    assert_true(take(table, 2, 5, now, &verdict)); /* somebody else */
    assert_false(take(table, 1, 5, now + 60 * second - 400, &verdict));
    assert_true(take(table, 1, 5, now + verdict.wait_ns + 60 * second, &verdict));
    assert_int_equal(verdict.remaining, 4);
}

/* Whatever the pattern: never more than the limit in any 60 seconds, and who waits as told gets in.
 */
static void test_rate_never_exceeds(void **state)
{
    enum { LIMIT = 7, STEPS = 20000 };
    static int64_t let[STEPS];
    DC_AUTO(rate_table_free) struct rate_table *table = rate_table_new(8);
    size_t count = 0;
    uint64_t random = 12345;
    int64_t now = 5 * second;

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        struct rate_verdict verdict;

        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        now += (int64_t)(random >> 33) % (12 * second);
        if (take(table, 1, LIMIT, now, &verdict)) {
            let[count++] = now;
            if (count > LIMIT)
                assert_true(now - let[count - 1 - LIMIT] >= RATE_WINDOW_S * second);
        } else if (i % 3 == 0) {
            now += verdict.wait_ns;
            assert_true(take(table, 1, LIMIT, now, &verdict));
            let[count++] = now;
        }
    }
    assert_true(count > 1000);
}

static void test_rate_memory_is_bounded(void **state)
{
    DC_AUTO(rate_table_free) struct rate_table *table = rate_table_new(4);
    struct rate_verdict verdict;

    (void)state;
    for (int i = 0; i < 200; i++) {
        assert_true(take(table, (uint8_t)i, 1, 100 * second, &verdict));
        if (i >= 100) /* who keeps asking is kept */
            assert_int_equal(take(table, 255, 1, 100 * second, &verdict), i == 100);
    }
    assert_int_equal(rate_table_count(table), 4);
    assert_true(take(table, 3, 1, 100 * second, &verdict));
}

/* The clock's first second, the largest limit, and a clock that stands still or jumps. */
static void test_rate_edges(void **state)
{
    DC_AUTO(rate_table_free) struct rate_table *table = rate_table_new(2);
    struct rate_verdict verdict;
    int64_t now = 0;

    (void)state;
    for (int i = 0; i < RATE_LIMIT_MAX; i++)
        assert_true(take(table, 1, RATE_LIMIT_MAX, now, &verdict));
    assert_false(take(table, 1, RATE_LIMIT_MAX, now, &verdict));
    assert_int_equal(verdict.remaining, 0);
    assert_true(verdict.wait_ns > 0 && verdict.wait_ns <= 61 * second);
    assert_false(take(table, 1, 1, now + 59 * second, &verdict)); /* the limit was lowered */
    now = INT64_MAX / 2;
    assert_true(take(table, 1, 1, now, &verdict));
    assert_int_equal(verdict.remaining, 0);
    assert_false(take(table, 1, 1, now, &verdict));
    assert_true(take(table, 1, 3, now, &verdict)); /* and raised */
    assert_int_equal(verdict.remaining, 1);
}

static void test_rate_look_counts_nothing(void **state)
{
    DC_AUTO(rate_table_free) struct rate_table *table = rate_table_new(4);
    const uint8_t id[RATE_ID_BYTES] = {1};
    struct rate_verdict verdict;

    (void)state;
    rate_look(table, id, 1, second, &verdict);
    assert_true(verdict.allowed);
    assert_true(take(table, 1, 1, second, &verdict));
    rate_look(table, id, 1, second, &verdict);
    assert_false(verdict.allowed);
    rate_look(table, id, 1, 62 * second, &verdict);
    assert_true(verdict.allowed);
}

static void test_counters(void **state)
{
    static struct counters counters;

    (void)state;
    assert_true(counters_enter(&counters, "a", 2));
    assert_true(counters_enter(&counters, "a", 2));
    assert_false(counters_enter(&counters, "a", 2));
    assert_true(counters_enter(&counters, "b", 1));
    counters_leave(&counters, "a");
    assert_int_equal(counters_value(&counters, "a"), 1);
    assert_true(counters_enter(&counters, "a", 2));
    counters_leave(&counters, "a");
    counters_leave(&counters, "a");
    counters_leave(&counters, "a"); /* once too often changes nothing */
    assert_int_equal(counters_value(&counters, "a"), 0);
    assert_false(counters_enter(&counters, "c", 0)); /* none at all, and none is remembered */
    counters_leave(&counters, "c");
    assert_int_equal(counters_value(&counters, "c"), 0);
    counters_release(&counters);
}

static void test_money(void **state)
{
    static const struct {
        const char *text;
        int64_t micros;
        const char *printed;
    } good[] = {
        {"0", 0, "0"},
        {"0.001", 1000, "0.001"},
        {"0.042", 42000, "0.042"},
        {"12.50", 12500000, "12.5"},
        {"0.000001", 1, "0.000001"},
        {"1000000000", MONEY_MAX_MICROS, "1000000000"},
    };
    static const char *const bad[] = {
        "", ".5", "1.", "-1", "1e3", "0.0000001", "1000000000.1", "99999999999", " 1", "1 ", "1,5"};
    char text[MONEY_SIZE];
    int64_t micros;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(money_parse(good[i].text, &micros));
        assert_int_equal(micros, good[i].micros);
        assert_string_equal(money_print(micros, text), good[i].printed);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(money_parse(bad[i], &micros));
    assert_string_equal(money_print(-500000, text), "-0.5");
    assert_string_equal(money_print(INT64_MIN, text), "-9223372036854.775808");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domain_rules),
        cmocka_unit_test(test_domain_list_is_bounded),
        cmocka_unit_test(test_domain_match),
        cmocka_unit_test(test_domain_set_grows),
        cmocka_unit_test(test_origin_hosts),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_rate_window),
        cmocka_unit_test(test_rate_never_exceeds),
        cmocka_unit_test(test_rate_memory_is_bounded),
        cmocka_unit_test(test_rate_look_counts_nothing),
        cmocka_unit_test(test_rate_edges),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_money),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
