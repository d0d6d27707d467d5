/* What a server does to the store besides serving: recovery at start, purging by the clock. */
#include "store/runs.h"

#include "store/shares.h"
#include "store/store_internal.h"
#include "store/usage_internal.h"

#include "base/poison.h"

/* Runs a statement whose parameters are all one time. */
static int run_with_time(struct store_conn *conn, const char *sql, int64_t time,
                         int64_t *ret_changes, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, time);
    return db_run(query, ret_changes, err);
}

static int recover(struct store_conn *conn, int64_t now, int *ret_runs, struct dc_err *err)
{
    static const char sql_claims[] = "DELETE FROM idempotency WHERE created_at <= $1 AND run_id IN"
                                     " (SELECT id FROM runs WHERE status <> 'done')";
    static const char sql_ledger[] =
        "INSERT INTO ledger (run_id, project_id, key_id, user_id, lang, outcome, cpu_ns,"
        " peak_bytes, wall_ns, at, test) SELECT id, project_id, key_id, user_id, lang,"
        " 'sandbox_error', 0, 0, 0, $1, test FROM runs WHERE status <> 'done'";
    static const char sql_runs[] =
        "UPDATE runs SET status = 'done', outcome = 'sandbox_error', exit_code = -1, signal = 0,"
        " message = 'the server stopped while the run was in progress', cpu_ms = 0, mem_mb = 0,"
        " duration_ms = 0, cpu_ns = 0, peak_bytes = 0, wall_ns = 0, finished_at = $1"
        " WHERE status <> 'done'";
    int64_t changes;

    if (run_with_time(conn, sql_claims, INT64_MAX, NULL, err) < 0 ||
        run_with_time(conn, sql_ledger, now, NULL, err) < 0 || usage_recover(conn, now, err) < 0 ||
        usage_recover_budgets(conn, err) < 0 ||
        run_with_time(conn, sql_runs, now, &changes, err) < 0)
        return -err->code;
    *ret_runs = (int)changes;
    return 0;
}

int store_recover(struct store_conn *conn, int64_t now, int *ret_runs, struct dc_err *err)
{
    int runs = 0;

    if (conn_begin(conn, err) < 0 || conn_end(conn, recover(conn, now, &runs, err), err) < 0)
        return dc_context(err, "recover unfinished runs");
    *ret_runs = runs;
    return 0;
}

/* By project, so that the index of lists serves here too and runs need no index on age alone.
 * CROSS JOIN keeps SQLite from scanning runs first. */
static int purge_runs(struct store_conn *conn, int64_t before, int max_runs, int *ret_runs,
                      struct dc_err *err)
{
    static const char sql[] =
        "DELETE FROM runs WHERE id IN (SELECT r.id FROM projects p"
        " CROSS JOIN runs r WHERE r.project_id = p.id AND r.created_at < $1 AND r.status = 'done'"
        " LIMIT $2)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, before);
    db_bind_int(query, 2, max_runs);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    *ret_runs = (int)changes;
    return 0;
}

static int purge(struct store_conn *conn, int64_t before, int64_t now, int max_runs, int *ret_runs,
                 struct dc_err *err)
{
    static const char sql_claims[] = "DELETE FROM idempotency WHERE created_at <= $1";

    if (run_with_time(conn, sql_claims, now - STORE_CLAIM_NS, NULL, err) < 0 ||
        store_shares_purge(conn, now, err) < 0)
        return -err->code;
    return purge_runs(conn, before, max_runs, ret_runs, err);
}

int store_purge(struct store_conn *conn, int64_t before, int64_t now, int max_runs, int *ret_runs,
                struct dc_err *err)
{
    int runs = 0;

    if (conn_begin(conn, err) < 0 ||
        conn_end(conn, purge(conn, before, now, max_runs, &runs, err), err) < 0)
        return dc_context(err, "purge old runs");
    *ret_runs = runs;
    return 0;
}
