/* Billing: where a project stands, links to Stripe's pages, Stripe's webhooks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/app_internal.h"
#include "api/plan.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "billing/billing.h"
#include "limits/money.h"

#include "base/poison.h"

enum {
    WEBHOOK_MAX_BYTES = 1 << 20,
    BILLING_MAX_BYTES = 4096,
    INVOICE_MAX_BYTES = 16384,
    RETRY_S = 10,
    LAST_INVOICES = 12,
};

static void fail_off(struct call *call)
{
    call_fail(call, &(struct call_error){.status = 409,
                                         .error = "Billing is off",
                                         .code = "billing_off",
                                         .message = "This server bills nobody through Stripe; its "
                                                    "operator sets STRIPE_SECRET_KEY to change "
                                                    "that."});
}

/* The billing of a server that uses Stripe; NULL: has answered. */
static struct billing *stripe_billing(struct call *call)
{
    struct billing *billing = call->app->billing;

    if (billing && billing_options(billing)->mode == BILLING_STRIPE)
        return billing;
    fail_off(call);
    return NULL;
}

/* ---- the webhook ---- */

static void fail_signature(struct call *call)
{
    call_fail(call, &(struct call_error){.status = 400,
                                         .error = "Invalid signature",
                                         .code = "invalid_signature",
                                         .message = "Stripe-Signature is missing, wrong or older "
                                                    "than five minutes. Compare "
                                                    "STRIPE_WEBHOOK_SECRET with the endpoint's "
                                                    "signing secret, and the clocks."});
}

