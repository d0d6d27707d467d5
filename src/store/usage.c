#include "store/usage.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/rows.h"
#include "store/store_internal.h"
#include "store/usage_internal.h"

#include "base/poison.h"

#define DAY_NS INT64_C(86400000000000)

/* What a ledger row adds, from the columns on; the same arithmetic as in the migration. */
#define LEDGER_FIGURES                                                                             \
    "1, (cpu_ns + 999999) / 1000000, (peak_bytes + 1048575) / 1048576,"                            \
    " (wall_ns + 999999) / 1000000,"                                                               \
    " (peak_bytes + 1048575) / 1048576 * ((wall_ns + 999999) / 1000000), egress_bytes,"            \
    " COALESCE(amount_micros, 0) FROM ledger WHERE run_id = "
#define FIGURES "runs, cpu_ms, mem_mb, duration_ms, mem_mb_ms, egress_bytes, amount_micros"
#define ADD                                                                                        \
    " DO UPDATE SET runs = was.runs + excluded.runs, cpu_ms = was.cpu_ms + excluded.cpu_ms,"       \
    " mem_mb = was.mem_mb + excluded.mem_mb, duration_ms = was.duration_ms + "                     \
    "excluded.duration_ms,"                                                                        \
    " mem_mb_ms = was.mem_mb_ms + excluded.mem_mb_ms,"                                             \
    " egress_bytes = was.egress_bytes + excluded.egress_bytes,"                                    \
    " amount_micros = was.amount_micros + excluded.amount_micros"
#define COSTS " test = 0 AND outcome NOT IN ('sandbox_error', 'install_failed')"
#define SUMS                                                                                       \
    "COALESCE(SUM(runs), 0), COALESCE(SUM(cpu_ms), 0), COALESCE(SUM(mem_mb), 0),"                  \
    " COALESCE(SUM(duration_ms), 0), COALESCE(SUM(mem_mb_ms), 0), COALESCE(SUM(egress_bytes), 0)," \
    " COALESCE(SUM(amount_micros), 0)"

/* ---- quota ---- */

/* Runs that are counted by the month of their end and were admitted before it began: theirs was the
 * quota of the month before. An id begins with the moment of the admission; none is under way for
 * longer than this. */
enum { OVERHANG_S = 3600 + 2 * DC_TIMEOUT_MAX_MS / 1000 };

/* "017f22e2-79b0": ids from that moment on are greater. */
static void id_from(int64_t at, char out[static 14])
{
    uint64_t ms = (uint64_t)(at / DC_NS_PER_MS);

    (void)snprintf(out, 14, "%08x-%04x", (unsigned)(ms >> 16 & 0xffffffff),
                   (unsigned)(ms & 0xffff));
}

/* The odd terms keep SQLite from its index of a project's runs: those that are open have one. */
#define OPEN " status <> 'done' AND test = 0 AND project_id || '' = "

/* What the ledger shows of a month, and what is under way. */
static int count_month(struct store_conn *conn, const char *project_id, int64_t period,
                       int64_t *ret_runs, struct dc_err *err)
{
    static const char sql[] =
        "SELECT CAST(COALESCE((SELECT SUM(runs) FROM usage_days WHERE project_id = $1 AND day >= $2"
        " AND day < $3 AND" COSTS "), 0) AS BIGINT)"
        " - (SELECT COUNT(*) FROM ledger WHERE project_id = $1 AND at >= $4 AND at < $5"
        " AND run_id < $6 AND" COSTS ")"
        " + (SELECT COUNT(*) FROM runs WHERE" OPEN "$1 AND created_at + 0 >= $4)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t begin = dc_month_begin(period);
    char first[14];
    bool row;

    id_from(begin, first);
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, begin / DAY_NS);
    db_bind_int(query, 3, dc_month_begin(dc_month_add(period, 1)) / DAY_NS);
    db_bind_int(query, 4, begin);
    db_bind_int(query, 5, begin + OVERHANG_S * DC_NS_PER_S);
    db_bind_text(query, 6, first);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_runs = row ? db_int(query, 0) : 0;
    return 0;
}

int store_quota_used(struct store_conn *conn, const char *project_id, int64_t period,
                     int64_t *ret_used, struct dc_err *err)
{
    static const char sql[] = "SELECT used FROM quota WHERE project_id = $1 AND period = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, period);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return count_month(conn, project_id, period, ret_used, err);
    *ret_used = db_int(query, 0);
    return 0;
}

