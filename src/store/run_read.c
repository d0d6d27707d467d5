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
    " r.finished_at, r.packages, r.error_line, r.install_ns, k.prefix, k.name,"                    \
    " COALESCE(l.amount_micros, -1), COALESCE(l.egress_bytes, 0), q.head, r.test"
/* Conditions on r and q are judged before the rest is looked up. */
#define RUN_TABLES                                                                                 \
    " FROM runs r LEFT JOIN run_requests q ON q.run_id = r.id"                                     \
    " LEFT JOIN api_keys k ON k.id = r.key_id LEFT JOIN ledger l ON l.run_id = r.id"

enum { RUN_COLUMN_COUNT = 32 };

void store_run_release(struct store_run *run)
{
    free(run->user_id);
    free(run->message);
    free(run->limits);
    free(run->policy);
    free(run->error_line);
    free(run->key_name);
    free(run->head);
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
    run->packages = db_int(query, 23);
    run->install_ns = db_int(query, 25);
    db_text(query, 26, run->key_prefix, sizeof(run->key_prefix));
    run->amount_micros = db_int(query, 28);
    run->egress_bytes = db_int(query, 29);
    run->test = db_int(query, 31) != 0;
    if (db_copy(query, 3, &run->user_id, NULL, err) < 0 ||
        db_copy(query, 7, &run->message, NULL, err) < 0 ||
        db_copy(query, 12, &run->limits, NULL, err) < 0 ||
        db_copy(query, 13, &run->policy, NULL, err) < 0 ||
        db_copy(query, 24, &run->error_line, NULL, err) < 0 ||
        db_copy(query, 27, &run->key_name, NULL, err) < 0 ||
        db_copy(query, 30, &run->head, NULL, err) < 0)
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
        "SELECT " RUN_COLUMNS ", q.request, o.out, o.err, o.artifacts" RUN_TABLES
        " LEFT JOIN run_outputs o ON o.run_id = r.id"
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

/* ---- lists ---- */

/*
 * A page looks at no more than so many runs, however few of them are wanted; then it ends early,
 * with a cursor to go on from. So each page comes fast, and nobody makes the store read a million
 * rows. Failures and an end user's runs are found by indexes that leave the others out.
 */
enum { SCAN_MAX = 20000, SCAN_TEXT_MAX = 10000 };

/* A place in the order: newest first, then by id. A cursor is the last row's: its time in hex, a
 * dot, its id. */
struct place {
    int64_t created_at;
    char id[DC_UUID_SIZE];
};

/* What a page is taken from: first <= run < behind. */
struct range {
    struct place first;
    struct place behind;
};

static void write_cursor(const struct place *place, char out[static STORE_CURSOR_SIZE])
{
    (void)snprintf(out, STORE_CURSOR_SIZE, "%" PRIx64 ".%s", (uint64_t)place->created_at,
                   place->id);
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

static int range_of(const struct store_run_filter *filter, struct range *ret_range,
                    struct dc_err *err)
{
    if (read_cursor(filter->cursor, &ret_range->behind, err) < 0)
        return -err->code;
    if (filter->until && filter->until <= ret_range->behind.created_at)
        ret_range->behind = (struct place){.created_at = filter->until};
    ret_range->first = (struct place){.created_at = filter->since};
    return 0;
}

#define IN_RANGE                                                                                   \
    " WHERE r.project_id = $1 AND (r.created_at, r.id) >= ($2, $3)"                                \
    " AND (r.created_at, r.id) < ($4, $5)"
#define IN_ORDER " ORDER BY r.created_at DESC, r.id DESC"
#define OF_ANY " AND CAST($6 AS TEXT) IS NULL"
#define OF_USER " AND r.user_id = $6"
#define OF_FAILED " AND r.outcome <> 'ok' AND CAST($6 AS TEXT) IS NULL"

static const char sql_far[] =
    "SELECT r.created_at, r.id FROM runs r" IN_RANGE OF_ANY IN_ORDER " LIMIT 1 OFFSET $7";
static const char sql_far_user[] =
    "SELECT r.created_at, r.id FROM runs r" IN_RANGE OF_USER IN_ORDER " LIMIT 1 OFFSET $7";
static const char sql_far_failed[] =
    "SELECT r.created_at, r.id FROM runs r" IN_RANGE OF_FAILED IN_ORDER " LIMIT 1 OFFSET $7";

#define IN_FILTER                                                                                  \
    " AND r.lang = COALESCE($7, r.lang) AND r.test = COALESCE($8, r.test)"                         \
    " AND (CAST($9 AS TEXT) IS NULL OR r.key_id = $9)"                                             \
    " AND (CAST($10 AS TEXT) IS NULL OR (r.status = 'done') = ($10 = 'done'))"                     \
    " AND (CAST($11 AS TEXT) IS NULL OR $11 LIKE '%,' || r.outcome || ',%')"                       \
    " AND (CAST($12 AS TEXT) IS NULL OR r.id LIKE $12)"                                            \
    " AND (CAST($13 AS TEXT) IS NULL OR lower(r.message) LIKE $13 ESCAPE '!'"                      \
    " OR lower(r.error_line) LIKE $13 ESCAPE '!' OR lower(q.head) LIKE $13 ESCAPE '!')"

static const char sql_list[] =
    "SELECT " RUN_COLUMNS RUN_TABLES IN_RANGE OF_ANY IN_FILTER IN_ORDER " LIMIT $14";
static const char sql_list_user[] =
    "SELECT " RUN_COLUMNS RUN_TABLES IN_RANGE OF_USER IN_FILTER IN_ORDER " LIMIT $14";
static const char sql_list_failed[] =
    "SELECT " RUN_COLUMNS RUN_TABLES IN_RANGE OF_FAILED IN_FILTER IN_ORDER " LIMIT $14";

static const char *choose(const struct store_run_filter *filter, const char *any, const char *user,
                          const char *failed)
{
    return filter->user_id ? user : filter->failed ? failed : any;
}

static void bind_range(struct db_query *query, const struct store_run_filter *filter,
                       const struct range *range)
{
    db_bind_text(query, 1, filter->project_id);
    db_bind_int(query, 2, range->first.created_at);
    db_bind_text(query, 3, range->first.id);
    db_bind_int(query, 4, range->behind.created_at);
    db_bind_text(query, 5, range->behind.id);
    db_bind_text(query, 6, filter->user_id);
}

/* Narrows the range to what a page may look at; true in *ret_cut when that leaves some out. */
static int cut_range(struct store_conn *conn, const struct store_run_filter *filter,
                     struct range *range, bool *ret_cut, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, choose(filter, sql_far, sql_far_user, sql_far_failed), &query,
                       err) < 0)
        return -err->code;
    bind_range(query, filter, range);
    db_bind_int(query, 7, filter->text_like ? SCAN_TEXT_MAX - 1 : SCAN_MAX - 1);
    if (db_step(query, ret_cut, err) < 0)
        return -err->code;
    if (!*ret_cut)
        return 0;
    range->first.created_at = db_int(query, 0);
    db_text(query, 1, range->first.id, sizeof(range->first.id));
    return db_row_read(query, err);
}

