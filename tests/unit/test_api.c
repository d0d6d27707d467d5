/* Keys in memory, query strings, moments: the parts of src/api that need no server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/key_table.h"
#include "api/origin.h"
#include "api/query.h"
#include "base/clock.h"

#include "base/poison.h"

static const int64_t second = DC_NS_PER_S;

/* --- keys ------------------------------------------------------------------------------------ */

static struct store_key *make_keys(size_t count, size_t from)
{
    struct store_key *keys = calloc(count, sizeof(*keys));
    char text[32];

    assert_non_null(keys);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "key %zu", from + i);
        (void)snprintf(keys[i].id, sizeof(keys[i].id), "id %zu", from + i);
        store_sha256(text, strlen(text), keys[i].hash);
    }
    return keys;
}

static const struct store_key *find(const struct key_table *table, const char *text)
{
    return key_table_find(table, text, strlen(text));
}

static void replace(struct key_table *table, size_t count, size_t from)
{
    struct dc_err err;

    assert_int_equal(key_table_replace(table, make_keys(count, from), count, &err), 0);
}

static void test_empty_table(void **state)
{
    struct key_table table;

    (void)state;
    key_table_init(&table);
    assert_null(find(&table, "key 0"));
    replace(&table, 0, 0);
    assert_null(find(&table, "key 0"));
    assert_null(find(&table, ""));
    key_table_release(&table);
}

static void test_finds_all_and_no_other(void **state)
{
    enum { COUNT = 5000 };
    struct key_table table;
    char text[32];

    (void)state;
    key_table_init(&table);
    replace(&table, COUNT, 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "key %d", i);
        assert_non_null(find(&table, text));
        assert_int_equal(find(&table, text) - table.keys, i);
    }
    assert_null(find(&table, "key 5000"));
    assert_null(find(&table, "key"));
    assert_null(key_table_find(&table, "key 1", 4));
    key_table_release(&table);
}

static void test_replaced_keys_are_gone(void **state)
{
    struct key_table table;

    (void)state;
    key_table_init(&table);
    replace(&table, 10, 0);
    replace(&table, 10, 5);
    assert_null(find(&table, "key 4"));
    assert_non_null(find(&table, "key 5"));
    assert_non_null(find(&table, "key 14"));
    key_table_release(&table);
}

static void test_uses_are_collected_once_and_carried_over(void **state)
{
    struct key_table table;
    struct store_key_use uses[4];

    (void)state;
    key_table_init(&table);
    replace(&table, 4, 0);
    key_table_use(&table, find(&table, "key 1"), 100);
    key_table_use(&table, find(&table, "key 3"), 200);
    key_table_use(&table, find(&table, "key 3"), 300);
    replace(&table, 4, 2); /* key 1 is revoked meanwhile */
    assert_int_equal(key_table_collect(&table, uses, 4), 1);
    assert_string_equal(uses[0].key_id, "id 3");
    assert_int_equal(uses[0].at, 300);
    assert_int_equal(key_table_collect(&table, uses, 4), 0);
    for (int i = 2; i < 6; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "key %d", i);
        key_table_use(&table, find(&table, text), i);
    }
    assert_int_equal(key_table_collect(&table, uses, 3), 3);
    assert_int_equal(key_table_collect(&table, uses, 3), 1);
    key_table_release(&table);
}

/* --- query strings --------------------------------------------------------------------------- */

struct parsed {
    struct dc_arena arena;
    struct query query;
    struct problems problems;
};

static void parse(struct parsed *parsed, const char *text)
{
    *parsed = (struct parsed){0};
    problems_init(&parsed->problems);
    query_parse(text, &parsed->arena, &parsed->query, &parsed->problems);
}

static void release(struct parsed *parsed)
{
    problems_release(&parsed->problems);
    dc_arena_release(&parsed->arena);
}

static void expect_parameter(const char *text, const char *name, const char *value)
{
    struct parsed parsed;

    parse(&parsed, text);
    assert_int_equal(parsed.problems.total, 0);
    if (value)
        assert_string_equal(query_get(&parsed.query, name), value);
    else
        assert_null(query_get(&parsed.query, name));
    release(&parsed);
}

