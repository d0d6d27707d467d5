/* What operators have to know of, as incidents: looked at every few seconds by the server that
 * holds the lease, written when something changes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "store/cancels.h"
#include "store/incidents.h"
#include "store/meter_retry.h"

#include "base/poison.h"

#define SECONDS(n) ((int64_t)(n)*DC_NS_PER_S)

enum {
    LOOK_S = 5,
    STALLED_S = 900,      /* that usage may wait, besides the time between batches */
    CANCEL_S = 3600,      /* that a subscription without a project may live on */
    SIGNATURES = 5,       /* wrong ones in a row of looks that are worth a mail */
    CALM_S = 3600,        /* after which wrong signatures are over */
    REPORT_S = 24 * 3600, /* after which an error of the meter is over */
};

struct look {
    struct billing *billing;
    struct store_meter_health health;
    struct store_incident open[STORE_INCIDENTS];
    int count;
    int64_t cancels;
    int64_t oldest_cancel;
    int64_t now;
    /* What is to change. */
    bool raise[STORE_INCIDENTS];
    bool close[STORE_INCIDENTS];
    char detail[STORE_INCIDENTS][STORE_INCIDENT_DETAIL_SIZE];
};

static int run_look(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct look *look = arg;

    look->now = dc_wall_now();
    if (store_meter_health(conn, &look->health, err) < 0 ||
        store_cancels_count(conn, &look->cancels, &look->oldest_cancel, err) < 0)
        return -err->code;
    return store_incidents_open(conn, look->open, &look->count, err);
}

static int run_change(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct look *look = arg;

    for (int i = 0; i < STORE_INCIDENTS; i++) {
        enum store_incident_kind kind = (enum store_incident_kind)i;

        if (look->raise[i] && store_incident_raise(conn, kind, look->detail[i], look->now, err) < 0)
            return -err->code;
        if (look->close[i] && store_incident_close(conn, kind, look->now, err) < 0)
            return -err->code;
    }
    return 0;
}

static const struct store_incident *opened(const struct look *look, enum store_incident_kind kind)
{
    for (int i = 0; i < look->count; i++)
        if (look->open[i].kind == kind)
            return &look->open[i];
    return NULL;
}

/* One that is there as long as something is so. */
static void follow(struct look *look, enum store_incident_kind kind, bool is_so)
{
    const struct store_incident *open = opened(look, kind);

    look->raise[kind] = is_so && !open;
    look->close[kind] = !is_so && open;
}

static void judge_meter(struct look *look)
{
    const struct billing *billing = look->billing;
    int64_t waits = look->health.oldest_at ? look->now - look->health.oldest_at : 0;

    follow(look, STORE_INCIDENT_DEAD, look->health.dead > 0);
    (void)snprintf(look->detail[STORE_INCIDENT_DEAD], STORE_INCIDENT_DETAIL_SIZE,
                   "The meter does not take %" PRId64 " usage events. What they say is billed to "
                   "nobody until docle billing retry tells them again.",
                   look->health.dead);
    follow(look, STORE_INCIDENT_STALLED,
           waits > SECONDS((int64_t)billing->options.batch_s + STALLED_S));
    (void)snprintf(look->detail[STORE_INCIDENT_STALLED], STORE_INCIDENT_DETAIL_SIZE,
                   "Usage has waited for %" PRId64 " minutes to be told to the meter: it cannot be "
                   "reached, or does not take our key.",
                   waits / SECONDS(60));
    follow(look, STORE_INCIDENT_CANCEL,
           look->cancels > 0 && look->now - look->oldest_cancel > SECONDS(CANCEL_S));
    (void)snprintf(look->detail[STORE_INCIDENT_CANCEL], STORE_INCIDENT_DETAIL_SIZE,
                   "%" PRId64 " subscriptions of deleted projects have not ended at Stripe yet.",
                   look->cancels);
}

static void judge_hours(struct look *look)
{
    struct billing *billing = look->billing;

    if (billing->compared)
        follow(look, STORE_INCIDENT_DRIFT, billing->drifting > 0);
    (void)snprintf(look->detail[STORE_INCIDENT_DRIFT], STORE_INCIDENT_DETAIL_SIZE,
                   "The meter shows something else than it was told in %" PRIu64 " hours of "
                   "projects. docle billing reconcile lists them.",
                   billing->drifting);
}

static void judge_arrivals(struct look *look)
{
    const struct store_incident *signature = opened(look, STORE_INCIDENT_SIGNATURE);
    const struct store_incident *report = opened(look, STORE_INCIDENT_METER_ERROR);
    struct billing *billing = look->billing;
    uint64_t new = billing->bad_signatures - billing->bad_signatures_told;

    /* Anybody can send one; so a few count for nothing, and many for one mail. */
    if (new >= SIGNATURES) {
        billing->bad_signatures_told = billing->bad_signatures;
        look->raise[STORE_INCIDENT_SIGNATURE] = true;
    } else if (signature && signature->last_at < look->now - SECONDS(CALM_S)) {
        billing->bad_signatures_told = billing->bad_signatures;
        look->close[STORE_INCIDENT_SIGNATURE] = true;
    }
    (void)snprintf(look->detail[STORE_INCIDENT_SIGNATURE], STORE_INCIDENT_DETAIL_SIZE,
                   "%" PRIu64 " webhooks had a wrong signature since the start. Compare "
                   "STRIPE_WEBHOOK_SECRET with the endpoint's secret, and the clocks.",
                   billing->bad_signatures);
    if (report && report->last_at < look->now - SECONDS(REPORT_S))
        look->close[STORE_INCIDENT_METER_ERROR] = true;
}

static bool changes(const struct look *look)
{
    for (int i = 0; i < STORE_INCIDENTS; i++)
        if (look->raise[i] || look->close[i])
            return true;
    return false;
}

static void remember(struct billing *billing, const struct look *look)
{
    billing->stats.unsent = look->health.unsent;
    billing->stats.oldest_at = look->health.oldest_at;
    billing->stats.ambiguous = look->health.ambiguous;
    billing->stats.dead = look->health.dead;
    billing->stats.cancels = look->cancels;
    for (int i = 0; i < STORE_INCIDENTS; i++)
        billing->stats.incidents[i] =
            look->raise[i] || (opened(look, (enum store_incident_kind)i) && !look->close[i]);
}

static void look_around(struct billing *billing, struct look *look)
{
    struct dc_err err;

    if (await_store(billing->worker, AWAIT_READ, run_look, look, &err) < 0) {
        dc_log_err(DC_LOG_WARN, NULL, &err, "billing could not be looked after");
        return;
    }
    if (billing_holds_lease(billing)) {
        judge_meter(look);
        judge_hours(look);
        judge_arrivals(look);
    }
    if (changes(look) && await_store(billing->worker, AWAIT_WRITE, run_change, look, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "an incident could not be noted");
    remember(billing, look);
}

void billing_watch(struct billing *billing)
{
    DC_AUTO(dc_free) struct look *look = NULL;

    if (dc_now() < billing->next_look)
        return;
    billing->next_look = dc_now() + SECONDS(LOOK_S);
    look = calloc(1, sizeof(*look));
    if (!look)
        return;
    look->billing = billing;
    look_around(billing, look);
}

void billing_stats(const struct billing *billing, struct billing_stats *ret_stats)
{
    *ret_stats = billing->stats;
    ret_stats->drifts = billing->drifts;
    ret_stats->bad_signatures = billing->bad_signatures;
    ret_stats->sends = billing->lease.token != 0;
}
