#include "store/audit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

static int add(struct store_conn *conn, const struct store_audit *entry, const char *target,
               struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO audit (id, project_id, user_id, actor, action, target, address, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    char id[DC_UUID_SIZE];

    dc_uuid7(dc_wall_now(), id); /* entries of one change keep their order */
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, entry->project_id);
    db_bind_text(query, 3, entry->user_id);
    db_bind_text(query, 4, entry->actor);
    db_bind_text(query, 5, entry->action);
    db_bind_text(query, 6, target);
    db_bind_text(query, 7, entry->address);
    db_bind_int(query, 8, entry->at);
    return db_run(query, NULL, err);
}

int store_audit_add(struct store_conn *conn, const struct store_audit *entry, struct dc_err *err)
{
    char target[STORE_TARGET_SIZE];
    size_t length = strnlen(entry->target, sizeof(target) - 1);

    length = dc_utf8_cut(entry->target, length);
    memcpy(target, entry->target, length);
    target[length] = '\0';
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, add(conn, entry, target, err), err);
}

static int read_row(struct db_query *query, void *into, struct dc_err *err)
{
    struct store_audit_row *row = into;

    db_text(query, 0, row->id, sizeof(row->id));
    db_text(query, 1, row->project_id, sizeof(row->project_id));
    db_text(query, 2, row->actor, sizeof(row->actor));
    db_text(query, 3, row->action, sizeof(row->action));
    db_text(query, 4, row->target, sizeof(row->target));
    db_text(query, 5, row->address, sizeof(row->address));
    row->at = db_int(query, 6);
    return db_row_read(query, err);
}

#define AUDIT_COLUMNS                                                                              \
    "SELECT id, COALESCE(project_id, ''), actor, action, target, address, at FROM audit"

int store_audit_list(struct store_conn *conn, const char *project_id, const char *user_id,
                     const char *before, int limit, struct store_audit_row **ret_rows,
                     size_t *ret_count, struct dc_err *err)
{
    static const char sql_project[] =
        AUDIT_COLUMNS " WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    static const char sql_user[] =
        AUDIT_COLUMNS " WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    void *rows;

    if (db_begin_query(conn->db, project_id ? sql_project : sql_user, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id ? project_id : user_id);
    db_bind_text(query, 2, before ? before : "~"); /* no UUID sorts after a tilde */
    db_bind_int(query, 3, limit);
    if (rows_read(query, sizeof(**ret_rows), read_row, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_rows = rows;
    return 0;
}
