#include "store/meter_retry.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/audit.h"
#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define HOUR_NS (INT64_C(3600) * DC_NS_PER_S)

int store_meter_reject(struct store_conn *conn, const char *id, const char *message, int64_t now,
                       bool *ret_known, struct dc_err *err)
{
    static const char sql[] = "UPDATE meter_events SET state = 'dead', settled_at = $1,"
                              " message = $2 WHERE id = $3"
                              " AND state NOT IN ('dead', 'written_off')";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, message);
    db_bind_text(query, 3, id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    *ret_known = changes > 0;
    return 0;
}

/* ---- looking ---- */

static int read_dead(struct db_query *query, void *into, struct dc_err *err)
{
    struct store_meter_dead *event = into;
    char meter[8];

    db_text(query, 0, event->id, sizeof(event->id));
    db_text(query, 1, event->project_id, sizeof(event->project_id));
    db_text(query, 2, event->customer, sizeof(event->customer));
    db_text(query, 3, meter, sizeof(meter));
    event->meter = strcmp(meter, store_meter_name(STORE_METER_RUNS)) == 0 ? STORE_METER_RUNS
                                                                          : STORE_METER_CPU_MS;
    event->value = db_int(query, 4);
    event->at = db_int(query, 5);
    event->settled_at = db_int(query, 6);
    db_text(query, 7, event->message, sizeof(event->message));
    return db_row_read(query, err);
}

int store_meter_dead_list(struct store_conn *conn, const char *id,
                          struct store_meter_dead **ret_events, size_t *ret_count,
                          struct dc_err *err)
{
    static const char sql[] =
        "SELECT e.id, e.project_id, COALESCE(b.customer, ''), e.meter, e.value, e.at,"
        " COALESCE(e.settled_at, 0), COALESCE(e.message, '') FROM meter_events e"
        " LEFT JOIN billing_accounts b ON b.project_id = e.project_id"
        " WHERE e.state = 'dead' AND e.id = COALESCE($1, e.id)"
        " ORDER BY e.project_id, e.meter, e.at, e.id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    void *rows;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    if (rows_read(query, sizeof(struct store_meter_dead), read_dead, &rows, ret_count, err) < 0)
        return -err->code;
    *ret_events = rows;
    return 0;
}

int store_meter_hour_of(struct store_conn *conn, const struct store_meter_dead *event,
                        struct store_meter_hour_state *ret_state, struct dc_err *err)
{
    static const char sql[] =
        "SELECT CAST(COALESCE(SUM(CASE WHEN state = 'acked' THEN value ELSE 0 END), 0) AS BIGINT),"
        " CAST(COALESCE(SUM(CASE WHEN state = 'ambiguous' THEN value ELSE 0 END), 0) AS BIGINT),"
        " CAST(COALESCE(SUM(CASE WHEN state IN ('pending', 'sending') THEN value ELSE 0 END), 0)"
        " AS BIGINT),"
        " CAST(COALESCE(SUM(CASE WHEN state = 'dead' THEN value ELSE 0 END), 0) AS BIGINT)"
        " FROM meter_events WHERE at >= $1 AND at < $2 AND project_id = $3 AND meter = $4";
    DC_AUTO(db_end) struct db_query *query = NULL;
    struct store_meter_hour_state state = {
        .hour = {.meter = event->meter, .hour = event->at / HOUR_NS * HOUR_NS}};
    bool row;

    memcpy(state.hour.project_id, event->project_id, sizeof(state.hour.project_id));
    memcpy(state.hour.customer, event->customer, sizeof(state.hour.customer));
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, state.hour.hour);
    db_bind_int(query, 2, state.hour.hour + HOUR_NS);
    db_bind_text(query, 3, event->project_id);
    db_bind_text(query, 4, store_meter_name(event->meter));
    if (db_step(query, &row, err) < 0)
        return -err->code;
    state.hour.acked = db_int(query, 0);
    state.hour.ambiguous = db_int(query, 1);
    state.hour.open = db_int(query, 2);
    state.dead = db_int(query, 3);
    *ret_state = state;
    return 0;
}