void route_stripe_webhook(struct call *call)
{
    struct billing *billing = call->app->billing;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    struct dc_err err;
    bool valid = false;

    if (!billing || billing_options(billing)->mode != BILLING_STRIPE) {
        fail_signature(call); /* there is no secret that it could be signed with */
        return;
    }
    if (call->body_length > WEBHOOK_MAX_BYTES) {
        call_fail(call, &(struct call_error){.status = 413,
                                             .error = "Request too large",
                                             .code = "body_too_large",
                                             .message = "A webhook has at most 1 MiB.",
                                             .extra = ",\"max_size\":\"1MB\""});
        return;
    }
    if (billing_webhook(billing, call_header(call, "Stripe-Signature"), call->body,
                        call->body_length, &valid, &err) < 0) {
        if (err.code == DC_INVALID)
            call_fail(call, &(struct call_error){.status = 400,
                                                 .error = "Invalid payload",
                                                 .code = "invalid_event",
                                                 .message = "The body is signed, and no event of "
                                                            "Stripe's."});
        else
            call_fail_err(call, &err, "a webhook could not be kept");
        return;
    }
    if (!valid) {
        fail_signature(call);
        return;
    }
    dc_buf_init(&body, BILLING_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"received\":true}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

/* ---- links ---- */

static void reply_link(struct call *call, const char *url)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    dc_buf_init(&body, BILLING_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"url\":");
    (void)dc_buf_json_string(&body, url, strlen(url));
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

static void link_to(struct call *call,
                    int (*make)(struct billing *, const char *, char *, struct dc_err *))
{
    struct billing *billing = stripe_billing(call);
    char url[STORE_URL_SIZE];
    struct dc_err err;

    if (!billing)
        return;
    if (make(billing, call->project_id, url, &err) == 0) {
        reply_link(call, url);
    } else if (err.code == DC_CONFLICT) {
        call_fail(call, &(struct call_error){.status = 409,
                                             .error = "Conflict",
                                             .code = "billing_conflict",
                                             .message = err.text});
    } else {
        dc_log_err(DC_LOG_ERROR, call->request_id, &err, "no link to Stripe");
        call_fail(call, &(struct call_error){.status = 503,
                                             .error = "Payment service unavailable",
                                             .code = "stripe_unavailable",
                                             .message = "Stripe could not be asked. Nothing was "
                                                        "changed; try again in a moment.",
                                             .retry_after_s = RETRY_S});
    }
}

void route_billing_checkout(struct call *call)
{
    link_to(call, billing_checkout);
}

void route_billing_portal(struct call *call)
{
    link_to(call, billing_portal);
}

/* ---- where a project stands ---- */

struct standing {
    const char *project_id;
    int64_t now;
    struct store_project project;
    struct store_billing account;
    struct store_meter_state_sum unsent;
    struct store_usage_sums usage;
    unsigned meters;
    struct store_meter_used billed;
    int64_t patience_ns; /* until an overdue project is free; 0: for ever */
    int64_t quota;       /* runs in a UTC month; 0: no limit */
    const char *currency;
    int64_t from;
    int64_t to;
};

static void month_of(int64_t now, int64_t *ret_from, int64_t *ret_to)
{
    time_t seconds = (time_t)(now / DC_NS_PER_S);
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    tm.tm_mday = 1;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    *ret_from = (int64_t)timegm(&tm) * DC_NS_PER_S;
    tm.tm_mon++;
    *ret_to = (int64_t)timegm(&tm) * DC_NS_PER_S;
}

static int run_standing(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct standing *standing = arg;
    struct store_billing *account = &standing->account;

    if (store_project_get(conn, standing->project_id, &standing->project, err) < 0 ||
        store_billing_get(conn, standing->project_id, account, err) < 0)
        return -err->code;
    month_of(standing->now, &standing->from, &standing->to);
    if (account->metered_from && !account->metered_until && account->period_end) {
        standing->from = account->period_start;
        standing->to = account->period_end;
    }
    if (store_usage_span(conn, standing->project_id, standing->from, standing->to, &standing->usage,
                         err) < 0 ||
        store_meter_used(conn, standing->project_id, standing->meters, standing->from, standing->to,
                         &standing->billed, err) < 0)
        return -err->code;
    return store_meter_sum(conn, standing->project_id, &standing->unsent, err);
}

static void print_moment(struct dc_buf *out, const char *name, int64_t wall_ns)
{
    char text[25];

    dc_format_iso8601(wall_ns, text);
    (void)dc_buf_printf(out, wall_ns ? ",\"%s\":\"%s\"" : ",\"%s\":null", name, text);
}

/* At the pace so far, rounded down; exact where 64 bits would not do. */
static int64_t forecast(const struct standing *standing, int64_t used)
{
    int64_t gone_s = (standing->now - standing->from) / DC_NS_PER_S;
    int64_t all_s = (standing->to - standing->from) / DC_NS_PER_S;
    __int128 pace;

    if (gone_s <= 0 || all_s <= gone_s)
        return used;
    pace = (__int128)used * all_s / gone_s;
    return pace > INT64_MAX ? INT64_MAX : (int64_t)pace;
}

static void print_money(struct dc_buf *out, int64_t micros)
{
    char cost[MONEY_SIZE];

    (void)dc_buf_printf(out, ",\"amountMicros\":%" PRId64 ",\"cost\":%s}", micros,
                        money_print(micros, cost));
}

static void print_agreed(struct dc_buf *out, const struct standing *standing)
{
    const struct store_project_rules *rules = &standing->project.rules;

    (void)dc_buf_printf(out,
                        standing->quota ? ",\"runsPerMonth\":%" PRId64 : ",\"runsPerMonth\":null",
                        standing->quota);
    if (rules->budget_micros)
        (void)dc_buf_printf(out, ",\"budget\":{\"amountMicros\":%" PRId64 ",\"stops\":%s}",
                            rules->budget_micros, rules->budget_stops ? "true" : "false");
    else
        (void)dc_buf_text(out, ",\"budget\":null");
}

/* Without the end: more follows. */
static void print_standing(struct dc_buf *out, const struct app *app,
                           const struct standing *standing)
{
    static const char *const plans[STORE_PLANS] = {"free", "pro", "enterprise"};
    const struct store_billing *account = &standing->account;
    bool subscribed = account->metered_from && !account->metered_until;
    int64_t unsent =
        standing->unsent.events[STORE_METER_PENDING] + standing->unsent.events[STORE_METER_SENDING];

    (void)dc_buf_printf(
        out, "{\"plan\":\"%s\",\"billing\":\"%s\",\"status\":", plans[standing->project.plan],
        !app->billing                                           ? "off"
        : billing_options(app->billing)->mode == BILLING_STRIPE ? "stripe"
                                                                : "cloudevents");
    if (*account->status)
        (void)dc_buf_json_string(out, account->status, strlen(account->status));
    else
        (void)dc_buf_text(out, "null");
    print_moment(out, "periodStart", standing->from);
    print_moment(out, "periodEnd", standing->to);
    print_moment(out, "pastDueSince", account->past_due_at);
    print_moment(out, "pastDueUntil",
                 account->past_due_at && standing->patience_ns
                     ? account->past_due_at + standing->patience_ns
                     : 0);
    (void)dc_buf_printf(out,
                        ",\"endsWithPeriod\":%s,\"subscribed\":%s,\"customer\":%s"
                        ",\"usage\":{\"runs\":%" PRId64 ",\"cpuMs\":%" PRId64
                        ",\"billedRuns\":%" PRId64 ",\"billedCpuMs\":%" PRId64,
                        account->ends_with_period ? "true" : "false", subscribed ? "true" : "false",
                        *account->customer ? "true" : "false", standing->usage.runs,
                        standing->usage.cpu_ms, standing->billed.sums[STORE_METER_RUNS],
                        standing->billed.sums[STORE_METER_CPU_MS]);
    print_money(out, standing->billed.amount_micros);
    (void)dc_buf_printf(out, ",\"forecast\":{\"runs\":%" PRId64 ",\"billedRuns\":%" PRId64,
                        forecast(standing, standing->usage.runs),
                        forecast(standing, standing->billed.sums[STORE_METER_RUNS]));
    print_money(out, forecast(standing, standing->billed.amount_micros));
    (void)dc_buf_text(out, ",\"currency\":");
    (void)dc_buf_json_string(out, standing->currency, strlen(standing->currency));
    print_agreed(out, standing);
    (void)dc_buf_printf(out,
                        ",\"metering\":{\"pendingRuns\":%" PRId64 ",\"unsent\":%" PRId64
                        ",\"ambiguous\":%" PRId64 ",\"refused\":%" PRId64 "},",
                        standing->unsent.pending_runs, unsent,
                        standing->unsent.events[STORE_METER_AMBIGUOUS],
                        standing->unsent.events[STORE_METER_DEAD]);
}

/* ---- invoices ---- */

struct invoicing {
    const char *project_id;
    int limit;
    struct store_invoice *invoices;
    size_t count;
};

static int run_invoices(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct invoicing *invoicing = arg;

    return store_invoices_list(conn, invoicing->project_id, invoicing->limit, &invoicing->invoices,
                               &invoicing->count, err);
}

static void print_text(struct dc_buf *out, const char *name, const char *text)
{
    (void)dc_buf_printf(out, ",\"%s\":", name);
    if (*text)
        (void)dc_buf_json_string(out, text, strlen(text));
    else
        (void)dc_buf_text(out, "null");
}

static void print_invoice(struct dc_buf *out, const struct store_invoice *invoice)
{
    (void)dc_buf_printf(out, "{\"id\":\"%s\"", invoice->id);
    print_text(out, "number", invoice->number);
    print_text(out, "status", invoice->status);
    print_text(out, "currency", invoice->currency);
    (void)dc_buf_printf(out, ",\"amountDue\":%" PRId64 ",\"amountPaid\":%" PRId64,
                        invoice->amount_due, invoice->amount_paid);
    print_moment(out, "periodStart", invoice->period_start);
    print_moment(out, "periodEnd", invoice->period_end);
    print_moment(out, "createdAt", invoice->created_at);
    print_moment(out, "paidAt", invoice->paid_at);
    print_moment(out, "failedAt", invoice->failed_at);
    print_text(out, "url", invoice->url);
    print_text(out, "pdf", invoice->pdf);
    (void)dc_buf_byte(out, '}');
}

static bool read_limit(struct call *call, int *ret_limit)
{
    static const char *const names[] = {"limit", NULL};
    DC_AUTO(problems_release) struct problems problems;
    struct query query;
    const char *limit;

    problems_init(&problems);
    query_parse(call->query, &call->arena, &query, &problems);
    query_only(&query, names, &problems);
    limit = query_get(&query, "limit");
    if (limit)
        (void)query_number("limit", limit, 1, STORE_INVOICES_MAX, ret_limit, &problems);
    if (problems.total)
        call_fail_problems(call, &problems);
    return !problems.total;
}

static void print_invoices(struct dc_buf *out, const struct invoicing *invoicing)
{
    (void)dc_buf_text(out, "\"invoices\":[");
    for (size_t i = 0; i < invoicing->count; i++) {
        if (i)
            (void)dc_buf_byte(out, ',');
        print_invoice(out, &invoicing->invoices[i]);
    }
    (void)dc_buf_byte(out, ']');
}

void route_invoices_list(struct call *call)
{
    struct invoicing invoicing = {.project_id = call->project_id, .limit = STORE_LIST_DEFAULT};
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    struct dc_err err;

    if (!read_limit(call, &invoicing.limit))
        return;
    if (await_store(call->app->worker, AWAIT_READ, run_invoices, &invoicing, &err) < 0) {
        call_fail_err(call, &err, "invoices could not be listed");
        return;
    }
    dc_buf_init(&body, BILLING_MAX_BYTES + invoicing.count * INVOICE_MAX_BYTES);
    (void)dc_buf_byte(&body, '{');
    print_invoices(&body, &invoicing);
    (void)dc_buf_byte(&body, '}');
    free(invoicing.invoices);
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

/* ---- all of it ---- */

void route_billing_get(struct call *call)
{
    const struct billing *billing = call->app->billing;
    struct standing standing = {.project_id = call->project_id,
                                .now = dc_wall_now(),
                                .meters = billing ? billing_meters(billing) : 0,
                                .currency = call->app->options.price.currency};
    struct invoicing invoicing = {.project_id = call->project_id, .limit = LAST_INVOICES};
    bool sees_invoices = call->session && role_may(call->role, PERMIT_BILL);
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    struct dc_err err;

    if (!plan_quota(call, &standing.quota))
        standing.quota = 0;
    if (billing)
        standing.patience_ns =
            (int64_t)billing_options(billing)->past_due_days * 24 * 3600 * DC_NS_PER_S;
    if (await_store(call->app->worker, AWAIT_READ, run_standing, &standing, &err) < 0 ||
        (sees_invoices &&
         await_store(call->app->worker, AWAIT_READ, run_invoices, &invoicing, &err) < 0)) {
        call_fail_err(call, &err, "billing could not be read");
        return;
    }
    dc_buf_init(&body, BILLING_MAX_BYTES + invoicing.count * INVOICE_MAX_BYTES);
    print_standing(&body, call->app, &standing);
    if (sees_invoices)
        print_invoices(&body, &invoicing);
    else
        (void)dc_buf_text(&body, "\"invoices\":null");
    (void)dc_buf_byte(&body, '}');
    free(invoicing.invoices);
    call_reply(call, &(struct call_head){.status = 200}, &body);
}
