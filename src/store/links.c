#include "store/links.h"

#include <string.h>

#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define LINK_COLUMNS                                                                               \
    "l.id, l.email, l.source, l.browser_hash IS NOT NULL, COALESCE(l.browser_hash, t.hash),"       \
    " l.code_hash IS NOT NULL, COALESCE(l.code_hash, t.hash), l.address, l.wrong_codes,"           \
    " l.created_at, l.expires_at, COALESCE(l.used_at, 0), l.leads"

static const char *const sources[] = {"browser", "api", "operator"};

static enum store_link_source source_of(const char *text)
{
    if (strcmp(text, sources[STORE_LINK_OPERATOR]) == 0)
        return STORE_LINK_OPERATOR;
    return strcmp(text, sources[STORE_LINK_API]) == 0 ? STORE_LINK_API : STORE_LINK_BROWSER;
}

static int read_link(struct db_query *query, struct store_link *link, struct dc_err *err)
{
    char source[16];

    *link = (struct store_link){0};
    db_text(query, 0, link->id, sizeof(link->id));
    db_text(query, 1, link->email, sizeof(link->email));
    db_text(query, 2, source, sizeof(source));
    link->source = source_of(source);
    link->has_browser = db_int(query, 3) != 0;
    link->has_code = db_int(query, 5) != 0;
    db_text(query, 7, link->address, sizeof(link->address));
    link->wrong_codes = db_int(query, 8);
    link->created_at = db_int(query, 9);
    link->expires_at = db_int(query, 10);
    link->used_at = db_int(query, 11);
    link->leads = db_int(query, 12) != 0;
    if (db_row_read(query, err) < 0 ||
        (link->has_browser &&
         db_fixed(query, 4, link->browser_hash, sizeof(link->browser_hash), err) < 0) ||
        (link->has_code && db_fixed(query, 6, link->code_hash, sizeof(link->code_hash), err) < 0))
        return -err->code;
    return 0;
}

static int create(struct store_conn *conn, const struct store_link *link, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO links (id, email, source, browser_hash, code_hash, address, leads,"
        " wrong_codes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, link->id);
    db_bind_text(query, 2, link->email);
    db_bind_text(query, 3, sources[link->source]);
    db_bind_bytes(query, 4,
                  (struct store_bytes){link->browser_hash,
                                       link->has_browser ? sizeof(link->browser_hash) : 0});
    db_bind_bytes(
        query, 5,
        (struct store_bytes){link->code_hash, link->has_code ? sizeof(link->code_hash) : 0});
    db_bind_text(query, 6, link->address);
    db_bind_int(query, 7, link->leads);
    db_bind_int(query, 8, link->created_at);
    db_bind_int(query, 9, link->expires_at);
    return db_run(query, NULL, err);
}

int store_link_create(struct store_conn *conn, struct store_link *link, struct dc_err *err)
{
    dc_uuid7(link->created_at, link->id);
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, create(conn, link, err), err);
}

static int add_token(struct store_conn *conn, const char *id, const uint8_t *hash,
                     struct dc_err *err)
{
    static const char sql[] = "INSERT INTO link_tokens (hash, link_id) VALUES ($1, $2)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    struct store_link link;

    if (store_link_get(conn, id, &link, err) < 0 || db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_bytes(query, 1, (struct store_bytes){hash, STORE_HASH_BYTES});
    db_bind_text(query, 2, id);
    return db_run(query, NULL, err);
}

int store_link_add_token(struct store_conn *conn, const char *id,
                         const uint8_t hash[static STORE_HASH_BYTES], struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, add_token(conn, id, hash, err), err);
}

static int read_one(struct db_query *query, struct store_link *ret_link, struct dc_err *err)
{
    bool row;

    if (db_step(query, &row, err) < 0)
        return -err->code;
    return row ? read_link(query, ret_link, err) : dc_fail(err, DC_NOT_FOUND, 0, "no such link");
}

