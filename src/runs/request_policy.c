#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runs/request_parse.h"

#include "base/poison.h"

/* A JSON number times scale as a whole number; JavaScript knows no other numbers, so 3000.0 and 3e3
 * are as good as 3000. */
static bool whole_number(const json_t *value, double scale, bool round_it, double *ret_number)
{
    double number = json_number_value(value) * scale;

    if (round_it)
        number = round(number);
    *ret_number = number;
    return json_is_number(value) && isfinite(number) && floor(number) == number;
}

static void take_policy_number(struct request_parser *parser, enum policy_field field,
                               const char *path, const json_t *value)
{
    bool is_cpus = field == POLICY_CPUS_CENTI;
    double number;

    if (!json_is_number(value)) {
        request_wrong_type(parser, path, is_cpus ? "a number" : "an integer", value);
    } else if (!whole_number(value, is_cpus ? 100 : 1, is_cpus, &number)) {
        problems_add(parser->problems, PROBLEM_TYPE, path, "must be an integer");
    } else if (number < 0 || number > UINT32_MAX) {
        /* Kept as a value that is above or below every range, for the check to word. */
        run_request_set_policy(parser->request, field, number < 0 ? 0 : UINT32_MAX);
    } else {
        run_request_set_policy(parser->request, field, (uint32_t)number);
    }
}

/* allowNet and allowNetwork are one. */
static void take_allow(struct request_parser *parser, const char *path, const json_t *value)
{
    struct run_request *request = parser->request;
    enum run_wish before = request->allow_net;
    bool wanted;

    if (!request_take_flag(parser, path, value, &wanted))
        return;
    request->allow_net = wanted ? RUN_SAYS_YES : RUN_SAYS_NO;
    if (strcmp(path, "policy.allowNetwork") == 0)
        request->allow_net_name = "policy.allowNetwork";
    if (before != RUN_SAYS_NOTHING && before != request->allow_net)
        problems_add(parser->problems, PROBLEM_VALUE, path,
                     "says otherwise than its other name; send one of allowNet and allowNetwork");
}

static void take_hosts(struct request_parser *parser, const char *path, const json_t *value)
{
    parser->request->has_hosts = true;
    request_take_list(parser, path, value, DC_NET_HOSTS_MAX, &parser->request->hosts,
                      &parser->request->host_count);
}

static void take_ports(struct request_parser *parser, const char *path, const json_t *value)
{
    struct run_request *request = parser->request;
    size_t count = json_array_size(value);
    char at[REQUEST_PATH_TEXT + 24];
    double number;

    if (!json_is_array(value)) {
        request_wrong_type(parser, path, "an array of port numbers", value);
        return;
    }
    if (count > DC_NET_PORTS_MAX) {
        problems_add(parser->problems, PROBLEM_TOO_MANY, path, "%zu ports; at most %d are taken",
                     count, DC_NET_PORTS_MAX);
        return;
    }
    request->has_ports = true;
    for (size_t i = 0; i < count; i++) {
        const json_t *port = json_array_get(value, i);

        (void)snprintf(at, sizeof(at), "%.90s[%zu]", path, i);
        if (!whole_number(port, 1, false, &number))
            request_wrong_type(parser, at, "a port number", port);
        else /* what is out of range is kept out of range, for the check to word */
            request->ports[request->port_count++] =
                number < 0 || number > UINT16_MAX ? 0 : (uint32_t)number;
    }
}

static void take_policy_field(struct request_parser *parser, const char *name, const json_t *value)
{
    char quoted[72];
    char path[REQUEST_PATH_TEXT];

    (void)snprintf(path, sizeof(path), "policy.%s", problem_quote(name, strlen(name), quoted));
    for (int field = 0; field < POLICY_FIELDS; field++) {
        if (strcmp(name, policy_field_name((enum policy_field)field)) == 0) {
            take_policy_number(parser, (enum policy_field)field, path, value);
            return;
        }
    }
    if (strcmp(name, "allowNet") == 0 || strcmp(name, "allowNetwork") == 0)
        take_allow(parser, path, value);
    else if (strcmp(name, "allowedHosts") == 0)
        take_hosts(parser, path, value);
    else if (strcmp(name, "allowedPorts") == 0)
        take_ports(parser, path, value);
    else
        problems_add(parser->problems, PROBLEM_UNKNOWN_FIELD, path,
                     "is not a policy; known are timeoutMs, memoryMB, diskMB, maxProcesses, cpus, "
                     "cpuMs, maxOutputBytes, allowNet, allowedHosts, allowedPorts");
}

void request_take_policy(struct request_parser *parser, const json_t *value)
{
    const char *name;
    json_t *entry;

    if (!json_is_object(value)) {
        request_wrong_type(parser, "policy", "an object", value);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, entry)
        take_policy_field(parser, name, entry);
}
