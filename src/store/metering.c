#include "store/metering.h"

#include <string.h>

#include "base/clock.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define HOUR_NS (INT64_C(3600) * DC_NS_PER_S)

static const char *const meter_names[STORE_METERS] = {"runs", "cpu_ms"};
static const char *const state_names[STORE_METER_STATES] = {"pending",   "sending", "acked",
                                                            "ambiguous", "dead",    "written_off"};

const char *store_meter_name(enum store_meter meter)
{
    return meter_names[meter];
}

const char *store_meter_state_name(enum store_meter_state state)
{
    return state_names[state];
}

static int read_meter(struct db_query *query, int column, enum store_meter *ret_meter,
                      struct dc_err *err)
{
    char name[8];

    db_text(query, column, name, sizeof(name));
    for (int i = 0; i < STORE_METERS; i++) {
        if (strcmp(name, meter_names[i]) == 0) {
            *ret_meter = (enum store_meter)i;
            return 0;
        }
    }
    return dc_fail(err, DC_BUG, 0, "database: no meter '%s'", name);
}

/* ---- what is to be billed ---- */

/* By the moment of admission: who was admitted as free stays free. */
int store_meter_add(struct store_conn *conn, const char *run_id, enum store_metering metering,
                    struct dc_err *err)
{
    static const char sql_all[] =
        "INSERT INTO meter_pending (run_id, project_id, cpu_ms, at)"
        " SELECT id, project_id, COALESCE(cpu_ms, 0), finished_at FROM runs WHERE id = $1"
        " AND outcome NOT IN ('sandbox_error', 'install_failed') AND test = 0";
    static const char sql_subscribed[] =
        "INSERT INTO meter_pending (run_id, project_id, cpu_ms, at)"
        " SELECT r.id, r.project_id, COALESCE(r.cpu_ms, 0), r.finished_at FROM runs r"
        " JOIN billing_accounts b ON b.project_id = r.project_id WHERE r.id = $1"
        " AND r.outcome NOT IN ('sandbox_error', 'install_failed') AND r.test = 0"
        " AND b.metered_from <= r.created_at"
        " AND (b.metered_until IS NULL OR r.created_at < b.metered_until)";

    if (metering == STORE_METERING_OFF)
        return 0;
    return conn_run_text(conn, metering == STORE_METERING_ALL ? sql_all : sql_subscribed, run_id,
                         NULL, err);
}

/* ---- batches ---- */

struct batch {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    int64_t from; /* runs that ended at from <= at < to */
    int64_t to;
    int64_t sums[STORE_METERS];
    int64_t amounts[STORE_METERS]; /* micros, at the ledger's prices */
    int64_t last_at;
};

/* The oldest run of the first project; a batch never crosses an hour or the end of a period. */
static int find_batch(struct store_conn *conn, struct batch *batch, bool *ret_found,
                      struct dc_err *err)
{
    static const char sql[] =
        "SELECT p.project_id, p.at, COALESCE(b.period_end, 0), COALESCE(b.period_start, 0)"
        " FROM meter_pending p LEFT JOIN billing_accounts b ON b.project_id = p.project_id"
        " ORDER BY p.project_id, p.at LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    *ret_found = row;
    if (!row)
        return 0;
    db_text(query, 0, batch->project_id, sizeof(batch->project_id));
    batch->from = db_int(query, 1);
    batch->to = (batch->from / HOUR_NS + 1) * HOUR_NS;
    for (int column = 2; column <= 3; column++) {
        int64_t edge = db_int(query, column);

        if (edge > batch->from && edge < batch->to)
            batch->to = edge;
    }
    return db_row_read(query, err);
}

