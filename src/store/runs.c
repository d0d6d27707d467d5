#include "store/runs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_internal.h"
#include "store/usage_internal.h"

#include "base/poison.h"

/*
 * One statement, so that two processes cannot both win: takes the key when it is free or has aged
 * out, and in every case tells who holds it now.
 */
static int claim_key(struct store_conn *conn, const struct store_run_new *run,
                     struct store_admission *ret_admission, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO idempotency (project_id, key, body_hash, run_id, created_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project_id, key) DO UPDATE SET"
        " body_hash = CASE WHEN idempotency.created_at <= $6 THEN excluded.body_hash"
        "             ELSE idempotency.body_hash END,"
        " run_id = CASE WHEN idempotency.created_at <= $6 THEN excluded.run_id"
        "          ELSE idempotency.run_id END,"
        " created_at = CASE WHEN idempotency.created_at <= $6 THEN excluded.created_at"
        "              ELSE idempotency.created_at END"
        " RETURNING body_hash, run_id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    uint8_t hash[STORE_HASH_BYTES];
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, run->project_id);
    db_bind_text(query, 2, run->idempotency_key);
    db_bind_bytes(query, 3, (struct store_bytes){run->body_hash, sizeof(run->body_hash)});
    db_bind_text(query, 4, run->id);
    db_bind_int(query, 5, run->created_at);
    db_bind_int(query, 6, run->created_at - STORE_CLAIM_NS);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_BUG, 0, "database: a claim returned nothing");
    if (db_fixed(query, 0, hash, sizeof(hash), err) < 0)
        return -err->code;
    db_text(query, 1, ret_admission->run_id, sizeof(ret_admission->run_id));
    if (db_row_read(query, err) < 0)
        return -err->code;
    if (strcmp(ret_admission->run_id, run->id) == 0)
        ret_admission->claim = STORE_CLAIM_NEW;
    else if (store_equal(hash, run->body_hash, sizeof(hash)))
        ret_admission->claim = STORE_CLAIM_SAME;
    else
        ret_admission->claim = STORE_CLAIM_CONFLICT;
    return db_run(query, NULL, err);
}

static int drop_claim(struct store_conn *conn, const char *run_id, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM idempotency WHERE run_id = $1";

    return conn_run_text(conn, sql, run_id, NULL, err);
}

int store_claim_held(struct store_conn *conn, const struct store_run_new *run, bool *ret_held,
                     struct dc_err *err)
{
    static const char sql[] = "SELECT run_id FROM idempotency"
                              " WHERE project_id = $1 AND key = $2 AND created_at > $3";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, run->project_id);
    db_bind_text(query, 2, run->idempotency_key);
    db_bind_int(query, 3, run->created_at - STORE_CLAIM_NS);
    return db_step(query, ret_held, err);
}

static int insert_run(struct store_conn *conn, const struct store_run_new *run, bool counted,
                      struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO runs (id, project_id, key_id, user_id, lang, status,"
        " policy, created_at, quota_period, test, hold_micros, hold_kinds,"
        " packages) VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, $10,"
        " $11, $12)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t kinds = run->budgets && run->hold_micros ? usage_held_kinds(run->budgets) : 0;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, run->id);
    db_bind_text(query, 2, run->project_id);
    db_bind_text(query, 3, run->key_id);
    db_bind_text(query, 4, run->user_id);
    db_bind_text(query, 5, run->lang);
    db_bind_chars(query, 6, run->policy);
    db_bind_int(query, 7, run->created_at);
    conn_bind_limit(query, 8, counted ? dc_month_of(run->created_at) : 0);
    db_bind_int(query, 9, run->test);
    conn_bind_limit(query, 10, kinds ? run->hold_micros : 0);
    db_bind_int(query, 11, kinds);
    db_bind_int(query, 12, run->packages);
    return db_run(query, NULL, err);
}

static int insert_request(struct store_conn *conn, const struct store_run_new *run,
                          struct dc_err *err)
{
    static const char sql[] = "INSERT INTO run_requests (run_id, head, request)"
                              " VALUES ($1, $2, $3)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (!run->request.length)
        return 0;
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, run->id);
    db_bind_chars(query, 2, run->head);
    db_bind_bytes(query, 3, run->request);
    return db_run(query, NULL, err);
}