static int restart_quota(struct store_conn *conn, const char *project_id, int64_t now,
                         struct dc_err *err)
{
    static const char sql[] = "DELETE FROM quota WHERE project_id = $1 AND period >= $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, dc_month_of(now));
    return db_run(query, NULL, err);
}

int store_quota_restart(struct store_conn *conn, const char *project_id, int64_t now,
                        struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, restart_quota(conn, project_id, now, err), err);
}

/* A project's first run in a month under a quota: it begins with what there was without one, and
 * what is under way gives back what it turns out not to cost. */
static int begin_quota(struct store_conn *conn, const char *project_id, int64_t period,
                       struct dc_err *err)
{
    static const char sql[] = "INSERT INTO quota (project_id, period, used) VALUES ($1, $2, $3)"
                              " ON CONFLICT (project_id, period) DO NOTHING";
    static const char sql_open[] =
        "UPDATE runs SET quota_period = $1 WHERE" OPEN "$2 AND created_at + 0 >= $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(db_end) struct db_query *open = NULL;
    int64_t used;
    int64_t changes;

    if (count_month(conn, project_id, period, &used, err) < 0 ||
        db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, period);
    db_bind_int(query, 3, used);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    if (!changes)
        return 0;
    if (db_begin_query(conn->db, sql_open, &open, err) < 0)
        return -err->code;
    db_bind_int(open, 1, period);
    db_bind_text(open, 2, project_id);
    db_bind_int(open, 3, dc_month_begin(period));
    return db_run(open, NULL, err);
}

/* One statement decides. False in *ret_got: there is no row, or it says that nothing is left. */
static int take_one(struct store_conn *conn, const char *project_id, int64_t period, int64_t limit,
                    bool *ret_got, struct dc_err *err)
{
    static const char sql[] = "UPDATE quota SET used = used + 1 WHERE project_id = $1"
                              " AND period = $2 AND used < $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, period);
    db_bind_int(query, 3, limit);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    *ret_got = changes > 0;
    return 0;
}

int usage_reserve(struct store_conn *conn, const char *project_id, int64_t period, int64_t limit,
                  bool *ret_got, int64_t *ret_used, struct dc_err *err)
{
    *ret_got = false;
    if (limit > 0 && take_one(conn, project_id, period, limit, ret_got, err) < 0)
        return -err->code;
    if (!*ret_got && limit > 0 &&
        (begin_quota(conn, project_id, period, err) < 0 ||
         take_one(conn, project_id, period, limit, ret_got, err) < 0))
        return -err->code;
    return *ret_got ? 0 : store_quota_used(conn, project_id, period, ret_used, err);
}

int usage_follow(struct store_conn *conn, const char *project_id, int64_t period, bool *ret_counted,
                 struct dc_err *err)
{
    static const char sql[] =
        "UPDATE quota SET used = used + 1 WHERE project_id = $1 AND period = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, period);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    *ret_counted = changes > 0;
    return 0;
}

int usage_release(struct store_conn *conn, const char *run_id, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE quota SET used = used - 1 WHERE (project_id, period) ="
        " (SELECT project_id, quota_period FROM runs WHERE id = $1 AND quota_period IS NOT NULL)";

    return conn_run_text(conn, sql, run_id, NULL, err);
}

int usage_recover(struct store_conn *conn, int64_t now, struct dc_err *err)
{
    static const char sql_quota[] =
        "UPDATE quota SET used = used - (SELECT COUNT(*) FROM runs WHERE runs.status <> 'done'"
        " AND runs.project_id = quota.project_id AND runs.quota_period = quota.period)"
        " WHERE EXISTS (SELECT 1 FROM runs WHERE runs.status <> 'done'"
        " AND runs.project_id = quota.project_id AND runs.quota_period = quota.period)";
    static const char sql_days[] =
        "INSERT INTO usage_days AS was (project_id, day, lang, outcome, test, " FIGURES ")"
        " SELECT project_id, $1, lang, 'sandbox_error', test, COUNT(*), 0, 0, 0, 0, 0, 0 FROM runs"
        " WHERE status <> 'done' GROUP BY project_id, lang, test"
        " ON CONFLICT (project_id, day, lang, outcome, test)" ADD;
    DC_AUTO(db_end) struct db_query *quota = NULL;
    DC_AUTO(db_end) struct db_query *days = NULL;

    if (db_begin_query(conn->db, sql_quota, &quota, err) < 0 || db_run(quota, NULL, err) < 0 ||
        db_begin_query(conn->db, sql_days, &days, err) < 0)
        return -err->code;
    db_bind_int(days, 1, now / DAY_NS);
    return db_run(days, NULL, err);
}

