/* Listing runs of the caller's own project. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/history_print.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/run_flow.h"
#include "base/clock.h"

#include "base/poison.h"

enum {
    PAGE_MAX_BYTES = 512,
    SUMMARY_MAX_BYTES = 8192,
    SEARCH_MAX_BYTES = 200,
    OUTCOMES_MAX_BYTES = 160, /* each once, with commas */
    ID_SEARCH_MIN_CHARS = 8,
};

/* Texts that the filter points to. */
struct list_query {
    struct store_run_filter filter;
    char outcomes[OUTCOMES_MAX_BYTES];
    char like[2 * SEARCH_MAX_BYTES + 3];
    const char *status; /* "queued", "running", "done" or NULL */
};

static void read_text(const struct query *query, const char *name, const char **ret_value,
                      struct problems *problems)
{
    *ret_value = query_get(query, name);
    if (*ret_value && !**ret_value)
        problems_add(problems, PROBLEM_VALUE, name, "is empty; leave it out, or give it a value");
}

static void read_moment(const struct query *query, const char *name, int64_t *ret_moment,
                        struct problems *problems)
{
    const char *text = query_get(query, name);

    if (text && !query_moment(text, ret_moment))
        problems_add(problems, PROBLEM_VALUE, name,
                     "must be a moment such as 2025-10-25T12:00:00Z (RFC 3339, from 1970 on)");
}

/* "error,timeout" becomes ",error,timeout,"; each at most once, so it fits. */
static bool take_outcome(const char *word, size_t length, struct list_query *list, uint32_t *seen)
{
    char name[24];
    enum run_outcome outcome;

    if (length >= sizeof(name))
        return false;
    memcpy(name, word, length);
    name[length] = 0;
    if (!run_outcome_from_name(name, &outcome))
        return false;
    if (!(*seen & 1u << outcome)) {
        size_t at = strlen(list->outcomes);

        (void)snprintf(list->outcomes + at, sizeof(list->outcomes) - at, "%s,", name);
    }
    *seen |= 1u << outcome;
    return true;
}

static void read_outcomes(const struct query *query, struct list_query *list,
                          struct problems *problems)
{
    const char *text = query_get(query, "outcome");
    uint32_t seen = 0;

    if (!text)
        return;
    (void)snprintf(list->outcomes, sizeof(list->outcomes), ",");
    for (;;) {
        size_t length = strcspn(text, ",");

        if (!take_outcome(text, length, list, &seen)) {
            problems_add(problems, PROBLEM_VALUE, "outcome",
                         "must be ok, error, signal, timeout, memory_limit, process_limit, "
                         "install_failed, cancelled or sandbox_error, or several with commas "
                         "between them");
            return;
        }
        if (!text[length])
            break;
        text += length + 1;
    }
    list->filter.outcomes = list->outcomes;
    list->filter.failed = !(seen & 1u << OUTCOME_OK);
}

static void read_status(const struct query *query, struct list_query *list,
                        struct problems *problems)
{
    const char *status = query_get(query, "status");

    if (!status)
        return;
    if (strcmp(status, "done") != 0 && strcmp(status, "queued") != 0 &&
        strcmp(status, "running") != 0)
        problems_add(problems, PROBLEM_VALUE, "status", "must be queued, running or done");
    list->status = status;
    list->filter.status = status; /* the store knows which are done; the engine the rest */
}

static void read_test(const struct query *query, struct store_run_filter *filter,
                      struct problems *problems)
{
    static const bool answers[] = {false, true};
    const char *test = query_get(query, "test");

    if (!test)
        return;
    if (strcmp(test, "true") == 0 || strcmp(test, "false") == 0)
        filter->test = &answers[*test == 't'];
    else
        problems_add(problems, PROBLEM_VALUE, "test", "must be true or false");
}

/* A beginning of a run's id says when the run was made: its first 48 bits are the milliseconds
 * since 1970. False when text is none, or one of no time that can be. */
static bool id_times(const char *text, int64_t *ret_first, int64_t *ret_behind)
{
    uint64_t low = 0;
    int digits = 0;
    int64_t unit;

    for (size_t i = 0; text[i]; i++) {
        const char *hex = "0123456789abcdef";
        const char *digit = strchr(hex, text[i]);

        if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !digit)
            return false;
        if (i >= DC_UUID_SIZE - 1)
            return false;
        if (digit && digits < 12) {
            low = low << 4 | (uint64_t)(digit - hex);
            digits++;
        }
    }
    if (digits < ID_SEARCH_MIN_CHARS)
        return false;
    unit = INT64_C(1) << 4 * (12 - digits);
    low <<= 4 * (12 - digits);
    if (low > (uint64_t)(dc_wall_now() / DC_NS_PER_MS) + 86400000)
        return false;
    *ret_first = (int64_t)low * DC_NS_PER_MS;
    *ret_behind = ((int64_t)low + unit) * DC_NS_PER_MS;
    return true;
}

