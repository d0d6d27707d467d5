/* Classes of addresses, the grammar of allowedHosts, and what rules let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "egress/host_rule.h"

#include "base/poison.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage = {0};

    if (strchr(text, ':')) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

        v6->sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;

        v4->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
    }
    return storage;
}

static void test_classes(void **state)
{
    static const struct {
        const char *address;
        enum address_class class;
    } cases[] = {
        {"1.1.1.1", ADDRESS_PUBLIC},
        {"9.255.255.255", ADDRESS_PUBLIC},
        {"11.0.0.0", ADDRESS_PUBLIC},
        {"172.15.255.255", ADDRESS_PUBLIC},
        {"172.32.0.0", ADDRESS_PUBLIC},
        {"100.63.255.255", ADDRESS_PUBLIC},
        {"100.128.0.0", ADDRESS_PUBLIC},
        {"169.253.255.255", ADDRESS_PUBLIC},
        {"223.255.255.255", ADDRESS_PUBLIC},
        {"198.20.0.0", ADDRESS_PUBLIC},
        {"10.0.0.0", ADDRESS_PRIVATE},
        {"10.255.255.255", ADDRESS_PRIVATE},
        {"172.16.0.1", ADDRESS_PRIVATE},
        {"172.31.255.255", ADDRESS_PRIVATE},
        {"192.168.255.255", ADDRESS_PRIVATE},
        {"100.64.0.1", ADDRESS_PRIVATE},
        {"100.100.100.200", ADDRESS_METADATA},
        {"168.63.129.16", ADDRESS_METADATA},
        {"127.0.0.1", ADDRESS_LOOPBACK},
        {"127.255.255.255", ADDRESS_LOOPBACK},
        {"169.254.169.254", ADDRESS_LINK},
        {"0.0.0.0", ADDRESS_RESERVED},
        {"0.1.2.3", ADDRESS_RESERVED},
        {"192.0.0.1", ADDRESS_RESERVED},
        {"192.0.2.1", ADDRESS_RESERVED},
        {"198.18.0.1", ADDRESS_RESERVED},
        {"198.19.255.255", ADDRESS_RESERVED},
        {"198.51.100.7", ADDRESS_RESERVED},
        {"203.0.113.7", ADDRESS_RESERVED},
        {"192.88.99.1", ADDRESS_RESERVED},
        {"224.0.0.1", ADDRESS_MULTICAST},
        {"239.255.255.255", ADDRESS_MULTICAST},
        {"240.0.0.1", ADDRESS_RESERVED},
        {"255.255.255.255", ADDRESS_RESERVED},
        {"2606:4700:4700::1111", ADDRESS_PUBLIC},
        {"2001:4860:4860::8888", ADDRESS_PUBLIC},
        {"2001:200::1", ADDRESS_PUBLIC},
        {"::", ADDRESS_RESERVED},
        {"::1", ADDRESS_LOOPBACK},
        {"::ffff:127.0.0.1", ADDRESS_MAPPED},
        {"::ffff:1.1.1.1", ADDRESS_MAPPED},
        {"::7f00:1", ADDRESS_MAPPED},
        {"::ffff:0:1.1.1.1", ADDRESS_MAPPED},
        {"64:ff9b::1.1.1.1", ADDRESS_PUBLIC},
        {"64:ff9b::10.0.0.1", ADDRESS_PRIVATE},
        {"64:ff9b::169.254.169.254", ADDRESS_LINK},
        {"64:ff9b:1::1.1.1.1", ADDRESS_MAPPED},
        {"2002:7f00:1::1", ADDRESS_MAPPED},
        {"2001:0:4136:e378::1", ADDRESS_MAPPED},
        {"2001:10::1", ADDRESS_RESERVED},
        {"2001:db8::1", ADDRESS_RESERVED},
        {"3fff::1", ADDRESS_RESERVED},
        {"100::1", ADDRESS_RESERVED},
        {"4000::1", ADDRESS_RESERVED},
        {"fc00::1", ADDRESS_PRIVATE},
        {"fdff::1", ADDRESS_PRIVATE},
        {"fd00:ec2::254", ADDRESS_METADATA},
        {"fe80::1", ADDRESS_LINK},
        {"febf::1", ADDRESS_LINK},
        {"fec0::1", ADDRESS_PRIVATE},
        {"ff02::1", ADDRESS_MULTICAST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sockaddr_storage address = address_of(cases[i].address);
        enum address_class class = address_class_of((struct sockaddr *)&address);

        if (class != cases[i].class)
            fail_msg("%s is %s", cases[i].address, address_class_name(class));
    }
}

static void test_numeric(void **state)
{
    static const char *const numeric[] = {"1.2.3.4",    "127.1",      "0x7f.1",
                                          "2130706433", "0x7f000001", "017700000001",
                                          "1.2.3.4.",   "a.0x",       "x.09"};
    static const char *const names[] = {"a.b", "1.example.com", "0x7f.com", "", "a.b1", "a.0xg"};
    uint32_t address;

    (void)state;
    for (size_t i = 0; i < sizeof(numeric) / sizeof(numeric[0]); i++)
        assert_true(address_looks_numeric(numeric[i], strlen(numeric[i])));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(address_looks_numeric(names[i], strlen(names[i])));
    assert_true(address_parse_v4("10.1.2.3", 8, &address));
    assert_int_equal(address, 0x0a010203);
    assert_false(address_parse_v4("10.1.2", 6, &address));
    assert_false(address_parse_v4("10.1.2.256", 10, &address));
    assert_false(address_parse_v4("10.1.2.03", 9, &address));
    assert_false(address_parse_v4("10.1.2.3.", 9, &address));
    assert_false(address_parse_v4("10.1.2.3x", 9, &address));
}

static void test_good_rules(void **state)
{
    static const struct {
        const char *text;
        enum egress_rule_kind kind;
        const char *name;
        uint16_t port;
        uint32_t notes;
    } cases[] = {
        {"api.example.com", EGRESS_RULE_EXACT, "api.example.com", 0, 0},
        {"API.Example.COM.", EGRESS_RULE_EXACT, "api.example.com", 0, 0},
        {"api.example.com:8443", EGRESS_RULE_EXACT, "api.example.com", 8443, 0},
        {"*.example.com", EGRESS_RULE_BELOW, "example.com", 0, 0},
        {"*.example.com:1", EGRESS_RULE_BELOW, "example.com", 1, 0},
        {"*example.com", EGRESS_RULE_BELOW, "example.com", 0, HOST_RULE_OLD_FORM},
        {"*", EGRESS_RULE_ANY, "", 0, HOST_RULE_WIDE},
        {"*:443", EGRESS_RULE_ANY, "", 443, HOST_RULE_WIDE},
        {"*.com", EGRESS_RULE_BELOW, "com", 0, HOST_RULE_WIDE | HOST_RULE_LOCAL},
        {"*.co.uk", EGRESS_RULE_BELOW, "co.uk", 0, HOST_RULE_WIDE},
        {"*.github.io", EGRESS_RULE_BELOW, "github.io", 0, HOST_RULE_WIDE},
        {"*.b\xc3\xbc"
         "cher.example",
         EGRESS_RULE_BELOW, "xn--bcher-kva.example", 0, 0},
        {"stra\xc3\x9f"
         "e.de",
         EGRESS_RULE_EXACT, "xn--strae-oqa.de", 0, 0},
        {"\xef\xbd\x81.example\xe3\x80\x82"
         "com",
         EGRESS_RULE_EXACT, "a.example.com", 0, 0},
        {"_acme.example.com", EGRESS_RULE_EXACT, "_acme.example.com", 0, 0},
        {"localhost", EGRESS_RULE_EXACT, "localhost", 0, HOST_RULE_LOCAL},
        {"10.0.0.1:5432", EGRESS_RULE_ADDRESS, "10.0.0.1", 5432, HOST_RULE_LOCAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct egress_rule rule;
        uint32_t notes;
        struct dc_err err;

        if (host_rule_parse(cases[i].text, strlen(cases[i].text), &rule, &notes, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(rule.kind, cases[i].kind);
        assert_string_equal(rule.name, cases[i].name);
        assert_int_equal(rule.port, cases[i].port);
        assert_int_equal(notes, cases[i].notes);
    }
}

static void test_bad_rules(void **state)
{
    static const char *const bad[] = {
        "",         ".",         "*.",           "a..b",       "-a.com",
        "a-.com",   "a b.com",   "http://x.com", "x.com/path", "user@x.com",
        "x:0",      "x.com:",    "x.com:65536",  "x.com:8a",   "[::1]",
        "::1",      "0x7f.1",    "2130706433",   "127.1",      "1.2.3",
        "1.2.3.4.", "*.1.2.3.4", "*.*.com",      "a.*.com",    "a*.com",
        "x.com\n",  "xn--a.com",
    };
    char longest[300];
    struct egress_rule rule;
    uint32_t notes;
    struct dc_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (host_rule_parse(bad[i], strlen(bad[i]), &rule, &notes, &err) != -DC_INVALID)
            fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(host_rule_parse("a\0.com", 6, &rule, &notes, &err), -DC_INVALID);
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 50; i < sizeof(longest); i += 50)
        longest[i] = '.';
    assert_int_equal(host_rule_parse(longest, 253, &rule, &notes, &err), 0);
    assert_int_equal(host_rule_parse(longest, 254, &rule, &notes, &err), -DC_INVALID);
    assert_int_equal(host_rule_parse(longest + 1, 64 + 50, &rule, &notes, &err), 0);
    memset(longest, 'a', 64);
    assert_int_equal(host_rule_parse(longest, 70, &rule, &notes, &err), -DC_INVALID);
}

static struct egress_rule rule_of(const char *text)
{
    struct egress_rule rule;
    uint32_t notes;
    struct dc_err err;

    assert_int_equal(host_rule_parse(text, strlen(text), &rule, &notes, &err), 0);
    return rule;
}

static void test_matching(void **state)
{
    struct egress_rule below = rule_of("*.test.example");
    struct egress_rule exact = rule_of("a.example");
    struct egress_rule any = rule_of("*");

    (void)state;
    assert_true(host_rule_matches(&below, "a.test.example"));
    assert_true(host_rule_matches(&below, "a.b.test.example"));
    assert_true(host_rule_matches(&below, "test.example"));
    assert_false(host_rule_matches(&below, "atest.example"));
    assert_false(host_rule_matches(&below, ".test.example"));
    assert_false(host_rule_matches(&below, "example"));
    assert_true(host_rule_matches(&exact, "a.example"));
    assert_false(host_rule_matches(&exact, "b.a.example"));
    assert_true(host_rule_matches(&any, "what.ever"));
}

static void test_policy(void **state)
{
    struct host_policy policy = {
        .rules = {rule_of("a.example"), rule_of("b.example:5432"), rule_of("*.c.example:443")},
        .rule_count = 3,
        .ports = {443, 80},
        .port_count = 2,
    };
    enum egress_verdict verdict;
    uint16_t ports[DC_NET_PORTS_MAX];
    size_t count;

    (void)state;
    assert_true(host_policy_knows(&policy, "b.example"));
    assert_false(host_policy_knows(&policy, "d.example"));
    assert_ptr_equal(host_policy_find(&policy, "a.example", 80, &verdict), &policy.rules[0]);
    assert_null(host_policy_find(&policy, "a.example", 22, &verdict));
    assert_int_equal(verdict, EGRESS_DENIED_PORT);
    assert_null(host_policy_find(&policy, "b.example", 443, &verdict));
    assert_int_equal(verdict, EGRESS_DENIED_PORT);
    assert_non_null(host_policy_find(&policy, "b.example", 5432, &verdict));
    assert_non_null(host_policy_find(&policy, "x.c.example", 443, &verdict));
    assert_null(host_policy_find(&policy, "d.example", 443, &verdict));
    assert_int_equal(verdict, EGRESS_DENIED_HOST);
    policy.rules[3] = policy.rules[0];
    policy.rules[0] = rule_of("*:80");
    policy.rule_count = 4;
    assert_ptr_equal(host_policy_find(&policy, "a.example", 80, &verdict), &policy.rules[3]);
    assert_ptr_equal(host_policy_find(&policy, "e.example", 80, &verdict), &policy.rules[0]);
    assert_true(host_policy_ports(&policy, ports, DC_NET_PORTS_MAX, &count));
    assert_int_equal(count, 3);
    assert_int_equal(ports[0], 80);
    assert_int_equal(ports[1], 443);
    assert_int_equal(ports[2], 5432);
    assert_false(host_policy_ports(&policy, ports, 2, &count));
}

static bool held(const struct host_exceptions *all, const char *name, const char *address,
                 uint16_t port)
{
    struct sockaddr_storage storage = address_of(address);

    return host_exceptions_hold(all, name, (struct sockaddr *)&storage, port);
}

static void test_exceptions(void **state)
{
    struct host_exceptions all;
    struct egress_rule rule;
    struct dc_err err;

    (void)state;
    assert_int_equal(
        host_exceptions_parse("db.internal:5432, 10.1.0.0/16  192.168.1.7:443,fd00::/8,cache", &all,
                              &err),
        0);
    assert_int_equal(all.count, 5);
    assert_true(held(&all, "db.internal", "172.16.0.9", 5432));
    assert_false(held(&all, "db.internal", "172.16.0.9", 5433));
    assert_false(held(&all, "evil.internal", "172.16.0.9", 5432));
    assert_true(held(&all, "any.example", "10.1.255.1", 22));
    assert_false(held(&all, "any.example", "10.2.0.1", 22));
    assert_true(held(&all, "any.example", "192.168.1.7", 443));
    assert_false(held(&all, "any.example", "192.168.1.7", 80));
    assert_true(held(&all, "any.example", "fd12::1", 80));
    rule = rule_of("cache");
    assert_true(host_exceptions_name(&all, &rule));
    rule = rule_of("localhost");
    assert_false(host_exceptions_name(&all, &rule));
    rule = rule_of("10.1.2.3:80");
    assert_true(host_exceptions_name(&all, &rule));
    rule = rule_of("192.168.1.7:80");
    assert_false(host_exceptions_name(&all, &rule));
    assert_int_equal(host_exceptions_parse("", &all, &err), 0);
    assert_int_equal(all.count, 0);
    assert_int_equal(host_exceptions_parse("10.0.0.0/33", &all, &err), -DC_INVALID);
    assert_int_equal(host_exceptions_parse("a b:0", &all, &err), -DC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),    cmocka_unit_test(test_numeric),
        cmocka_unit_test(test_good_rules), cmocka_unit_test(test_bad_rules),
        cmocka_unit_test(test_matching),   cmocka_unit_test(test_policy),
        cmocka_unit_test(test_exceptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
