/* What the server says of itself. */
#include <string.h>

#include "api/app_internal.h"
#include "api/auth.h"
#include "api/contract.h"
#include "api/page.h"
#include "api/policy_print.h"
#include "api/routes.h"
#include "base/clock.h"

#include "base/poison.h"

enum { SERVICE_MAX_BYTES = 8192, METRICS_MAX_BYTES = 256 * 1024, NOT_READY_RETRY_S = 1 };

static void reply_text(struct call *call, const char *json)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, SERVICE_MAX_BYTES);
    (void)dc_buf_text(&body, json);
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

static void print_langs(const struct launch_hello *hello, struct dc_buf *out)
{
    const char *comma = "";

    for (int lang = 0; lang < RUN_LANGS; lang++) {
        const char *name = run_lang_name((enum run_lang)lang);

        for (int i = 0; hello && i < hello->runtime_count; i++) {
            if (strcmp(hello->runtimes[i].name, name) != 0)
                continue;
            (void)dc_buf_printf(out, "%s\"%s\"", comma, name);
            comma = ",";
            break;
        }
    }
}

void route_service(struct call *call)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, SERVICE_MAX_BYTES);
    call_add_field(call, "Vary", "Accept");
    if (call->app->options.ui.count && page_is_wanted(call)) {
        call_reply(call, &(struct call_head){.status = 302, .fields = {{"Location", "/dashboard"}}},
                   &body);
        return;
    }
    (void)dc_buf_text(&body, "{\"name\":\"docle\",\"version\":\"" DOCLE_VERSION "\",\"langs\":[");
    print_langs(engine_hello(call->app->engine), &body);
    (void)dc_buf_text(&body, "],\"endpoints\":{\"run\":\"/api/run\",\"runs\":\"/api/runs\","
                             "\"contract\":\"/openapi.json\",\"health\":\"/healthz\","
                             "\"ready\":\"/readyz\"}}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

/* What runs without key and session may have. */
static void print_anonymous(const struct call *call, struct dc_buf *out)
{
    const struct app_anonymous *anonymous = &call->app->options.anonymous;
    struct call nobody = {.app = call->app, .anonymous = true};

    (void)dc_buf_printf(out, ",\"anonymous\":{\"packages\":%s,\"runsPerMinute\":%u",
                        anonymous->packages ? "true" : "false", anonymous->per_minute);
    policy_print(&nobody, out);
    (void)dc_buf_byte(out, '}');
}

/* What the web console asks before anybody has signed in. */
void route_server(struct call *call)
{
    static const char *const modes[] = {
        [BILLING_OFF] = "off", [BILLING_STRIPE] = "stripe", [BILLING_CLOUDEVENTS] = "cloudevents"};
    const struct app_options *options = &call->app->options;
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, SERVICE_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"version\":\"" DOCLE_VERSION "\",\"langs\":[");
    print_langs(engine_hello(call->app->engine), &body);
    (void)dc_buf_printf(&body, "],\"billing\":\"%s\",\"anonymousRuns\":%s",
                        modes[options->billing.mode],
                        options->anonymous.enabled ? "true" : "false");
    if (options->anonymous.enabled)
        print_anonymous(call, &body);
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_health(struct call *call)
{
    reply_text(call, "{\"status\":\"ok\"}");
}

static void fail_not_ready(struct call *call)
{
    const struct app *app = call->app;

    call_fail(call, &(struct call_error){
                        .status = 503,
                        .error = "Not ready",
                        .code = app->draining ? "server_stopping" : "not_ready",
                        .message = app->draining ? "The server is stopping; use another one."
                                                 : "The server cannot run programs now; try again "
                                                   "in a moment. Its log says why.",
                        .retry_after_s = NOT_READY_RETRY_S});
}

void route_ready(struct call *call)
{
    static const char *const levels[] = {"limited", "standard", "full"};
    const struct app *app = call->app;
    const struct launch_hello *hello = engine_hello(app->engine);
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, SERVICE_MAX_BYTES);
    if (app->draining || !hello || !app->keys_loaded || !engine_ready(app->engine)) {
        fail_not_ready(call);
        return;
    }
    (void)dc_buf_printf(&body, "{\"status\":\"ready\",\"level\":\"%s\",\"slots\":%u,\"runtimes\":[",
                        levels[hello->level <= LEVEL_FULL ? hello->level : 0], hello->slots);
    for (int i = 0; i < hello->runtime_count; i++)
        (void)dc_buf_printf(&body, "%s{\"lang\":\"%s\",\"version\":\"%s\",\"start\":\"%s\"}",
                            i ? "," : "", hello->runtimes[i].name, hello->runtimes[i].version,
                            hello->runtimes[i].start == START_ZYGOTE ? "zygote" : "plain");
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_metrics(struct call *call)
{
    struct app *app = call->app;
    DC_AUTO(dc_buf_release) struct dc_buf body;
    struct engine_stats engine;
    struct store_stats store;
    struct packages_stats packages;
    struct repos_stats repos;
    struct billing_stats billing;

    dc_buf_init(&body, METRICS_MAX_BYTES);
    /* As if it were not there: nobody learns from outside what there is to find. */
    if (!call->loopback && !auth_is_metrics_token(call)) {
        call_fail(call,
                  &(struct call_error){
                      .status = 404,
                      .error = "not found",
                      .code = "not_found",
                      .message = "There is nothing here; /openapi.json lists what there is."});
        return;
    }
    engine_snapshot(app->engine, &engine);
    store_worker_stats(app->worker, &store);
    if (app->repos)
        repos_snapshot(app->repos, &repos);
    if (app->packages)
        packages_snapshot(app->packages, &packages);
    if (app->billing)
        billing_stats(app->billing, &billing);
    (void)metrics_print(
        &(struct metrics_sources){.own = &app->metrics,
                                  .route_name = routes_name,
                                  .engine = &engine,
                                  .store = &store,
                                  .packages = app->packages ? &packages : NULL,
                                  .repos = app->repos ? &repos : NULL,
                                  .billing = app->billing ? &billing : NULL,
                                  .now = dc_wall_now(),
                                  .hello = engine_hello(app->engine),
                                  .connections = call_connections(call),
                                  .ready = !app->draining && engine_ready(app->engine)},
        &body);
    call_reply(
        call,
        &(struct call_head){.status = 200, .type = "text/plain; version=0.0.4; charset=utf-8"},
        &body);
}

void route_contract(struct call *call)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, contract_json_length);
    (void)dc_buf_append(&body, contract_json, contract_json_length);
    call_reply(call, &(struct call_head){.status = 200, .cache = "public, max-age=300"}, &body);
}