int usage_write_off(struct store_conn *conn, const char *project_id, int64_t now,
                    struct dc_err *err)
{
    static const char sql_ledger[] =
        "INSERT INTO ledger (run_id, project_id, key_id, user_id, lang, outcome, cpu_ns,"
        " peak_bytes, wall_ns, at, test) SELECT id, project_id, key_id, user_id, lang,"
        " 'sandbox_error', 0, 0, 0, $1, test FROM runs WHERE status <> 'done' AND project_id = $2";
    static const char sql_days[] =
        "INSERT INTO usage_days AS was (project_id, day, lang, outcome, test, " FIGURES ")"
        " SELECT project_id, $1, lang, 'sandbox_error', test, COUNT(*), 0, 0, 0, 0, 0, 0 FROM runs"
        " WHERE status <> 'done' AND project_id = $2 GROUP BY project_id, lang, test"
        " ON CONFLICT (project_id, day, lang, outcome, test)" ADD;
    DC_AUTO(db_end) struct db_query *ledger = NULL;
    DC_AUTO(db_end) struct db_query *days = NULL;

    if (db_begin_query(conn->db, sql_ledger, &ledger, err) < 0)
        return -err->code;
    db_bind_int(ledger, 1, now);
    db_bind_text(ledger, 2, project_id);
    if (db_run(ledger, NULL, err) < 0 || db_begin_query(conn->db, sql_days, &days, err) < 0)
        return -err->code;
    db_bind_int(days, 1, now / DAY_NS);
    db_bind_text(days, 2, project_id);
    return db_run(days, NULL, err);
}

/* ---- prices ---- */

static int set_price(struct store_conn *conn, const struct store_price *price, int64_t now,
                     struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO prices (effective_at, run_micros, cpu_ms_micros, currency)"
        " SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM prices WHERE effective_at ="
        " (SELECT MAX(effective_at) FROM prices) AND run_micros = $5 AND cpu_ms_micros = $6"
        " AND currency = $7)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_int(query, 2, price->run_micros);
    db_bind_int(query, 3, price->cpu_ms_micros);
    db_bind_text(query, 4, price->currency);
    db_bind_int(query, 5, price->run_micros);
    db_bind_int(query, 6, price->cpu_ms_micros);
    db_bind_text(query, 7, price->currency);
    return db_run(query, NULL, err);
}

int store_price_set(struct store_conn *conn, const struct store_price *price, int64_t now,
                    struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, set_price(conn, price, now, err), err);
}

/* ---- adding ---- */

static int add_day(struct store_conn *conn, const struct store_run_result *result,
                   struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO usage_days AS was (project_id, day, lang, outcome, test, " FIGURES ")"
        " SELECT project_id, $1, lang, outcome, test, " LEDGER_FIGURES "$2"
        " ON CONFLICT (project_id, day, lang, outcome, test)" ADD;
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, result->finished_at / DAY_NS);
    db_bind_text(query, 2, result->id);
    return db_run(query, NULL, err);
}

static int add_month(struct store_conn *conn, const char *sql, const char *run_id, int64_t period,
                     struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, period);
    db_bind_text(query, 2, run_id);
    return db_run(query, NULL, err);
}

int usage_add(struct store_conn *conn, const struct store_run_result *result, struct dc_err *err)
{
    static const char sql_keys[] =
        "INSERT INTO usage_keys AS was (project_id, period, key_id, " FIGURES ")"
        " SELECT project_id, $1, key_id, " LEDGER_FIGURES "$2 AND key_id IS NOT NULL AND" COSTS
        " ON CONFLICT (project_id, period, key_id)" ADD;
    static const char sql_users[] =
        "INSERT INTO usage_users AS was (project_id, period, user_id, " FIGURES ")"
        " SELECT project_id, $1, user_id, " LEDGER_FIGURES "$2 AND user_id IS NOT NULL AND" COSTS
        " ON CONFLICT (project_id, period, user_id)" ADD;
    int64_t period = dc_month_of(result->finished_at);

    if (add_day(conn, result, err) < 0 || add_month(conn, sql_keys, result->id, period, err) < 0 ||
        add_month(conn, sql_users, result->id, period, err) < 0)
        return -err->code;
    return 0;
}

