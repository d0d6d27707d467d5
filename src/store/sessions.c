/* Sessions; declared in users.h. */
#include <string.h>

#include "store/rows.h"
#include "store/store_internal.h"
#include "store/users.h"

#include "base/poison.h"

#define SESSION_COLUMNS                                                                            \
    "s.id, COALESCE(s.project_id, ''), s.address, s.agent, s.created_at, s.rotated_at,"            \
    " s.expires_at, u.id, u.email, u.name, u.operator, u.created_at, COALESCE(u.seen_at, 0),"      \
    " COALESCE(u.suspended_at, 0)"

static int read_session(struct db_query *query, void *row, struct dc_err *err)
{
    struct store_session *session = row;
    struct store_user *user = &session->user;

    *session = (struct store_session){0};
    db_text(query, 0, session->id, sizeof(session->id));
    db_text(query, 1, session->project_id, sizeof(session->project_id));
    db_text(query, 2, session->address, sizeof(session->address));
    db_text(query, 3, session->agent, sizeof(session->agent));
    session->created_at = db_int(query, 4);
    session->rotated_at = db_int(query, 5);
    session->expires_at = db_int(query, 6);
    db_text(query, 7, user->id, sizeof(user->id));
    db_text(query, 8, user->email, sizeof(user->email));
    db_text(query, 9, user->name, sizeof(user->name));
    user->operator= db_int(query, 10) != 0;
    user->created_at = db_int(query, 11);
    user->seen_at = db_int(query, 12);
    user->suspended_at = db_int(query, 13);
    return db_row_read(query, err);
}

static int create(struct store_conn *conn, const struct store_session_new *session, const char *id,
                  struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO sessions (id, user_id, project_id, hash, address, agent, created_at,"
        " rotated_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, session->user_id);
    db_bind_text(query, 3, session->project_id);
    db_bind_bytes(query, 4, (struct store_bytes){session->hash, sizeof(session->hash)});
    db_bind_text(query, 5, session->address);
    db_bind_text(query, 6, session->agent);
    db_bind_int(query, 7, session->now);
    db_bind_int(query, 8, session->now);
    db_bind_int(query, 9, session->expires_at);
    return db_run(query, NULL, err);
}

int store_session_create(struct store_conn *conn, const struct store_session_new *session,
                         char ret_id[static DC_UUID_SIZE], struct dc_err *err)
{
    dc_uuid7(session->now, ret_id);
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, create(conn, session, ret_id, err), err);
}

/* By an index on the hash: the time tells nothing of tokens, of which only hashes are compared. */
static int find_by(struct store_conn *conn, const char *sql, const uint8_t *hash, int64_t now,
                   bool *ret_found, struct store_session *ret_session, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_bytes(query, 1, (struct store_bytes){hash, STORE_HASH_BYTES});
    db_bind_int(query, 2, now);
    if (db_step(query, ret_found, err) < 0)
        return -err->code;
    return *ret_found ? read_session(query, ret_session, err) : 0;
}

int store_session_find(struct store_conn *conn, const uint8_t hash[static STORE_HASH_BYTES],
                       int64_t now, struct store_session *ret_session, struct dc_err *err)
{
    static const char sql[] = "SELECT " SESSION_COLUMNS " FROM sessions s"
                              " JOIN users u ON u.id = s.user_id"
                              " WHERE s.hash = $1 AND s.expires_at > $2";
    static const char sql_old[] = "SELECT " SESSION_COLUMNS " FROM sessions s"
                                  " JOIN users u ON u.id = s.user_id"
                                  " WHERE s.old_hash = $1 AND s.expires_at > $2";
    bool found;

    if (find_by(conn, sql, hash, now, &found, ret_session, err) < 0)
        return -err->code;
    if (found)
        return 0;
    if (find_by(conn, sql_old, hash, now, &found, ret_session, err) < 0)
        return -err->code;
    if (!found)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such session");
    ret_session->old = true;
    return 0;
}

int store_sessions_list(struct store_conn *conn, const char *user_id, int64_t now,
                        struct store_session **ret_sessions, size_t *ret_count, struct dc_err *err)
{
    static const char sql[] = "SELECT " SESSION_COLUMNS " FROM sessions s"
                              " JOIN users u ON u.id = s.user_id"
                              " WHERE s.user_id = $1 AND s.expires_at > $2 ORDER BY s.id DESC";
    DC_AUTO(db_end) struct db_query *query = NULL;
    void *rows;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, user_id);
    db_bind_int(query, 2, now);
    if (rows_read(query, sizeof(**ret_sessions), read_session, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_sessions = rows;
    return 0;
}

static int rotate(struct store_conn *conn, const struct store_session *session, const uint8_t *hash,
                  int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE sessions SET old_hash = hash, hash = $1, rotated_at = $2"
                              " WHERE id = $3 AND rotated_at = $4";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_bytes(query, 1, (struct store_bytes){hash, STORE_HASH_BYTES});
    db_bind_int(query, 2, now);
    db_bind_text(query, 3, session->id);
    db_bind_int(query, 4, session->rotated_at);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_CONFLICT, 0, "rotated meanwhile");
}

int store_session_rotate(struct store_conn *conn, const struct store_session *session,
                         const uint8_t hash[static STORE_HASH_BYTES], int64_t now,
                         struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, rotate(conn, session, hash, now, err), err);
}

static int run_two(struct store_conn *conn, const char *sql, const char *one, const char *two,
                   int64_t *ret_changes, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, one);
    db_bind_text(query, 2, two);
    return db_run(query, ret_changes, err);
}

int store_session_set_project(struct store_conn *conn, const char *id, const char *project_id,
                              struct dc_err *err)
{
    static const char sql[] = "UPDATE sessions SET project_id = $1 WHERE id = $2";

    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, run_two(conn, sql, project_id, id, NULL, err), err);
}

static int end_one(struct store_conn *conn, const char *user_id, const char *id, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM sessions WHERE id = $1"
                              " AND user_id = COALESCE($2, user_id)";
    int64_t changes;

    if (run_two(conn, sql, id, user_id, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such session");
}

int store_session_end(struct store_conn *conn, const char *user_id, const char *id,
                      struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, end_one(conn, user_id, id, err), err);
}

int store_sessions_end(struct store_conn *conn, const char *user_id, const char *but,
                       int64_t *ret_ended, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM sessions WHERE user_id = $1 AND id <> COALESCE($2, '')";

    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, run_two(conn, sql, user_id, but, ret_ended, err), err);
}
