#include "store/runs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/store_internal.h"

#include "base/poison.h"

/* What a list shows, in the order of read_run. */
#define RUN_COLUMNS                                                                                \
    "r.id, r.project_id, r.key_id, r.user_id, r.lang, r.status, r.outcome, r.message,"             \
    " r.exit_code, r.signal, r.out_truncated, r.err_truncated, r.limits, r.policy, r.cpu_ms,"      \
    " r.mem_mb, r.duration_ms, r.cpu_ns, r.peak_bytes, r.wall_ns, r.created_at, r.started_at,"     \
    " r.finished_at, r.test"

enum { RUN_COLUMN_COUNT = 24 };

void store_run_release(struct store_run *run)
{
    free(run->user_id);
    free(run->message);
    free(run->limits);
    free(run->policy);
    free(run->request);
    free(run->out);
    free(run->err);
    free(run->artifacts);
    *run = (struct store_run){0};
}

void store_run_page_release(struct store_run_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        store_run_release(&page->runs[i]);
    free(page->runs);
    *page = (struct store_run_page){0};
}

static int read_run(struct db_query *query, struct store_run *run, struct dc_err *err)
{
    db_text(query, 0, run->id, sizeof(run->id));
    db_text(query, 1, run->project_id, sizeof(run->project_id));
    db_text(query, 2, run->key_id, sizeof(run->key_id));
    db_text(query, 4, run->lang, sizeof(run->lang));
    db_text(query, 5, run->status, sizeof(run->status));
    db_text(query, 6, run->outcome, sizeof(run->outcome));
    run->exit_code = (int)db_int(query, 8);
    run->signal = (int)db_int(query, 9);
    run->out_truncated = db_int(query, 10) != 0;
    run->err_truncated = db_int(query, 11) != 0;
    run->cpu_ms = db_int(query, 14);
    run->mem_mb = db_int(query, 15);
    run->duration_ms = db_int(query, 16);
    run->cpu_ns = db_int(query, 17);
    run->peak_bytes = db_int(query, 18);
    run->wall_ns = db_int(query, 19);
    run->created_at = db_int(query, 20);
    run->started_at = db_int(query, 21);
    run->finished_at = db_int(query, 22);
    run->test = db_int(query, 23) != 0;
    if (db_copy(query, 3, &run->user_id, NULL, err) < 0 ||
        db_copy(query, 7, &run->message, NULL, err) < 0 ||
        db_copy(query, 12, &run->limits, NULL, err) < 0 ||
        db_copy(query, 13, &run->policy, NULL, err) < 0)
        return -err->code;
    return db_row_read(query, err);
}

static int read_blobs(struct db_query *query, struct store_run *run, struct dc_err *err)
{
    int at = RUN_COLUMN_COUNT;

    if (db_copy(query, at, &run->request, &run->request_length, err) < 0 ||
        db_copy(query, at + 1, &run->out, &run->out_length, err) < 0 ||
        db_copy(query, at + 2, &run->err, &run->err_length, err) < 0 ||
        db_copy(query, at + 3, &run->artifacts, &run->artifacts_length, err) < 0)
        return -err->code;
    return 0;
}

int store_run_get(struct store_conn *conn, const char *project_id, const char *run_id,
                  struct store_run *ret_run, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " RUN_COLUMNS ", q.request, o.out, o.err, o.artifacts FROM runs r"
        " LEFT JOIN run_requests q ON q.run_id = r.id LEFT JOIN run_outputs o ON o.run_id = r.id"
        " WHERE r.id = $1 AND r.project_id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(store_run_release) struct store_run run = {0};
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, run_id);
    db_bind_text(query, 2, project_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such run");
    if (read_run(query, &run, err) < 0 || read_blobs(query, &run, err) < 0)
        return -err->code;
    *ret_run = run;
    run = (struct store_run){0};
    return 0;
}

/* A cursor is the last row's place in the order: its time in hex, a dot, its id. */
struct place {
    int64_t created_at;
    char id[DC_UUID_SIZE];
};

static void write_cursor(const struct store_run *last, char out[static STORE_CURSOR_SIZE])
{
    (void)snprintf(out, STORE_CURSOR_SIZE, "%" PRIx64 ".%s", (uint64_t)last->created_at, last->id);
}

