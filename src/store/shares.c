#include "store/shares.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define SHARE_COLUMNS                                                                              \
    "s.id, s.project_id, COALESCE(s.user_id, ''), COALESCE(u.email, ''), s.title, s.lang,"         \
    " COALESCE(s.forked_from, ''), s.created_at, COALESCE(s.expires_at, 0)"
#define SHARE_TABLES " FROM shares s LEFT JOIN users u ON u.id = s.user_id"

enum { SHARE_COLUMN_COUNT = 9 };

/* SECURITY: the id is the permission. All of its 128 bits are random; see test_shares.py. */
static void make_id(char out[static DC_UUID_SIZE])
{
    uint8_t bytes[16];

    dc_random_bytes(bytes, sizeof(bytes));
    (void)snprintf(out, DC_UUID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", bytes[0],
                   bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8],
                   bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]);
}

static int count_of(struct store_conn *conn, const char *sql, const char *text, int64_t now,
                    int64_t *ret_count, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, text);
    db_bind_int(query, 2, now);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_count = row ? db_int(query, 0) : 0;
    return 0;
}

static int insert(struct store_conn *conn, const struct store_share *share,
                  struct store_bytes request, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO shares (id, project_id, user_id, title, lang, request, forked_from,"
        " created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, share->id);
    db_bind_text(query, 2, share->project_id);
    db_bind_text(query, 3, *share->user_id ? share->user_id : NULL);
    db_bind_text(query, 4, share->title);
    db_bind_text(query, 5, share->lang);
    db_bind_chars(query, 6, request);
    db_bind_text(query, 7, *share->forked_from ? share->forked_from : NULL);
    db_bind_int(query, 8, share->created_at);
    if (share->expires_at)
        db_bind_int(query, 9, share->expires_at);
    else
        db_bind_null(query, 9);
    return db_run(query, NULL, err);
}

static int create(struct store_conn *conn, struct store_share *share, struct store_bytes request,
                  struct dc_err *err)
{
    static const char sql_count[] = "SELECT COUNT(*) FROM shares WHERE project_id = $1"
                                    " AND (expires_at IS NULL OR expires_at > $2)";
    static const char sql_there[] = "SELECT COUNT(*) FROM shares WHERE id = $1"
                                    " AND (expires_at IS NULL OR expires_at > $2)";
    int64_t count;

    if (count_of(conn, sql_count, share->project_id, share->created_at, &count, err) < 0)
        return -err->code;
    if (count >= STORE_SHARES_MAX)
        return dc_fail(err, DC_CONFLICT, 0,
                       "the project has shared %d programs, which is as many as one may; delete "
                       "some first",
                       STORE_SHARES_MAX);
    if (*share->forked_from) {
        if (count_of(conn, sql_there, share->forked_from, share->created_at, &count, err) < 0)
            return -err->code;
        if (!count)
            share->forked_from[0] = '\0';
    }
    make_id(share->id);
    return insert(conn, share, request, err);
}

int store_share_create(struct store_conn *conn, struct store_share *share,
                       struct store_bytes request, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, create(conn, share, request, err), err);
}

static int read_share(struct db_query *query, void *into, struct dc_err *err)
{
    struct store_share *share = into;

    db_text(query, 0, share->id, sizeof(share->id));
    db_text(query, 1, share->project_id, sizeof(share->project_id));
    db_text(query, 2, share->user_id, sizeof(share->user_id));
    db_text(query, 3, share->email, sizeof(share->email));
    db_text(query, 4, share->title, sizeof(share->title));
    db_text(query, 5, share->lang, sizeof(share->lang));
    db_text(query, 6, share->forked_from, sizeof(share->forked_from));
    share->created_at = db_int(query, 7);
    share->expires_at = db_int(query, 8);
    return db_row_read(query, err);
}

int store_share_get(struct store_conn *conn, const char *id, int64_t now,
                    struct store_share *ret_share, char **ret_request, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " SHARE_COLUMNS ", s.request" SHARE_TABLES
        " JOIN projects p ON p.id = s.project_id WHERE s.id = $1 AND p.suspended_at IS NULL"
        " AND (s.expires_at IS NULL OR s.expires_at > $2)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    *ret_share = (struct store_share){0};
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, now);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such share");
    if (read_share(query, ret_share, err) < 0)
        return -err->code;
    return ret_request ? db_copy(query, SHARE_COLUMN_COUNT, ret_request, NULL, err) : 0;
}

int store_shares_list(struct store_conn *conn, const char *project_id, int64_t now,
                      struct store_share **ret_shares, size_t *ret_count, struct dc_err *err)
{
    static const char sql[] = "SELECT " SHARE_COLUMNS SHARE_TABLES " WHERE s.project_id = $1"
                              " AND (s.expires_at IS NULL OR s.expires_at > $2)"
                              " ORDER BY s.created_at DESC, s.id DESC LIMIT $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    void *rows;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, now);
    db_bind_int(query, 3, STORE_SHARES_MAX);
    if (rows_read(query, sizeof(**ret_shares), read_share, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_shares = rows;
    return 0;
}

static int delete_by(struct store_conn *conn, const char *id, int64_t expired_by,
                     int64_t *ret_changes, struct dc_err *err)
{
    static const char sql_one[] = "DELETE FROM shares WHERE id = $1";
    static const char sql_expired[] = "DELETE FROM shares WHERE expires_at <= $1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, id ? sql_one : sql_expired, &query, err) < 0)
        return -err->code;
    if (id)
        db_bind_text(query, 1, id);
    else
        db_bind_int(query, 1, expired_by);
    return db_run(query, ret_changes, err);
}

int store_share_delete(struct store_conn *conn, const char *id, struct dc_err *err)
{
    int64_t changes = 0;

    if (conn_begin(conn, err) < 0 || conn_end(conn, delete_by(conn, id, 0, &changes, err), err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such share");
}

int store_shares_purge(struct store_conn *conn, int64_t now, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, delete_by(conn, NULL, now, NULL, err), err);
}
