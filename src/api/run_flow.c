#include "api/run_flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/anonymous.h"
#include "api/app_internal.h"
#include "api/background.h"
#include "api/guard.h"
#include "api/plan.h"
#include "api/warm.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/hash.h"

#include "base/poison.h"

enum {
    CLAIM_TRIES = 20,     /* the same key's runs that were refused while we waited for them */
    MEND_PAUSE_MS = 2000, /* between attempts to close a run that could not be stored */
    STORAGE_RETRY_S = 5,
    BUSY_RETRY_S = 1,
    REPO_EXTRA_MAX = 8192,
};

void run_flow_init(struct run_flow *flow, struct call *call)
{
    *flow = (struct run_flow){.call = call};
    run_request_init(&flow->request);
    run_result_init(&flow->result);
    problems_init(&flow->problems);
    package_wish_init(&flow->wish, PACKAGE_PIP);
}

void run_flow_release(struct run_flow *flow)
{
    package_wish_release(&flow->wish);
    run_request_release(&flow->request);
    repo_tree_unref(flow->tree);
    run_result_release(&flow->result);
    problems_release(&flow->problems);
}

/* ---- reading ---- */

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    const char *rest;

    if (!type)
        return true;
    if (strncasecmp(type, json, sizeof(json) - 1) != 0)
        return false;
    rest = type + sizeof(json) - 1;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

static bool read_type(struct run_flow *flow)
{
    if (is_json(call_header(flow->call, "Content-Type")))
        return true;
    call_fail(flow->call,
              &(struct call_error){.status = 415,
                                   .error = "Unsupported media type",
                                   .code = "unsupported_media_type",
                                   .message = "Send the body as JSON, with Content-Type: "
                                              "application/json."});
    return false;
}

static bool read_key(struct run_flow *flow)
{
    const char *key = call_header(flow->call, "Idempotency-Key");
    bool good = true;

    if (!key)
        return true;
    for (const char *at = key; *at; at++)
        good = good && *at >= 0x20 && *at < 0x7f;
    if (good && *key && strlen(key) <= DC_IDEMPOTENCY_KEY_MAX_BYTES) {
        flow->idempotency_key = key;
        return true;
    }
    call_fail(flow->call,
              &(struct call_error){.status = 400,
                                   .error = "Invalid Idempotency-Key",
                                   .code = "invalid_idempotency_key",
                                   .message = "An Idempotency-Key has 1 to 255 printable ASCII "
                                              "characters; a UUID is a good one."});
    return false;
}

/* What the run wants installed, and whether that can be had. */
static int read_wish(struct run_flow *flow, struct dc_err *err)
{
    static const char account[] =
        "need an account on this server; sign in, or send \"packages\": [] "
        "to run without";
    static const char disabled[] = "packages are not installed on this server; send the modules as "
                                   "files, and \"packages\": [], or use the standard library";
    const struct packages *packages = flow->call->app->packages;
    const char *why = disabled;

    package_wish_init(&flow->wish, flow->request.lang == RUN_PYTHON ? PACKAGE_PIP : PACKAGE_NPM);
    if (package_wish_read(&flow->wish, &flow->request, &flow->problems, err) < 0)
        return -err->code;
    if (!package_wish_any(&flow->wish))
        return 0;
    if (flow->call->anonymous && !flow->call->app->options.anonymous.packages)
        why = account;
    else if (packages && packages_available(packages, flow->wish.kind, &why))
        return 0;
    problems_add(&flow->problems, PROBLEM_NOT_ENABLED, "packages", "%s", why);
    return dc_fail(err, DC_INVALID, 0, "no packages");
}