/* Which runs it has; everything after goes by this membership alone. */
static int fill_batch(struct store_conn *conn, const struct batch *batch, struct dc_err *err)
{
    static const char sql[] = "INSERT INTO meter_batch_runs (run_id, batch_id)"
                              " SELECT run_id, $1 FROM meter_pending WHERE project_id = $2"
                              " AND at >= $3 AND at < $4 ORDER BY at, run_id LIMIT $5";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, batch->id);
    db_bind_text(query, 2, batch->project_id);
    db_bind_int(query, 3, batch->from);
    db_bind_int(query, 4, batch->to);
    db_bind_int(query, 5, STORE_METER_BATCH_RUNS);
    return db_run(query, NULL, err);
}

static int sum_batch(struct store_conn *conn, struct batch *batch, struct dc_err *err)
{
    static const char sql[] =
        "SELECT COUNT(*), CAST(COALESCE(SUM(p.cpu_ms), 0) AS BIGINT), MAX(p.at),"
        " CAST(COALESCE(SUM(l.price_run_micros), 0) AS BIGINT),"
        " CAST(COALESCE(SUM(l.amount_micros - l.price_run_micros), 0) AS BIGINT)"
        " FROM meter_batch_runs m JOIN meter_pending p ON p.run_id = m.run_id"
        " LEFT JOIN ledger l ON l.run_id = m.run_id"
        " WHERE m.batch_id = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, batch->id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row || !db_int(query, 0))
        return dc_fail(err, DC_BUG, 0, "database: an empty batch");
    batch->sums[STORE_METER_RUNS] = db_int(query, 0);
    batch->sums[STORE_METER_CPU_MS] = db_int(query, 1);
    batch->last_at = db_int(query, 2);
    batch->amounts[STORE_METER_RUNS] = db_int(query, 3);
    batch->amounts[STORE_METER_CPU_MS] = db_int(query, 4);
    return 0;
}

static int insert_event(struct store_conn *conn, const struct batch *batch, enum store_meter meter,
                        int64_t now, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO meter_events (id, batch_id, project_id, meter, value, at, state, next_at,"
        " amount_micros) VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    char id[DC_UUID_SIZE];

    dc_uuid7(now, id);
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, batch->id);
    db_bind_text(query, 3, batch->project_id);
    db_bind_text(query, 4, meter_names[meter]);
    db_bind_int(query, 5, batch->sums[meter]);
    db_bind_int(query, 6, batch->last_at);
    db_bind_int(query, 7, now);
    db_bind_int(query, 8, batch->amounts[meter]);
    return db_run(query, NULL, err);
}

static int make_batch(struct store_conn *conn, unsigned meters, int64_t now, bool *ret_made,
                      struct dc_err *err)
{
    static const char sql_taken[] = "DELETE FROM meter_pending WHERE run_id IN"
                                    " (SELECT run_id FROM meter_batch_runs WHERE batch_id = $1)";
    struct batch batch = {0};

    if (find_batch(conn, &batch, ret_made, err) < 0)
        return -err->code;
    if (!*ret_made)
        return 0;
    dc_uuid7(now, batch.id);
    if (fill_batch(conn, &batch, err) < 0 || sum_batch(conn, &batch, err) < 0)
        return -err->code;
    for (int i = 0; i < STORE_METERS; i++)
        if ((meters & 1u << i) && batch.sums[i] > 0 &&
            insert_event(conn, &batch, (enum store_meter)i, now, err) < 0)
            return -err->code;
    return conn_run_text(conn, sql_taken, batch.id, NULL, err);
}

int store_meter_batch(struct store_conn *conn, unsigned meters, int64_t now, bool *ret_made,
                      struct dc_err *err)
{
    bool made = false;
    int result;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    result = make_batch(conn, meters, now, &made, err);
    if (conn_end(conn, result, err) < 0)
        return dc_context(err, "make a batch of usage");
    *ret_made = made;
    return 0;
}

/* ---- handing out ---- */

static int give_up_old(struct store_conn *conn, int64_t give_up, int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE meter_events SET state = 'ambiguous', settled_at = $1,"
                              " message = 'sent, and no answer within the time that identifiers "
                              "are kept' WHERE state = 'sending' AND first_sent_at < $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_int(query, 2, give_up);
    return db_run(query, NULL, err);
}