int store_link_get(struct store_conn *conn, const char *id, struct store_link *ret_link,
                   struct dc_err *err)
{
    static const char sql[] = "SELECT " LINK_COLUMNS " FROM links l"
                              " LEFT JOIN link_tokens t ON t.link_id = l.id"
                              " WHERE l.id = $1 LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    return read_one(query, ret_link, err);
}

int store_link_find(struct store_conn *conn, const uint8_t hash[static STORE_HASH_BYTES],
                    struct store_link *ret_link, struct dc_err *err)
{
    static const char sql[] = "SELECT " LINK_COLUMNS " FROM link_tokens t"
                              " JOIN links l ON l.id = t.link_id WHERE t.hash = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_bytes(query, 1, (struct store_bytes){hash, STORE_HASH_BYTES});
    return read_one(query, ret_link, err);
}

static int mark_used(struct store_conn *conn, const char *id, int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE links SET used_at = $1 WHERE id = $2 AND used_at IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_CONFLICT, 0, "the link was used");
}

/* Rows stay for the limits, that they cannot be reset by signing in; they are marked as used. */
static int end_others(struct store_conn *conn, const char *email, int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE links SET used_at = $1 WHERE email = $2 AND used_at IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, email);
    return db_run(query, NULL, err);
}

static int use(struct store_conn *conn, const struct store_link *link, int64_t now,
               struct dc_err *err)
{
    if (mark_used(conn, link->id, now, err) < 0)
        return -err->code;
    return end_others(conn, link->email, now, err);
}

int store_link_use(struct store_conn *conn, const struct store_link *link, int64_t now,
                   struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, use(conn, link, now, err), err);
}

int store_link_wrong_code(struct store_conn *conn, const char *id, struct dc_err *err)
{
    static const char sql[] = "UPDATE links SET wrong_codes = wrong_codes + 1 WHERE id = $1";

    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, conn_run_text(conn, sql, id, NULL, err), err);
}

static int count(struct store_conn *conn, const char *sql, const char *value, int64_t since,
                 int64_t *ret_count, int64_t *ret_first, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, value);
    db_bind_int(query, 2, since);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_count = db_int(query, 0);
    *ret_first = db_int(query, 1);
    return 0;
}

int store_link_count(struct store_conn *conn, const char *email, const char *address, int64_t since,
                     struct store_link_counts *ret_counts, struct dc_err *err)
{
    static const char sql_email[] = "SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM links"
                                    " WHERE email = $1 AND created_at > $2"
                                    " AND source <> 'operator'";
    static const char sql_address[] = "SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM links"
                                      " WHERE address = $1 AND created_at > $2"
                                      " AND source <> 'operator'";

    if (count(conn, sql_email, email, since, &ret_counts->by_email, &ret_counts->first_email, err) <
        0)
        return -err->code;
    return count(conn, sql_address, address, since, &ret_counts->by_address,
                 &ret_counts->first_address, err);
}

static int run_with_time(struct store_conn *conn, const char *sql, int64_t time, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, time);
    return db_run(query, NULL, err);
}

static int purge(struct store_conn *conn, int64_t links_before, int64_t now, struct dc_err *err)
{
    static const char sql_links[] = "DELETE FROM links WHERE created_at < $1";
    static const char sql_sessions[] = "DELETE FROM sessions WHERE expires_at <= $1";
    static const char sql_invitations[] = "DELETE FROM invitations WHERE expires_at <= $1";
    static const char sql_invited[] = "DELETE FROM invitation_mails WHERE at <= $1";
    const int64_t day_ns = (int64_t)24 * 3600 * 1000000000;

    if (run_with_time(conn, sql_links, links_before, err) < 0 ||
        run_with_time(conn, sql_sessions, now, err) < 0 ||
        run_with_time(conn, sql_invited, now - day_ns, err) < 0)
        return -err->code;
    return run_with_time(conn, sql_invitations, now, err);
}

int store_accounts_purge(struct store_conn *conn, int64_t links_before, int64_t now,
                         struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, purge(conn, links_before, now, err), err);
}