/* The repository's answer, in the original's words. */
static void fail_repo(struct call *call, const char *repo, uint32_t retry_s,
                      const struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf extra;
    bool later = err->code == DC_BUSY || err->code == DC_TIMEOUT;
    const char *code = later                       ? "repository_unavailable"
                       : err->code == DC_NOT_FOUND ? "repository_not_found"
                       : err->code == DC_LIMIT     ? "repository_too_large"
                       : err->code == DC_DENIED    ? "repository_denied"
                                                   : "invalid_repository";

    dc_buf_init(&extra, REPO_EXTRA_MAX);
    (void)dc_buf_text(&extra, ",\"repo\":");
    (void)dc_buf_json_string(&extra, repo, strlen(repo));
    call_fail(call, &(struct call_error){.status = later ? 503 : 400,
                                         .error = "Failed to load GitHub repository",
                                         .code = code,
                                         .message = err->text,
                                         .extra = extra.failed ? NULL : dc_buf_str(&extra),
                                         .retry_after_s = later ? retry_s : 0});
}

/* Fetches the repository and puts its files under the request's. False: has answered. */
static bool read_repo(struct run_flow *flow, int *ret_result, struct dc_err *err)
{
    struct run_request *request = &flow->request;
    uint32_t retry_s;

    if (repos_load(flow->call->app->repos, request->repo, &flow->tree, &retry_s, err) == 0) {
        request->has_repo = true;
        *ret_result = repo_tree_apply(flow->tree, request, &flow->problems, err);
        return true;
    }
    if (err->code == DC_KERNEL || err->code == DC_BUG)
        call_fail_err(flow->call, err, "a repository could not be read");
    else
        fail_repo(flow->call, request->repo, retry_s, err);
    return false;
}

/* The repository may have gone since an earlier request with the same key was answered. */
static bool is_repeated(struct run_flow *flow)
{
    struct history_run run = {.project_id = flow->call->project_id,
                              .idempotency_key = flow->idempotency_key,
                              .created_ns = dc_wall_now()};
    struct dc_err err;
    bool claimed = false;

    if (!flow->idempotency_key)
        return false;
    if (history_claimed(flow->call->app->history, &run, &claimed, &err) < 0)
        dc_log_err(DC_LOG_WARN, flow->call->request_id, &err, "a claim could not be looked up");
    return claimed;
}

bool run_flow_read(struct run_flow *flow)
{
    struct call *call = flow->call;
    struct run_limits limits;
    struct dc_err err;
    int result;

    if (!read_type(flow) || !read_key(flow))
        return false;
    plan_run_limits(call, &limits);
    result = run_request_read(&flow->request, call->body, call->body_length, &flow->problems, &err);
    if (result == 0)
        anonymous_check(call, &flow->request, &flow->problems);
    if (result == 0 && flow->request.repo && call->app->repos && !flow->problems.total) {
        flow->unready = is_repeated(flow);
        if (flow->unready)
            return true;
        if (!read_repo(flow, &result, &err))
            return false;
    }
    if (result == 0)
        result = run_request_check(&flow->request, &limits, &flow->problems, &err);
    if (result == 0)
        result = read_wish(flow, &err);
    if (flow->problems.total) {
        call_fail_problems(call, &flow->problems);
        return false;
    }
    if (result < 0) {
        call_fail_err(call, &err, "a run request could not be read");
        return false;
    }
    return true;
}

/* ---- failures ---- */

static void fail(struct run_flow *flow, int status, const char *error, const char *code,
                 const char *message, uint32_t retry_after_s)
{
    flow->failure = (struct call_error){.status = status,
                                        .error = error,
                                        .code = code,
                                        .message = message,
                                        .retry_after_s = retry_after_s};
}

static void fail_store(struct run_flow *flow, const struct dc_err *err, const char *what)
{
    dc_log_err(DC_LOG_ERROR, flow->call->request_id, err, "%s", what);
    fail(flow, 503, "Storage unavailable", "storage_unavailable",
         "The server cannot store results now. Nothing was billed; try again later, and tell its "
         "operator if it goes on.",
         STORAGE_RETRY_S);
}