static bool is_filtered(const struct store_run_filter *filter)
{
    return filter->lang || filter->test || filter->key_id || filter->status || filter->outcomes ||
           filter->id_like || filter->text_like;
}

/* Reads up to limit rows; one row more than that tells that there is a next page. */
static int read_page(struct db_query *query, int limit, struct store_run_page *page, bool *ret_more,
                     struct dc_err *err)
{
    page->runs = calloc((size_t)limit, sizeof(*page->runs));
    if (!page->runs)
        return dc_fail(err, DC_KERNEL, ENOMEM, "a page of %d runs", limit);
    for (;;) {
        if (db_step(query, ret_more, err) < 0)
            return -err->code;
        if (!*ret_more || page->count == (size_t)limit)
            return 0;
        if (read_run(query, &page->runs[page->count++], err) < 0)
            return -err->code;
    }
}

static int list(struct store_conn *conn, const struct store_run_filter *filter,
                const struct range *range, struct store_run_page *page, bool *ret_more,
                struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    int limit = filter->limit ? filter->limit : STORE_LIST_DEFAULT;

    if (limit < 1 || limit > STORE_LIST_MAX)
        return dc_fail(err, DC_INVALID, 0, "limit is not between 1 and %d", STORE_LIST_MAX);
    if (db_begin_query(conn->db, choose(filter, sql_list, sql_list_user, sql_list_failed), &query,
                       err) < 0)
        return -err->code;
    bind_range(query, filter, range);
    db_bind_text(query, 7, filter->lang);
    if (filter->test)
        db_bind_int(query, 8, *filter->test);
    else
        db_bind_null(query, 8);
    db_bind_text(query, 9, filter->key_id);
    db_bind_text(query, 10, filter->status);
    db_bind_text(query, 11, filter->outcomes);
    db_bind_text(query, 12, filter->id_like);
    db_bind_text(query, 13, filter->text_like);
    db_bind_int(query, 14, limit + 1);
    return read_page(query, limit, page, ret_more, err);
}

int store_runs_list(struct store_conn *conn, const struct store_run_filter *filter,
                    struct store_run_page *ret_page, struct dc_err *err)
{
    DC_AUTO(store_run_page_release) struct store_run_page page = {0};
    struct range range;
    bool cut = false;
    bool more;

    if (range_of(filter, &range, err) < 0)
        return -err->code;
    if (is_filtered(filter) && cut_range(conn, filter, &range, &cut, err) < 0)
        return -err->code;
    if (list(conn, filter, &range, &page, &more, err) < 0)
        return -err->code;
    if (more) {
        struct store_run *last = &page.runs[page.count - 1];
        struct place place = {.created_at = last->created_at};

        memcpy(place.id, last->id, sizeof(place.id));
        write_cursor(&place, page.next_cursor);
    } else if (cut) {
        write_cursor(&range.first, page.next_cursor);
        page.searched_to = range.first.created_at;
    }
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
