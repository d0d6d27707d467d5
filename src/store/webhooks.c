#include "store/webhooks.h"

#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define KEEP_NS (INT64_C(30) * 24 * 3600 * DC_NS_PER_S) /* events that are settled */

#define EVENT_COLUMNS                                                                              \
    "e.id, e.project_id, e.type, COALESCE(e.kind, ''), COALESCE(e.subject, ''),"                   \
    " COALESCE(e.period, 0), COALESCE(e.threshold, 0), COALESCE(e.amount_micros, 0),"              \
    " COALESCE(e.budget_micros, 0), COALESCE(e.currency, ''), e.at, e.state, e.attempts, "         \
    "e.due_at,"                                                                                    \
    " COALESCE(e.tried_at, 0), COALESCE(e.status, 0), COALESCE(e.error, ''),"                      \
    " COALESCE(e.settled_at, 0)"
#define WEBHOOK_COLUMNS                                                                            \
    "w.url, w.secret, COALESCE(w.old_secret, ''), COALESCE(w.old_until, 0), w.created_at,"         \
    " w.secret_at"

enum { EVENT_COLUMN_COUNT = 18 };

static void read_webhook(struct db_query *query, int at, struct store_webhook *webhook)
{
    db_text(query, at, webhook->url, sizeof(webhook->url));
    db_text(query, at + 1, webhook->secret, sizeof(webhook->secret));
    db_text(query, at + 2, webhook->old_secret, sizeof(webhook->old_secret));
    webhook->old_until = db_int(query, at + 3);
    webhook->created_at = db_int(query, at + 4);
    webhook->secret_at = db_int(query, at + 5);
}

static void read_event(struct db_query *query, struct store_webhook_event *event)
{
    db_text(query, 0, event->id, sizeof(event->id));
    db_text(query, 1, event->project_id, sizeof(event->project_id));
    db_text(query, 2, event->type, sizeof(event->type));
    db_text(query, 3, event->kind, sizeof(event->kind));
    db_text(query, 4, event->subject, sizeof(event->subject));
    event->period = db_int(query, 5);
    event->threshold = db_int(query, 6);
    event->amount_micros = db_int(query, 7);
    event->budget_micros = db_int(query, 8);
    db_text(query, 9, event->currency, sizeof(event->currency));
    event->at = db_int(query, 10);
    db_text(query, 11, event->state, sizeof(event->state));
    event->attempts = db_int(query, 12);
    event->due_at = db_int(query, 13);
    event->tried_at = db_int(query, 14);
    event->status = (int)db_int(query, 15);
    db_text(query, 16, event->error, sizeof(event->error));
    event->settled_at = db_int(query, 17);
}

/* A statement with a moment and a project. */
static int run_at(struct store_conn *conn, const char *sql, int64_t at, const char *project_id,
                  struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, at);
    db_bind_text(query, 2, project_id);
    return db_run(query, NULL, err);
}

/* ---- the webhook ---- */

int store_webhook_get(struct store_conn *conn, const char *project_id,
                      struct store_webhook *ret_webhook, struct dc_err *err)
{
    static const char sql[] = "SELECT " WEBHOOK_COLUMNS " FROM webhooks w WHERE project_id = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "the project has no webhook");
    read_webhook(query, 0, ret_webhook);
    return db_row_read(query, err);
}

static int put(struct store_conn *conn, const char *project_id, const char *url, const char *secret,
               int64_t now, bool *ret_made, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO webhooks (project_id, url, secret, created_at, secret_at)"
        " VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (project_id) DO UPDATE SET url = excluded.url, failures = 0, next_at = 0";
    static const char sql_due[] = "UPDATE webhook_events SET due_at = $1 WHERE state = 'pending'"
                                  " AND project_id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    struct store_webhook old;
    int found = store_webhook_get(conn, project_id, &old, err);

    dc_wipe(&old, sizeof(old));
    if (found < 0 && found != -DC_NOT_FOUND)
        return found;
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_text(query, 2, url);
    db_bind_text(query, 3, secret);
    db_bind_int(query, 4, now);
    db_bind_int(query, 5, now);
    *ret_made = found < 0;
    if (db_run(query, NULL, err) < 0)
        return -err->code;
    return run_at(conn, sql_due, now, project_id, err);
}

int store_webhook_put(struct store_conn *conn, const char *project_id, const char *url,
                      const char *secret, int64_t now, bool *ret_made, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, put(conn, project_id, url, secret, now, ret_made, err), err);
}

