/* GET /api/limits: what is left of the month, and the ceilings of runs. */
#include <inttypes.h>

#include "api/app_internal.h"
#include "api/plan.h"
#include "api/policy_print.h"
#include "api/routes.h"
#include "base/clock.h"
#include "limits/money.h"
#include "store/usage.h"

#include "base/poison.h"

enum { LIMITS_MAX_BYTES = 8192 };

struct reading {
    const char *project_id;
    int64_t period;
    int64_t used;
    struct store_usage_month month;
};

static int run_reading(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct reading *reading = arg;

    if (store_quota_used(conn, reading->project_id, reading->period, &reading->used, err) < 0)
        return -err->code;
    return store_usage_month(conn, reading->project_id, reading->period, &reading->month, err);
}

static void print_quota(const struct call *call, const struct reading *reading, struct dc_buf *out)
{
    int64_t limit = 0;

    if (plan_quota(call, &limit))
        (void)dc_buf_printf(out, ",\"runs\":{\"used\":%" PRId64 ",\"limit\":%" PRId64 "}",
                            reading->used, limit);
    else
        (void)dc_buf_text(out, ",\"runs\":null");
}

static void print_budget(const struct call *call, const struct reading *reading, struct dc_buf *out)
{
    const struct store_project_rules *rules = &call->project_rules;
    char spent[MONEY_SIZE];
    char amount[MONEY_SIZE];

    if (rules->budget_micros)
        (void)dc_buf_printf(
            out, ",\"budget\":{\"spent\":%s,\"amount\":%s,\"currency\":\"%s\",\"stops\":%s}",
            money_print(reading->month.sums.amount_micros, spent),
            money_print(rules->budget_micros, amount), call->app->options.price.currency,
            rules->budget_stops ? "true" : "false");
    else
        (void)dc_buf_text(out, ",\"budget\":null");
}

void route_limits(struct call *call)
{
    struct admission_share share;
    struct reading reading = {.project_id = call->project_id,
                              .period = dc_month_of(call->begun_ns)};
    DC_AUTO(dc_buf_release) struct dc_buf body;
    char resets[25];
    struct dc_err err;

    dc_buf_init(&body, LIMITS_MAX_BYTES);
    if (await_store(call->app->worker, AWAIT_READ, run_reading, &reading, &err) < 0) {
        call_fail_err(call, &err, "limits could not be read");
        return;
    }
    plan_share(call, &share);
    dc_format_iso8601(dc_month_begin(dc_month_add(reading.period, 1)), resets);
    (void)dc_buf_printf(
        &body, "{\"plan\":\"%s\",\"period\":\"%04" PRId64 "-%02" PRId64 "\",\"resetsAt\":\"%s\"",
        store_plan_name(call->plan), reading.period / 100, reading.period % 100, resets);
    print_quota(call, &reading, &body);
    print_budget(call, &reading, &body);
    policy_print(call, &body);
    (void)dc_buf_printf(&body, ",\"concurrency\":{\"running\":%u,\"queued\":%u}}",
                        share.running_max, share.queued_max);
    call_reply(call, &(struct call_head){.status = 200}, &body);
}
