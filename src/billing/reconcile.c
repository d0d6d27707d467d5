/* What the meter shows against what we told it: once an hour of the last hours and of those with
 * something ambiguous, once a day of the last days. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "billing/meters.h"

#include "base/poison.h"

#define HOUR_NS (INT64_C(3600) * DC_NS_PER_S)

enum {
    HOURS_BACK = 34 * 24, /* that are looked through for something ambiguous */
    HOURS_CHECKED = 6,    /* that are checked whatever they hold */
    HOURS_FULL = 3 * 24,  /* the same, once a day */
    SETTLED_H = 2,        /* after its end an hour is added up */
    PAGE = 64,
};

struct reading {
    int64_t from;
    int64_t to;
    int64_t skip;
    struct store_meter_hour hours[PAGE];
    int count;
    int64_t checked; /* hours that are checked whatever they hold */
    uint64_t drifts;
};

static int run_hours(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct reading *reading = arg;

    return store_meter_hours(conn, reading->from, reading->to, reading->skip, PAGE, reading->hours,
                             &reading->count, err);
}

struct resolving {
    const struct store_lease *lease;
    const struct store_meter_hour *hour;
    bool received;
};

static int run_resolve(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct resolving *resolving = arg;

    if (store_lease_check(conn, resolving->lease, err) < 0)
        return -err->code;
    return store_meter_resolve(conn, resolving->hour, resolving->received, dc_wall_now(), err);
}

static int check_hour(struct billing *billing, const struct meter_ids *ids, struct reading *reading,
                      const struct store_meter_hour *hour, int64_t now, struct dc_err *err)
{
    struct resolving resolving = {.lease = &billing->lease, .hour = hour};
    enum meter_judgement judgement;
    int64_t value;

    if (meters_read_hour(&billing->stripe, ids, hour, &value, err) < 0)
        return -err->code;
    judgement = meters_judge(hour, value, hour->hour + (1 + SETTLED_H) * HOUR_NS <= now);
    if (judgement == METER_DRIFT) {
        billing->drifts++;
        reading->drifts++;
        dc_log(DC_LOG_ERROR,
               "the meter does not agree: %s of project %s in the hour %lld: told %lld, shown %lld",
               store_meter_name(hour->meter), hour->project_id,
               (long long)(hour->hour / DC_NS_PER_S), (long long)hour->acked, (long long)value);
    }
    if (judgement != METER_RECEIVED && judgement != METER_MISSING)
        return 0;
    resolving.received = judgement == METER_RECEIVED;
    return await_store(billing->worker, AWAIT_WRITE, run_resolve, &resolving, err);
}

static int check_page(struct billing *billing, const struct meter_ids *ids, struct reading *reading,
                      int64_t now, struct dc_err *err)
{
    for (int i = 0; i < reading->count && !billing->stopping; i++) {
        const struct store_meter_hour *hour = &reading->hours[i];

        if ((hour->ambiguous || hour->hour >= now - reading->checked * HOUR_NS) &&
            check_hour(billing, ids, reading, hour, now, err) < 0)
            return -err->code;
        if (!billing_take_lease(billing))
            return dc_fail(err, DC_CONFLICT, 0, "another server goes on with it");
    }
    return 0;
}

static int reconcile(struct billing *billing, struct reading *reading, struct dc_err *err)
{
    int64_t now = dc_wall_now();
    struct meter_ids ids;

    reading->from = now - HOURS_BACK * HOUR_NS;
    reading->to = now / HOUR_NS * HOUR_NS; /* the hour that runs is not over */
    if (meters_find(&billing->stripe, billing->options.meters, &ids, err) < 0)
        return -err->code;
    do {
        if (await_store(billing->worker, AWAIT_READ, run_hours, reading, err) < 0 ||
            check_page(billing, &ids, reading, now, err) < 0)
            return -err->code;
        reading->skip += reading->count;
    } while (reading->count == PAGE && !billing->stopping);
    return 0;
}

void billing_reconcile(struct billing *billing, bool full)
{
    DC_AUTO(dc_free) struct reading *reading = calloc(1, sizeof(*reading));
    struct dc_err err;

    if (!reading)
        return; /* in an hour */
    reading->checked = full ? HOURS_FULL : HOURS_CHECKED;
    if (reconcile(billing, reading, &err) < 0) {
        dc_log_err(DC_LOG_WARN, NULL, &err, "usage could not be compared with the meter");
        return;
    }
    if (full || reading->drifts > billing->drifting)
        billing->drifting = reading->drifts;
    billing->compared = true;
}