static int delete (struct store_conn *conn, const char *project_id, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM webhooks WHERE project_id = $1";
    static const char sql_events[] = "DELETE FROM webhook_events WHERE project_id = $1";
    int64_t changes;

    if (conn_run_text(conn, sql, project_id, &changes, err) < 0)
        return -err->code;
    if (!changes)
        return dc_fail(err, DC_NOT_FOUND, 0, "the project has no webhook");
    return conn_run_text(conn, sql_events, project_id, NULL, err);
}

int store_webhook_delete(struct store_conn *conn, const char *project_id, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, delete (conn, project_id, err), err);
}

static int roll(struct store_conn *conn, const char *project_id, const char *secret, int64_t now,
                int64_t old_until, struct dc_err *err)
{
    static const char sql[] = "UPDATE webhooks SET old_secret = secret, old_until = $1,"
                              " secret = $2, secret_at = $3 WHERE project_id = $4";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, old_until);
    db_bind_text(query, 2, secret);
    db_bind_int(query, 3, now);
    db_bind_text(query, 4, project_id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "the project has no webhook");
}

int store_webhook_roll(struct store_conn *conn, const char *project_id, const char *secret,
                       int64_t now, int64_t old_until, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, roll(conn, project_id, secret, now, old_until, err), err);
}

static int add_test(struct store_conn *conn, const char *project_id, int64_t now,
                    char id[static DC_UUID_SIZE], struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO webhook_events (id, project_id, type, at, state, due_at)"
        " SELECT $1, project_id, 'webhook.test', $2, 'pending', $3 FROM webhooks"
        " WHERE project_id = $4 AND $5 > (SELECT COUNT(*) FROM webhook_events"
        " WHERE project_id = $4 AND state = 'pending' AND type = 'webhook.test')";
    DC_AUTO(db_end) struct db_query *query = NULL;
    struct store_webhook webhook;
    int64_t changes;

    if (store_webhook_get(conn, project_id, &webhook, err) < 0)
        return -err->code;
    dc_wipe(&webhook, sizeof(webhook));
    dc_uuid7(now, id);
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, now);
    db_bind_int(query, 3, now);
    db_bind_text(query, 4, project_id);
    db_bind_int(query, 5, STORE_WEBHOOK_TESTS_MAX);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? 0
                   : dc_fail(err, DC_CONFLICT, 0, "%d test events wait already; see why first",
                             STORE_WEBHOOK_TESTS_MAX);
}

int store_webhook_test(struct store_conn *conn, const char *project_id, int64_t now,
                       char ret_id[static DC_UUID_SIZE], struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, add_test(conn, project_id, now, ret_id, err), err);
}

int store_webhook_last(struct store_conn *conn, const char *project_id,
                       struct store_webhook_event *ret_event, int64_t *ret_pending,
                       struct dc_err *err)
{
    static const char sql[] = "SELECT " EVENT_COLUMNS ", (SELECT COUNT(*) FROM webhook_events"
                              " WHERE project_id = $1 AND state = 'pending')"
                              " FROM webhook_events e WHERE e.project_id = $1"
                              " ORDER BY COALESCE(e.tried_at, 0) DESC, e.id DESC LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "nothing was to be told");
    read_event(query, ret_event);
    *ret_pending = db_int(query, EVENT_COLUMN_COUNT);
    return db_row_read(query, err);
}

/* ---- delivering ---- */

int store_webhook_due(struct store_conn *conn, int64_t now, bool *ret_due, struct dc_err *err)
{
    static const char sql[] =
        "SELECT 1 FROM webhooks w WHERE w.next_at <= $1 AND EXISTS (SELECT 1 FROM webhook_events e"
        " WHERE e.project_id = w.project_id AND e.state = 'pending' AND e.due_at <= $1) LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    return db_step(query, ret_due, err);
}

static int find_due(struct store_conn *conn, int64_t now, struct store_webhook_event *event,
                    struct store_webhook *webhook, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " EVENT_COLUMNS ", " WEBHOOK_COLUMNS " FROM webhooks w"
        " JOIN webhook_events e ON e.id = (SELECT o.id FROM webhook_events o WHERE o.project_id ="
        " w.project_id AND o.state = 'pending' AND o.due_at <= $1 ORDER BY o.due_at, o.id LIMIT 1)"
        " WHERE w.next_at <= $1 ORDER BY w.next_at, w.project_id LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "nothing is due");
    read_event(query, event);
    read_webhook(query, EVENT_COLUMN_COUNT, webhook);
    return db_row_read(query, err);
}

static int64_t wait_ns(const struct store_webhook_times *times, int64_t count)
{
    int64_t last = times->wait_count - 1;

    return times->waits_s[count < last ? count : last] * DC_NS_PER_S;
}

