#include "store/users.h"

#include <stdio.h>
#include <string.h>

#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define USER_COLUMNS                                                                               \
    "u.id, u.email, u.name, u.operator, u.created_at, COALESCE(u.seen_at, 0),"                     \
    " COALESCE(u.suspended_at, 0)"

static void read_columns(struct db_query *query, struct store_user *user)
{
    db_text(query, 0, user->id, sizeof(user->id));
    db_text(query, 1, user->email, sizeof(user->email));
    db_text(query, 2, user->name, sizeof(user->name));
    user->operator= db_int(query, 3) != 0;
    user->created_at = db_int(query, 4);
    user->seen_at = db_int(query, 5);
    user->suspended_at = db_int(query, 6);
}

static int read_user(struct db_query *query, void *row, struct dc_err *err)
{
    read_columns(query, row);
    return db_row_read(query, err);
}

static int select_user(struct store_conn *conn, const char *sql, const char *value,
                       struct store_user *ret_user, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, value);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such user");
    return read_user(query, ret_user, err);
}

int store_user_get(struct store_conn *conn, const char *id, struct store_user *ret_user,
                   struct dc_err *err)
{
    static const char sql[] = "SELECT " USER_COLUMNS " FROM users u WHERE u.id = $1";

    return select_user(conn, sql, id, ret_user, err);
}

int store_user_find(struct store_conn *conn, const char *email, struct store_user *ret_user,
                    struct dc_err *err)
{
    static const char sql[] = "SELECT " USER_COLUMNS " FROM users u WHERE u.email = $1";

    return select_user(conn, sql, email, ret_user, err);
}

int store_users_led(struct store_conn *conn, bool *ret_led, struct dc_err *err)
{
    static const char sql[] = "SELECT id FROM users WHERE operator <> 0 LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    return db_step(query, ret_led, err);
}

int store_users_list(struct store_conn *conn, struct store_user **ret_users, size_t *ret_count,
                     struct dc_err *err)
{
    static const char sql[] = "SELECT " USER_COLUMNS " FROM users u ORDER BY u.id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    void *rows;

    if (db_begin_query(conn->db, sql, &query, err) < 0 ||
        rows_read(query, sizeof(**ret_users), read_user, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_users = rows;
    return 0;
}

static int create(struct store_conn *conn, const struct store_user *user, struct dc_err *err)
{
    static const char sql[] = "INSERT INTO users (id, email, name, operator, created_at)"
                              " VALUES ($1, $2, '', $3, $4) ON CONFLICT (email) DO NOTHING";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t inserted;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, user->id);
    db_bind_text(query, 2, user->email);
    db_bind_int(query, 3, user->operator);
    db_bind_int(query, 4, user->created_at);
    if (db_run(query, &inserted, err) < 0)
        return -err->code;
    return inserted ? 0 : dc_fail(err, DC_CONFLICT, 0, "the address is taken");
}

int store_user_create(struct store_conn *conn, const char *email, bool operator, int64_t now,
                      struct store_user *ret_user, struct dc_err *err)
{
    struct store_user user = {.operator= operator, .created_at = now };

    dc_uuid7(now, user.id);
    (void)snprintf(user.email, sizeof(user.email), "%s", email);
    if (conn_begin(conn, err) < 0 || conn_end(conn, create(conn, &user, err), err) < 0)
        return -err->code;
    *ret_user = user;
    return 0;
}

/* Runs an UPDATE of one user: $1 what it gets, $2 the id. */
static int update(struct store_conn *conn, const char *sql, const char *text, int64_t number,
                  const char *id, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    if (text)
        db_bind_text(query, 1, text);
    else
        db_bind_int(query, 1, number);
    db_bind_text(query, 2, id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such user");
}

int store_user_rename(struct store_conn *conn, const char *id, const char *name, struct dc_err *err)
{
    static const char sql[] = "UPDATE users SET name = $1 WHERE id = $2";

    if (strlen(name) && store_check_name(name, err) < 0)
        return -err->code;
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, update(conn, sql, name, 0, id, err), err);
}

int store_user_set_operator(struct store_conn *conn, const char *id, bool operator,
                            struct dc_err * err)
{
    static const char sql[] = "UPDATE users SET operator = $1 WHERE id = $2";

    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, update(conn, sql, NULL, operator, id, err), err);
}

int store_user_seen(struct store_conn *conn, const char *id, int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE users SET seen_at = $1 WHERE id = $2";

    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, update(conn, sql, NULL, now, id, err), err);
}

static int suspend(struct store_conn *conn, const char *id, int64_t at, struct dc_err *err)
{
    static const char sql_lift[] = "UPDATE users SET suspended_at = NULL WHERE id = $1";
    static const char sql[] = "UPDATE users SET suspended_at = $1 WHERE id = $2";
    int64_t changes;

    if (!at) {
        if (conn_run_text(conn, sql_lift, id, &changes, err) < 0)
            return -err->code;
        return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such user");
    }
    if (update(conn, sql, NULL, at, id, err) < 0)
        return -err->code;
    return store_sessions_end(conn, id, NULL, NULL, err);
}

int store_user_suspend(struct store_conn *conn, const char *id, int64_t at, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, suspend(conn, id, at, err), err);
}

static int delete_user(struct store_conn *conn, const struct store_user *user, struct dc_err *err)
{
    static const char sql_audit[] = "UPDATE audit SET actor = 'deleted user', address = ''"
                                    " WHERE user_id = $1";
    static const char sql_targets[] = "UPDATE audit SET target = 'deleted user' WHERE target = $1"
                                      " OR substr(target, 1, length(CAST($1 AS TEXT)) + 2) ="
                                      " CAST($1 AS TEXT) || ': '";
    static const char sql_links[] = "DELETE FROM links WHERE email = $1";
    static const char sql_mails[] = "DELETE FROM outbox WHERE recipient = $1";
    static const char sql_invitations[] = "DELETE FROM invitations WHERE email = $1";
    static const char sql_invited[] = "DELETE FROM invitation_mails WHERE email = $1";
    static const char sql[] = "DELETE FROM users WHERE id = $1";
    int64_t changes;

    if (conn_run_text(conn, sql_audit, user->id, NULL, err) < 0 ||
        conn_run_text(conn, sql_targets, user->email, NULL, err) < 0 ||
        conn_run_text(conn, sql_links, user->email, NULL, err) < 0 ||
        conn_run_text(conn, sql_mails, user->email, NULL, err) < 0 ||
        conn_run_text(conn, sql_invitations, user->email, NULL, err) < 0 ||
        conn_run_text(conn, sql_invited, user->email, NULL, err) < 0 ||
        conn_run_text(conn, sql, user->id, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such user");
}

int store_user_delete(struct store_conn *conn, const struct store_user *user, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, delete_user(conn, user, err), err);
}
