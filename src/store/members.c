#include "store/members.h"

#include <stdio.h>
#include <string.h>

#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define MEMBER_COLUMNS                                                                             \
    "m.project_id, p.name, p.created_at, m.user_id, u.email, u.name, m.role, m.created_at"         \
    " FROM members m JOIN projects p ON p.id = m.project_id JOIN users u ON u.id = m.user_id"

#define INVITATION_COLUMNS                                                                         \
    "i.id, i.project_id, p.name, i.email, i.role, COALESCE(u.email, ''), i.created_at,"            \
    " i.expires_at FROM invitations i JOIN projects p ON p.id = i.project_id"                      \
    " LEFT JOIN users u ON u.id = i.invited_by"

/* --- members --------------------------------------------------------------------------------- */

static int read_member(struct db_query *query, void *row, struct dc_err *err)
{
    struct store_member *member = row;

    db_text(query, 0, member->project_id, sizeof(member->project_id));
    db_text(query, 1, member->project_name, sizeof(member->project_name));
    member->project_created_at = db_int(query, 2);
    db_text(query, 3, member->user_id, sizeof(member->user_id));
    db_text(query, 4, member->email, sizeof(member->email));
    db_text(query, 5, member->name, sizeof(member->name));
    db_text(query, 6, member->role, sizeof(member->role));
    member->created_at = db_int(query, 7);
    return db_row_read(query, err);
}

static int set(struct store_conn *conn, const char *project_id, const char *user_id,
               const char *role, int64_t now, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO members (project_id, user_id, role, created_at)"
        " VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_text(query, 2, user_id);
    db_bind_text(query, 3, role);
    db_bind_int(query, 4, now);
    return db_run(query, NULL, err);
}

int store_member_set(struct store_conn *conn, const char *project_id, const char *user_id,
                     const char *role, int64_t now, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, set(conn, project_id, user_id, role, now, err), err);
}

static int remove_member(struct store_conn *conn, const char *project_id, const char *user_id,
                         struct dc_err *err)
{
    static const char sql[] = "DELETE FROM members WHERE project_id = $1 AND user_id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_text(query, 2, user_id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such member");
}

int store_member_remove(struct store_conn *conn, const char *project_id, const char *user_id,
                        struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, remove_member(conn, project_id, user_id, err), err);
}

int store_member_get(struct store_conn *conn, const char *project_id, const char *user_id,
                     struct store_member *ret_member, struct dc_err *err)
{
    static const char sql[] = "SELECT " MEMBER_COLUMNS " WHERE m.project_id = $1"
                              " AND m.user_id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_text(query, 2, user_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    return row ? read_member(query, ret_member, err)
               : dc_fail(err, DC_NOT_FOUND, 0, "no such member");
}

int store_members_list(struct store_conn *conn, const char *project_id, const char *user_id,
                       struct store_member **ret_members, size_t *ret_count, struct dc_err *err)
{
    static const char sql_project[] = "SELECT " MEMBER_COLUMNS " WHERE m.project_id = $1"
                                      " ORDER BY m.created_at, m.user_id";
    static const char sql_user[] = "SELECT " MEMBER_COLUMNS " WHERE m.user_id = $1"
                                   " ORDER BY m.created_at, m.project_id";
    static const char sql_all[] =
        "SELECT " MEMBER_COLUMNS " ORDER BY m.project_id, m.created_at, m.user_id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    const char *sql = project_id ? sql_project : user_id ? sql_user : sql_all;
    void *rows;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    if (project_id || user_id)
        db_bind_text(query, 1, project_id ? project_id : user_id);
    if (rows_read(query, sizeof(**ret_members), read_member, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_members = rows;
    return 0;
}

int store_members_count(struct store_conn *conn, const char *project_id, const char *role,
                        int64_t *ret_count, struct dc_err *err)
{
    static const char sql[] = "SELECT COUNT(*) FROM members WHERE project_id = $1 AND role = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_text(query, 2, role);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_count = db_int(query, 0);
    return 0;
}

/* --- invitations ----------------------------------------------------------------------------- */

static int read_invitation(struct db_query *query, void *row, struct dc_err *err)
{
    struct store_invitation *invitation = row;

    db_text(query, 0, invitation->id, sizeof(invitation->id));
    db_text(query, 1, invitation->project_id, sizeof(invitation->project_id));
    db_text(query, 2, invitation->project_name, sizeof(invitation->project_name));
    db_text(query, 3, invitation->email, sizeof(invitation->email));
    db_text(query, 4, invitation->role, sizeof(invitation->role));
    db_text(query, 5, invitation->inviter, sizeof(invitation->inviter));
    invitation->created_at = db_int(query, 6);
    invitation->expires_at = db_int(query, 7);
    return db_row_read(query, err);
}

static int replace(struct store_conn *conn, const struct store_invitation_new *invitation,
                   const char *id, struct dc_err *err)
{
    static const char sql_old[] = "DELETE FROM invitations WHERE project_id = $1 AND email = $2";
    static const char sql[] =
        "INSERT INTO invitations (id, project_id, email, role, invited_by, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DC_AUTO(db_end) struct db_query *old = NULL;
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql_old, &old, err) < 0)
        return -err->code;
    db_bind_text(old, 1, invitation->project_id);
    db_bind_text(old, 2, invitation->email);
    if (db_run(old, NULL, err) < 0 || db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, invitation->project_id);
    db_bind_text(query, 3, invitation->email);
    db_bind_text(query, 4, invitation->role);
    db_bind_text(query, 5, invitation->invited_by);
    db_bind_int(query, 6, invitation->now);
    db_bind_int(query, 7, invitation->expires_at);
    return db_run(query, NULL, err);
}

