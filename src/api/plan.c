#include "api/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "base/clock.h"

#include "base/poison.h"

enum { TEXT_MAX = 256, EXTRA_MAX_BYTES = 32 * 1024 };

static void anonymous_limits(const struct app_anonymous *anonymous, struct run_limits *limits)
{
    static const char source[] = "runs without an account";

    run_limits_lower(limits, POLICY_TIMEOUT_MS, anonymous->timeout_ms, source);
    run_limits_lower(limits, POLICY_MEMORY_MB, anonymous->memory_mb, source);
    run_limits_lower(limits, POLICY_CPUS_CENTI, 100, source);
    limits->network = NULL;
}

void plan_run_limits(const struct call *call, struct run_limits *ret_limits)
{
    const struct plan_limits *plans = &call->app->options.plans;
    const struct store_project_rules *rules = &call->project_rules;

    *ret_limits = call->app->options.limits;
    if (call->anonymous) {
        anonymous_limits(&call->app->options.anonymous, ret_limits);
        return;
    }
    if (call->key_kind == STORE_KEY_TEST) {
        run_limits_lower(ret_limits, POLICY_TIMEOUT_MS, plans->free_timeout_ms, "a test key");
        run_limits_lower(ret_limits, POLICY_MEMORY_MB, plans->free_memory_mb, "a test key");
    }
    if (rules->timeout_ms || !plans->billing || call->plan == STORE_PLAN_ENTERPRISE)
        run_limits_lower(ret_limits, POLICY_TIMEOUT_MS, rules->timeout_ms, "this project");
    else if (call->plan == STORE_PLAN_FREE)
        run_limits_lower(ret_limits, POLICY_TIMEOUT_MS, plans->free_timeout_ms, "the plan free");
    else
        run_limits_lower(ret_limits, POLICY_TIMEOUT_MS, plans->pro_timeout_ms, "the plan pro");
    if (rules->memory_mb || !plans->billing || call->plan == STORE_PLAN_ENTERPRISE)
        run_limits_lower(ret_limits, POLICY_MEMORY_MB, rules->memory_mb, "this project");
    else if (call->plan == STORE_PLAN_FREE)
        run_limits_lower(ret_limits, POLICY_MEMORY_MB, plans->free_memory_mb, "the plan free");
    else
        run_limits_lower(ret_limits, POLICY_MEMORY_MB, plans->pro_memory_mb, "the plan pro");
}

void plan_share(const struct call *call, struct admission_share *ret_share)
{
    uint32_t agreed = call->project_rules.running_max;

    *ret_share = call->app->options.share;
    if (agreed && agreed < ret_share->running_max)
        ret_share->running_max = agreed;
}

uint32_t plan_install_s(const struct call *call)
{
    const struct plan_limits *plans = &call->app->options.plans;
    uint32_t seconds = call->project_rules.install_seconds;

    if (!seconds && plans->billing && call->plan == STORE_PLAN_FREE)
        seconds = plans->free_install_s;
    if (call->key_kind == STORE_KEY_TEST && (!seconds || plans->free_install_s < seconds))
        seconds = plans->free_install_s;
    return seconds;
}

bool plan_quota(const struct call *call, int64_t *ret_runs)
{
    const struct plan_limits *plans = &call->app->options.plans;
    int64_t free_runs = plans->free_runs ? plans->free_runs : plans->billing ? PLAN_FREE_RUNS : 0;

    if (call->key_kind == STORE_KEY_TEST)
        return false; /* free, and not of the quota */
    *ret_runs = call->project_rules.runs_per_month;
    if (!*ret_runs && call->plan == STORE_PLAN_FREE)
        *ret_runs = free_runs;
    return *ret_runs > 0;
}

bool plan_follows_quota(const struct call *call)
{
    return call->key_kind != STORE_KEY_TEST && call->plan == STORE_PLAN_FREE;
}

