/*
 * The one that tells the meter. How it works: batches are made of what is pending; events that are
 * due are claimed, which is durable before anything is sent; sent one after the other; settled. A
 * death between any two steps repeats a step: the batch by its transaction, the sending by the
 * identifier, which the meter takes once.
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

static unsigned wanted_meters(const struct billing_options *options)
{
    unsigned meters = 0;

    for (unsigned i = 0; i < STORE_METERS; i++)
        if (options->mode == BILLING_CLOUDEVENTS || options->prices[i])
            meters |= 1u << i;
    return meters;
}

static void make_batches(struct billing *billing)
{
    struct batching batching = {.meters = wanted_meters(&billing->options), .made = true};
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
    bool forgets; /* the meter forgets identifiers after a day */
    struct store_meter_event events[CLAIM_MAX];
    int count;
};

static int run_claim(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct claiming *claiming = arg;
    int64_t now = dc_wall_now();

    claiming->count = 0;
    return store_meter_claim(conn, now, now + SECONDS(CLAIM_S),
                             claiming->forgets ? now - SECONDS(IDENTIFIER_H * 3600) : 0, CLAIM_MAX,
                             claiming->events, &claiming->count, err);
}

static int run_settle(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_meter_settle(conn, arg, err);
}

static void settle(struct billing *billing, struct store_meter_outcome *outcome)
{
    struct dc_err err;

    outcome->now = dc_wall_now();
    /* Should this fail, the claim runs out and the identifier says that the meter has it. */
    if (await_store(billing->worker, AWAIT_WRITE, run_settle, outcome, &err) < 0)
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

static void send_one(struct billing *billing, const struct store_meter_event *event)
{
    struct store_meter_outcome outcome = {.id = event->id};
    struct sink_verdict verdict;
    struct dc_err err;

    if (settle_late(billing, event))
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
    struct claiming claiming = {.forgets = billing->options.mode == BILLING_STRIPE};
    struct dc_err err;

    do {
        if (await_store(billing->worker, AWAIT_WRITE, run_claim, &claiming, &err) < 0) {
            dc_log_err(DC_LOG_ERROR, NULL, &err, "usage could not be read");
            return;
        }
        if (claiming.count)
            billing_crash_point("after_claim");
        for (int i = 0; i < claiming.count; i++) {
            if (billing->stopping || dc_now() < billing->refused_until)
                return; /* the claims run out by themselves, and at the next start */
            send_one(billing, &claiming.events[i]);
            task_sleep(1000 / billing->options.per_second);
        }
    } while (claiming.count);
}

static int run_hurry(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_meter_hurry(conn, arg, dc_wall_now(), err);
}

void billing_run_metering(struct billing *billing)
{
    struct dc_err err;

    billing->next_reconcile = dc_now() + SECONDS(FIRST_RECONCILE_S);
    /* What a server before us had claimed is ours now: it is gone, the file is locked. */
    if (await_store(billing->worker, AWAIT_WRITE, run_hurry, NULL, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "usage under way waits for its claims to run out");
    while (!billing->stopping) {
        if (billing->flush || dc_now() >= billing->next_batch) {
            billing->flush = false;
            billing->next_batch = dc_now() + SECONDS(billing->options.batch_s);
            make_batches(billing);
        }
        if (dc_now() >= billing->refused_until)
            send_due(billing);
        if (billing->options.mode == BILLING_STRIPE && dc_now() >= billing->next_reconcile) {
            billing->next_reconcile = dc_now() + SECONDS(RECONCILE_S);
            billing_catch_up(billing);
            billing_reconcile(billing);
        }
        await_flag_wait(&billing->metering_due);
    }
}
