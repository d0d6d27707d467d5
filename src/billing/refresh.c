/* Subscriptions and invoices as Stripe shows them when asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "billing/form.h"
#include "store/cancels.h"
#include "store/projects.h"

#include "base/poison.h"

#define POSTPONE_NS (INT64_C(6) * 3600 * DC_NS_PER_S)

static bool copy(char *out, size_t size, const char *text)
{
    return (size_t)snprintf(out, size, "%s", text ? text : "") < size;
}

static int fetch(struct billing *billing, const char *what, const char *id,
                 struct stripe_answer *answer, struct dc_err *err)
{
    char path[PATH_MAX_BYTES];

    if (!stripe_id_valid(id))
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is no id of Stripe's", id ? id : "");
    (void)snprintf(path, sizeof(path), "/v1/%s/%s", what, id);
    return stripe_call(&billing->stripe, "GET", path, NULL, NULL, answer, err);
}

/* ---- subscriptions ---- */

struct applying {
    struct store_subscription sub;
    const char *named; /* metadata.project_id, or NULL */
    char project_id[DC_UUID_SIZE];
};

/* The project by the name we gave the subscription, else by its customer, whom we remember when the
 * project is gone. */
static int find_project(struct store_conn *conn, const char *named, const char *customer,
                        char ret_id[static DC_UUID_SIZE], bool *ret_gone, struct dc_err *err)
{
    struct store_billing billing;
    struct store_project project;
    int found = -DC_NOT_FOUND;

    *ret_gone = false;
    if (named && dc_uuid_valid(named))
        found = store_project_get(conn, named, &project, err);
    if (found == 0)
        memcpy(ret_id, named, DC_UUID_SIZE);
    if (found != -DC_NOT_FOUND)
        return found;
    if (store_billing_find(conn, customer, &billing, err) < 0)
        return -err->code;
    memcpy(ret_id, billing.project_id, DC_UUID_SIZE);
    found = store_project_get(conn, ret_id, &project, err);
    *ret_gone = found == -DC_NOT_FOUND;
    return *ret_gone ? 0 : found;
}

static bool is_over(const char *status)
{
    return strcmp(status, "canceled") == 0 || strcmp(status, "incomplete_expired") == 0;
}

static int run_apply(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct applying *applying = arg;
    struct store_subscription sub = applying->sub;
    bool gone;

    if (find_project(conn, applying->named, sub.customer, applying->project_id, &gone, err) < 0)
        return -err->code;
    sub.project_id = applying->project_id;
    /* Somebody finished a checkout, say, of a project that was deleted meanwhile. */
    if (gone && !is_over(sub.status) &&
        store_cancel_add(conn, sub.id, sub.project_id, dc_wall_now(), err) < 0)
        return -err->code;
    sub.pro = sub.pro && !gone;
    return store_billing_apply(conn, &sub, dc_wall_now(), err);
}

static bool is_pro(const char *status)
{
    return strcmp(status, "active") == 0 || strcmp(status, "trialing") == 0 ||
           strcmp(status, "past_due") == 0;
}

int refresh_subscription(struct billing *billing, const char *id, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    struct applying applying;
    const char *status;

    if (fetch(billing, "subscriptions", id, &answer, err) < 0)
        return -err->code;
    status = stripe_text(answer.body, "status");
    applying = (struct applying){
        .named = stripe_text(answer.body, "metadata.project_id"),
        .sub = {.id = stripe_text(answer.body, "id"),
                .customer = stripe_text(answer.body, "customer"),
                .status = status,
                .pro = status && is_pro(status),
                .period_start = stripe_moment(answer.body, "items.data.0.current_period_start"),
                .period_end = stripe_moment(answer.body, "items.data.0.current_period_end"),
                .ends_with_period =
                    json_is_true(stripe_member(answer.body, "cancel_at_period_end"))},
    };
    if (!status || strlen(status) >= STORE_STRIPE_STATUS_SIZE ||
        !stripe_id_valid(applying.sub.id) || !stripe_id_valid(applying.sub.customer))
        return dc_fail(err, DC_INVALID, 0, "Stripe's subscription %s is not understood", id);
    return await_store(billing->worker, AWAIT_WRITE, run_apply, &applying, err);
}

/* ---- invoices ---- */

static int read_invoice(const json_t *body, bool failed, struct store_invoice *invoice,
                        struct dc_err *err)
{
    bool good = copy(invoice->id, sizeof(invoice->id), stripe_text(body, "id")) &&
                copy(invoice->status, sizeof(invoice->status), stripe_text(body, "status")) &&
                copy(invoice->currency, sizeof(invoice->currency), stripe_text(body, "currency")) &&
                copy(invoice->number, sizeof(invoice->number), stripe_text(body, "number"));