static void fail_engine(struct run_flow *flow, const struct engine_refusal *refusal,
                        const struct dc_err *err)
{
    uint32_t retry_s = refusal->retry_after_s ? refusal->retry_after_s : BUSY_RETRY_S;

    (void)snprintf(flow->text, sizeof(flow->text), "%s", err->text);
    switch ((enum dc_code)err->code) {
    case DC_LIMIT:
        fail(flow, 429, "Too many runs", "project_busy", flow->text, retry_s);
        return;
    case DC_BUSY:
        if (flow->call->app->draining)
            fail(flow, 503, "Server stopping", "server_stopping", flow->text, retry_s);
        else
            fail(flow, 503, "Server busy", "server_busy", flow->text, retry_s);
        return;
    case DC_INVALID:
        problems_add(&flow->problems, PROBLEM_RUNTIME, flow->request.version ? "version" : "lang",
                     "%s", err->text);
        fail(flow, 400, "Invalid payload", problem_code_name(PROBLEM_RUNTIME), flow->text, 0);
        return;
    case DC_OK:
    case DC_DENIED:
    case DC_NOT_FOUND:
    case DC_CONFLICT:
    case DC_TIMEOUT:
    case DC_KERNEL:
    case DC_BUG:
        break;
    }
    dc_log_err(DC_LOG_ERROR, flow->call->request_id, err, "a run failed");
    fail(flow, 500, "Internal error", "internal_error",
         "The server failed. Try again, and give its operator the requestId if it goes on.", 0);
}

void run_flow_fail(struct run_flow *flow)
{
    if (flow->problems.total)
        call_fail_problems(flow->call, &flow->problems);
    else
        call_fail(flow->call, &flow->failure);
}

int run_flow_status(const struct run_flow *flow)
{
    return flow->result.outcome == OUTCOME_SANDBOX_ERROR ? 500 : 200;
}

/* ---- a run that ended and could not be stored ---- */

/* What it takes to close the run once the store works again. */
struct mending {
    struct app *app;
    struct run_request request; /* empty but for no_store */
    struct run_result result;
    struct history_run run;
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char idempotency_key[DC_IDEMPOTENCY_KEY_MAX_BYTES + 1];
};

static void free_mending(struct mending *mending)
{
    run_request_release(&mending->request);
    run_result_release(&mending->result);
    free(mending);
}

/* The client was told that there is no result, so none may appear: the run becomes our failure,
 * unbilled, and its idempotency key is free. At the latest the next start does the same. */
static void mend(void *arg)
{
    struct mending *mending = arg;
    struct dc_err err;

    while (!mending->app->stopping) {
        int result = history_finish(mending->app->history, &mending->run, &mending->request,
                                    &mending->result, &err);

        /* It was never admitted, or has ended after all: nothing is open. */
        if (result == 0 || err.code == DC_NOT_FOUND || err.code == DC_CONFLICT)
            break;
        background_sleep(MEND_PAUSE_MS);
    }
    free_mending(mending);
}

static void begin_mending(struct run_flow *flow)
{
    struct mending *mending = calloc(1, sizeof(*mending));
    struct run_result *result;

    if (!mending)
        return; /* the next start closes it */
    mending->app = flow->call->app;
    run_request_init(&mending->request);
    run_result_init(&mending->result);
    result = &mending->result;
    memcpy(result->id, flow->id, sizeof(result->id));
    result->created_ns = flow->result.created_ns;
    result->lang = flow->result.lang;
    result->policy = flow->result.policy;
    result->outcome = OUTCOME_SANDBOX_ERROR;
    result->exit_code = -1;
    (void)snprintf(result->message, sizeof(result->message), "the result could not be stored");
    memcpy(mending->id, flow->id, sizeof(mending->id));
    memcpy(mending->project_id, flow->call->project_id, sizeof(mending->project_id));
    (void)snprintf(mending->idempotency_key, sizeof(mending->idempotency_key), "%s",
                   flow->idempotency_key ? flow->idempotency_key : "");
    mending->run = flow->history;
    mending->run.id = mending->id;
    mending->run.project_id = mending->project_id;
    mending->run.key_id = NULL;
    mending->run.budgets = (struct store_budgets){0}; /* our failure costs nothing */
    mending->run.idempotency_key = flow->idempotency_key ? mending->idempotency_key : NULL;
    if (!background_spawn(mending->app, mend, mending))
        free_mending(mending);
}

/* ---- carrying out ---- */

static void withdraw(struct run_flow *flow)
{
    struct dc_err err;

    if (history_withdraw(flow->call->app->history, &flow->history, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, flow->id, &err, "a refused run could not be withdrawn");
        begin_mending(flow);
    }
}