static void test_query_values(void **state)
{
    (void)state;
    expect_parameter(NULL, "a", NULL);
    expect_parameter("", "a", NULL);
    expect_parameter("&&", "a", NULL);
    expect_parameter("a", "a", "");
    expect_parameter("a=", "a", "");
    expect_parameter("a=b=c", "a", "b=c");
    expect_parameter("x=1&a=b", "a", "b");
    expect_parameter("a=b+c%20d%2B", "a", "b c d+");
    expect_parameter("%61=%c3%BC", "a", "\xc3\xbc");
}

static void test_query_refusals(void **state)
{
    static const char *const bad[] = {"a=%",   "a=%1",  "a=%zz",         "a=%00", "a=%ff",
                                      "%00=a", "a=%c3", "a=1&a=2",       "a&a",   "a=%ed%a0%80",
                                      "%61&a", "a=%-1", "a=%f5%80%80%80"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct parsed parsed;

        parse(&parsed, bad[i]);
        if (!parsed.problems.total)
            fail_msg("'%s' is taken", bad[i]);
        release(&parsed);
    }
}

static void test_query_is_bounded(void **state)
{
    struct parsed parsed;
    char text[1024] = "";
    size_t length = 0;

    (void)state;
    for (int i = 0; i <= QUERY_PARAMETERS_MAX; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "&p%d=1", i);
    parse(&parsed, text);
    assert_int_equal(parsed.query.count, QUERY_PARAMETERS_MAX);
    assert_int_equal(parsed.problems.total, 1);
    release(&parsed);
}

static void expect_number(const char *text, int expected)
{
    struct problems problems;
    int number = -1;
    bool good;

    problems_init(&problems);
    good = query_number("n", text, 1, 200, &number, &problems);
    assert_int_equal(good, expected >= 0);
    assert_int_equal(number, expected);
    assert_int_equal(problems.total, expected >= 0 ? 0 : 1);
    problems_release(&problems);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {
        "", "0", "201", "-1", "+1", " 1", "1 ", "1.0", "0x", "1e1", "99999999999999999999999"};

    (void)state;
    expect_number("1", 1);
    expect_number("200", 200);
    expect_number("007", 7);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_number(bad[i], -1);
}

/* --- moments --------------------------------------------------------------------------------- */

static void expect_moment(const char *text, int64_t expected)
{
    int64_t ns = -1;

    if (!query_moment(text, &ns))
        fail_msg("'%s' is refused", text);
    assert_int_equal(ns, expected);
}

static void test_moments(void **state)
{
    static const char *const bad[] = {
        "",
        "2025",
        "2025-10-25",
        "2025-10-25T12:00:00",
        "2025-10-25T12:00Z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2025-04-31T00:00:00Z",
        "2025-10-25T24:00:00Z",
        "2025-10-25T12:60:00Z",
        "2025-10-25T12:00:61Z",
        "2025-10-25T12:00:00.Z",
        "2025-10-25T12:00:00+2:00",
        "2025-10-25T12:00:00+0200",
        "2025-10-25T12:00:00+24:00",
        "2025-10-25T12:00:00Zx",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "-025-10-25T12:00:00Z",
        "yesterday",
    };

    (void)state;
    expect_moment("1970-01-01T00:00:00Z", 0);
    expect_moment("2024-02-29T00:00:00Z", 1709164800 * second);
    expect_moment("2025-10-25T12:00:00.123Z", 1761393600 * second + 123000000);
    expect_moment("2025-10-25t14:00:00.1234567891+02:00", 1761393600 * second + 123456789);
    expect_moment("2025-10-25 10:30:00-01:30", 1761393600 * second);
    expect_moment("9999-12-31T23:59:59Z", INT64_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns;

        if (query_moment(bad[i], &ns))
            fail_msg("'%s' is taken", bad[i]);
    }
}

/* --- other sites ----------------------------------------------------------------------------- */