/* ---- again ---- */

static int set_again(struct store_conn *conn, const char *old_id, const char *new_id, int64_t now,
                     int64_t *ret_changes, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE meter_events SET id = $1, former_id = $2, state = 'pending', attempts = 0,"
        " key_number = 0, first_sent_at = NULL, settled_at = NULL, next_at = $3,"
        " message = 'to be told again' WHERE id = $2 AND state = 'dead'";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, new_id);
    db_bind_text(query, 2, old_id);
    db_bind_int(query, 3, now);
    return db_run(query, ret_changes, err);
}

static int set_found(struct store_conn *conn, const char *id, int64_t now, int64_t *ret_changes,
                     struct dc_err *err)
{
    static const char sql[] = "UPDATE meter_events SET state = 'acked', settled_at = $1,"
                              " message = 'found at the meter' WHERE id = $2 AND state = 'dead'";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, id);
    return db_run(query, ret_changes, err);
}

static int change(struct store_conn *conn, const struct store_meter_dead *event, const char *new_id,
                  int64_t now, struct dc_err *err)
{
    char target[STORE_TARGET_SIZE];
    int64_t changes;

    if ((new_id ? set_again(conn, event->id, new_id, now, &changes, err)
                : set_found(conn, event->id, now, &changes, err)) < 0)
        return -err->code;
    if (!changes)
        return dc_fail(err, DC_CONFLICT, 0, "the event %s is no longer dead", event->id);
    (void)snprintf(target, sizeof(target), new_id ? "%s: again as %s" : "%s: found at the meter",
                   event->id, new_id);
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = event->project_id,
                                                 .actor = "operator (command line)",
                                                 .action = "usage.retry",
                                                 .target = target,
                                                 .address = "",
                                                 .at = now},
                           err);
}

int store_meter_requeue(struct store_conn *conn, const struct store_meter_dead *event, int64_t now,
                        char *ret_id, struct dc_err *err)
{
    char id[DC_UUID_SIZE];

    dc_uuid7(now, id);
    if (conn_begin(conn, err) < 0 || conn_end(conn, change(conn, event, id, now, err), err) < 0)
        return -err->code;
    memcpy(ret_id, id, sizeof(id));
    return 0;
}

int store_meter_found(struct store_conn *conn, const struct store_meter_dead *event, int64_t now,
                      struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, change(conn, event, NULL, now, err), err);
}

/* ---- standing ---- */

static int one_row(struct store_conn *conn, const char *sql, int64_t *ret_count, int64_t *ret_min,
                   struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    *ret_count = db_int(query, 0);
    *ret_min = db_int(query, 1);
    return 0;
}

int store_meter_health(struct store_conn *conn, struct store_meter_health *ret_health,
                       struct dc_err *err)
{
    static const char sql_open[] =
        "SELECT COUNT(*), MIN(COALESCE(first_sent_at, next_at)) FROM meter_events"
        " WHERE state IN ('pending', 'sending')";
    static const char sql_ambiguous[] = "SELECT COUNT(*), 0 FROM meter_events"
                                        " WHERE state = 'ambiguous'";
    static const char sql_dead[] = "SELECT COUNT(*), 0 FROM meter_events WHERE state = 'dead'";
    static const char sql_runs[] = "SELECT 0, MIN(at) FROM meter_pending";
    struct store_meter_health health = {0};
    int64_t runs_at;
    int64_t none;

    if (one_row(conn, sql_open, &health.unsent, &health.oldest_at, err) < 0 ||
        one_row(conn, sql_ambiguous, &health.ambiguous, &none, err) < 0 ||
        one_row(conn, sql_dead, &health.dead, &none, err) < 0 ||
        one_row(conn, sql_runs, &none, &runs_at, err) < 0)
        return -err->code;
    if (runs_at && (!health.oldest_at || runs_at < health.oldest_at))
        health.oldest_at = runs_at;
    *ret_health = health;
    return 0;
}
