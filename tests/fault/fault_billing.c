/*
 * Usage on its way to the meter while memory, disk, sockets and the loop fail: what the meter has
 * counted is what the ledger says, each run once, whatever happened on the way; and nothing is
 * given up for it.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "fault.h"
#include "fault_service.h"
#include "net/task.h"
#include "store/billing.h"
#include "store/runs.h"

enum { RUNS = 2 };

static char url[64];

static int run_once(struct store_conn *conn, struct dc_err *err)
{
    struct store_admission admission;
    char id[DC_UUID_SIZE];
    int64_t now = dc_wall_now();
    const struct store_run_new run = {
        .id = id, .project_id = service_project.id, .lang = "python", .created_at = now};
    const struct store_run_result result = {.id = id,
                                            .outcome = "ok",
                                            .cpu_ms = 7,
                                            .cpu_ns = 7000000,
                                            .finished_at = now + 1,
                                            .metering = STORE_METERING_SUBSCRIBED};

    dc_uuid7(now, id);
    if (store_run_admit(conn, &run, &admission, err) < 0)
        return -err->code;
    return store_run_finish(conn, &result, err);
}

static int make_runs(struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;

    if (store_open(service_path, &conn, err) < 0)
        return -err->code;
    for (int i = 0; i < RUNS; i++)
        if (run_once(conn, err) < 0)
            return -err->code;
    return 0;
}

struct telling {
    struct service service;
    struct billing *billing;
    bool over;
};

static void work(void *arg)
{
    struct telling *telling = arg;

    billing_run_metering(telling->billing);
    telling->over = true;
}

/* It has done what it could and waits for the clock. */
static bool has_told(void *context)
{
    const struct telling *telling = context;

    return telling->over || telling->billing->metering_due.task;
}

static bool is_over(void *context)
{
    return ((struct telling *)context)->over;
}

static int tell_in(struct telling *telling, struct dc_err *err)
{
    const struct billing_options options = {
        .mode = BILLING_STRIPE,
        .url = url,
        .token = "sk_test_x",
        .prices = {"price_1", "price_2"},
        .meters = {"docle_runs", "docle_cpu_ms"},
        .batch_s = 3600,
        .per_second = 1000,
    };

    if (service_open(&telling->service, true, err) < 0 ||
        billing_open(&options, &telling->billing, err) < 0)
        return -err->code;
    billing_start(telling->billing, &telling->service.loop, telling->service.worker,
                  telling->service.outbound);
    telling->billing->stripe.retries = 0; /* they are for the clock's tests */
    if (task_start(&telling->service.loop, work, telling, err) < 0) {
        telling->over = true;
        return -err->code;
    }
    service_run(&telling->service, has_told, telling);
    return 0;
}

static int tell(struct dc_err *err)
{
    struct telling telling = {.over = false};
    int result = tell_in(&telling, err);

    if (telling.billing && telling.billing->timer_open) {
        billing_stop(telling.billing);
        service_stop(&telling.service);
        service_run(&telling.service, is_over, &telling);
    }
    result = service_close(&telling.service, result, err);
    billing_free(telling.billing);
    return result;
}

/* What is left is not the end: it is told by the next server. */
static int judge(struct dc_err *err)
{
    long left;

    fault_pause(true);
    left = service_number("SELECT (SELECT COUNT(*) FROM meter_pending) + (SELECT COUNT(*) FROM "
                          "meter_events WHERE state <> 'acked')");
    fault_pause(false);
    return left ? dc_fail(err, DC_KERNEL, 0, "%ld are left to be told", left) : 0;
}

static int bill(struct dc_err *err)
{
    if (make_runs(err) < 0 || tell(err) < 0)
        return -err->code;
    return judge(err);
}

static bool equals(const char *what, long is, long wanted)
{
    if (is != wanted)
        printf("# %s: %ld, not %ld\n", what, is, wanted);
    return is == wanted;
}

static bool the_meter_agrees(int result)
{
    struct dc_err err = {0};
    bool good = equals("given up",
                       service_number("SELECT COUNT(*) FROM meter_events WHERE state NOT IN "
                                      "('pending', 'sending', 'acked')"),
                       0);
    long runs;

    if (result < 0 && tell(&err) < 0) {
        printf("# afterwards: %s\n", err.text);
        return false;
    }
    runs = service_number("SELECT COUNT(*) FROM ledger WHERE outcome = 'ok'");
    good &= equals("to be told", judge(&err), 0);
    good &= equals("in batches", service_number("SELECT COUNT(*) FROM meter_batch_runs"), runs);
    good &= equals("told", peer_sum(), runs + 7 * runs);
    return good;
}

static bool subscribe(void)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    const struct store_subscription sub = {.project_id = service_project.id,
                                           .customer = "cus_1",
                                           .id = "sub_1",
                                           .status = "active",
                                           .pro = true};
    struct dc_err err;

    return store_open(service_path, &conn, &err) == 0 &&
           store_billing_apply(conn, &sub, dc_wall_now(), &err) == 0;
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"bill runs", bill, the_meter_agrees, FAULT_HARD | FAULT_SOFT},
    };
    int result;

    dc_log_setup("fault", DC_LOG_OFF);
    fault_hook_curl();
    fault_hook_sqlite();
    if (!service_prepare(true) || !subscribe())
        return 1;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", service_peer.http_port);
    result = fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
    service_clean();
    return result;
}
