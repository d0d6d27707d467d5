/*
 * How it works: one loop thread. Requests are tasks (call.c) that suspend for the store's threads
 * and for the engine. Two further tasks live as long as the server: `watch` waits for the first
 * readiness, then looks after keys and old runs; `shut` is started by a signal and takes everything
 * apart in order: no new connections, runs end or are cancelled, answers leave, the launcher ends.
 * When nothing is left the loop ends by itself.
 */
#include "api/app.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/auth.h"
#include "api/background.h"
#include "api/call.h"
#include "api/warm.h"
#include "base/clock.h"
#include "base/log.h"
#include "runs/await.h"

#include "base/poison.h"

enum {
    READY_WAIT_MS = 120000,
    UPKEEP_MS = 1000,
    PURGE_EVERY_S = 60,
    PURGE_RUNS = 200, /* in one write */
    SHUT_POLL_MS = 5,
    SHUT_ANSWERS_MS = 5000, /* for answers to leave when the runs are over */
};

/* ---- opening ---- */

static void fill_defaults(struct app_options *options)
{
    if (!options->listen_host)
        options->listen_host = "127.0.0.1";
    if (!options->share.running_max)
        options->share.running_max = 4 * launcher_default_slots();
    if (!options->share.queued_max)
        options->share.queued_max = APP_PROJECT_QUEUED;
    if (!options->body_max_bytes)
        options->body_max_bytes = DC_BODY_MAX_BYTES;
    if (!options->connections_max)
        options->connections_max = APP_CONNECTIONS_MAX;
    if (!options->history_days)
        options->history_days = APP_HISTORY_DAYS;
    if (!options->drain_ms)
        options->drain_ms = APP_DRAIN_MS;
}

static int open_store(struct app *app, struct dc_err *err)
{
    const char *path = app->options.database_path;
    int recovered = 0;

    if (store_open(path, &app->store, err) < 0 || store_lock_server(path, &app->lock_fd, err) < 0 ||
        store_recover(app->store, dc_wall_now(), &recovered, err) < 0 ||
        store_price_set(app->store, &app->options.price, dc_wall_now(), err) < 0 ||
        store_watch_open(path, &app->watch, err) < 0)
        return -err->code;
    app->watching = true;
    if (app->options.anonymous.enabled &&
        store_project_anonymous(app->store, dc_wall_now(), err) < 0)
        return -err->code;
    if (recovered)
        dc_log(DC_LOG_WARN, "%d runs were under way when the server ended; they are closed now",
               recovered);
    return 0;
}

int app_open(const struct app_options *options, struct launcher_keeper *keeper,
             struct app **ret_app, struct dc_err *err)
{
    DC_AUTO(app_free) struct app *app = calloc(1, sizeof(*app));

    if (!app)
        return dc_fail(err, DC_KERNEL, ENOMEM, "server");
    app->lock_fd = -1;
    app->options = *options;
    app->keeper = keeper;
    app->metrics.started_ns = dc_wall_now();
    key_table_init(&app->keys);
    fill_defaults(&app->options);
    app->key_rates = rate_table_new(APP_RATES_MAX);
    app->address_rates = rate_table_new(APP_RATES_MAX);
    app->user_rates = rate_table_new(APP_RATES_MAX);
    app->anonymous_rates = rate_table_new(APP_RATES_MAX);
    if (!app->key_rates || !app->address_rates || !app->user_rates || !app->anonymous_rates)
        return dc_fail(err, DC_KERNEL, ENOMEM, "server");
    if (uv_loop_init(&app->loop) < 0)
        return dc_fail(err, DC_KERNEL, ENOMEM, "event loop");
    app->loop_ready = true;
    if (app->options.billing.mode != BILLING_OFF &&
        billing_open(&app->options.billing, &app->billing, err) < 0)
        return -err->code;
    if (webhooks_open(&app->options.webhooks, &app->webhooks, err) < 0 ||
        outbound_new(&app->options.outbound, &app->outbound, err) < 0 || open_store(app, err) < 0 ||
        call_server_listen(app, err) < 0)
        return -err->code;
    *ret_app = dc_take(app);
    return 0;
}

void app_free(struct app *app)
{
    if (!app)
        return;
    call_server_free(app);
    if (app->loop_ready)
        dc_ignore(uv_loop_close(&app->loop));
    store_worker_free(app->worker); /* ends what was left to it */
    history_free(app->history);
    warm_used_free(app->used);
    accounts_free(app->accounts);
    packages_free(app->packages);
    repos_free(app->repos);
    billing_free(app->billing);
    webhooks_free(app->webhooks);
    outbound_free(app->outbound);
    store_conn_free(app->store);
    if (app->watching)
        store_watch_release(&app->watch);
    key_table_release(&app->keys);
    rate_table_free(app->key_rates);
    rate_table_free(app->address_rates);
    rate_table_free(app->user_rates);
    rate_table_free(app->anonymous_rates);
    counters_release(&app->key_runs);
    dc_close(app->lock_fd);
    free(app);
}

