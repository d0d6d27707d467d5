#include "egress/host_rule.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/poison.h"

enum { LABEL_MAX = 63 };

/* --- names ----------------------------------------------------------------------------------- */

bool host_name_valid(const char *name)
{
    size_t label = 0;

    if (strnlen(name, DC_HOST_NAME_MAX_BYTES + 1) > DC_HOST_NAME_MAX_BYTES)
        return false;
    for (const char *at = name;; at++) {
        bool end = *at == '.' || !*at;

        if (end && (label == 0 || label > LABEL_MAX || at[-1] == '-'))
            return false;
        if (!*at)
            return true;
        if (end) {
            label = 0;
            continue;
        }
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_' ||
              (*at == '-' && label)))
            return false;
        label++;
    }
}

bool host_rule_matches(const struct egress_rule *rule, const char *name)
{
    size_t length = strlen(name);
    size_t tail = strlen(rule->name);

    switch ((enum egress_rule_kind)rule->kind) {
    case EGRESS_RULE_ANY:
        return true;
    case EGRESS_RULE_EXACT:
    case EGRESS_RULE_ADDRESS:
        return strcmp(rule->name, name) == 0;
    case EGRESS_RULE_BELOW:
        return strcmp(rule->name, name) == 0 ||
               (length > tail + 1 && name[length - tail - 1] == '.' &&
                strcmp(name + length - tail, rule->name) == 0);
    }
    return false;
}

void host_rule_print(const struct egress_rule *rule, char out[static DC_HOST_NAME_MAX_BYTES + 12])
{
    char port[8] = "";

    if (rule->port)
        (void)snprintf(port, sizeof(port), ":%u", rule->port);
    (void)snprintf(out, DC_HOST_NAME_MAX_BYTES + 12, "%s%.253s%s",
                   rule->kind == EGRESS_RULE_BELOW ? "*."
                   : rule->kind == EGRESS_RULE_ANY ? "*"
                                                   : "",
                   rule->name, port);
}

/* --- policies -------------------------------------------------------------------------------- */

bool host_policy_knows(const struct host_policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (host_rule_matches(&policy->rules[i], name))
            return true;
    return false;
}

static bool port_fits(const struct host_policy *policy, const struct egress_rule *rule,
                      uint16_t port)
{
    if (rule->port)
        return rule->port == port;
    for (size_t i = 0; i < policy->port_count; i++)
        if (policy->ports[i] == port)
            return true;
    return false;
}

const struct egress_rule *host_policy_find(const struct host_policy *policy, const char *name,
                                           uint16_t port, enum egress_verdict *ret_verdict)
{
    const struct egress_rule *found = NULL;

    *ret_verdict = EGRESS_DENIED_HOST;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct egress_rule *rule = &policy->rules[i];

        if (!host_rule_matches(rule, name))
            continue;
        if (!port_fits(policy, rule, port)) {
            if (!found)
                *ret_verdict = EGRESS_DENIED_PORT;
            continue;
        }
        if (!found || rule->trusted || found->kind == EGRESS_RULE_ANY)
            found = rule;
        *ret_verdict = EGRESS_ALLOWED;
    }
    return found;
}

static bool add_port(uint16_t *ports, size_t max, size_t *count, uint16_t port)
{
    size_t at = 0;

    while (at < *count && ports[at] < port)
        at++;
    if (at < *count && ports[at] == port)
        return true;
    if (*count == max)
        return false;
    memmove(&ports[at + 1], &ports[at], (*count - at) * sizeof(*ports));
    ports[at] = port;
    (*count)++;
    return true;
}

bool host_policy_ports(const struct host_policy *policy, uint16_t *ret_ports, size_t max,
                       size_t *ret_count)
{
    bool fits = true;
    bool portless = false;

    *ret_count = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        portless |= !policy->rules[i].port;
        if (policy->rules[i].port)
            fits &= add_port(ret_ports, max, ret_count, policy->rules[i].port);
    }
    for (size_t i = 0; portless && i < policy->port_count; i++)
        fits &= add_port(ret_ports, max, ret_count, policy->ports[i]);
    return fits;
}

/* --- the operator's exceptions --------------------------------------------------------------- */

static bool same_exception_name(const struct host_exception *exception, const char *name)
{
    return !exception->is_net && strcmp(exception->name, name) == 0;
}

bool host_exceptions_hold(const struct host_exceptions *exceptions, const char *name,
                          const struct sockaddr *address, uint16_t port)
{
    for (size_t i = 0; i < exceptions->count; i++) {
        const struct host_exception *one = &exceptions->list[i];

        if (one->port && one->port != port)
            continue;
        if (one->is_net ? address_net_holds(&one->net, address) : same_exception_name(one, name))
            return true;
    }
    return false;
}

bool host_exceptions_name(const struct host_exceptions *exceptions, const struct egress_rule *rule)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    bool literal = inet_pton(AF_INET, rule->name, &address.sin_addr) == 1;

    for (size_t i = 0; i < exceptions->count; i++) {
        const struct host_exception *one = &exceptions->list[i];

        if (one->port && rule->port && one->port != rule->port)
            continue;
        if (one->is_net ? literal && address_net_holds(&one->net, (struct sockaddr *)&address)
                        : same_exception_name(one, rule->name))
            return true;
    }
    return false;
}