/* The packages first. 0: the layer is held. 1: the install failed, and that is the result. */
static int provide_packages(struct run_flow *flow, struct layer *layer,
                            struct engine_refusal *refusal, struct dc_err *err)
{
    struct app *app = flow->call->app;
    struct package_asker asker = {
        .request = &flow->request,
        .project = flow->call->project_id,
        .run_id = flow->id,
        .install_s = plan_install_s(flow->call),
        .installing = flow->observer.context ? flow->installing : NULL,
        .context = flow->observer.context,
    };
    DC_AUTO(package_failure_release) struct package_failure failure = {0};
    struct run_result *result = &flow->result;
    int got;

    plan_share(flow->call, &asker.share);
    got = packages_ensure(app->packages, &flow->wish, &asker, layer, &failure, refusal, err);
    if (got == 0) {
        memcpy(flow->request.layer, layer->id, sizeof(layer->id));
        if (!flow->call->anonymous) /* they share nothing that has run code */
            warm_used_note(app, &flow->request, &flow->wish, layer, flow->call->project_id);
    }
    if (got != -DC_CONFLICT)
        return got;
    memcpy(result->id, flow->id, sizeof(result->id));
    result->created_ns = flow->history.created_ns;
    result->lang = flow->request.lang;
    result->policy = flow->request.policy;
    return packages_fail_result(&failure, result, err) < 0 ? -err->code : 1;
}

/* 0: flow->result is filled. */
static int produce(struct run_flow *flow, const struct engine_caller *caller,
                   struct engine_refusal *refusal, struct dc_err *err)
{
    DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
    int64_t begun = dc_now();
    int got = package_wish_any(&flow->wish) ? provide_packages(flow, &layer, refusal, err) : 0;

    flow->result.install_ns = dc_now() - begun;
    if (got)
        return got < 0 ? got : 0;
    if (engine_run(flow->call->app->engine, &flow->request, caller,
                   flow->observer.context ? &flow->observer : NULL, &flow->result, refusal,
                   err) < 0)
        return -err->code;
    if (layer.lock_fd >= 0)
        (void)packages_print(&layer, &flow->result.members);
    return 0;
}

int run_flow_cancel(struct app *app, const char *project, const char *run_id, struct dc_err *err)
{
    if (app->packages && packages_cancel(app->packages, project, run_id))
        return 0;
    return engine_cancel(app->engine, project, run_id, err);
}

bool run_flow_find(const struct app *app, const char *project, const char *run_id,
                   bool *ret_running)
{
    if (engine_find(app->engine, project, run_id, ret_running))
        return true;
    if (!app->packages || !packages_asked(app->packages, project, run_id))
        return false;
    *ret_running = false;
    return true;
}

static void execute(struct run_flow *flow)
{
    struct app *app = flow->call->app;
    struct engine_caller caller = {
        .project = flow->call->project_id,
        .run_id = flow->id,
        .created_ns = flow->history.created_ns,
    };
    struct engine_refusal refusal = {0};
    struct dc_err err;

    plan_share(flow->call, &caller.share);
    if (produce(flow, &caller, &refusal, &err) < 0) {
        fail_engine(flow, &refusal, &err);
        withdraw(flow);
        return;
    }
    if (flow->history.test) /* a failed append leaves it out */
        (void)dc_buf_text(&flow->result.members,
                          flow->result.members.length ? ",\"test\":true" : "\"test\":true");
    if (flow->tree)
        (void)repo_tree_print(flow->tree, &flow->result.members);
    flow->history.loaded = engine_queued(app->engine) > 0;
    if (history_finish(app->history, &flow->history, &flow->request, &flow->result, &err) < 0) {
        fail_store(flow, &err, "a result could not be stored");
        begin_mending(flow);
        return;
    }
    flow->has_result = true;
}