static int note_attempt(struct store_conn *conn, const struct store_webhook_times *times,
                        const struct store_webhook_event *event, struct dc_err *err)
{
    static const char sql[] = "UPDATE webhook_events SET attempts = attempts + 1, due_at = $1,"
                              " tried_at = $2 WHERE id = $3";
    static const char sql_lease[] = "UPDATE webhooks SET next_at = $1 WHERE project_id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, times->now + wait_ns(times, event->attempts));
    db_bind_int(query, 2, times->now);
    db_bind_text(query, 3, event->id);
    if (db_run(query, NULL, err) < 0)
        return -err->code;
    return run_at(conn, sql_lease, times->now + times->lease_ns, event->project_id, err);
}

static int give_up(struct store_conn *conn, const struct store_webhook_event *event, int64_t now,
                   struct dc_err *err)
{
    static const char sql[] = "UPDATE webhook_events SET state = 'failed', settled_at = $1"
                              " WHERE id = $2";

    return run_at(conn, sql, now, event->id, err);
}

static int claim(struct store_conn *conn, const struct store_webhook_times *times,
                 struct store_webhook_event *event, struct store_webhook *webhook,
                 struct dc_err *err)
{
    for (;;) {
        if (find_due(conn, times->now, event, webhook, err) < 0)
            return -err->code;
        if (!event->attempts || times->now - event->at < times->give_up_ns)
            break;
        if (give_up(conn, event, times->now, err) < 0)
            return -err->code;
    }
    if (webhook->old_until <= times->now)
        dc_wipe(webhook->old_secret, sizeof(webhook->old_secret));
    return note_attempt(conn, times, event, err);
}

int store_webhook_claim(struct store_conn *conn, const struct store_webhook_times *times,
                        struct store_webhook_event *ret_event, struct store_webhook *ret_webhook,
                        struct dc_err *err)
{
    int result;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    result = claim(conn, times, ret_event, ret_webhook, err);
    if (result == -DC_NOT_FOUND) { /* what was given up stays so */
        struct dc_err none = *err;

        if (conn_end(conn, 0, err) < 0)
            return -err->code;
        *err = none;
        return -DC_NOT_FOUND;
    }
    return conn_end(conn, result, err);
}

static int settle_event(struct store_conn *conn, const struct store_webhook_event *event,
                        bool delivered, int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE webhook_events SET state = $1, status = $2, error = $3,"
                              " settled_at = $4 WHERE id = $5 AND state = 'pending'";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, delivered ? "delivered" : "pending");
    conn_bind_limit(query, 2, event->status);
    db_bind_text(query, 3, *event->error ? event->error : NULL);
    conn_bind_limit(query, 4, delivered ? now : 0);
    db_bind_text(query, 5, event->id);
    return db_run(query, NULL, err);
}

static int count_failures(struct store_conn *conn, const char *project_id, int64_t *ret_failures,
                          struct dc_err *err)
{
    static const char sql[] = "SELECT failures FROM webhooks WHERE project_id = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_failures = row ? db_int(query, 0) : 0;
    return 0;
}

static int settle(struct store_conn *conn, const struct store_webhook_times *times,
                  const struct store_webhook_event *event, bool delivered, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE webhooks SET failures = $1, next_at = $2 WHERE project_id = $3";
    static const char sql_old[] = "DELETE FROM webhook_events WHERE settled_at < $1"
                                  " AND project_id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t failures = 0;
    int64_t rest;

    if (settle_event(conn, event, delivered, times->now, err) < 0 ||
        count_failures(conn, event->project_id, &failures, err) < 0)
        return -err->code;
    rest = delivered ? 0 : wait_ns(times, failures);
    if (rest > times->rest_max_s * DC_NS_PER_S)
        rest = times->rest_max_s * DC_NS_PER_S;
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, delivered ? 0 : failures + 1);
    db_bind_int(query, 2, times->now + rest);
    db_bind_text(query, 3, event->project_id);
    if (db_run(query, NULL, err) < 0)
        return -err->code;
    return run_at(conn, sql_old, times->now - KEEP_NS, event->project_id, err);
}

int store_webhook_settle(struct store_conn *conn, const struct store_webhook_times *times,
                         const struct store_webhook_event *event, bool delivered,
                         struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, settle(conn, times, event, delivered, err), err);
}

static int hurry(struct store_conn *conn, int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE webhooks SET next_at = $1 WHERE next_at > $1";
    static const char sql_events[] =
        "UPDATE webhook_events SET due_at = $1 WHERE state = 'pending' AND due_at > $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(db_end) struct db_query *events = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    if (db_run(query, NULL, err) < 0 || db_begin_query(conn->db, sql_events, &events, err) < 0)
        return -err->code;
    db_bind_int(events, 1, now);
    return db_run(events, NULL, err);
}

int store_webhooks_hurry(struct store_conn *conn, int64_t now, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, hurry(conn, now, err), err);
}