/* ---- reading ---- */

static void read_sums(struct db_query *query, int column, struct store_usage_sums *sums)
{
    *sums = (struct store_usage_sums){
        .runs = db_int(query, column),
        .cpu_ms = db_int(query, column + 1),
        .mem_mb = db_int(query, column + 2),
        .duration_ms = db_int(query, column + 3),
        .mem_mb_ms = db_int(query, column + 4),
        .egress_bytes = db_int(query, column + 5),
        .amount_micros = db_int(query, column + 6),
    };
}

/* From its first day to the first of the next. */
static void bind_month(struct db_query *query, const char *project_id, int64_t period)
{
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, dc_month_begin(period) / DAY_NS);
    db_bind_int(query, 3, dc_month_begin(dc_month_add(period, 1)) / DAY_NS);
}

int store_usage_month(struct store_conn *conn, const char *project_id, int64_t period,
                      struct store_usage_month *ret_month, struct dc_err *err)
{
    static const char sql[] = "SELECT " SUMS " FROM usage_days"
                              " WHERE project_id = $1 AND day >= $2 AND day < $3 AND" COSTS;
    static const char sql_rest[] =
        "SELECT COALESCE(SUM(CASE WHEN test = 1 THEN runs ELSE 0 END), 0),"
        " COALESCE(SUM(CASE WHEN test = 0 AND outcome IN ('sandbox_error', 'install_failed')"
        " THEN runs ELSE 0 END), 0) FROM usage_days"
        " WHERE project_id = $1 AND day >= $2 AND day < $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(db_end) struct db_query *rest = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    bind_month(query, project_id, period);
    if (db_step(query, &row, err) < 0 || db_begin_query(conn->db, sql_rest, &rest, err) < 0)
        return -err->code;
    read_sums(query, 0, &ret_month->sums);
    bind_month(rest, project_id, period);
    if (db_step(rest, &row, err) < 0)
        return -err->code;
    ret_month->test_runs = db_int(rest, 0);
    ret_month->free_runs = db_int(rest, 1);
    return 0;
}

int store_usage_p95(struct store_conn *conn, const char *project_id, int64_t period,
                    int64_t *ret_duration_ms, struct dc_err *err)
{
    static const char sql[] = "SELECT wall_ns FROM (SELECT wall_ns FROM ledger"
                              " WHERE project_id = $1 AND at >= $2 AND at < $3 AND" COSTS
                              " ORDER BY at DESC LIMIT $4) AS last ORDER BY wall_ns DESC";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t longest[STORE_P95_RUNS / 20 + 1];
    int64_t count = 0;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, dc_month_begin(period));
    db_bind_int(query, 3, dc_month_begin(dc_month_add(period, 1)));
    db_bind_int(query, 4, STORE_P95_RUNS);
    for (;; count++) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        if (count <= STORE_P95_RUNS / 20)
            longest[count] = db_int(query, 0);
    }
    *ret_duration_ms = count ? (longest[count / 20] + 999999) / 1000000 : -1;
    return 0;
}

static int read_rows(struct db_query *query, bool days, struct store_usage_row **ret_rows,
                     size_t *ret_count, struct dc_err *err)
{
    DC_AUTO(rows_release) struct rows rows;
    void *data;
    bool row;

    rows_init(&rows, sizeof(struct store_usage_row));
    for (;;) {
        struct store_usage_row *one;
        char moment[25];

        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        one = rows_add(&rows, err);
        if (!one)
            return -err->code;
        if (days) {
            dc_format_iso8601(db_int(query, 0) * DAY_NS, moment);
            (void)snprintf(one->label, sizeof(one->label), "%.10s", moment);
        } else {
            db_text(query, 0, one->label, sizeof(one->label));
        }
        read_sums(query, 1, &one->sums);
        if (db_row_read(query, err) < 0)
            return -err->code;
    }
    if (rows_take(&rows, NULL, 0, &data, ret_count, err) < 0)
        return -err->code;
    *ret_rows = data;
    return 0;
}

