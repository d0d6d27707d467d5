/*
 * The one that tells the meter: the server that holds the lease, which is checked in the
 * transactions that claim and settle. How it works: batches are made of what is pending; events
 * that are due are claimed, which is durable before anything is sent; sent one after the other;
 * settled. A death between any two steps repeats a step: the batch by its transaction, the sending
 * by the identifier, which the meter takes once.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "net/task.h"

#include "base/poison.h"

#define SECONDS(n) ((int64_t)(n)*DC_NS_PER_S)

enum {
    CLAIM_MAX = 16,
    CLAIM_S = 300,       /* that a claim holds when nothing comes of it */
    IDENTIFIER_H = 23,   /* that the meter surely remembers an identifier */
    TIMESTAMP_DAYS = 34, /* that the meter takes a moment in the past; it says 35 */
    BACKOFF_MAX_S = 600,
    RECONCILE_S = 3600,
    FIRST_RECONCILE_S = 5,
    DENIED_S = 300, /* pause after the meter did not take our key */
    LEASE_S = 300,  /* what is left of it is longer than a request with its repetitions takes */
    RENEWAL_S = 30,
    FULL_S = 24 * 3600,
    UNSURE_S = 10, /* pause after Stripe could not be asked for an invoice */
    LAPSE_S = 10,
};

void billing_crash_point(const char *name)
{
#ifdef DOCLE_TEST_HOOKS
    const char *wanted = getenv("DOCLE_TEST_BILLING_DIES");

    if (wanted && strcmp(wanted, name) == 0)
        (void)kill(getpid(), SIGKILL);
#else
    (void)name;
#endif
}

/* ---- the lease ---- */

struct leasing {
    struct store_lease lease;
    bool succeed;
};

static int run_lease(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct leasing *leasing = arg;

    return store_lease_take(conn, &leasing->lease, SECONDS(LEASE_S), leasing->succeed, err);
}

static int run_take_over(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct store_lease *lease = arg;

    /* What another one had claimed is ours now: it has lost the lease. */
    return store_lease_check(conn, lease, err) < 0
               ? -err->code
               : store_meter_hurry(conn, NULL, dc_wall_now(), err);
}

bool billing_holds_lease(const struct billing *billing)
{
    return billing->lease.token != 0;
}