/* False: the earlier run left no result, so this one has to run after all. */
static bool replay(struct run_flow *flow, const char *run_id)
{
    struct app *app = flow->call->app;
    DC_AUTO(history_entry_release) struct history_entry entry = {0};
    struct dc_err err;

    if (history_get(app->history, flow->call->project_id, run_id, true, &entry, &err) < 0) {
        if (err.code == DC_NOT_FOUND)
            return false;
        fail_store(flow, &err, "a stored result could not be read");
        return true;
    }
    if (!entry.done) {
        fail(flow, 503, "Storage unavailable", "storage_unavailable",
             "The first request with this Idempotency-Key has no stored result yet; try again "
             "later.",
             STORAGE_RETRY_S);
        return true;
    }
    run_result_release(&flow->result);
    flow->result = entry.result;
    run_result_init(&entry.result);
    memcpy(flow->id, run_id, sizeof(flow->id));
    flow->has_result = true;
    flow->replayed = true;
    app->metrics.replays++;
    return true;
}

static void name_run(struct run_flow *flow)
{
    struct call *call = flow->call;
    const struct store_price *price = &call->app->options.price;

    flow->history = (struct history_run){
        .id = flow->id,
        .project_id = call->project_id,
        .key_id = *call->key_id ? call->key_id : NULL,
        .created_ns = dc_wall_now(),
        .idempotency_key = flow->idempotency_key,
        .price_run_micros = price->run_micros,
        .price_cpu_ms_micros = price->cpu_ms_micros,
        .test = call->key_kind == STORE_KEY_TEST,
    };
    plan_budgets(call, flow->request.user.id, &flow->history.budgets);
    flow->history.has_quota = plan_quota(call, &flow->history.quota_limit);
    flow->history.follows_quota = plan_follows_quota(call);
    dc_uuid7(flow->history.created_ns, flow->id);
    if (flow->idempotency_key)
        store_sha256(call->body, call->body_length, flow->history.body_hash);
}

static void admit_and_run(struct run_flow *flow)
{
    struct app *app = flow->call->app;
    struct dc_err err;

    if (app->draining) {
        fail(flow, 503, "Server stopping", "server_stopping",
             "The server is stopping; use another one, or try again in a moment.", BUSY_RETRY_S);
        return;
    }
    for (int i = 0; i < CLAIM_TRIES; i++) {
        enum history_verdict verdict;
        struct history_admission admission = {0};

        name_run(flow);
        if (history_admit(app->history, &flow->request, &flow->history, &verdict, &admission,
                          &err) < 0) {
            fail_store(flow, &err, "a run could not be admitted");
            return;
        }
        if (verdict == HISTORY_NEW && flow->unready) { /* it was refused after all, just now */
            withdraw(flow);
            break;
        }
        if (verdict == HISTORY_NEW) {
            execute(flow);
            return;
        }
        if (verdict == HISTORY_OVER_QUOTA) {
            flow->failure =
                plan_quota_error(flow->call, flow->history.quota_limit, admission.quota_used);
            return;
        }
        if (verdict == HISTORY_OVER_BUDGET) {
            flow->failure = plan_budget_error(flow->call, admission.budget);
            return;
        }
        if (verdict == HISTORY_CONFLICT) {
            fail(flow, 409, "Idempotency conflict", "idempotency_conflict",
                 "This Idempotency-Key was used for another body within the last 24 hours; send a "
                 "new key for a new request.",
                 0);
            return;
        }
        if (replay(flow, admission.id))
            return;
    }
    fail(flow, 503, "Server busy", "server_busy",
         "Requests with this Idempotency-Key are refused one after another; try again later.",
         BUSY_RETRY_S);
}

void run_flow_run(struct run_flow *flow)
{
    struct call *call = flow->call;
    uint32_t max = call->key_rules.running_max;

    if (!guard_user(call, flow->request.user.id, &flow->failure))
        return;
    if (max && !counters_enter(&call->app->key_runs, call->key_id, max)) {
        (void)snprintf(flow->text, sizeof(flow->text),
                       "The key has %u runs under way, which is all it may; wait for one to end.",
                       max);
        fail(flow, 429, "Too many runs", "key_busy", flow->text, BUSY_RETRY_S);
        return;
    }
    if (anonymous_enter(call, &flow->failure)) {
        admit_and_run(flow);
        anonymous_leave(call);
    }
    if (max)
        counters_leave(&call->app->key_runs, call->key_id);
}