int store_usage_by(struct store_conn *conn, const char *project_id, int64_t period,
                   enum store_usage_by by, struct store_usage_row **ret_rows, size_t *ret_count,
                   struct dc_err *err)
{
    static const char sql_day[] =
        "SELECT day, " SUMS " FROM usage_days WHERE project_id = $1 AND day >= $2 AND day < $3"
        " AND" COSTS " GROUP BY day ORDER BY day";
    static const char sql_lang[] =
        "SELECT lang, " SUMS " FROM usage_days WHERE project_id = $1 AND day >= $2 AND day < $3"
        " AND" COSTS " GROUP BY lang ORDER BY lang";
    static const char sql_outcome[] =
        "SELECT outcome, " SUMS " FROM usage_days WHERE project_id = $1 AND day >= $2 AND day < $3"
        " AND test = 0 GROUP BY outcome ORDER BY outcome";
    static const char sql_key[] = "SELECT key_id, " FIGURES " FROM usage_keys WHERE project_id = $1"
                                  " AND period = $2 ORDER BY runs DESC, key_id LIMIT $3";
    static const char sql_user[] =
        "SELECT user_id, " FIGURES " FROM usage_users WHERE project_id = $1"
        " AND period = $2 ORDER BY runs DESC, user_id LIMIT $3";
    static const char *const all[STORE_USAGE_BYS] = {sql_day, sql_lang, sql_outcome, sql_key,
                                                     sql_user};
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, all[by], &query, err) < 0)
        return -err->code;
    if (by == STORE_USAGE_KEY || by == STORE_USAGE_USER) {
        db_bind_text(query, 1, project_id);
        db_bind_int(query, 2, period);
        db_bind_int(query, 3, STORE_USAGE_ROWS_MAX);
    } else {
        bind_month(query, project_id, period);
    }
    return read_rows(query, by == STORE_USAGE_DAY, ret_rows, ret_count, err);
}

int store_usage_ever(struct store_conn *conn, const char *project_id,
                     struct store_usage_ever *ret_ever, struct dc_err *err)
{
    static const char sql[] = "SELECT COALESCE(SUM(runs), 0),"
                              " COALESCE(SUM(CASE WHEN lang = 'python' THEN runs ELSE 0 END), 0),"
                              " COALESCE(SUM(CASE WHEN lang = 'node' THEN runs ELSE 0 END), 0),"
                              " COALESCE(SUM(CASE WHEN outcome = 'ok' THEN runs ELSE 0 END), 0)"
                              " FROM usage_days WHERE project_id = $1 AND" COSTS;
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_ever = (struct store_usage_ever){
        .runs = db_int(query, 0),
        .python_runs = db_int(query, 1),
        .node_runs = db_int(query, 2),
        .ok_runs = db_int(query, 3),
    };
    return 0;
}

static int read_recent(struct rows *rows, struct db_query *query, struct dc_err *err)
{
    struct store_recent *run = rows_add(rows, err);

    if (!run)
        return -err->code;
    db_text(query, 0, run->id, sizeof(run->id));
    db_text(query, 1, run->lang, sizeof(run->lang));
    db_text(query, 2, run->outcome, sizeof(run->outcome));
    run->exit_code = (int)db_int(query, 3);
    run->duration_ms = db_int(query, 4);
    run->created_at = db_int(query, 5);
    run->test = db_int(query, 7) != 0;
    if (rows_text(rows, query, 6, &run->request, err) < 0)
        return -err->code;
    return db_row_read(query, err);
}

int store_usage_recent(struct store_conn *conn, const char *project_id,
                       struct store_recent **ret_runs, size_t *ret_count, struct dc_err *err)
{
    static const char sql[] =
        "SELECT r.id, r.lang, r.outcome, r.exit_code, r.duration_ms, r.created_at,"
        " CASE WHEN length(q.request) <= $1 THEN q.request ELSE NULL END, r.test"
        " FROM runs r LEFT JOIN run_requests q ON q.run_id = r.id"
        " WHERE r.project_id = $2 AND r.status = 'done'"
        " ORDER BY r.created_at DESC, r.id DESC LIMIT $3";
    static const size_t slots[] = {offsetof(struct store_recent, request)};
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(rows_release) struct rows rows;
    void *data;
    bool row;

    rows_init(&rows, sizeof(struct store_recent));
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, STORE_RECENT_REQUEST_MAX_BYTES);
    db_bind_text(query, 2, project_id);
    db_bind_int(query, 3, STORE_RECENT_MAX);
    for (;;) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        if (read_recent(&rows, query, err) < 0)
            return -err->code;
    }
    if (rows_take(&rows, slots, 1, &data, ret_count, err) < 0)
        return -err->code;
    *ret_runs = data;
    return 0;
}