static int read_cursor(const char *cursor, struct place *ret_place, struct dc_err *err)
{
    char *end;
    uint64_t time;

    if (!cursor) {
        /* Before the newest: no text of a UUID sorts after a tilde. */
        *ret_place = (struct place){.created_at = INT64_MAX, .id = "~"};
        return 0;
    }
    errno = 0;
    time = strtoull(cursor, &end, 16);
    if (end == cursor || *end != '.' || errno || time > INT64_MAX || !dc_uuid_valid(end + 1))
        return dc_fail(err, DC_INVALID, 0, "the cursor is not one that a list returned");
    ret_place->created_at = (int64_t)time;
    memcpy(ret_place->id, end + 1, sizeof(ret_place->id));
    return 0;
}

/* Reads up to limit rows; one row more than that tells that there is a next page. */
static int read_page(struct db_query *query, int limit, struct store_run_page *page,
                     struct dc_err *err)
{
    bool row;

    page->runs = calloc((size_t)limit, sizeof(*page->runs));
    if (!page->runs)
        return dc_fail(err, DC_KERNEL, ENOMEM, "a page of %d runs", limit);
    for (;;) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            return 0;
        if (page->count == (size_t)limit)
            break;
        if (read_run(query, &page->runs[page->count++], err) < 0)
            return -err->code;
    }
    write_cursor(&page->runs[page->count - 1], page->next_cursor);
    return 0;
}

int store_runs_list(struct store_conn *conn, const struct store_run_filter *filter,
                    struct store_run_page *ret_page, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " RUN_COLUMNS " FROM runs r WHERE r.project_id = $1 AND r.created_at >= $2"
        " AND (r.created_at, r.id) < ($3, $4)"
        " AND r.lang = COALESCE($5, r.lang)"
        " AND (CAST($6 AS TEXT) IS NULL OR r.outcome = $6) AND (CAST($7 AS TEXT) IS NULL OR "
        "r.user_id = $7) AND r.test = COALESCE($8, r.test)"
        " ORDER BY r.created_at DESC, r.id DESC LIMIT $9";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(store_run_page_release) struct store_run_page page = {0};
    int limit = filter->limit ? filter->limit : STORE_LIST_DEFAULT;
    struct place place;

    if (limit < 1 || limit > STORE_LIST_MAX)
        return dc_fail(err, DC_INVALID, 0, "limit is not between 1 and %d", STORE_LIST_MAX);
    if (read_cursor(filter->cursor, &place, err) < 0 ||
        db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, filter->project_id);
    db_bind_int(query, 2, filter->since);
    db_bind_int(query, 3, place.created_at);
    db_bind_text(query, 4, place.id);
    db_bind_text(query, 5, filter->lang);
    db_bind_text(query, 6, filter->outcome);
    db_bind_text(query, 7, filter->user_id);
    if (filter->test)
        db_bind_int(query, 8, *filter->test);
    else
        db_bind_null(query, 8);
    db_bind_int(query, 9, limit + 1);
    if (read_page(query, limit, &page, err) < 0)
        return -err->code;
    *ret_page = page;
    page = (struct store_run_page){0};
    return 0;
}

#define LEDGER_SUMS                                                                                \
    "SELECT COUNT(*), COALESCE(SUM(cpu_ns), 0), COALESCE(SUM(wall_ns), 0),"                        \
    " COALESCE(SUM(amount_micros), 0) FROM ledger WHERE at >= $1 AND at < $2"

int store_ledger_sum(struct store_conn *conn, const char *project_id, int64_t from, int64_t to,
                     struct store_usage *ret_usage, struct dc_err *err)
{
    static const char sql_all[] = LEDGER_SUMS;
    static const char sql_project[] = LEDGER_SUMS " AND project_id = $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, project_id ? sql_project : sql_all, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, from);
    db_bind_int(query, 2, to);
    if (project_id)
        db_bind_text(query, 3, project_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    ret_usage->runs = db_int(query, 0);
    ret_usage->cpu_ns = db_int(query, 1);
    ret_usage->wall_ns = db_int(query, 2);
    ret_usage->amount_micros = db_int(query, 3);
    return 0;
}