static int read_due(struct store_conn *conn, int64_t now, int max, struct store_meter_event *events,
                    int *ret_count, struct dc_err *err)
{
    static const char sql[] =
        "SELECT e.id, e.project_id, COALESCE(b.customer, ''), e.meter, e.value, e.at, e.attempts,"
        " e.key_number, COALESCE(e.first_sent_at, 0),"
        " EXISTS (SELECT 1 FROM invoices i WHERE i.project_id = e.project_id"
        "  AND i.finalized_at IS NOT NULL AND i.period_start <= e.at AND e.at < i.period_end),"
        " e.asked_at IS NULL AND (e.at < b.period_start OR b.period_end <= $1)"
        " AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.project_id = e.project_id"
        "  AND i.period_start <= e.at AND e.at < i.period_end)"
        " FROM meter_events e LEFT JOIN billing_accounts b ON b.project_id = e.project_id"
        " WHERE e.state IN ('pending', 'sending') AND e.next_at <= $1"
        " ORDER BY e.next_at, e.id LIMIT $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int count = 0;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_int(query, 2, max);
    for (;; count++) {
        struct store_meter_event *event = &events[count];

        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row || count == max)
            break;
        db_text(query, 0, event->id, sizeof(event->id));
        db_text(query, 1, event->project_id, sizeof(event->project_id));
        db_text(query, 2, event->customer, sizeof(event->customer));
        event->value = db_int(query, 4);
        event->at = db_int(query, 5);
        event->attempts = db_int(query, 6) + 1;
        event->key_number = db_int(query, 7);
        event->first_sent_at = db_int(query, 8);
        event->late = db_int(query, 9) && !event->first_sent_at;
        event->unsure = db_int(query, 10) && !event->first_sent_at;
        if (read_meter(query, 3, &event->meter, err) < 0 || db_row_read(query, err) < 0)
            return -err->code;
    }
    *ret_count = count;
    return 0;
}

static int mark_sent(struct store_conn *conn, const struct store_meter_event *event, int64_t now,
                     int64_t retry_at, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE meter_events SET state = 'sending', attempts = attempts + 1,"
        " first_sent_at = COALESCE(first_sent_at, $1), next_at = $2 WHERE id = $3";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (event->late || event->unsure)
        return 0;
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_int(query, 2, retry_at);
    db_bind_text(query, 3, event->id);
    return db_run(query, NULL, err);
}

static int claim(struct store_conn *conn, int64_t now, int64_t retry_at, int64_t give_up, int max,
                 struct store_meter_event *events, int *ret_count, struct dc_err *err)
{
    if (give_up_old(conn, give_up, now, err) < 0 ||
        read_due(conn, now, max, events, ret_count, err) < 0)
        return -err->code;
    for (int i = 0; i < *ret_count; i++)
        if (mark_sent(conn, &events[i], now, retry_at, err) < 0)
            return -err->code;
    return 0;
}

int store_meter_claim(struct store_conn *conn, int64_t now, int64_t retry_at, int64_t give_up,
                      int max, struct store_meter_event *ret_events, int *ret_count,
                      struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, claim(conn, now, retry_at, give_up, max, ret_events, ret_count, err),
                    err);
}

int store_meter_asked(struct store_conn *conn, const char *project_id, int64_t now,
                      struct dc_err *err)
{
    static const char sql[] = "UPDATE meter_events SET asked_at = $1 WHERE project_id = $2"
                              " AND state = 'pending' AND first_sent_at IS NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, project_id);
    return db_run(query, NULL, err);
}