/* Sets the claim to what stands in the way, if something does; then nothing was taken. */
static int take(struct store_conn *conn, const struct store_run_new *run,
                struct store_admission *admission, bool *ret_counted, struct dc_err *err)
{
    int64_t period = dc_month_of(run->created_at);
    bool got = true;

    *ret_counted = run->has_quota;
    if (run->budgets && usage_hold_budgets(conn, run->budgets, period, run->hold_micros,
                                           &admission->budget, err) < 0)
        return -err->code;
    if (admission->budget != STORE_BUDGET_NONE) {
        admission->claim = STORE_CLAIM_OVER_BUDGET;
        return usage_note_refusal(conn, run->budgets, admission->budget, run->price_micros,
                                  run->created_at, err);
    }
    if (run->has_quota && usage_reserve(conn, run->project_id, period, run->quota_limit, &got,
                                        &admission->quota_used, err) < 0)
        return -err->code;
    if (!run->has_quota && run->follows_quota)
        return usage_follow(conn, run->project_id, period, ret_counted, err);
    if (got)
        return 0;
    admission->claim = STORE_CLAIM_OVER_QUOTA;
    return run->budgets ? usage_unhold_budgets(conn, run->budgets, run->hold_micros,
                                               STORE_BUDGET_KINDS - 1, err)
                        : 0;
}

static int admit(struct store_conn *conn, const struct store_run_new *run,
                 struct store_admission *ret_admission, struct dc_err *err)
{
    bool counted;

    *ret_admission = (struct store_admission){.claim = STORE_CLAIM_NEW};
    (void)snprintf(ret_admission->run_id, sizeof(ret_admission->run_id), "%s", run->id);
    if (run->idempotency_key && claim_key(conn, run, ret_admission, err) < 0)
        return -err->code;
    if (ret_admission->claim != STORE_CLAIM_NEW)
        return 0;
    if (take(conn, run, ret_admission, &counted, err) < 0)
        return -err->code;
    if (ret_admission->claim != STORE_CLAIM_NEW)
        return run->idempotency_key ? drop_claim(conn, run->id, err) : 0;
    if (insert_run(conn, run, counted, err) < 0)
        return -err->code;
    return insert_request(conn, run, err);
}

int store_run_admit(struct store_conn *conn, const struct store_run_new *run,
                    struct store_admission *ret_admission, struct dc_err *err)
{
    struct store_admission admission;

    assert(dc_uuid_valid(run->id));
    if (conn_begin(conn, err) < 0 || conn_end(conn, admit(conn, run, &admission, err), err) < 0)
        return dc_context(err, "admit a run");
    *ret_admission = admission;
    return 0;
}

static int withdraw(struct store_conn *conn, const char *run_id, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM runs WHERE id = $1 AND status <> 'done'";
    int64_t changes;

    if (usage_release(conn, run_id, err) < 0 || usage_release_budgets(conn, run_id, err) < 0)
        return -err->code;
    if (conn_run_text(conn, sql, run_id, &changes, err) < 0)
        return -err->code;
    if (!changes)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such waiting run");
    return drop_claim(conn, run_id, err);
}

int store_run_withdraw(struct store_conn *conn, const char *run_id, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, withdraw(conn, run_id, err), err);
}

int store_run_started(struct store_conn *conn, const char *run_id, int64_t at, struct dc_err *err)
{
    static const char sql[] = "UPDATE runs SET status = 'running', started_at = $1"
                              " WHERE id = $2 AND status = 'queued'";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, at);
    db_bind_text(query, 2, run_id);
    return db_run(query, NULL, err);
}

static int explain_unfinished(struct store_conn *conn, const char *run_id, struct dc_err *err)
{
    static const char sql[] = "SELECT status FROM runs WHERE id = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, run_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (row)
        return dc_fail(err, DC_CONFLICT, 0, "run %s is done already", run_id);
    return dc_fail(err, DC_NOT_FOUND, 0, "run %s was never admitted", run_id);
}

