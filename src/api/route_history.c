/* Reading and cancelling runs of the caller's own project. */
#include <string.h>

#include "api/app_internal.h"
#include "api/background.h"
#include "api/history_print.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/run_flow.h"

#include "base/poison.h"

enum {
    STATUS_MAX_BYTES = 512,
    DETAILS_MAX_BYTES = 8192, /* without the request */
    SEEN_TRIES = 50,          /* an admission that nobody waits for is stored a moment later */
    SEEN_PAUSE_MS = 10,
    CANCEL_TRIES = 3000,
    CANCEL_PAUSE_MS = 10,
};

static void fail_unknown(struct call *call)
{
    call_fail(call, &(struct call_error){.status = 404,
                                         .error = "not found",
                                         .code = "not_found",
                                         .message = "No run of this project has that id; results "
                                                    "are kept for some days only."});
}

/* The run as stored. One that the engine has may not be stored yet: that is waited for. */
static int find(struct call *call, struct history_entry *ret_entry, struct dc_err *err)
{
    struct app *app = call->app;

    for (int i = 0;; i++) {
        bool running;
        bool open = run_flow_find(app, call->project_id, call->id, &running);

        if (history_get(app->history, call->project_id, call->id, false, ret_entry, err) == 0)
            return 0;
        if (err->code != DC_NOT_FOUND || !open || i == SEEN_TRIES)
            return -err->code;
        background_sleep(SEEN_PAUSE_MS);
    }
}

static void reply_result(struct call *call, const struct run_result *result)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, run_result_print_max(result));
    (void)run_result_print(result, &body);
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

static void reply_entry(struct call *call, const struct history_entry *entry, bool details)
{
    const struct store_run *run = &entry->run;
    bool running = true; /* neither done nor in the engine: its result is being stored */
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, STATUS_MAX_BYTES + run_result_print_max(&entry->result) + DETAILS_MAX_BYTES +
                           run->request_length);
    if (entry->done) {
        (void)run_result_print(&entry->result, &body);
    } else {
        (void)run_flow_find(call->app, call->project_id, run->id, &running);
        history_print_status(run->id, running, run->lang, run->created_at, &body);
    }
    if (details && body.length) {
        body.length--; /* inside the closing brace */
        history_print_details(run, call->app->options.price.currency, &body);
        (void)dc_buf_byte(&body, '}');
    }
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

/* False: has answered an error. Other parameters are let pass, as they always were. */
static bool read_details(struct call *call, bool *ret_details)
{
    DC_AUTO(problems_release) struct problems problems;
    struct query query;
    const char *value;

    problems_init(&problems);
    query_parse(call->query, &call->arena, &query, &problems);
    value = query_get(&query, "details");
    *ret_details = value && strcmp(value, "true") == 0;
    if (value && !*ret_details && strcmp(value, "false") != 0)
        problems_add(&problems, PROBLEM_VALUE, "details", "must be true or false");
    if (!problems.total)
        return true;
    call_fail_problems(call, &problems);
    return false;
}

void route_run_get(struct call *call)
{
    DC_AUTO(history_entry_release) struct history_entry entry = {0};
    struct dc_err err;
    bool details;

    if (!read_details(call, &details))
        return;
    if (find(call, &entry, &err) == 0)
        reply_entry(call, &entry, details);
    else if (err.code == DC_NOT_FOUND)
        fail_unknown(call);
    else
        call_fail_err(call, &err, "a run could not be read");
}

/* Waits until the run's end is stored. False: has answered an error. */
static bool wait_done(struct call *call, struct history_entry *ret_entry)
{
    struct dc_err err;

    for (int i = 0; i < CANCEL_TRIES; i++) {
        history_entry_release(ret_entry);
        *ret_entry = (struct history_entry){0};
        if (find(call, ret_entry, &err) < 0) {
            if (err.code == DC_NOT_FOUND) /* store:false: nothing of it is kept */
                fail_unknown(call);
            else
                call_fail_err(call, &err, "a run could not be read");
            return false;
        }
        if (ret_entry->done)
            return true;
        background_sleep(CANCEL_PAUSE_MS);
    }
    call_fail(call, &(struct call_error){.status = 503,
                                         .error = "Server busy",
                                         .code = "server_busy",
                                         .message = "The run is being ended; read it in a moment.",
                                         .retry_after_s = 1});
    return false;
}

void route_run_cancel(struct call *call)
{
    DC_AUTO(history_entry_release) struct history_entry entry = {0};
    struct dc_err err;

    if (run_flow_cancel(call->app, call->project_id, call->id, &err) == 0) {
        if (wait_done(call, &entry))
            reply_result(call, &entry.result);
        return;
    }
    if (find(call, &entry, &err) < 0) {
        if (err.code == DC_NOT_FOUND)
            fail_unknown(call);
        else
            call_fail_err(call, &err, "a run could not be read");
        return;
    }
    call_fail(call, &(struct call_error){.status = 409,
                                         .error = "Already finished",
                                         .code = "already_finished",
                                         .message = "The run has ended by itself; GET "
                                                    "/api/run/{id} has its result."});
}
