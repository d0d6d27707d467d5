#include "store/cancels.h"

#include "store/audit.h"
#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

static int add_living(struct store_conn *conn, const char *project_id, int64_t now,
                      struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO cancels (subscription, project_id, requested_at, next_at)"
        " SELECT subscription, project_id, $1, $1 FROM billing_accounts WHERE project_id = $2"
        " AND subscription IS NOT NULL AND status NOT IN ('canceled', 'incomplete_expired')"
        " ON CONFLICT (subscription) DO NOTHING";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, project_id);
    return db_run(query, NULL, err);
}

int store_cancel_project(struct store_conn *conn, const char *project_id, int64_t now,
                         struct dc_err *err)
{
    static const char sql[] = "UPDATE billing_accounts SET metered_until = $1, updated_at = $1"
                              " WHERE project_id = $2 AND metered_from IS NOT NULL"
                              " AND metered_until IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (add_living(conn, project_id, now, err) < 0 ||
        db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, project_id);
    return db_run(query, NULL, err);
}

int store_cancel_add(struct store_conn *conn, const char *subscription, const char *project_id,
                     int64_t now, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO cancels (subscription, project_id, requested_at, next_at)"
        " VALUES ($1, $2, $3, $3) ON CONFLICT (subscription) DO NOTHING";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, subscription);
    db_bind_text(query, 2, project_id);
    db_bind_int(query, 3, now);
    return db_run(query, NULL, err);
}

#define COLUMNS "subscription, project_id, requested_at, attempts, next_at, COALESCE(message, '')"

static int read_cancel(struct db_query *query, void *into, struct dc_err *err)
{
    struct store_cancel *cancel = into;

    db_text(query, 0, cancel->subscription, sizeof(cancel->subscription));
    db_text(query, 1, cancel->project_id, sizeof(cancel->project_id));
    cancel->requested_at = db_int(query, 2);
    cancel->attempts = db_int(query, 3);
    cancel->next_at = db_int(query, 4);
    db_text(query, 5, cancel->message, sizeof(cancel->message));
    return db_row_read(query, err);
}

int store_cancel_next(struct store_conn *conn, int64_t now, struct store_cancel *ret_cancel,
                      bool *ret_found, struct dc_err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM cancels WHERE done_at IS NULL"
                              " AND next_at <= $1 ORDER BY next_at, subscription LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    if (db_step(query, ret_found, err) < 0)
        return -err->code;
    return *ret_found ? read_cancel(query, ret_cancel, err) : 0;
}

static int settle(struct store_conn *conn, const struct store_cancel *cancel, int64_t now,
                  int64_t next_at, const char *message, struct dc_err *err)
{
    static const char sql[] = "UPDATE cancels SET attempts = attempts + 1, next_at = $1,"
                              " message = $2, done_at = $3 WHERE subscription = $4"
                              " AND done_at IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, next_at);
    db_bind_text(query, 2, message);
    if (next_at)
        db_bind_null(query, 3);
    else
        db_bind_int(query, 3, now);
    db_bind_text(query, 4, cancel->subscription);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    if (next_at || !changes)
        return 0;
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = cancel->project_id,
                                                 .actor = "server",
                                                 .action = "subscription.cancel",
                                                 .target = cancel->subscription,
                                                 .address = "",
                                                 .at = now},
                           err);
}

int store_cancel_settle(struct store_conn *conn, const struct store_cancel *cancel, int64_t now,
                        int64_t next_at, const char *message, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, settle(conn, cancel, now, next_at, message, err), err);
}

int store_cancels_list(struct store_conn *conn, struct store_cancel **ret_cancels,
                       size_t *ret_count, struct dc_err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM cancels WHERE done_at IS NULL"
                              " ORDER BY requested_at, subscription";
    DC_AUTO(db_end) struct db_query *query = NULL;
    void *rows;

    if (db_begin_query(conn->db, sql, &query, err) < 0 ||
        rows_read(query, sizeof(struct store_cancel), read_cancel, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_cancels = rows;
    return 0;
}

int store_cancels_count(struct store_conn *conn, int64_t *ret_count, int64_t *ret_oldest_at,
                        struct dc_err *err)
{
    static const char sql[] = "SELECT COUNT(*), MIN(requested_at) FROM cancels"
                              " WHERE done_at IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    *ret_count = db_int(query, 0);
    *ret_oldest_at = db_int(query, 1);
    return 0;
}