static void test_own_site(void **state)
{
    static const struct {
        struct origin_facts facts;
        bool own;
    } cases[] = {
        /* programs */
        {{.host = "docle.example"}, true},
        {{.host = NULL}, true},
        /* browsers that say it */
        {{.fetch_site = "same-origin", .host = "docle.example"}, true},
        {{.fetch_site = "none", .host = "docle.example"}, true}, /* the address bar */
        {{.fetch_site = "same-site", .host = "docle.example"}, false},
        {{.fetch_site = "cross-site", .host = "docle.example"}, false},
        {{.fetch_site = "", .host = "docle.example"}, false},
        {{.fetch_site = "Same-Origin", .host = "docle.example"}, false},
        {{.fetch_site = "same-origin, cross-site", .host = "docle.example"}, false},
        /* browsers that name where they are */
        {{.origin = "http://docle.example", .host = "docle.example"}, true},
        {{.origin = "HTTP://Docle.Example", .host = "docle.example"}, true},
        {{.origin = "https://docle.example", .host = "docle.example"}, false},
        {{.origin = "https://docle.example", .host = "docle.example", .secure = true}, true},
        {{.origin = "http://docle.example", .host = "docle.example", .secure = true}, false},
        {{.origin = "http://docle.example:80", .host = "docle.example"}, false},
        {{.origin = "http://docle.example:8787", .host = "docle.example:8787"}, true},
        {{.origin = "http://docle.example:8787", .host = "docle.example:8788"}, false},
        {{.origin = "http://docle.example.evil", .host = "docle.example"}, false},
        {{.origin = "http://evil.docle.example", .host = "docle.example"}, false},
        {{.origin = "http://docle.example@evil", .host = "docle.example"}, false},
        {{.origin = "http://", .host = ""}, false},
        {{.origin = "http://", .host = NULL}, false},
        {{.origin = "", .host = ""}, false},
        {{.origin = "null", .host = "null"}, false},
        {{.origin = "null", .fetch_site = "same-origin", .host = "x"}, true},
        {{.origin = "null", .fetch_site = "cross-site", .host = "x"}, false},
        /* the address of the settings, behind a proxy that changes Host */
        {{.origin = "https://app.example", .host = "10.0.0.1"}, true},
        {{.origin = "https://APP.example", .host = "10.0.0.1"}, true},
        {{.origin = "https://app.example/", .host = "10.0.0.1"}, false},
        {{.origin = "https://app.example:443", .host = "10.0.0.1"}, false},
        {{.origin = "http://app.example", .host = "10.0.0.1"}, false},
        {{.origin = "https://app.exampl", .host = "10.0.0.1"}, false},
        {{.origin = "https://app.example.evil", .host = "10.0.0.1"}, false},
        /* both: both must say so */
        {{.fetch_site = "same-origin", .origin = "https://evil", .host = "x"}, false},
        {{.fetch_site = "cross-site", .origin = "https://app.example", .host = "x"}, false},
    };
    static const char *const app_urls[] = {"https://app.example", "https://app.example/base?x#y"};

    (void)state;
    for (size_t u = 0; u < sizeof(app_urls) / sizeof(app_urls[0]); u++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct origin_facts facts = cases[i].facts;

            facts.app_url = app_urls[u];
            if (origin_is_own(&facts) != cases[i].own)
                fail_msg("%zu: %s, %s at %s", i, facts.fetch_site, facts.origin, facts.host);
        }
    }
    assert_false(origin_is_own(&(struct origin_facts){.origin = "", .app_url = ""}));
    assert_false(origin_is_own(&(struct origin_facts){.origin = "x", .app_url = "x"}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_table),
        cmocka_unit_test(test_finds_all_and_no_other),
        cmocka_unit_test(test_replaced_keys_are_gone),
        cmocka_unit_test(test_uses_are_collected_once_and_carried_over),
        cmocka_unit_test(test_query_values),
        cmocka_unit_test(test_query_refusals),
        cmocka_unit_test(test_query_is_bounded),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_own_site),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