bool billing_take_lease(struct billing *billing)
{
    struct leasing leasing = {billing->lease, !billing->succeeded};
    int64_t before = billing->lease.token;
    int64_t begun = dc_now();
    struct dc_err err;

    if (before && begun < billing->lease_renewal)
        return true;
    if (await_store(billing->worker, AWAIT_WRITE, run_lease, &leasing, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "the lease of billing could not be had");
        billing->lease.token = 0;
        return false;
    }
    billing->lease.token = leasing.lease.token;
    billing->succeeded = true;
    billing->lease_renewal = begun + SECONDS(RENEWAL_S);
    if (billing->lease.token && billing->lease.token != before &&
        await_store(billing->worker, AWAIT_WRITE, run_take_over, &billing->lease, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "usage under way waits for its claims to run out");
    return billing_holds_lease(billing);
}

static int run_give(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_lease_give(conn, arg, err);
}

static void give_lease(struct billing *billing)
{
    struct dc_err err;

    if (await_store(billing->worker, AWAIT_WRITE, run_give, &billing->lease, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "the lease of billing runs out by itself");
}

/* ---- batches ---- */

struct batching {
    unsigned meters;
    bool made;
};

static int run_batch(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct batching *batching = arg;

    return store_meter_batch(conn, batching->meters, dc_wall_now(), &batching->made, err);
}

static void make_batches(struct billing *billing)
{
    struct batching batching = {.meters = billing_meters(billing), .made = true};
    struct dc_err err;

    billing_crash_point("before_batch");
    while (batching.made && !billing->stopping) {
        if (await_store(billing->worker, AWAIT_WRITE, run_batch, &batching, &err) < 0) {
            dc_log_err(DC_LOG_ERROR, NULL, &err, "usage could not be put into a batch");
            return;
        }
        if (batching.made)
            billing_crash_point("after_batch");
    }
}

/* ---- sending ---- */

struct claiming {
    const struct store_lease *lease;
    bool forgets; /* the meter forgets identifiers after a day */
    struct store_meter_event events[CLAIM_MAX];
    int count;
};

static int run_claim(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct claiming *claiming = arg;
    int64_t now = dc_wall_now();

    claiming->count = 0;
    if (store_lease_check(conn, claiming->lease, err) < 0)
        return -err->code;
    return store_meter_claim(conn, now, now + SECONDS(CLAIM_S),
                             claiming->forgets ? now - SECONDS(IDENTIFIER_H * 3600) : 0, CLAIM_MAX,
                             claiming->events, &claiming->count, err);
}

struct settling {
    const struct store_lease *lease;
    const struct store_meter_outcome *outcome;
};

static int run_settle(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct settling *settling = arg;

    if (store_lease_check(conn, settling->lease, err) < 0)
        return -err->code;
    return store_meter_settle(conn, settling->outcome, err);
}

static void settle(struct billing *billing, struct store_meter_outcome *outcome)
{
    struct settling settling = {&billing->lease, outcome};
    struct dc_err err;

    outcome->now = dc_wall_now();
    /* Should this fail, the claim runs out and the identifier says that the meter has it. */
    if (await_store(billing->worker, AWAIT_WRITE, run_settle, &settling, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "what came of usage event %s could not be stored",
                   outcome->id);
}

static int64_t backoff_ns(int64_t attempts)
{
    int64_t seconds = attempts < 10 ? INT64_C(1) << attempts : BACKOFF_MAX_S;

    return SECONDS(seconds < BACKOFF_MAX_S ? seconds : BACKOFF_MAX_S);
}

/* Its invoice is final, or it is too old for the meter, and it never left. */
static bool settle_late(struct billing *billing, const struct store_meter_event *event)
{
    int64_t now = dc_wall_now();
    bool old = !event->first_sent_at && billing->options.mode == BILLING_STRIPE &&
               event->at < now - SECONDS(TIMESTAMP_DAYS * 24 * 3600);
    struct store_meter_outcome outcome = {.id = event->id, .next_at = now};

    if (!event->late && !old)
        return false;
    if (billing->options.late == BILLING_LATE_WRITE_OFF) {
        outcome.state = STORE_METER_WRITTEN_OFF;
        outcome.message = "late, written off by billing.late";
    } else {
        outcome.state = STORE_METER_PENDING;
        outcome.at = now;
        outcome.message = "late, counted in the period it could be told in";
    }
    dc_log(DC_LOG_WARN, "usage event %s of project %s: %s", event->id, event->project_id,
           outcome.message);
    settle(billing, &outcome);
    return true;
}

struct asking {
    const struct store_lease *lease;
    const char *project_id;
};

static int run_asked(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct asking *asking = arg;

    if (store_lease_check(conn, asking->lease, err) < 0)
        return -err->code;
    return store_meter_asked(conn, asking->project_id, dc_wall_now(), err);
}

/* Its period is over, and whether its invoice is final nobody told us: we were down, say. Told
 * blindly, it might count in a period that nobody is billed for any more. */
static bool settle_unsure(struct billing *billing, const struct store_meter_event *event)
{
    struct asking asking = {&billing->lease, event->project_id};
    struct store_meter_outcome outcome = {.id = event->id, .state = STORE_METER_PENDING};
    struct dc_err err;

    if (!event->unsure || !*event->customer)
        return false;
    if (refresh_invoices_of(billing, event->customer, event->at, &err) == 0 &&
        await_store(billing->worker, AWAIT_WRITE, run_asked, &asking, &err) == 0)
        return true; /* it is still due, and known by now */
    dc_log_err(DC_LOG_WARN, NULL, &err, "usage event %s waits for its period's invoice", event->id);
    outcome.next_at = dc_wall_now() + SECONDS(UNSURE_S);
    outcome.message = err.text;
    settle(billing, &outcome);
    return true;
}

static void send_one(struct billing *billing, const struct store_meter_event *event)
{
    struct store_meter_outcome outcome = {.id = event->id};
    struct sink_verdict verdict;
    struct dc_err err;

    if (settle_unsure(billing, event) || settle_late(billing, event))
        return;
    billing_crash_point("before_send");
    if (billing->options.mode == BILLING_STRIPE)
        sink_stripe_send(billing, event, &verdict, &err);
    else
        sink_events_send(billing, event, &verdict, &err);
    if (verdict.state == STORE_METER_ACKED)
        billing_crash_point("before_ack");
    outcome.state = verdict.state;
    outcome.next_key = verdict.next_key;
    /* A failure may be one that was kept for this key: how many keys there were counts then, not
     * how often we died. */
    outcome.next_at =
        dc_wall_now() + backoff_ns(verdict.next_key ? event->key_number : event->attempts);
    if (verdict.denied) {
        billing->refused_until = dc_now() + SECONDS(DENIED_S);
        dc_log_err(DC_LOG_ERROR, NULL, &err, "the meter does not take our key; usage waits");
    }
    if (verdict.state != STORE_METER_ACKED) {
        outcome.message = err.text;
        dc_log_err(verdict.state == STORE_METER_DEAD ? DC_LOG_ERROR : DC_LOG_WARN, NULL, &err,
                   "usage event %s of project %s", event->id, event->project_id);
    }
    settle(billing, &outcome);
    if (verdict.state == STORE_METER_ACKED)
        billing_crash_point("after_ack");
}

static void send_due(struct billing *billing)
{
    struct claiming claiming = {.lease = &billing->lease,
                                .forgets = billing->options.mode == BILLING_STRIPE};
    struct dc_err err;

    do {
        if (await_store(billing->worker, AWAIT_WRITE, run_claim, &claiming, &err) < 0) {
            dc_log_err(DC_LOG_ERROR, NULL, &err, "usage could not be read");
            return;
        }
        if (claiming.count)
            billing_crash_point("after_claim");
        for (int i = 0; i < claiming.count; i++) {
            if (billing->stopping || dc_now() < billing->refused_until ||
                !billing_take_lease(billing))
                return; /* the claims run out by themselves, and at the next start */
            send_one(billing, &claiming.events[i]);
            task_sleep(1000 / billing->options.per_second);
        }
    } while (claiming.count);
}

/* ---- what one server does ---- */

struct lapsing {
    int64_t patience_ns;
    int count;
};

static int run_lapse(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct lapsing *lapsing = arg;
    int64_t now = dc_wall_now();

    return store_billing_lapse(conn, now - lapsing->patience_ns, now, &lapsing->count, err);
}

static void end_patience(struct billing *billing)
{
    struct lapsing lapsing = {SECONDS((int64_t)billing->options.past_due_days * 24 * 3600), 0};
    struct dc_err err;

    if (!billing->options.past_due_days || dc_now() < billing->next_lapse)
        return;
    billing->next_lapse = dc_now() + SECONDS(LAPSE_S);
    if (await_store(billing->worker, AWAIT_WRITE, run_lapse, &lapsing, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "overdue projects could not be looked for");
    else if (lapsing.count)
        dc_log(DC_LOG_WARN, "%d projects have not paid for %u days and are free from now on",
               lapsing.count, billing->options.past_due_days);
}

static void tell(struct billing *billing)
{
    if (billing->flush || dc_now() >= billing->next_batch) {
        billing->flush = false;
        billing->next_batch = dc_now() + SECONDS(billing->options.batch_s);
        make_batches(billing);
    }
    if (dc_now() >= billing->refused_until)
        send_due(billing);
}

static void compare(struct billing *billing)
{
    bool full = dc_now() >= billing->next_full;

    if (dc_now() < billing->next_reconcile)
        return;
    billing->next_reconcile = dc_now() + SECONDS(RECONCILE_S);
    if (full)
        billing->next_full = dc_now() + SECONDS(FULL_S);
    billing_catch_up(billing);
    billing_reconcile(billing, full);
}

void billing_run_metering(struct billing *billing)
{
    bool stripe = billing->options.mode == BILLING_STRIPE;

    billing->next_reconcile = dc_now() + SECONDS(FIRST_RECONCILE_S);
    while (!billing->stopping) {
        if (billing_take_lease(billing)) {
            tell(billing);
            if (stripe) {
                billing_cancel_due(billing);
                end_patience(billing);
                compare(billing);
            }
        }
        billing_watch(billing);
        await_flag_wait(&billing->metering_due);
    }
    give_lease(billing);
}
