#include "store/leases.h"

#include "base/clock.h"
#include "store/store_internal.h"

#include "base/poison.h"

/* The store's clock: that of the machine which has the file. An engine that serves several machines
 * is asked for its own. */
static int64_t store_now(void)
{
    return dc_wall_now();
}

static int prolong(struct store_conn *conn, struct store_lease *lease, int64_t expires_at,
                   struct dc_err *err)
{
    static const char sql[] = "UPDATE leases SET expires_at = $1 WHERE name = $2 AND token = $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, expires_at);
    db_bind_text(query, 2, lease->name);
    db_bind_int(query, 3, lease->token);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    if (!changes)
        lease->token = 0;
    return 0;
}

static int seize(struct store_conn *conn, const struct store_lease *lease, int64_t now,
                 int64_t expires_at, bool succeed, int64_t *ret_changes, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO leases (name, holder, token, expires_at) VALUES ($1, $2, 1, $3)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = leases.token + 1,"
        " expires_at = excluded.expires_at WHERE leases.expires_at <= $4"
        " OR (leases.holder = excluded.holder AND $5 = 1)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, lease->name);
    db_bind_text(query, 2, lease->holder);
    db_bind_int(query, 3, expires_at);
    db_bind_int(query, 4, now);
    db_bind_int(query, 5, succeed);
    return db_run(query, ret_changes, err);
}

static int read_token(struct store_conn *conn, struct store_lease *lease, struct dc_err *err)
{
    static const char sql[] = "SELECT token FROM leases WHERE name = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, lease->name);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    lease->token = row ? db_int(query, 0) : 0;
    return 0;
}

static int take(struct store_conn *conn, struct store_lease *lease, int64_t length_ns, bool succeed,
                struct dc_err *err)
{
    int64_t now = store_now();
    int64_t changes;

    if (lease->token && prolong(conn, lease, now + length_ns, err) < 0)
        return -err->code;
    if (lease->token)
        return 0;
    if (seize(conn, lease, now, now + length_ns, succeed, &changes, err) < 0)
        return -err->code;
    return changes ? read_token(conn, lease, err) : 0;
}

int store_lease_take(struct store_conn *conn, struct store_lease *lease, int64_t length_ns,
                     bool succeed, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, take(conn, lease, length_ns, succeed, err), err);
}

/* A write, so that an engine with row locks keeps it until the transaction ends. */
int store_lease_check(struct store_conn *conn, const struct store_lease *lease, struct dc_err *err)
{
    static const char sql[] = "UPDATE leases SET token = token WHERE name = $1 AND token = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, lease->name);
    db_bind_int(query, 2, lease->token);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_CONFLICT, 0, "the lease of %s was lost", lease->name);
}

int store_lease_give(struct store_conn *conn, struct store_lease *lease, struct dc_err *err)
{
    if (!lease->token)
        return 0;
    if (prolong(conn, lease, 0, err) < 0)
        return -err->code;
    lease->token = 0;
    return 0;
}

int store_lease_show(struct store_conn *conn, const char *name, char *ret_holder,
                     int64_t *ret_expires_at, struct dc_err *err)
{
    static const char sql[] = "SELECT holder, expires_at FROM leases WHERE name = $1"
                              " AND expires_at > $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    *ret_holder = '\0';
    *ret_expires_at = 0;
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, name);
    db_bind_int(query, 2, store_now());
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return 0;
    db_text(query, 0, ret_holder, STORE_HOLDER_SIZE);
    *ret_expires_at = db_int(query, 1);
    return db_row_read(query, err);
}