static void narrow(struct store_run_filter *filter, int64_t first, int64_t behind)
{
    if (first > filter->since)
        filter->since = first;
    if (!filter->until || behind < filter->until)
        filter->until = behind;
}

/* "%text%" for LIKE, in lower case, with what means something to it escaped. */
static void make_pattern(const char *text, char *out)
{
    *out++ = '%';
    for (; *text; text++) {
        if (*text == '%' || *text == '_' || *text == '!')
            *out++ = '!';
        *out++ = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
    }
    *out++ = '%';
    *out = 0;
}

static void read_search(const struct query *query, struct list_query *list,
                        struct problems *problems)
{
    const char *text = query_get(query, "q");
    int64_t first;
    int64_t behind;

    if (!text)
        return;
    if (!*text || strlen(text) > SEARCH_MAX_BYTES) {
        problems_add(problems, PROBLEM_VALUE, "q", "must be 1 to %d bytes of text",
                     SEARCH_MAX_BYTES);
        return;
    }
    if (id_times(text, &first, &behind)) {
        (void)snprintf(list->like, sizeof(list->like), "%s%%", text);
        list->filter.id_like = list->like;
        narrow(&list->filter, first, behind);
        return;
    }
    make_pattern(text, list->like);
    list->filter.text_like = list->like;
}

static void read_key(const struct query *query, struct store_run_filter *filter,
                     struct problems *problems)
{
    const char *id = query_get(query, "keyId");

    if (id && !dc_uuid_valid(id))
        problems_add(problems, PROBLEM_VALUE, "keyId",
                     "must be the id of a key, as /api/keys lists");
    filter->key_id = id;
}

static void read_query(const struct query *query, struct list_query *list,
                       struct problems *problems)
{
    static const char *const names[] = {"limit",   "cursor", "since", "until", "lang", "status",
                                        "outcome", "userId", "keyId", "test",  "q",    NULL};
    struct store_run_filter *filter = &list->filter;
    const char *limit = query_get(query, "limit");
    enum run_lang lang;

    query_only(query, names, problems);
    if (limit)
        (void)query_number("limit", limit, 1, STORE_LIST_MAX, &filter->limit, problems);
    read_moment(query, "since", &filter->since, problems);
    read_moment(query, "until", &filter->until, problems);
    read_text(query, "cursor", &filter->cursor, problems);
    read_text(query, "lang", &filter->lang, problems);
    read_text(query, "userId", &filter->user_id, problems);
    read_outcomes(query, list, problems);
    read_status(query, list, problems);
    read_test(query, filter, problems);
    read_key(query, filter, problems);
    read_search(query, list, problems);
    if (filter->lang && *filter->lang && !run_lang_from_name(filter->lang, &lang))
        problems_add(problems, PROBLEM_VALUE, "lang", "must be python or node");
}

/* What the engine knows better than the row, which is not written when a run starts. */
static const char *status_of(const struct call *call, const struct store_run *run)
{
    bool running = true;

    if (strcmp(run->status, "done") == 0)
        return run->status;
    (void)run_flow_find(call->app, call->project_id, run->id, &running);
    return running ? "running" : "queued";
}

static void print_runs(const struct call *call, const struct list_query *list,
                       const struct store_run_page *page, struct dc_buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < page->count; i++) {
        const char *status = status_of(call, &page->runs[i]);

        if (list->status && strcmp(status, list->status) != 0)
            continue;
        (void)dc_buf_text(out, comma);
        history_print_summary(&page->runs[i], status, call->app->options.price.currency, out);
        comma = ",";
    }
}

static void reply_page(struct call *call, const struct list_query *list,
                       const struct store_run_page *page)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, PAGE_MAX_BYTES + page->count * SUMMARY_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"runs\":[");
    print_runs(call, list, page, &body);
    (void)dc_buf_text(&body, "],\"nextCursor\":");
    if (*page->next_cursor)
        (void)dc_buf_json_string(&body, page->next_cursor, strlen(page->next_cursor));
    else
        (void)dc_buf_text(&body, "null");
    if (page->searched_to) {
        char moment[25];

        dc_format_iso8601(page->searched_to, moment);
        (void)dc_buf_printf(&body, ",\"searchedTo\":\"%s\"", moment);
    }
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_runs_list(struct call *call)
{
    struct list_query list = {.filter.project_id = call->project_id};
    DC_AUTO(store_run_page_release) struct store_run_page page = {0};
    DC_AUTO(problems_release) struct problems problems;
    struct query query;
    struct dc_err err;

    problems_init(&problems);
    query_parse(call->query, &call->arena, &query, &problems);
    read_query(&query, &list, &problems);
    if (problems.total) {
        call_fail_problems(call, &problems);
        return;
    }
    if (history_list(call->app->history, &list.filter, &page, &err) == 0) {
        reply_page(call, &list, &page);
    } else if (err.code == DC_INVALID) {
        problems_add(&problems, PROBLEM_VALUE, "cursor",
                     "is not one that a list returned; start without a cursor");
        call_fail_problems(call, &problems);
    } else {
        call_fail_err(call, &err, "runs could not be listed");
    }
}
