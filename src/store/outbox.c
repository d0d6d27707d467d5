#include "store/outbox.h"

#include <string.h>

#include "store/store_internal.h"

#include "base/poison.h"

static const char *const kinds[] = {"signin", "invitation", "budget", "incident"};

static int add(struct store_conn *conn, enum store_mail_kind kind, const char *recipient,
               const char *subject_id, int64_t now, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO outbox (id, kind, recipient, subject_id, attempts, created_at, due_at)"
        " VALUES ($1, $2, $3, $4, 0, $5, $6)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    char id[DC_UUID_SIZE];

    dc_uuid7(now, id);
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, kinds[kind]);
    db_bind_text(query, 3, recipient);
    db_bind_text(query, 4, subject_id);
    db_bind_int(query, 5, now);
    db_bind_int(query, 6, now);
    return db_run(query, NULL, err);
}

int store_mail_add(struct store_conn *conn, enum store_mail_kind kind, const char *recipient,
                   const char *subject_id, int64_t now, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, add(conn, kind, recipient, subject_id, now, err), err);
}

static bool is_among(const char *address, char (*list)[STORE_EMAIL_SIZE], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], address) == 0)
            return true;
    return false;
}

static void read_mail(struct db_query *query, struct store_mail *mail)
{
    char kind[16];

    db_text(query, 0, mail->id, sizeof(mail->id));
    db_text(query, 1, kind, sizeof(kind));
    mail->kind = STORE_MAIL_SIGNIN;
    for (int i = STORE_MAIL_INVITATION; i <= STORE_MAIL_INCIDENT; i++)
        if (strcmp(kind, kinds[i]) == 0)
            mail->kind = (enum store_mail_kind)i;
    db_text(query, 3, mail->subject_id, sizeof(mail->subject_id));
    mail->attempts = db_int(query, 4);
    mail->created_at = db_int(query, 5);
    mail->due_at = db_int(query, 6);
}

int store_mail_next(struct store_conn *conn, char (*busy)[STORE_EMAIL_SIZE], size_t busy_count,
                    struct store_mail *ret_mail, struct dc_err *err)
{
    static const char sql[] = "SELECT id, kind, recipient, subject_id, attempts, created_at, due_at"
                              " FROM outbox ORDER BY due_at, id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    do {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            return dc_fail(err, DC_NOT_FOUND, 0, "no mail waits");
        db_text(query, 2, ret_mail->recipient, sizeof(ret_mail->recipient));
    } while (is_among(ret_mail->recipient, busy, busy_count));
    read_mail(query, ret_mail);
    return db_row_read(query, err);
}

static int attempt(struct store_conn *conn, const char *id, int64_t due_at, struct dc_err *err)
{
    static const char sql[] = "UPDATE outbox SET attempts = attempts + 1, due_at = $1"
                              " WHERE id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, due_at);
    db_bind_text(query, 2, id);
    return db_run(query, NULL, err);
}

int store_mail_attempt(struct store_conn *conn, const char *id, int64_t due_at, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, attempt(conn, id, due_at, err), err);
}

static int note(struct store_conn *conn, const char *id, const char *error, struct dc_err *err)
{
    static const char sql[] = "UPDATE outbox SET error = $1 WHERE id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, error);
    db_bind_text(query, 2, id);
    return db_run(query, NULL, err);
}

int store_mail_failed(struct store_conn *conn, const char *id, const char *error,
                      struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, note(conn, id, error, err), err);
}

int store_mail_remove(struct store_conn *conn, const char *id, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM outbox WHERE id = $1";

    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, conn_run_text(conn, sql, id, NULL, err), err);
}