/* ---- upkeep ---- */

struct purging {
    int64_t before;
    int64_t now;
    int runs;
};

static int run_purge(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct purging *purging = arg;

    return store_purge(conn, purging->before, purging->now, PURGE_RUNS, &purging->runs, err);
}

static void purge(struct app *app)
{
    struct purging purging = {.now = dc_wall_now(), .runs = PURGE_RUNS};
    struct dc_err err;

    purging.before = purging.now - (int64_t)app->options.history_days * 24 * 3600 * DC_NS_PER_S;
    while (purging.runs == PURGE_RUNS && !app->stopping) {
        if (await_store(app->worker, AWAIT_WRITE, run_purge, &purging, &err) < 0) {
            dc_log_err(DC_LOG_WARN, NULL, &err, "old runs could not be deleted");
            return;
        }
    }
}

static int run_purge_accounts(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct purging *purging = arg;

    return store_accounts_purge(conn, purging->before, purging->now, err);
}

/* Links are counted by the limits for as long as one lives. */
static void purge_accounts(struct app *app)
{
    struct purging purging = {.now = dc_wall_now()};
    struct dc_err err;

    purging.before = purging.now - (int64_t)app->options.accounts.link_minutes * 60 * DC_NS_PER_S;
    if (await_store(app->worker, AWAIT_WRITE, run_purge_accounts, &purging, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "old links and sessions could not be deleted");
}

static void purge_all(struct app *app)
{
    purge(app);
    purge_accounts(app);
}

static void fail(struct app *app, const struct dc_err *err)
{
    app->failure = *err;
    app_drain(app);
}

static void become_ready(struct app *app)
{
    struct dc_err err;

    if (auth_refresh(app, &err) < 0 || engine_wait_ready(app->engine, READY_WAIT_MS, &err) < 0) {
        if (!app->draining)
            fail(app, &err);
        return;
    }
    app->serving = true;
    warm_start(app);
    if (!background_spawn(app, accounts_mail_run, app->accounts))
        dc_log(DC_LOG_ERROR, "no memory for the task that sends mails; none are sent");
    if (!background_spawn(app, webhooks_run, app->webhooks))
        dc_log(DC_LOG_ERROR, "no memory for the task that sends webhooks; none are sent");
    if (app->options.ready)
        app->options.ready(app->options.context);
}

static void watch(void *arg)
{
    struct app *app = arg;
    unsigned seconds = 0;

    become_ready(app);
    while (!app->stopping) {
        if (seconds++ % PURGE_EVERY_S == 0)
            purge_all(app);
        auth_upkeep(app);
        accounts_tick(app->accounts);
        webhooks_tick(app->webhooks);
        await_flag_wait(&app->upkeep_due);
    }
}

static void bill(void *arg)
{
    billing_run_metering(((struct app *)arg)->billing);
}

static void follow_stripe(void *arg)
{
    billing_run_hints(((struct app *)arg)->billing);
}

static bool start_billing(struct app *app)
{
    if (!app->billing)
        return true;
    billing_start(app->billing, &app->loop, app->worker, app->outbound);
    return background_spawn(app, bill, app) && (app->options.billing.mode != BILLING_STRIPE ||
                                                background_spawn(app, follow_stripe, app));
}

static void on_upkeep(uv_timer_t *timer)
{
    await_flag_set(&((struct app *)timer->data)->upkeep_due);
}

static void open_upkeep(struct app *app)
{
    (void)uv_timer_init(&app->loop, &app->upkeep); /* never fails, nor does the start */
    app->upkeep.data = app;
    app->upkeep_open = true;
    (void)uv_timer_start(&app->upkeep, on_upkeep, UPKEEP_MS, UPKEEP_MS);
}

/* ---- the end ---- */

static void wait_answers(struct app *app)
{
    int64_t deadline = dc_now() + SHUT_ANSWERS_MS * DC_NS_PER_MS;

    while (app->metrics.in_flight && dc_now() < deadline)
        background_sleep(SHUT_POLL_MS);
}

static bool has_runs(const struct app *app)
{
    struct engine_stats stats;

    engine_snapshot(app->engine, &stats);
    return stats.running || stats.queued;
}

/* Runs that are here may end; a second signal ends the patience. */
static void wait_runs(struct app *app)
{
    int64_t deadline = dc_now() + app->options.drain_ms * DC_NS_PER_MS;

    while (has_runs(app) && !app->hurried && dc_now() < deadline)
        background_sleep(SHUT_POLL_MS);
}

static void close_handles(struct app *app)
{
    if (app->upkeep_open)
        uv_close((uv_handle_t *)&app->upkeep, NULL);
    app->upkeep_open = false;
    while (app->signals_open)
        uv_close((uv_handle_t *)&app->signals[--app->signals_open], NULL);
}

static void shut(void *arg)
{
    struct app *app = arg;

    call_server_stop(app);
    wait_runs(app);
    engine_drain(app->engine, 0); /* cancels what is left */
    if (app->packages)
        packages_drain(app->packages);
    wait_answers(app);
    app->stopping = true;
    accounts_stop(app->accounts);
    billing_stop(app->billing);
    webhooks_stop(app->webhooks);
    outbound_stop(app->outbound);
    await_flag_set(&app->upkeep_due);
    while (app->background > 1) /* all but this one */
        background_sleep(SHUT_POLL_MS);
    auth_upkeep(app); /* last uses */
    call_server_close(app);
    engine_close(app->engine, NULL, NULL);
    close_handles(app);
}

void app_drain(struct app *app)
{
    if (app->draining) {
        app->hurried = true;
        return;
    }
    app->draining = true;
    dc_log(DC_LOG_INFO, "stopping: no new runs, those that are here may end");
    if (!background_spawn(app, shut, app)) {
        dc_log(DC_LOG_ERROR, "no memory to stop in order");
        uv_stop(&app->loop);
    }
}

/* ---- serving ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *app = handle->data;

    if (number != SIGHUP)
        app_drain(app);
    else if (app->options.reload && !app->draining)
        app->options.reload(app, app->options.context);
}

static int open_signals(struct app *app, struct dc_err *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_t *handle = &app->signals[i];

        if (uv_signal_init(&app->loop, handle) < 0)
            return dc_fail(err, DC_KERNEL, ENOMEM, "signals");
        app->signals_open++;
        handle->data = app;
        if (uv_signal_start(handle, on_signal, numbers[i]) < 0)
            return dc_fail(err, DC_KERNEL, 0, "signals");
    }
    return 0;
}

static int open_parts(struct app *app, struct dc_err *err)
{
    store_conn_free(dc_take(app->store));
    open_upkeep(app);
    if (outbound_start(app->outbound, &app->loop, err) < 0 ||
        (app->options.repos.api_url &&
         repos_new(app->outbound, &app->options.repos, &app->repos, err) < 0) ||
        store_worker_start(app->options.database_path, &app->worker, err) < 0 ||
        history_open(app->worker, &app->history, err) < 0 ||
        accounts_open(&app->options.accounts, app->worker, app->outbound, &app->accounts, err) <
            0 ||
        open_signals(app, err) < 0 ||
        (app->options.packages.dir &&
         packages_open(&app->loop, &app->options.packages, &app->packages, err) < 0) ||
        engine_open(&app->loop, app->keeper, &app->options.engine, &app->engine, err) < 0)
        return -err->code;
    if (app->packages) {
        packages_attach(app->packages, app->engine);
        app->used = warm_used_new(app);
    }
    webhooks_attach(app->webhooks, &app->loop, app->worker, app->outbound);
    history_set_metering(app->history, billing_metering(app->billing));
    return 0;
}

int app_serve(struct app *app, struct dc_err *err)
{
    if (open_parts(app, err) < 0) {
        outbound_stop(app->outbound);
        close_handles(app);
        (void)uv_run(&app->loop, UV_RUN_DEFAULT);
        return -err->code;
    }
    if (call_server_start(app, err) < 0)
        fail(app, err);
    else if (!background_spawn(app, watch, app) || !start_billing(app))
        fail(app, &(struct dc_err){.code = DC_KERNEL, .errnum = ENOMEM, .text = "server"});
    (void)uv_run(&app->loop, UV_RUN_DEFAULT);
    if (app->failure.code == DC_OK)
        return 0;
    *err = app->failure;
    return -err->code;
}

static int run_price(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_price_set(conn, arg, dc_wall_now(), err);
}

static void keep_price(void *arg)
{
    struct app *app = arg;
    struct store_price price = app->options.price;
    struct dc_err err;

    if (await_store(app->worker, AWAIT_WRITE, run_price, &price, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "the price could not be written into the book");
}

int app_set_accounts(struct app *app, const struct accounts_options *options, uint32_t history_days,
                     struct dc_err *err)
{
    if (accounts_change(app->accounts, options, err) < 0)
        return -err->code;
    app->options.accounts = *accounts_options(app->accounts);
    app->options.history_days = history_days;
    return 0;
}

void app_set_limits(struct app *app, const struct run_limits *limits,
                    const struct admission_share *share, const struct app_rates *rates,
                    const struct plan_limits *plans, const struct store_price *price)
{
    app->options.plans = *plans;
    app->options.price = *price;
    if (!background_spawn(app, keep_price, app))
        dc_log(DC_LOG_ERROR, "no memory to write the price into the book");
    app->options.rates = *rates;
    app->options.limits = *limits;
    app->options.share = *share;
}
