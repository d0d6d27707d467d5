/* docle projects show and docle projects limits: what was agreed with a project in place of its
 * plan's limits. On the database itself; a running server notices at once. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/project_find.h"
#include "limits/money.h"
#include "limits/rate.h"
#include "store/audit.h"
#include "store/members.h"

#include "base/poison.h"

enum {
    RUNS_MAX = 1000000000,
    TIMEOUT_MAX_MS = 24 * 3600 * 1000,
    INSTALL_MAX_S = 24 * 3600,
    MEMORY_MAX_MB = 1 << 20,
    RUNNING_MAX = 10000,
    RULE_COUNT = 8, /* those with a value; --budget-stops apart */
};

/* In the order of the options of docle projects limits. */
enum rule {
    RULE_RUNS,
    RULE_TIMEOUT,
    RULE_INSTALL,
    RULE_MEMORY,
    RULE_RUNNING,
    RULE_USER_RATE,
    RULE_BUDGET,
    RULE_USER_BUDGET,
    RULE_STOPS,
};

static const struct rule_text {
    const char *json;
    const char *label;
} rule_texts[RULE_COUNT] = {
    [RULE_RUNS] = {"runsPerMonth", "runs in a month"},
    [RULE_TIMEOUT] = {"timeoutMs", "timeout, ms"},
    [RULE_INSTALL] = {"installSeconds", "install, s"},
    [RULE_MEMORY] = {"memoryMb", "memory, MiB"},
    [RULE_RUNNING] = {"maxConcurrentRuns", "runs at once"},
    [RULE_USER_RATE] = {"userRateLimitPerMinute", "requests of a user in a minute"},
    [RULE_BUDGET] = {"monthlyBudget", "budget of a month"},
    [RULE_USER_BUDGET] = {"userMonthlyBudget", "budget of a user in a month"},
};

/* --- printing -------------------------------------------------------------------------------- */

/* As a JSON number; NULL: nothing agreed. */
static const char *rule_value(const struct store_project_rules *rules, int rule,
                              char text[static MONEY_SIZE])
{
    const int64_t values[RULE_COUNT] = {
        [RULE_RUNS] = rules->runs_per_month,     [RULE_TIMEOUT] = rules->timeout_ms,
        [RULE_INSTALL] = rules->install_seconds, [RULE_MEMORY] = rules->memory_mb,
        [RULE_RUNNING] = rules->running_max,     [RULE_USER_RATE] = rules->user_rate_per_minute,
        [RULE_BUDGET] = rules->budget_micros,    [RULE_USER_BUDGET] = rules->user_budget_micros,
    };

    if (!values[rule])
        return NULL;
    if (rule == RULE_BUDGET || rule == RULE_USER_BUDGET)
        return money_print(values[rule], text);
    (void)snprintf(text, MONEY_SIZE, "%lld", (long long)values[rule]);
    return text;
}

static void print_rules(const struct store_project_rules *rules, struct dc_buf *out)
{
    char text[MONEY_SIZE];
    bool any = false;

    for (int i = 0; i < RULE_COUNT; i++) {
        const char *value = rule_value(rules, i, text);

        if (value)
            dc_buf_printf(out, "  %s: %s\n", rule_texts[i].label, value);
        any = any || value;
    }
    if (rules->budget_micros || rules->user_budget_micros)
        dc_buf_printf(out, "  runs beyond a budget: %s\n",
                      rules->budget_stops ? "refused" : "go on");
    if (!any)
        dc_buf_text(out, "  as its plan has them\n");
}

static void print_rules_json(const struct store_project_rules *rules, struct dc_buf *out)
{
    char text[MONEY_SIZE];

    dc_buf_byte(out, '{');
    for (int i = 0; i < RULE_COUNT; i++) {
        const char *value = rule_value(rules, i, text);

        dc_buf_printf(out, "\"%s\":%s,", rule_texts[i].json, value ? value : "null");
    }
    dc_buf_printf(out, "\"budgetStops\":%s}", rules->budget_stops ? "true" : "false");
}