static int update_run(struct store_conn *conn, const struct store_run_result *result,
                      struct dc_err *err)
{
    static const char sql[] =
        "UPDATE runs SET status = 'done', outcome = $1, message = $2, exit_code = $3, signal = $4,"
        " out_truncated = $5, err_truncated = $6, limits = $7, cpu_ms = $8, mem_mb = $9,"
        " duration_ms = $10, cpu_ns = $11, peak_bytes = $12, wall_ns = $13, finished_at = $14,"
        " started_at = COALESCE($15, started_at), install_ns = $16, error_line = $17"
        " WHERE id = $18 AND status <> 'done'";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, result->outcome);
    db_bind_text(query, 2, result->message);
    db_bind_int(query, 3, result->exit_code);
    db_bind_int(query, 4, result->signal);
    db_bind_int(query, 5, result->out_truncated);
    db_bind_int(query, 6, result->err_truncated);
    db_bind_chars(query, 7, result->limits);
    db_bind_int(query, 8, result->cpu_ms);
    db_bind_int(query, 9, result->mem_mb);
    db_bind_int(query, 10, result->duration_ms);
    db_bind_int(query, 11, result->cpu_ns);
    db_bind_int(query, 12, result->peak_bytes);
    db_bind_int(query, 13, result->wall_ns);
    db_bind_int(query, 14, result->finished_at);
    if (result->started_at)
        db_bind_int(query, 15, result->started_at);
    else
        db_bind_null(query, 15);
    db_bind_int(query, 16, result->install_ns);
    db_bind_chars(query, 17, result->error_line);
    db_bind_text(query, 18, result->id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : explain_unfinished(conn, result->id, err);
}

static int insert_output(struct store_conn *conn, const struct store_run_result *result,
                         struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO run_outputs (run_id, out, err, artifacts) VALUES ($1, $2, $3, $4)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (!result->out.length && !result->err.length && !result->artifacts.length)
        return 0;
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, result->id);
    db_bind_bytes(query, 2, result->out);
    db_bind_bytes(query, 3, result->err);
    db_bind_bytes(query, 4, result->artifacts);
    return db_run(query, NULL, err);
}

static void bind_price(struct db_query *query, int index, int64_t micros)
{
    if (micros < 0)
        db_bind_null(query, index);
    else
        db_bind_int(query, index, micros);
}

static int insert_ledger(struct store_conn *conn, const struct store_run_result *result,
                         struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO ledger (run_id, project_id, key_id, user_id, lang, outcome, cpu_ns,"
        " peak_bytes, wall_ns, egress_bytes, price_run_micros, price_cpu_ms_micros, amount_micros,"
        " at, test) SELECT id, project_id, key_id, user_id, lang, outcome, cpu_ns, peak_bytes, "
        "wall_ns,"
        " $1, $2, $3, $4, finished_at, test FROM runs WHERE id = $5";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, result->egress_bytes);
    bind_price(query, 2, result->price_run_micros);
    bind_price(query, 3, result->price_cpu_ms_micros);
    bind_price(query, 4, result->amount_micros);
    db_bind_text(query, 5, result->id);
    return db_run(query, NULL, err);
}

static int forget(struct store_conn *conn, const char *run_id, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM runs WHERE id = $1";

    return conn_run_text(conn, sql, run_id, NULL, err);
}

/* Test builds: DOCLE_TEST_UNACCOUNTED stores results and counts nothing, so that a benchmark can
 * tell what counting costs. */
static bool accounted(void)
{
#ifdef DOCLE_TEST_HOOKS
    return !getenv("DOCLE_TEST_UNACCOUNTED");
#else
    return true;
#endif
}

static int account(struct store_conn *conn, const struct store_run_result *result,
                   struct dc_err *err)
{
    if (insert_ledger(conn, result, err) < 0 || usage_add(conn, result, err) < 0 ||
        usage_release_budgets(conn, result->id, err) < 0 ||
        store_meter_add(conn, result->id, result->metering, err) < 0)
        return -err->code;
    if (result->budgets && usage_note_budgets(conn, result->budgets, result->finished_at, err) < 0)
        return -err->code;
    return result->costless ? usage_release(conn, result->id, err) : 0;
}

static int finish(struct store_conn *conn, const struct store_run_result *result,
                  struct dc_err *err)
{
    if (update_run(conn, result, err) < 0 || (accounted() && account(conn, result, err) < 0))
        return -err->code;
    if ((result->forget || result->release) && drop_claim(conn, result->id, err) < 0)
        return -err->code;
    if (result->forget)
        return forget(conn, result->id, err);
    return insert_output(conn, result, err);
}

int store_run_finish(struct store_conn *conn, const struct store_run_result *result,
                     struct dc_err *err)
{
    if (conn_begin(conn, err) < 0 || conn_end(conn, finish(conn, result, err), err) < 0)
        return dc_context(err, "finish a run");
    return 0;
}