    if (!good || !stripe_id_valid(invoice->id) || !*invoice->status || !*invoice->currency)
        return dc_fail(err, DC_INVALID, 0, "Stripe's invoice is not understood");
    /* Links that do not fit are left out: the portal has them too. */
    if (!copy(invoice->url, sizeof(invoice->url), stripe_text(body, "hosted_invoice_url")))
        *invoice->url = '\0';
    if (!copy(invoice->pdf, sizeof(invoice->pdf), stripe_text(body, "invoice_pdf")))
        *invoice->pdf = '\0';
    invoice->amount_due = stripe_number(body, "amount_due");
    invoice->amount_paid = stripe_number(body, "amount_paid");
    invoice->period_start = stripe_moment(body, "period_start");
    invoice->period_end = stripe_moment(body, "period_end");
    invoice->created_at = stripe_moment(body, "created");
    invoice->finalized_at = stripe_moment(body, "status_transitions.finalized_at");
    invoice->paid_at = stripe_moment(body, "status_transitions.paid_at");
    invoice->failed_at = failed && !invoice->paid_at ? dc_wall_now() : 0;
    return 0;
}

struct putting {
    struct store_invoice invoice;
    const char *named;
    const char *customer;
};

static int run_put(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct putting *putting = arg;
    bool gone;

    if (find_project(conn, putting->named, putting->customer, putting->invoice.project_id, &gone,
                     err) < 0)
        return -err->code;
    return store_invoice_put(conn, &putting->invoice, dc_wall_now(), err);
}

struct left {
    const char *project_id;
    struct store_meter_state_sum sum;
};

static int run_left(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct left *left = arg;

    if (store_meter_hurry(conn, left->project_id, dc_wall_now(), err) < 0)
        return -err->code;
    return store_meter_sum(conn, left->project_id, &left->sum, err);
}

/* The period is over and its invoice open for about an hour yet: what is left is told now, and when
 * there is any, Stripe waits for it longer. */
static int hold_open(struct billing *billing, const struct store_invoice *invoice,
                     struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    struct left left = {.project_id = invoice->project_id};
    char path[PATH_MAX_BYTES];

    if (await_store(billing->worker, AWAIT_WRITE, run_left, &left, err) < 0)
        return -err->code;
    if (!left.sum.pending_runs && !left.sum.events[STORE_METER_PENDING] &&
        !left.sum.events[STORE_METER_SENDING])
        return 0;
    billing->flush = true;
    await_flag_set(&billing->metering_due);
    dc_buf_init(&form, FORM_MAX_BYTES);
    form_add_number(&form, "automatically_finalizes_at",
                    (dc_wall_now() + POSTPONE_NS) / DC_NS_PER_S);
    (void)snprintf(path, sizeof(path), "/v1/invoices/%s", invoice->id);
    dc_log(DC_LOG_INFO, "invoice %s waits for usage that is under way", invoice->id);
    return stripe_call(&billing->stripe, "POST", path, &form, NULL, &answer, err);
}

int refresh_invoice(struct billing *billing, const char *id, bool failed, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_free) struct putting *putting = calloc(1, sizeof(*putting));
    const char *subscription;

    if (!putting)
        return dc_fail(err, DC_KERNEL, 0, "no memory");
    if (fetch(billing, "invoices", id, &answer, err) < 0 ||
        read_invoice(answer.body, failed, &putting->invoice, err) < 0)
        return -err->code;
    putting->named = stripe_text(answer.body, "parent.subscription_details.metadata.project_id");
    putting->customer = stripe_text(answer.body, "customer");
    subscription = stripe_text(answer.body, "parent.subscription_details.subscription");
    if (!stripe_id_valid(putting->customer))
        return dc_fail(err, DC_INVALID, 0, "Stripe's invoice %s has no customer", id);
    if (await_store(billing->worker, AWAIT_WRITE, run_put, putting, err) < 0)
        return -err->code;
    if (strcmp(putting->invoice.status, "draft") == 0 &&
        hold_open(billing, &putting->invoice, err) < 0)
        return -err->code;
    return subscription ? refresh_subscription(billing, subscription, err) : 0;
}

int refresh_invoices_of(struct billing *billing, const char *customer, int64_t at,
                        struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    const json_t *data;

    dc_buf_init(&form, FORM_MAX_BYTES);
    form_add(&form, "customer", customer);
    form_add(&form, "limit", "100");
    if (stripe_call(&billing->stripe, "GET", "/v1/invoices", &form, NULL, &answer, err) < 0)
        return -err->code;
    data = stripe_member(answer.body, "data");
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *invoice = json_array_get(data, i);

        if (stripe_moment(invoice, "period_start") <= at &&
            at < stripe_moment(invoice, "period_end") &&
            refresh_invoice(billing, stripe_text(invoice, "id"), false, err) < 0)
            return -err->code;
    }
    return 0;
}