int store_meter_settle(struct store_conn *conn, const struct store_meter_outcome *outcome,
                       struct dc_err *err)
{
    static const char sql[] =
        "UPDATE meter_events SET state = $1, next_at = $2, key_number = key_number + $3,"
        " message = $4, settled_at = $5, at = COALESCE($6, at) WHERE id = $7"
        " AND state IN ('pending', 'sending')";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool open = outcome->state == STORE_METER_PENDING || outcome->state == STORE_METER_SENDING;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, state_names[outcome->state]);
    db_bind_int(query, 2, outcome->next_at);
    db_bind_int(query, 3, outcome->next_key);
    db_bind_text(query, 4, outcome->message);
    if (open)
        db_bind_null(query, 5);
    else
        db_bind_int(query, 5, outcome->now);
    if (outcome->at)
        db_bind_int(query, 6, outcome->at);
    else
        db_bind_null(query, 6);
    db_bind_text(query, 7, outcome->id);
    return db_run(query, NULL, err);
}

int store_meter_hurry(struct store_conn *conn, const char *project_id, int64_t now,
                      struct dc_err *err)
{
    static const char sql[] = "UPDATE meter_events SET next_at = $1 WHERE state IN ('pending',"
                              " 'sending') AND next_at > $1"
                              " AND project_id = COALESCE($2, project_id)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, project_id);
    return db_run(query, NULL, err);
}

/* ---- looking ---- */

static int sum_states(struct store_conn *conn, const char *project_id,
                      struct store_meter_state_sum *sum, struct dc_err *err)
{
    static const char sql_all[] = "SELECT state, COUNT(*), MIN(at) FROM meter_events"
                                  " GROUP BY state";
    static const char sql_one[] = "SELECT state, COUNT(*), MIN(at) FROM meter_events"
                                  " WHERE project_id = $1 GROUP BY state";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, project_id ? sql_one : sql_all, &query, err) < 0)
        return -err->code;
    if (project_id)
        db_bind_text(query, 1, project_id);
    for (;;) {
        char name[16];

        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            return 0;
        db_text(query, 0, name, sizeof(name));
        for (int i = 0; i < STORE_METER_STATES; i++) {
            if (strcmp(name, state_names[i]) != 0)
                continue;
            sum->events[i] = db_int(query, 1);
            if (i <= STORE_METER_SENDING && (!sum->oldest_at || db_int(query, 2) < sum->oldest_at))
                sum->oldest_at = db_int(query, 2);
        }
        if (db_row_read(query, err) < 0)
            return -err->code;
    }
}

int store_meter_sum(struct store_conn *conn, const char *project_id,
                    struct store_meter_state_sum *ret_sum, struct dc_err *err)
{
    static const char sql[] = "SELECT COUNT(*), COALESCE(MIN(at), 0) FROM meter_pending"
                              " WHERE project_id = COALESCE($1, project_id)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    *ret_sum = (struct store_meter_state_sum){0};
    if (sum_states(conn, project_id, ret_sum, err) < 0 ||
        db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    ret_sum->pending_runs = db_int(query, 0);
    if (ret_sum->pending_runs && (!ret_sum->oldest_at || db_int(query, 1) < ret_sum->oldest_at))
        ret_sum->oldest_at = db_int(query, 1);
    return 0;
}

/* $4: is CPU time told? */
int store_meter_used(struct store_conn *conn, const char *project_id, unsigned meters, int64_t from,
                     int64_t to, struct store_meter_used *ret_used, struct dc_err *err)
{
    static const char sql[] =
        "SELECT CAST(COALESCE(SUM(runs), 0) AS BIGINT), CAST(COALESCE(SUM(cpu_ms), 0) AS BIGINT),"
        " CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM"
        " (SELECT CASE WHEN meter = 'runs' THEN value ELSE 0 END AS runs,"
        " CASE WHEN meter = 'cpu_ms' THEN value ELSE 0 END AS cpu_ms, amount_micros AS amount"
        " FROM meter_events WHERE project_id = $1 AND at >= $2 AND at < $3"
        " AND state <> 'written_off' UNION ALL"
        " SELECT 1, p.cpu_ms * CAST($4 AS BIGINT), COALESCE(l.price_run_micros, 0)"
        " + COALESCE(l.amount_micros - l.price_run_micros, 0) * CAST($4 AS BIGINT)"
        " FROM meter_pending p LEFT JOIN ledger l ON l.run_id = p.run_id"
        " WHERE p.project_id = $1 AND p.at >= $2 AND p.at < $3) AS used";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, from);
    db_bind_int(query, 3, to);
    db_bind_int(query, 4, (meters >> STORE_METER_CPU_MS) & 1);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    ret_used->sums[STORE_METER_RUNS] = row ? db_int(query, 0) : 0;
    ret_used->sums[STORE_METER_CPU_MS] = row ? db_int(query, 1) : 0;
    ret_used->amount_micros = row ? db_int(query, 2) : 0;
    return 0;
}

