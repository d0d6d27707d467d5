/* Reading, listing and cancelling runs of the caller's own project. */
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
    SUMMARY_MAX_BYTES = 4096,
    SEEN_TRIES = 50, /* an admission that nobody waits for is stored a moment later */
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

static void reply_status(struct call *call, const struct store_run *run)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;
    bool running = true; /* neither done nor in the engine: its result is being stored */

    (void)run_flow_find(call->app, call->project_id, run->id, &running);
    dc_buf_init(&body, STATUS_MAX_BYTES);
    history_print_status(run->id, running, run->lang, run->created_at, &body);
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_run_get(struct call *call)
{
    DC_AUTO(history_entry_release) struct history_entry entry = {0};
    struct dc_err err;

    if (find(call, &entry, &err) < 0) {
        if (err.code == DC_NOT_FOUND)
            fail_unknown(call);
        else
            call_fail_err(call, &err, "a run could not be read");
        return;
    }
    if (entry.done)
        reply_result(call, &entry.result);
    else
        reply_status(call, &entry.run);
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

/* ---- the list ---- */

static void read_text(const struct query *query, const char *name, const char **ret_value,
                      struct problems *problems)
{
    *ret_value = query_get(query, name);
    if (*ret_value && !**ret_value)
        problems_add(problems, PROBLEM_VALUE, name, "is empty; leave it out, or give it a value");
}

static void read_moment(const struct query *query, int64_t *ret_since, struct problems *problems)
{
    const char *since = query_get(query, "since");

    if (since && !query_moment(since, ret_since))
        problems_add(problems, PROBLEM_VALUE, "since",
                     "must be a moment such as 2025-10-25T12:00:00Z (RFC 3339, from 1970 on)");
}

static void read_filter(const struct query *query, struct store_run_filter *filter,
                        struct problems *problems)
{
    static const char *const names[] = {"limit",   "cursor", "since", "lang",
                                        "outcome", "userId", "test",  NULL};
    static const bool answers[] = {false, true};
    const char *test = query_get(query, "test");
    const char *limit = query_get(query, "limit");
    enum run_lang lang;
    enum run_outcome outcome;

    query_only(query, names, problems);
    if (limit)
        (void)query_number("limit", limit, 1, STORE_LIST_MAX, &filter->limit, problems);
    read_moment(query, &filter->since, problems);
    read_text(query, "cursor", &filter->cursor, problems);
    read_text(query, "lang", &filter->lang, problems);
    read_text(query, "outcome", &filter->outcome, problems);
    read_text(query, "userId", &filter->user_id, problems);
    if (test && (strcmp(test, "true") == 0 || strcmp(test, "false") == 0))
        filter->test = &answers[*test == 't'];
    else if (test)
        problems_add(problems, PROBLEM_VALUE, "test", "must be true or false");
    if (filter->lang && *filter->lang && !run_lang_from_name(filter->lang, &lang))
        problems_add(problems, PROBLEM_VALUE, "lang", "must be python or node");
    if (filter->outcome && *filter->outcome && !run_outcome_from_name(filter->outcome, &outcome))
        problems_add(problems, PROBLEM_VALUE, "outcome",
                     "must be ok, error, signal, timeout, memory_limit, process_limit, "
                     "install_failed, cancelled or sandbox_error");
}

/* What the engine knows better than the row, which is not written when a run starts. */
static const char *status_of(const struct call *call, const struct store_run *run)
{
    bool running = true;

    if (strcmp(run->status, "done") == 0)
        return NULL;
    (void)run_flow_find(call->app, call->project_id, run->id, &running);
    return running ? "running" : "queued";
}

static void reply_page(struct call *call, const struct store_run_page *page)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, STATUS_MAX_BYTES + page->count * SUMMARY_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"runs\":[");
    for (size_t i = 0; i < page->count; i++) {
        if (i)
            (void)dc_buf_byte(&body, ',');
        history_print_summary(&page->runs[i], status_of(call, &page->runs[i]), &body);
    }
    (void)dc_buf_text(&body, "],\"nextCursor\":");
    if (*page->next_cursor)
        (void)dc_buf_json_string(&body, page->next_cursor, strlen(page->next_cursor));
    else
        (void)dc_buf_text(&body, "null");
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_runs_list(struct call *call)
{
    struct store_run_filter filter = {.project_id = call->project_id};
    DC_AUTO(store_run_page_release) struct store_run_page page = {0};
    DC_AUTO(problems_release) struct problems problems;
    struct query query;
    struct dc_err err;

    problems_init(&problems);
    query_parse(call->query, &call->arena, &query, &problems);
    read_filter(&query, &filter, &problems);
    if (problems.total) {
        call_fail_problems(call, &problems);
        return;
    }
    if (history_list(call->app->history, &filter, &page, &err) == 0) {
        reply_page(call, &page);
    } else if (err.code == DC_INVALID) {
        problems_add(&problems, PROBLEM_VALUE, "cursor",
                     "is not one that a list returned; start without a cursor");
        call_fail_problems(call, &problems);
    } else {
        call_fail_err(call, &err, "runs could not be listed");
    }
}
