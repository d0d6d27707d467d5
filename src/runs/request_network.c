/* policy.allowNet, allowedHosts, allowedPorts: from what the caller wrote to what the run may
 * reach, held against what the operator allows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runs/request.h"
#include "runs/request_internal.h"

#include "base/poison.h"

static const uint16_t default_ports[] = {443, 80};

enum { PATH_TEXT = 48 };

/* --- the operator's side --------------------------------------------------------------------- */

static const char between[] = ", \t";

static int parse_default_hosts(const char *text, struct run_network_limits *limits,
                               struct dc_err *err)
{
    struct host_policy *policy = &limits->defaults;

    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t length = strcspn(text, between);
        struct egress_rule *rule = &policy->rules[policy->rule_count];
        uint32_t notes;

        if (policy->rule_count == DC_NET_HOSTS_MAX)
            return dc_fail(err, DC_LIMIT, 0, "more than %d hosts", DC_NET_HOSTS_MAX);
        if (length == 6 && memcmp(text, "public", 6) == 0)
            *rule = (struct egress_rule){.kind = EGRESS_RULE_ANY};
        else if (host_rule_parse(text, length, rule, &notes, err) < 0)
            return dc_context(err, "'%.*s'", (int)(length < 80 ? length : 80), text);
        policy->rule_count++;
        text += length;
    }
    limits->has_defaults = policy->rule_count > 0;
    return 0;
}

static int parse_blocked(const char *text, struct run_network_limits *limits, struct dc_err *err)
{
    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        char *end;
        unsigned long port = strtoul(text, &end, 10);

        if (end == text || port < 1 || port > UINT16_MAX || !strchr(between, *end))
            return dc_fail(err, DC_INVALID, 0, "'%.20s' is not a port", text);
        if (limits->blocked_count == DC_NET_PORTS_MAX)
            return dc_fail(err, DC_LIMIT, 0, "more than %d ports", DC_NET_PORTS_MAX);
        limits->blocked[limits->blocked_count++] = (uint16_t)port;
        text = end;
    }
    return 0;
}

int run_network_limits_parse(const char *hosts, const char *exceptions, const char *blocked,
                             struct run_network_limits *ret_limits, struct dc_err *err)
{
    *ret_limits = (struct run_network_limits){0};
    if (parse_default_hosts(hosts, ret_limits, err) < 0)
        return dc_context(err, "default hosts");
    if (host_exceptions_parse(exceptions, &ret_limits->exceptions, err) < 0)
        return dc_context(err, "private hosts");
    if (parse_blocked(blocked, ret_limits, err) < 0)
        return dc_context(err, "blocked ports");
    return 0;
}

/* --- the caller's side ----------------------------------------------------------------------- */

struct check {
    struct run_request *request;
    const struct run_network_limits *limits;
    struct problems *problems;
    struct host_policy *policy;
};

/* Port 53 is the run's own resolver's. */
static bool port_allowed(const struct check *check, const char *path, uint32_t port)
{
    if (port < 1 || port > UINT16_MAX) {
        problems_add(check->problems, PROBLEM_RANGE, path, "must be a port from 1 to 65535");
        return false;
    }
    if (port == EGRESS_STUB_PORT) {
        problems_add(check->problems, PROBLEM_VALUE, path,
                     "port 53 is not open to programs; names are looked up without it");
        return false;
    }
    for (size_t i = 0; i < check->limits->blocked_count; i++) {
        if (check->limits->blocked[i] == port) {
            problems_add(check->problems, PROBLEM_CEILING, path, "port %u is closed on this server",
                         port);
            return false;
        }
    }
    return true;
}

static bool warn_old_form(struct run_request *request, const char *path,
                          const struct egress_rule *rule)
{
    char printed[DC_HOST_NAME_MAX_BYTES + 12];
    char text[2 * sizeof(printed)];
    const char *copy;

    if (!request->warnings)
        request->warnings =
            dc_arena_alloc(&request->arena, DC_NET_HOSTS_MAX * sizeof(*request->warnings));
    host_rule_print(rule, printed);
    (void)snprintf(text, sizeof(text), "%s: read as \"%s\"; write it so", path, printed);
    copy = request->warnings ? dc_arena_copy(&request->arena, text, strlen(text)) : NULL;
    if (!copy)
        return false;
    request->warnings[request->warning_count++] = (struct run_text){copy, strlen(text)};
    return true;
}

static bool rule_allowed(const struct check *check, const char *path,
                         const struct egress_rule *rule, uint32_t notes)
{
    const char *name = rule->name;

    if (rule->port && !port_allowed(check, path, rule->port))
        return false;
    if (notes & HOST_RULE_WIDE && !check->limits->allow_any) {
        problems_add(check->problems, PROBLEM_CEILING, path,
                     "is wider than this server allows; name hosts, such as api.example.com or "
                     "*.example.com");
        return false;
    }
    if (notes & HOST_RULE_LOCAL && !(notes & HOST_RULE_WIDE) &&
        !host_exceptions_name(&check->limits->exceptions, rule)) {
        problems_add(check->problems, PROBLEM_VALUE, path,
                     rule->kind == EGRESS_RULE_ADDRESS
                         ? "%s is an address; name a host (the operator can allow addresses)"
                         : "'%s' is not a public host name; name one such as api.example.com (the "
                           "operator can allow others)",
                     name);
        return false;
    }
    return true;
}

