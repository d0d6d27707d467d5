/* policy.allowNet, allowedHosts and allowedPorts against what an operator allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/launch.h"
#include "runs/egress_client.h"
#include "runs/job_build.h"
#include "runs/request.h"

#include "base/poison.h"

struct world {
    struct run_network_limits network;
    struct run_limits limits;
    struct run_request request;
    struct problems problems;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct dc_err err;

    if (!world || run_network_limits_parse("", "", "25", &world->network, &err) < 0)
        return -1;
    world->limits.network = &world->network;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    run_request_release(&world->request);
    problems_release(&world->problems);
    free(world);
    return 0;
}

/* policy: the members of the object. */
static int parse(struct world *world, const char *policy)
{
    char body[8192];
    struct dc_err err;

    run_request_release(&world->request);
    problems_release(&world->problems);
    run_request_init(&world->request);
    problems_init(&world->problems);
    (void)snprintf(body, sizeof(body), "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{%s}}",
                   policy);
    return run_request_parse(&world->request, body, strlen(body), &world->limits, &world->problems,
                             &err);
}

static const struct host_policy *good(struct world *world, const char *policy)
{
    if (parse(world, policy) < 0)
        fail_msg("%s: %s %s", policy, world->problems.list[0].path,
                 world->problems.list[0].message);
    return world->request.network;
}

static void bad(struct world *world, const char *policy, enum problem_code code, const char *path)
{
    assert_int_equal(parse(world, policy), -DC_INVALID);
    for (size_t i = 0; i < world->problems.count; i++)
        if (world->problems.list[i].code == code && strcmp(world->problems.list[i].path, path) == 0)
            return;
    fail_msg("%s: no %s at '%s'; first: %s at '%s'", policy, problem_code_name(code), path,
             problem_code_name(world->problems.list[0].code), world->problems.list[0].path);
}

#define HOSTS(...) "\"allowNet\":true,\"allowedHosts\":[" __VA_ARGS__ "]"

static void takes_hosts(void **state)
{
    struct world *world = *state;
    const struct host_policy *policy =
        good(world, HOSTS("\"A.Example.\",\"*.b.example:8443\",\"*c.example\""));

    assert_int_equal(policy->rule_count, 3);
    assert_string_equal(policy->rules[0].name, "a.example");
    assert_int_equal(policy->rules[0].kind, EGRESS_RULE_EXACT);
    assert_int_equal(policy->rules[1].kind, EGRESS_RULE_BELOW);
    assert_int_equal(policy->rules[1].port, 8443);
    assert_int_equal(policy->port_count, 2);
    assert_int_equal(world->request.warning_count, 1);
    assert_non_null(strstr(world->request.warnings[0].bytes, "allowedHosts[2]"));
    policy = good(world, HOSTS("\"a.example\"") ",\"allowedPorts\":[5432,6e3]");
    assert_int_equal(policy->port_count, 2);
    assert_int_equal(policy->ports[1], 6000);
    assert_false(policy->rules[0].trusted);
}

static void off_is_off(void **state)
{
    struct world *world = *state;

    assert_null(good(world, ""));
    assert_null(good(world, "\"allowNet\":false"));
    assert_null(good(world, "\"allowNet\":true,\"allowedHosts\":[]"));
    assert_null(good(world, "\"allowNetwork\":false,\"allowedHosts\":[\"a.example\"]"));
    assert_null(good(world, "\"allowedHosts\":[]"));
    bad(world, "\"allowedHosts\":[\"a.example\"]", PROBLEM_MISSING, "policy.allowNet");
    bad(world, "\"allowNet\":true,\"allowNetwork\":false", PROBLEM_VALUE, "policy.allowNetwork");
    bad(world, "\"allowNet\":true", PROBLEM_MISSING, "policy.allowedHosts");
    bad(world, "\"allowNet\":1", PROBLEM_TYPE, "policy.allowNet");
    bad(world, "\"allowNet\":true,\"allowedHosts\":\"a\"", PROBLEM_TYPE, "policy.allowedHosts");
    bad(world, HOSTS("7"), PROBLEM_TYPE, "policy.allowedHosts[0]");
    world->limits.network = NULL;
    bad(world, HOSTS("\"a.example\""), PROBLEM_NOT_ENABLED, "policy.allowNet");
    assert_null(good(world, "\"allowNet\":false"));
}

static void refuses_what_is_too_wide(void **state)
{
    struct world *world = *state;

    bad(world, HOSTS("\"*\""), PROBLEM_CEILING, "policy.allowedHosts[0]");
    bad(world, HOSTS("\"a.example\",\"*.com\""), PROBLEM_CEILING, "policy.allowedHosts[1]");
    bad(world, HOSTS("\"localhost\""), PROBLEM_VALUE, "policy.allowedHosts[0]");
    bad(world, HOSTS("\"10.0.0.1\""), PROBLEM_VALUE, "policy.allowedHosts[0]");
    bad(world, HOSTS("\"a.example:25\""), PROBLEM_CEILING, "policy.allowedHosts[0]");
    bad(world, HOSTS("\"a.example:53\""), PROBLEM_VALUE, "policy.allowedHosts[0]");
    bad(world, HOSTS("\"a.example\"") ",\"allowedPorts\":[80,0]", PROBLEM_RANGE,
        "policy.allowedPorts[1]");
    bad(world, HOSTS("\"a.example\"") ",\"allowedPorts\":[70000]", PROBLEM_RANGE,
        "policy.allowedPorts[0]");
    bad(world, HOSTS("\"a.example\"") ",\"allowedPorts\":[\"80\"]", PROBLEM_TYPE,
        "policy.allowedPorts[0]");
    bad(world, HOSTS("\"a.example\"") ",\"allowedPorts\":[]", PROBLEM_VALUE, "policy.allowedPorts");
}