int store_meter_hours(struct store_conn *conn, int64_t from, int64_t to, int64_t skip, int max,
                      struct store_meter_hour *ret_hours, int *ret_count, struct dc_err *err)
{
    static const char sql[] =
        "SELECT e.project_id, COALESCE(MAX(b.customer), ''), e.meter,"
        " e.at / 3600000000000 * 3600000000000 AS hour,"
        " CAST(SUM(CASE WHEN e.state = 'acked' THEN e.value ELSE 0 END) AS BIGINT),"
        " CAST(SUM(CASE WHEN e.state = 'ambiguous' THEN e.value ELSE 0 END) AS BIGINT),"
        " CAST(SUM(CASE WHEN e.state IN ('pending', 'sending') THEN e.value ELSE 0 END) AS BIGINT)"
        " FROM meter_events e LEFT JOIN billing_accounts b ON b.project_id = e.project_id"
        " WHERE e.at >= $1 AND e.at < $2 GROUP BY e.project_id, e.meter, 4"
        " ORDER BY 4, e.project_id, e.meter LIMIT $3 OFFSET $4";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int count = 0;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, from);
    db_bind_int(query, 2, to);
    db_bind_int(query, 3, max);
    db_bind_int(query, 4, skip);
    for (;; count++) {
        struct store_meter_hour *hour = &ret_hours[count];

        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row || count == max)
            break;
        db_text(query, 0, hour->project_id, sizeof(hour->project_id));
        db_text(query, 1, hour->customer, sizeof(hour->customer));
        hour->hour = db_int(query, 3);
        hour->acked = db_int(query, 4);
        hour->ambiguous = db_int(query, 5);
        hour->open = db_int(query, 6);
        if (read_meter(query, 2, &hour->meter, err) < 0 || db_row_read(query, err) < 0)
            return -err->code;
    }
    *ret_count = count;
    return 0;
}

int store_meter_resolve(struct store_conn *conn, const struct store_meter_hour *hour, bool received,
                        int64_t now, struct dc_err *err)
{
    static const char sql_received[] =
        "UPDATE meter_events SET state = 'acked', settled_at = $1, message = 'found at the meter'"
        " WHERE state = 'ambiguous' AND project_id = $2 AND meter = $3 AND at >= $4 AND at < $5";
    /* The meter has forgotten the identifier by now and does not have the event: as new. */
    static const char sql_again[] =
        "UPDATE meter_events SET state = 'pending', first_sent_at = NULL, settled_at = NULL,"
        " next_at = $1, key_number = key_number + 1, message = 'was not at the meter'"
        " WHERE state = 'ambiguous' AND project_id = $2 AND meter = $3 AND at >= $4 AND at < $5";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, received ? sql_received : sql_again, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, hour->project_id);
    db_bind_text(query, 3, meter_names[hour->meter]);
    db_bind_int(query, 4, hour->hour);
    db_bind_int(query, 5, hour->hour + HOUR_NS);
    return db_run(query, NULL, err);
}
