/*
 * The end of subscriptions whose project is gone. What the project used is told first; then Stripe
 * ends the subscription and makes the last invoice (invoice_now), which stays a draft for about an
 * hour and bills what the meter counted. No time is credited (prorate), nothing was paid ahead.
 * A row of the store is the job: a death between any two steps repeats a step, and a subscription
 * that has ended ends only once.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "billing/form.h"
#include "store/cancels.h"

#include "base/poison.h"

#define SECONDS(n) ((int64_t)(n)*DC_NS_PER_S)

enum {
    AGAIN_S = 5,              /* while usage is under way */
    USAGE_WAIT_S = 24 * 3600, /* that the end waits for usage at most */
    BACKOFF_MAX_S = 600,
};

struct ending {
    struct store_cancel cancel;
    bool found;
    bool waits; /* usage is under way */
    int64_t now;
    int64_t next_at; /* 0: done */
    const char *message;
};

static int run_next(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct ending *ending = arg;
    struct store_meter_state_sum sum;

    ending->now = dc_wall_now();
    if (store_cancel_next(conn, ending->now, &ending->cancel, &ending->found, err) < 0)
        return -err->code;
    if (!ending->found)
        return 0;
    if (store_meter_sum(conn, ending->cancel.project_id, &sum, err) < 0)
        return -err->code;
    ending->waits = (sum.pending_runs || sum.events[STORE_METER_PENDING] ||
                     sum.events[STORE_METER_SENDING] || sum.events[STORE_METER_AMBIGUOUS]) &&
                    ending->now < ending->cancel.requested_at + SECONDS(USAGE_WAIT_S);
    return 0;
}

static int run_settle(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct ending *ending = arg;

    return store_cancel_settle(conn, &ending->cancel, dc_wall_now(), ending->next_at,
                               ending->message, err);
}

static bool is_over(const struct stripe_answer *answer)
{
    const char *status = stripe_text(answer->body, "status");

    return status && (strcmp(status, "canceled") == 0 || strcmp(status, "incomplete_expired") == 0);
}

/* 0: Stripe shows its end, or does not know it. */
static int end_it(struct billing *billing, const char *subscription, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer shown = {0};
    DC_AUTO(stripe_answer_release) struct stripe_answer ended = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    char path[PATH_MAX_BYTES];
    int result;

    if (!stripe_id_valid(subscription))
        return dc_fail(err, DC_BUG, 0, "'%.40s' is no subscription", subscription);
    (void)snprintf(path, sizeof(path), "/v1/subscriptions/%s", subscription);
    result = stripe_call(&billing->stripe, "GET", path, NULL, NULL, &shown, err);
    if (result == -DC_NOT_FOUND || (result == 0 && is_over(&shown)))
        return 0;
    if (result < 0)
        return result;
    dc_buf_init(&form, FORM_MAX_BYTES);
    form_add(&form, "invoice_now", "true");
    form_add(&form, "prorate", "false");
    billing_crash_point("before_cancel");
    if (stripe_call(&billing->stripe, "DELETE", path, &form, NULL, &ended, err) < 0)
        return -err->code;
    billing_crash_point("after_cancel");
    return is_over(&ended) ? 0 : dc_fail(err, DC_BUG, 0, "Stripe did not end the subscription");
}

static int64_t backoff_ns(int64_t attempts)
{
    int64_t seconds = attempts < 10 ? INT64_C(1) << attempts : BACKOFF_MAX_S;

    return SECONDS(seconds < BACKOFF_MAX_S ? seconds : BACKOFF_MAX_S);
}

static void handle(struct billing *billing, struct ending *ending)
{
    const struct store_cancel *cancel = &ending->cancel;
    struct dc_err err;
    struct dc_err why;

    ending->next_at = 0;
    ending->message = NULL;
    if (ending->waits) {
        billing->flush = true;
        ending->next_at = ending->now + SECONDS(AGAIN_S);
        ending->message = "waits until all usage is told";
    } else if (end_it(billing, cancel->subscription, &why) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &why, "subscription %s of a deleted project goes on",
                   cancel->subscription);
        ending->next_at = dc_wall_now() + backoff_ns(cancel->attempts);
        ending->message = why.text;
    } else {
        dc_log(DC_LOG_INFO, "subscription %s of a deleted project has ended", cancel->subscription);
        if (refresh_subscription(billing, cancel->subscription, &err) < 0)
            dc_log_err(DC_LOG_WARN, NULL, &err, "its state will come with a webhook");
    }
    if (await_store(billing->worker, AWAIT_WRITE, run_settle, ending, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "an ended subscription could not be noted");
}

void billing_cancel_due(struct billing *billing)
{
    struct ending ending;
    struct dc_err err;

    do {
        ending = (struct ending){0};
        if (await_store(billing->worker, AWAIT_READ, run_next, &ending, &err) < 0) {
            dc_log_err(DC_LOG_ERROR, NULL, &err, "subscriptions to end could not be read");
            return;
        }
        if (ending.found)
            handle(billing, &ending);
    } while (ending.found && !billing->stopping && billing_holds_lease(billing));
}