static int check_hosts(const struct check *check, struct dc_err *err)
{
    struct run_request *request = check->request;

    for (size_t i = 0; i < request->host_count; i++) {
        const struct run_text *host = &request->hosts[i];
        struct egress_rule *rule = &check->policy->rules[check->policy->rule_count];
        char path[PATH_TEXT];
        char quoted[72];
        uint32_t notes;

        (void)snprintf(path, sizeof(path), "policy.allowedHosts[%zu]", i);
        if (host_rule_parse(host->bytes, host->length, rule, &notes, err) < 0) {
            if (err->code != DC_INVALID)
                return -err->code;
            problems_add(check->problems, PROBLEM_VALUE, path, "'%s' %s",
                         problem_quote(host->bytes, host->length, quoted), err->text);
            continue;
        }
        if (!rule_allowed(check, path, rule, notes))
            continue;
        if (notes & HOST_RULE_OLD_FORM && !warn_old_form(request, path, rule))
            return run_request_no_memory(err);
        check->policy->rule_count++;
    }
    return 0;
}

static void check_ports(const struct check *check)
{
    const struct run_request *request = check->request;
    struct host_policy *policy = check->policy;
    char path[PATH_TEXT];

    for (size_t i = 0; i < request->port_count; i++) {
        (void)snprintf(path, sizeof(path), "policy.allowedPorts[%zu]", i);
        if (port_allowed(check, path, request->ports[i]))
            policy->ports[policy->port_count++] = (uint16_t)request->ports[i];
    }
    if (request->has_ports)
        return;
    memcpy(policy->ports, default_ports, sizeof(default_ports));
    policy->port_count = sizeof(default_ports) / sizeof(default_ports[0]);
}

static void check_whole(const struct check *check)
{
    uint16_t ports[DC_NET_PORTS_MAX];
    size_t addresses = 0;
    size_t count;

    if (!host_policy_ports(check->policy, ports, DC_NET_PORTS_MAX, &count))
        problems_add(check->problems, PROBLEM_TOO_MANY, "policy.allowedHosts",
                     "and allowedPorts name more than %d different ports together",
                     DC_NET_PORTS_MAX);
    else if (!count)
        problems_add(check->problems, PROBLEM_VALUE, "policy.allowedPorts",
                     "no port is left; name some, or leave it out for 80 and 443");
    for (size_t i = 0; i < check->policy->rule_count; i++)
        addresses += check->policy->rules[i].kind == EGRESS_RULE_ADDRESS;
    if (addresses > DC_NET_ADDRESSES_MAX)
        problems_add(check->problems, PROBLEM_TOO_MANY, "policy.allowedHosts",
                     "%zu addresses; at most %d are taken", addresses, DC_NET_ADDRESSES_MAX);
}

/* Does the caller want a network that we can give? Says what is wrong else. */
static bool wants_network(const struct run_request *request, const struct run_limits *limits,
                          struct problems *problems)
{
    if (request->allow_net == RUN_SAYS_NOTHING && request->host_count)
        problems_add(problems, PROBLEM_MISSING, "policy.allowNet",
                     "is not true, so the program would reach none of allowedHosts; set it, or "
                     "leave them out");
    if (request->allow_net != RUN_SAYS_YES || (request->has_hosts && !request->host_count))
        return false;
    if (!limits->network) {
        problems_add(problems, PROBLEM_NOT_ENABLED,
                     request->allow_net_name ? request->allow_net_name : "policy.allowNet",
                     "network access is not enabled on this server; leave it out or set it to "
                     "false");
        return false;
    }
    if (!request->has_hosts && !limits->network->has_defaults) {
        problems_add(problems, PROBLEM_MISSING, "policy.allowedHosts",
                     "name the hosts that the program may reach, such as [\"api.example.com\"]; "
                     "this server has no default list");
        return false;
    }
    return true;
}

int run_request_check_network(struct run_request *request, const struct run_limits *limits,
                              struct problems *problems, struct dc_err *err)
{
    struct check check = {.request = request, .limits = limits->network, .problems = problems};

    if (request->network || !wants_network(request, limits, problems)) /* of our own making */
        return 0;
    check.policy = dc_arena_alloc(&request->arena, sizeof(*check.policy));
    if (!check.policy)
        return run_request_no_memory(err);
    *check.policy = (struct host_policy){0};
    if (!request->has_hosts)
        *check.policy = limits->network->defaults;
    else if (check_hosts(&check, err) < 0)
        return -err->code;
    check_ports(&check);
    if (check.policy->rule_count)
        check_whole(&check);
    request->network = check.policy;
    return 0;
}