static int remember(struct store_conn *conn, const struct store_invitation_new *invitation,
                    const char *id, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO invitation_mails (id, project_id, email, at) VALUES ($1, $2, $3, $4)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (replace(conn, invitation, id, err) < 0 || db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, invitation->project_id);
    db_bind_text(query, 3, invitation->email);
    db_bind_int(query, 4, invitation->now);
    return db_run(query, NULL, err);
}

static int count(struct store_conn *conn, const char *sql, const char *of, int64_t since,
                 int64_t *ret_count, int64_t *ret_first, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, of);
    db_bind_int(query, 2, since);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_count = db_int(query, 0);
    *ret_first = db_int(query, 1);
    return db_row_read(query, err);
}

int store_invitation_count(struct store_conn *conn, const char *project_id, const char *email,
                           int64_t since, struct store_invitation_counts *ret_counts,
                           struct dc_err *err)
{
    static const char sql_email[] = "SELECT COUNT(*), COALESCE(MIN(at), 0) FROM invitation_mails"
                                    " WHERE email = $1 AND at > $2";
    static const char sql_project[] = "SELECT COUNT(*), COALESCE(MIN(at), 0) FROM invitation_mails"
                                      " WHERE project_id = $1 AND at > $2";

    if (count(conn, sql_email, email, since, &ret_counts->by_email, &ret_counts->first_email, err) <
        0)
        return -err->code;
    return count(conn, sql_project, project_id, since, &ret_counts->by_project,
                 &ret_counts->first_project, err);
}

int store_invitation_create(struct store_conn *conn, const struct store_invitation_new *invitation,
                            char ret_id[static DC_UUID_SIZE], struct dc_err *err)
{
    dc_uuid7(invitation->now, ret_id);
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, remember(conn, invitation, ret_id, err), err);
}

int store_invitation_get(struct store_conn *conn, const char *id, int64_t now,
                         struct store_invitation *ret_invitation, struct dc_err *err)
{
    static const char sql[] = "SELECT " INVITATION_COLUMNS " WHERE i.id = $1 AND i.expires_at > $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, now);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    return row ? read_invitation(query, ret_invitation, err)
               : dc_fail(err, DC_NOT_FOUND, 0, "no such invitation");
}

int store_invitations_list(struct store_conn *conn, const char *project_id, const char *email,
                           int64_t now, struct store_invitation **ret_invitations,
                           size_t *ret_count, struct dc_err *err)
{
    static const char sql_project[] = "SELECT " INVITATION_COLUMNS " WHERE i.project_id = $1"
                                      " AND i.expires_at > $2 ORDER BY i.id";
    static const char sql_email[] = "SELECT " INVITATION_COLUMNS " WHERE i.email = $1"
                                    " AND i.expires_at > $2 ORDER BY i.id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    void *rows;

    if (db_begin_query(conn->db, project_id ? sql_project : sql_email, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id ? project_id : email);
    db_bind_int(query, 2, now);
    if (rows_read(query, sizeof(**ret_invitations), read_invitation, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_invitations = rows;
    return 0;
}

static int delete_invitation(struct store_conn *conn, const char *id, struct dc_err *err)
{
    static const char sql_mail[] = "DELETE FROM outbox WHERE subject_id = $1";
    static const char sql[] = "DELETE FROM invitations WHERE id = $1";
    int64_t changes;

    if (conn_run_text(conn, sql_mail, id, NULL, err) < 0)
        return -err->code;
    if (conn_run_text(conn, sql, id, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such invitation");
}

int store_invitation_delete(struct store_conn *conn, const char *id, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, delete_invitation(conn, id, err), err);
}