struct call_error plan_quota_error(struct call *call, int64_t limit, int64_t used)
{
    bool free = call->plan == STORE_PLAN_FREE && !call->project_rules.runs_per_month;
    int64_t next = dc_month_begin(dc_month_add(dc_month_of(call->begun_ns), 1));
    DC_AUTO(dc_buf_release) struct dc_buf extra;
    DC_AUTO(dc_buf_release) struct dc_buf url;
    char message[TEXT_MAX];
    const char *kept;

    (void)snprintf(message, sizeof(message),
                   "The project has used its %" PRId64 " runs of this month (UTC); %s.", limit,
                   free && call->app->options.plans.billing
                       ? "upgrade it, or wait for the next one"
                       : "ask the operator for more, or wait for the next one");
    dc_buf_init(&extra, EXTRA_MAX_BYTES);
    dc_buf_init(&url, EXTRA_MAX_BYTES);
    (void)dc_buf_printf(&url, "%s/dashboard/billing", call->app->options.accounts.app_url);
    (void)dc_buf_printf(
        &extra, ",\"limit\":%" PRId64 ",\"usage\":%" PRId64 ",\"upgrade_url\":", limit, used);
    (void)dc_buf_json_string(&extra, dc_buf_str(&url), url.length);
    kept = dc_arena_copy(&call->arena, message, strlen(message));
    return (struct call_error){
        .status = 429,
        .error = free ? "Free tier limit exceeded" : "Monthly limit exceeded",
        .code = "quota_exceeded",
        .message = kept ? kept : "The runs of this month are used up.",
        .extra = dc_arena_copy(&call->arena, dc_buf_str(&extra), extra.length),
        .retry_after_s = (uint32_t)((next - call->begun_ns) / DC_NS_PER_S + 1),
    };
}

void plan_budgets(const struct call *call, const char *user_id, struct store_budgets *ret_budgets)
{
    const struct store_project_rules *project = &call->project_rules;

    *ret_budgets = (struct store_budgets){0};
    if (call->key_kind == STORE_KEY_TEST)
        return;
    ret_budgets->project_id = call->project_id;
    ret_budgets->key_id = *call->key_id ? call->key_id : NULL;
    ret_budgets->user_id = user_id;
    ret_budgets->micros[STORE_BUDGET_KEY] = call->key_rules.budget_micros;
    ret_budgets->stops[STORE_BUDGET_KEY] = call->key_rules.budget_stops;
    ret_budgets->micros[STORE_BUDGET_PROJECT] = project->budget_micros;
    ret_budgets->micros[STORE_BUDGET_USER] = user_id ? project->user_budget_micros : 0;
    ret_budgets->stops[STORE_BUDGET_PROJECT] = project->budget_stops;
    ret_budgets->stops[STORE_BUDGET_USER] = project->budget_stops;
}

#define NOTHING_LEFT                                                                               \
    " does not have what this run may cost left, beside what those under way may; raise it, "      \
    "wait for them to end, or for the next month."

struct call_error plan_budget_error(struct call *call, enum store_budget budget)
{
    static const char *const messages[STORE_BUDGET_KINDS] = {
        [STORE_BUDGET_NONE] = "A budget of this month is used up.",
        [STORE_BUDGET_KEY] = "The key's budget of this month (UTC)" NOTHING_LEFT,
        [STORE_BUDGET_PROJECT] = "The project's budget of this month (UTC)" NOTHING_LEFT,
        [STORE_BUDGET_USER] = "The end user's budget of this month (UTC)" NOTHING_LEFT,
    };
    char extra[TEXT_MAX];

    (void)snprintf(extra, sizeof(extra), ",\"budget\":\"%s\"", store_budget_name(budget));
    return (struct call_error){.status = 402,
                               .error = "Budget exceeded",
                               .code = "budget_exceeded",
                               .message = messages[budget],
                               .extra = dc_arena_copy(&call->arena, extra, strlen(extra))};
}