/* Fourteen ports of rules that have one; those of allowedPorts count only for rules without. */
static void counts_ports(void **state)
{
    struct world *world = *state;
    struct launch_run fields;

    assert_non_null(
        good(world, HOSTS("\"a.example:1\",\"a.example:2\"") ",\"allowedPorts\":[3,4,5]"));
    job_launch_fields(&world->request, &fields);
    assert_int_equal(fields.flags & RUN_HAS_NETWORK, RUN_HAS_NETWORK);
    assert_int_equal(fields.network.port_count, 2);
    bad(world,
        HOSTS("\"a.example:1\",\"a.example\"") ",\"allowedPorts\":[2,3,4,5,6,7,8,9,10,11,12,13,14,"
                                               "15]",
        PROBLEM_TOO_MANY, "policy.allowedHosts");
    assert_null(good(world, "\"allowNet\":false"));
    job_launch_fields(&world->request, &fields);
    assert_int_equal(fields.flags, 0);
    assert_int_equal(fields.network.port_count, 0);
}

static void operator_widens(void **state)
{
    struct world *world = *state;
    const struct host_policy *policy;
    struct launch_run fields;
    struct dc_err err;

    assert_int_equal(run_network_limits_parse("api.example, public", "db,10.0.0.0/8:5432", "",
                                              &world->network, &err),
                     0);
    policy = good(world, "\"allowNet\":true");
    assert_int_equal(policy->rule_count, 2);
    assert_int_equal(policy->rules[1].kind, EGRESS_RULE_ANY);
    policy = good(world, HOSTS("\"db\",\"10.1.2.3:5432\""));
    assert_int_equal(policy->rules[1].kind, EGRESS_RULE_ADDRESS);
    job_launch_fields(&world->request, &fields);
    assert_int_equal(fields.network.address_count, 1);
    assert_int_equal(fields.network.addresses[0], 0x0a010203);
    bad(world, HOSTS("\"10.1.2.3:5433\""), PROBLEM_VALUE, "policy.allowedHosts[0]");
    bad(world, HOSTS("\"*\""), PROBLEM_CEILING, "policy.allowedHosts[0]");
    world->network.allow_any = true;
    assert_non_null(good(world, HOSTS("\"*\",\"*.com\"")));
    assert_int_equal(run_network_limits_parse("a..b", "", "", &world->network, &err), -DC_INVALID);
    assert_int_equal(run_network_limits_parse("", "x:0", "", &world->network, &err), -DC_INVALID);
    assert_int_equal(run_network_limits_parse("", "", "25,x", &world->network, &err), -DC_INVALID);
    assert_int_equal(run_network_limits_parse("", "", "0", &world->network, &err), -DC_INVALID);
}

/* For runs of our own making: no request can say it, and the check leaves it alone. */
static void trusts_what_we_say(void **state)
{
    struct world *world = *state;
    struct dc_err err;

    run_request_init(&world->request);
    problems_init(&world->problems);
    world->request.has_lang = true;
    assert_int_equal(run_request_set_code(&world->request, "1", 1, &err), 0);
    assert_int_equal(run_request_trust(&world->request, "registry.internal", 443, &err), 0);
    assert_int_equal(run_request_trust(&world->request, "127.0.0.1", 4873, &err), 0);
    assert_int_equal(run_request_trust(&world->request, "*.internal", 443, &err), -DC_INVALID);
    assert_int_equal(run_request_trust(&world->request, "a b", 443, &err), -DC_INVALID);
    world->limits.network = NULL;
    assert_int_equal(run_request_check(&world->request, &world->limits, &world->problems, &err), 0);
    assert_int_equal(world->request.network->rule_count, 2);
    assert_true(world->request.network->rules[0].trusted);
    assert_int_equal(world->request.network->rules[1].port, 4873);
}

static void prints_the_log(void **state)
{
    struct egress_entry entries[] = {
        {(char *)(uintptr_t) "a.example", 7, 9, 443, EGRESS_ALLOWED},
        {(char *)(uintptr_t) "b\".example", 0, 0, 0, EGRESS_DENIED_HOST},
    };
    struct egress_session session = {.entries = entries, .count = 2, .unlisted = 3};
    DC_AUTO(dc_buf_release) struct dc_buf out;

    (void)state;
    dc_buf_init(&out, 4096);
    assert_true(egress_session_print(&session, &out));
    assert_string_equal(
        dc_buf_str(&out),
        "\"network\":[{\"host\":\"a.example\",\"port\":443,\"bytesIn\":7,\"bytesOut\":9,"
        "\"verdict\":\"allowed\"},{\"host\":\"b\\\".example\",\"port\":null,\"bytesIn\":0,"
        "\"bytesOut\":0,\"verdict\":\"denied_host\"}],\"networkUnlisted\":3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(off_is_off, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_too_wide, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(operator_widens, setup, teardown),
        cmocka_unit_test_setup_teardown(trusts_what_we_say, setup, teardown),
        cmocka_unit_test(prints_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