static void json_moment(struct dc_buf *out, const char *name, int64_t wall_ns)
{
    char text[25];

    if (!wall_ns) {
        dc_buf_printf(out, ",\"%s\":null", name);
        return;
    }
    dc_format_iso8601(wall_ns, text);
    dc_buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void print_project_json(const struct store_project *project,
                               const struct store_member *members, size_t count, struct dc_buf *out)
{
    dc_buf_printf(out, "{\"id\":\"%s\",\"name\":", project->id);
    dc_buf_json_string(out, project->name, strlen(project->name));
    dc_buf_printf(out, ",\"plan\":\"%s\"", store_plan_name(project->plan));
    json_moment(out, "createdAt", project->created_at);
    json_moment(out, "suspendedAt", project->suspended_at);
    dc_buf_text(out, ",\"limits\":");
    print_rules_json(&project->rules, out);
    dc_buf_text(out, ",\"members\":[");
    for (size_t i = 0; i < count; i++) {
        dc_buf_printf(out, "%s{\"email\":", i ? "," : "");
        dc_buf_json_string(out, members[i].email, strlen(members[i].email));
        dc_buf_printf(out, ",\"role\":\"%s\"}", members[i].role);
    }
    dc_buf_text(out, "]}\n");
}

static void print_project(const struct store_project *project, const struct store_member *members,
                          size_t count, struct dc_buf *out)
{
    char moment[25];

    dc_format_iso8601(project->created_at, moment);
    dc_buf_printf(out, "%s\n\nid: %s\nplan: %s\ncreated: %s\n", project->name, project->id,
                  store_plan_name(project->plan), moment);
    if (project->suspended_at) {
        dc_format_iso8601(project->suspended_at, moment);
        dc_buf_printf(out, "suspended: %s\n", moment);
    }
    dc_buf_text(out, "limits:\n");
    print_rules(&project->rules, out);
    dc_buf_text(out, count ? "members:\n" : "members: none\n");
    for (size_t i = 0; i < count; i++)
        dc_buf_printf(out, "  %-10s  %s\n", members[i].role, members[i].email);
}

/* --- show ------------------------------------------------------------------------------------ */

static int take_json(void *context, int option, const char *value, struct dc_err *err)
{
    (void)option;
    (void)value;
    (void)err;
    *(bool *)context = true;
    return 0;
}

static int run_show(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_member *members = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct store_project project;
    size_t count;
    bool json = false;
    int result = cli_parse(call, take_json, &json, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0 || data_dir_open_store(&call->config, &conn, err) < 0 ||
        project_find(conn, call->argv[0], &project, err) < 0 ||
        store_members_list(conn, project.id, NULL, &members, &count, err) < 0)
        return -err->code;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (json)
        print_project_json(&project, members, count, &out);
    else
        print_project(&project, members, count, &out);
    return cli_output(&out, err);
}

static const struct cli_option show_options[] = {
    {"json", 0, NULL, "Print JSON."},
    {0},
};

const struct cli_command command_projects_show = {
    .name = "projects show",
    .operands = "PROJECT",
    .summary = "Show a project: its plan, what was agreed with it, its members.",
    .detail = "PROJECT is its identifier, or its name when no other has it.",
    .options = show_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_show,
};

/* --- limits ---------------------------------------------------------------------------------- */

struct limits_call {
    const char *wanted;
    bool json;
    uint32_t given; /* 1 << enum rule */
    struct store_project_rules rules;
    struct store_project project;
};

static int take_amount(const char *value, int64_t *ret_micros, struct dc_err *err)
{
    if (!money_parse(value, ret_micros) || !*ret_micros)
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is no amount such as 12.50", value);
    return 0;
}

static int take_rule(struct store_project_rules *rules, enum rule rule, const char *value,
                     struct dc_err *err)
{
    uint32_t number = 0;

    switch (rule) {
    case RULE_RUNS:
        if (cli_number(value, 1, RUNS_MAX, &number, err) < 0)
            return -err->code;
        rules->runs_per_month = number;
        return 0;
    case RULE_TIMEOUT:
        return cli_number(value, 1, TIMEOUT_MAX_MS, &rules->timeout_ms, err);
    case RULE_INSTALL:
        return cli_number(value, 1, INSTALL_MAX_S, &rules->install_seconds, err);
    case RULE_MEMORY:
        return cli_number(value, 1, MEMORY_MAX_MB, &rules->memory_mb, err);
    case RULE_RUNNING:
        return cli_number(value, 1, RUNNING_MAX, &rules->running_max, err);
    case RULE_USER_RATE:
        return cli_number(value, 1, RATE_LIMIT_MAX, &rules->user_rate_per_minute, err);
    case RULE_BUDGET:
        return take_amount(value, &rules->budget_micros, err);
    case RULE_USER_BUDGET:
        return take_amount(value, &rules->user_budget_micros, err);
    case RULE_STOPS:
    default:
        rules->budget_stops = strcmp(value, "yes") == 0;
        if (!rules->budget_stops && strcmp(value, "no") != 0)
            return dc_fail(err, DC_INVALID, 0, "it takes yes or no");
        return 0;
    }
}

static const struct cli_option limits_options[] = {
    {"json", 0, NULL, "Print JSON."},
    {"runs-per-month", 0, "N", "Runs in a UTC month."},
    {"timeout-ms", 0, "N", "Longest timeout of a run."},
    {"install-seconds", 0, "N",
     "Longest installation of packages, at most packages.install_seconds."},
    {"memory-mb", 0, "N", "Memory of a run, in MiB."},
    {"running", 0, "N", "Runs that execute at once, at most project.running of them; more wait."},
    {"user-rate", 0, "N", "Requests of each end user in a minute."},
    {"budget", 0, "AMOUNT", "What the project may cost in a UTC month."},
    {"user-budget", 0, "AMOUNT", "What each end user may cost in a UTC month."},
    {"budget-stops", 0, "ANSWER", "Whether runs beyond a budget are refused: yes or no."},
    {0},
};

static int take_limit(void *context, int option, const char *value, struct dc_err *err)
{
    struct limits_call *limits = context;
    enum rule rule = (enum rule)(option - 1);

    if (!option) {
        limits->json = true;
        return 0;
    }
    limits->given |= 1u << rule;
    if (rule != RULE_STOPS && strcmp(value, "none") == 0)
        return 0; /* rules are zero */
    if (take_rule(&limits->rules, rule, value, err) < 0)
        return dc_context(err, "--%s", limits_options[option].name);
    return 0;
}

static void merge(const struct limits_call *limits, struct store_project_rules *rules)
{
    const struct store_project_rules *wanted = &limits->rules;

#define TAKE(rule, member)                                                                         \
    if (limits->given & 1u << (rule))                                                              \
    rules->member = wanted->member
    TAKE(RULE_RUNS, runs_per_month);
    TAKE(RULE_TIMEOUT, timeout_ms);
    TAKE(RULE_INSTALL, install_seconds);
    TAKE(RULE_MEMORY, memory_mb);
    TAKE(RULE_RUNNING, running_max);
    TAKE(RULE_USER_RATE, user_rate_per_minute);
    TAKE(RULE_BUDGET, budget_micros);
    TAKE(RULE_USER_BUDGET, user_budget_micros);
    TAKE(RULE_STOPS, budget_stops);
#undef TAKE
}

static int run_change(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct limits_call *limits = arg;
    struct store_project *project = &limits->project;

    if (project_find(conn, limits->wanted, project, err) < 0)
        return -err->code;
    merge(limits, &project->rules);
    if (store_project_set_rules(conn, project->id, &project->rules, dc_wall_now(), err) < 0)
        return -err->code;
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = project->id,
                                                 .actor = "operator (command line)",
                                                 .action = "project.limits",
                                                 .target = project->name,
                                                 .address = "",
                                                 .at = dc_wall_now()},
                           err);
}

static int run_limits(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct limits_call limits = {0};
    int result = cli_parse(call, take_limit, &limits, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0)
        return -err->code;
    if (!limits.given)
        return dc_fail(err, DC_INVALID, 0, "nothing to change; see docle projects limits --help");
    limits.wanted = call->argv[0];
    if (data_dir_open_store(&call->config, &conn, err) < 0 ||
        store_transaction(conn, run_change, &limits, err) < 0)
        return -err->code;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (limits.json) {
        dc_buf_printf(&out, "{\"id\":\"%s\",\"limits\":", limits.project.id);
        print_rules_json(&limits.project.rules, &out);
        dc_buf_text(&out, "}\n");
    } else {
        dc_buf_printf(&out, "Limits of project %s (%s):\n", limits.project.id, limits.project.name);
        print_rules(&limits.project.rules, &out);
    }
    return cli_output(&out, err);
}

const struct cli_command command_projects_limits = {
    .name = "projects limits",
    .operands = "PROJECT",
    .summary = "Agree on limits with a project, in place of its plan's; in force at once.",
    .detail =
        "What is not named stays as it is; none takes a limit back. PROJECT is its identifier, "
        "or its name when no other has it.",
    .options = limits_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_limits,
};
