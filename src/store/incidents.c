#include "store/incidents.h"

#include <string.h>

#include "base/clock.h"
#include "store/audit.h"
#include "store/outbox.h"
#include "store/store_internal.h"
#include "store/users.h"

#include "base/poison.h"

#define QUIET_NS (INT64_C(6) * 3600 * DC_NS_PER_S)

static const char *const names[STORE_INCIDENTS] = {
    [STORE_INCIDENT_DRIFT] = "drift",
    [STORE_INCIDENT_DEAD] = "dead",
    [STORE_INCIDENT_STALLED] = "stalled",
    [STORE_INCIDENT_SIGNATURE] = "signature",
    [STORE_INCIDENT_METER_ERROR] = "meter_error",
    [STORE_INCIDENT_CANCEL] = "cancel",
};

const char *store_incident_name(enum store_incident_kind kind)
{
    return names[kind];
}

/* ---- opening ---- */

static int count_one(struct store_conn *conn, enum store_incident_kind kind, const char *detail,
                     int64_t now, int64_t *ret_changes, struct dc_err *err)
{
    static const char sql[] = "UPDATE incidents SET count = count + 1, last_at = $1, detail = $2"
                              " WHERE kind = $3 AND closed_at IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, detail);
    db_bind_text(query, 3, names[kind]);
    return db_run(query, ret_changes, err);
}

static int was_told(struct store_conn *conn, enum store_incident_kind kind, int64_t since,
                    bool *ret_told, struct dc_err *err)
{
    static const char sql[] = "SELECT 1 FROM incidents WHERE kind = $1 AND mailed_at > $2 LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, names[kind]);
    db_bind_int(query, 2, since);
    return db_step(query, ret_told, err);
}

static int insert(struct store_conn *conn, enum store_incident_kind kind, const char *id,
                  const char *detail, int64_t now, bool mailed, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO incidents (id, kind, detail, count, opened_at, last_at, mailed_at)"
        " VALUES ($1, $2, $3, 1, $4, $4, $5)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, names[kind]);
    db_bind_text(query, 3, detail);
    db_bind_int(query, 4, now);
    if (mailed)
        db_bind_int(query, 5, now);
    else
        db_bind_null(query, 5);
    return db_run(query, NULL, err);
}

static int mail_operators(struct store_conn *conn, const char *id, int64_t now, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_user *users = NULL;
    size_t count;

    if (store_users_list(conn, &users, &count, err) < 0)
        return -err->code;
    for (size_t i = 0; i < count; i++)
        if (users[i].operator&& !users[i].suspended_at &&
            store_mail_add(conn, STORE_MAIL_INCIDENT, users[i].email, id, now, err) < 0)
            return -err->code;
    return 0;
}

static int note(struct store_conn *conn, const char *action, const char *target, int64_t now,
                struct dc_err *err)
{
    return store_audit_add(
        conn,
        &(struct store_audit){
            .actor = "server", .action = action, .target = target, .address = "", .at = now},
        err);
}

static int raise(struct store_conn *conn, enum store_incident_kind kind, const char *detail,
                 int64_t now, struct dc_err *err)
{
    char id[DC_UUID_SIZE];
    int64_t known;
    bool told;

    if (count_one(conn, kind, detail, now, &known, err) < 0)
        return -err->code;
    if (known)
        return 0;
    dc_uuid7(now, id);
    if (was_told(conn, kind, now - QUIET_NS, &told, err) < 0 ||
        insert(conn, kind, id, detail, now, !told, err) < 0 ||
        (!told && mail_operators(conn, id, now, err) < 0))
        return -err->code;
    return note(conn, "incident.open", detail, now, err);
}

int store_incident_raise(struct store_conn *conn, enum store_incident_kind kind, const char *detail,
                         int64_t now, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, raise(conn, kind, detail, now, err), err);
}

/* ---- closing ---- */

static int close_it(struct store_conn *conn, enum store_incident_kind kind, int64_t now,
                    struct dc_err *err)
{
    static const char sql[] = "UPDATE incidents SET closed_at = $1 WHERE kind = $2"
                              " AND closed_at IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, names[kind]);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? note(conn, "incident.close", names[kind], now, err) : 0;
}

int store_incident_close(struct store_conn *conn, enum store_incident_kind kind, int64_t now,
                         struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, close_it(conn, kind, now, err), err);
}

/* ---- looking ---- */

#define COLUMNS "id, kind, detail, count, opened_at, last_at, COALESCE(closed_at, 0)"

/* *ret_known false: of a kind that a newer program has. */
static int read_incident(struct db_query *query, struct store_incident *incident, bool *ret_known,
                         struct dc_err *err)
{
    char kind[24];

    *ret_known = false;
    db_text(query, 0, incident->id, sizeof(incident->id));
    db_text(query, 1, kind, sizeof(kind));
    for (int i = 0; i < STORE_INCIDENTS; i++) {
        if (strcmp(kind, names[i]) == 0) {
            incident->kind = (enum store_incident_kind)i;
            *ret_known = true;
        }
    }
    db_text(query, 2, incident->detail, sizeof(incident->detail));
    incident->count = db_int(query, 3);
    incident->opened_at = db_int(query, 4);
    incident->last_at = db_int(query, 5);
    incident->closed_at = db_int(query, 6);
    return db_row_read(query, err);
}

int store_incident_get(struct store_conn *conn, const char *id, struct store_incident *ret_incident,
                       struct dc_err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM incidents WHERE id = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool known = false;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    if (db_step(query, &row, err) < 0 ||
        (row && read_incident(query, ret_incident, &known, err) < 0))
        return -err->code;
    return known ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no such incident");
}

int store_incidents_open(struct store_conn *conn,
                         struct store_incident ret_incidents[static STORE_INCIDENTS],
                         int *ret_count, struct dc_err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM incidents WHERE closed_at IS NULL"
                              " ORDER BY opened_at, id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int count = 0;
    bool known;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    while (count < STORE_INCIDENTS) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        if (read_incident(query, &ret_incidents[count], &known, err) < 0)
            return -err->code;
        count += known;
    }
    *ret_count = count;
    return 0;
}
