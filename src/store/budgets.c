#include "store/budgets.h"

#include <string.h>

#include "base/clock.h"
#include "store/store_internal.h"
#include "store/usage_internal.h"

#include "base/poison.h"

#define DAY_NS INT64_C(86400000000000)

static const char *const names[STORE_BUDGET_KINDS] = {"", "key", "project", "user"};

const char *store_budget_name(enum store_budget budget)
{
    return names[budget];
}

bool store_budgets_any(const struct store_budgets *budgets)
{
    for (int i = STORE_BUDGET_KEY; i < STORE_BUDGET_KINDS; i++)
        if (budgets->micros[i])
            return true;
    return false;
}

bool store_budgets_stop(const struct store_budgets *budgets)
{
    for (int i = STORE_BUDGET_KEY; i < STORE_BUDGET_KINDS; i++)
        if (budgets->micros[i] && budgets->stops[i])
            return true;
    return false;
}

static const char *subject_of(const struct store_budgets *budgets, enum store_budget kind)
{
    if (kind == STORE_BUDGET_KEY)
        return budgets->key_id;
    return kind == STORE_BUDGET_USER ? budgets->user_id : budgets->project_id;
}

/* What a key, a project or an end user has cost in the month. */
static int spent(struct store_conn *conn, const struct store_budgets *budgets,
                 enum store_budget kind, int64_t period, int64_t *ret_micros, struct dc_err *err)
{
    static const char sql_key[] = "SELECT amount_micros FROM usage_keys"
                                  " WHERE project_id = $1 AND period = $2 AND key_id = $3";
    static const char sql_user[] = "SELECT amount_micros FROM usage_users"
                                   " WHERE project_id = $1 AND period = $2 AND user_id = $3";
    static const char sql_project[] = "SELECT COALESCE(SUM(amount_micros), 0) FROM usage_days"
                                      " WHERE project_id = $1 AND day >= $2 AND day < $3";
    DC_AUTO(db_end) struct db_query *query = NULL;
    const char *sql = kind == STORE_BUDGET_KEY    ? sql_key
                      : kind == STORE_BUDGET_USER ? sql_user
                                                  : sql_project;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, budgets->project_id);
    if (kind == STORE_BUDGET_PROJECT) {
        db_bind_int(query, 2, dc_month_begin(period) / DAY_NS);
        db_bind_int(query, 3, dc_month_begin(dc_month_add(period, 1)) / DAY_NS);
    } else {
        db_bind_int(query, 2, period);
        db_bind_text(query, 3, subject_of(budgets, kind));
    }
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_micros = row ? db_int(query, 0) : 0;
    return 0;
}

/* ---- holding ---- */

static bool is_stopping(const struct store_budgets *budgets, enum store_budget kind)
{
    return budgets->micros[kind] && budgets->stops[kind] && subject_of(budgets, kind);
}

int64_t usage_held_kinds(const struct store_budgets *budgets)
{
    int64_t kinds = 0;

    for (int i = STORE_BUDGET_KEY; i < STORE_BUDGET_KINDS; i++)
        if (is_stopping(budgets, (enum store_budget)i))
            kinds |= INT64_C(1) << i;
    return kinds;
}

/* Takes first and looks then: whoever else takes of the same budget waits for this row. *ret_held:
 * of all runs under way, this one included. */
static int hold(struct store_conn *conn, const struct store_budgets *budgets,
                enum store_budget kind, int64_t micros, int64_t *ret_held, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO budget_holds (kind, project_id, subject, micros) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (kind, project_id, subject) DO UPDATE SET"
        " micros = budget_holds.micros + excluded.micros RETURNING micros";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, store_budget_name(kind));
    db_bind_text(query, 2, budgets->project_id);
    db_bind_text(query, 3, subject_of(budgets, kind));
    db_bind_int(query, 4, micros);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_BUG, 0, "database: a hold returned nothing");
    *ret_held = db_int(query, 0);
    if (db_row_read(query, err) < 0)
        return -err->code;
    return db_run(query, NULL, err);
}

int usage_unhold_budgets(struct store_conn *conn, const struct store_budgets *budgets,
                         int64_t micros, int last, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM budget_holds WHERE micros <= 0 AND kind = $1"
                              " AND project_id = $2 AND subject = $3";
    int64_t held;

    for (int i = STORE_BUDGET_KEY; micros && i <= last; i++) {
        DC_AUTO(db_end) struct db_query *query = NULL;

        if (!is_stopping(budgets, (enum store_budget)i))
            continue;
        if (hold(conn, budgets, (enum store_budget)i, -micros, &held, err) < 0 ||
            db_begin_query(conn->db, sql, &query, err) < 0)
            return -err->code;
        db_bind_text(query, 1, names[i]);
        db_bind_text(query, 2, budgets->project_id);
        db_bind_text(query, 3, subject_of(budgets, (enum store_budget)i));
        if (db_run(query, NULL, err) < 0)
            return -err->code;
    }
    return 0;
}

int usage_hold_budgets(struct store_conn *conn, const struct store_budgets *budgets, int64_t period,
                       int64_t micros, enum store_budget *ret_over, struct dc_err *err)
{
    *ret_over = STORE_BUDGET_NONE;
    for (int i = STORE_BUDGET_KEY; i < STORE_BUDGET_KINDS; i++) {
        enum store_budget kind = (enum store_budget)i;
        int64_t held = 0;
        int64_t used;

        if (!is_stopping(budgets, kind))
            continue;
        if ((micros && hold(conn, budgets, kind, micros, &held, err) < 0) ||
            spent(conn, budgets, kind, period, &used, err) < 0)
            return -err->code;
        if (used < budgets->micros[i] && held <= budgets->micros[i] - used)
            continue;
        *ret_over = kind;
        return usage_unhold_budgets(conn, budgets, micros, i, err);
    }
    return 0;
}

int usage_release_budgets(struct store_conn *conn, const char *run_id, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE budget_holds SET micros = micros - (SELECT hold_micros FROM runs WHERE id = $1)"
        " WHERE project_id = (SELECT project_id FROM runs WHERE id = $1 AND hold_micros IS NOT "
        "NULL) AND ("
        "(kind = 'key' AND subject ="
        " (SELECT key_id FROM runs WHERE id = $1 AND (hold_kinds & 2) <> 0)) OR"
        " (kind = 'project' AND subject ="
        " (SELECT project_id FROM runs WHERE id = $1 AND (hold_kinds & 4) <> 0)) OR"
        " (kind = 'user' AND subject ="
        " (SELECT user_id FROM runs WHERE id = $1 AND (hold_kinds & 8) <> 0)))";
    static const char sql_empty[] = "DELETE FROM budget_holds WHERE micros <= 0 AND project_id ="
                                    " (SELECT project_id FROM runs WHERE id = $1)";
    int64_t changes;

    if (conn_run_text(conn, sql, run_id, &changes, err) < 0)
        return -err->code;
    return changes ? conn_run_text(conn, sql_empty, run_id, NULL, err) : 0;
}

int usage_recover_budgets(struct store_conn *conn, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM budget_holds";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    return db_run(query, NULL, err);
}

/* ---- thresholds ---- */

/* What a webhook tells of it, where the project has one. */
static int queue_webhook(struct store_conn *conn, const struct store_budgets *budgets,
                         const struct store_budget_event *event, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO webhook_events (id, project_id, type, kind, subject, period, threshold,"
        " amount_micros, budget_micros, currency, at, state, due_at)"
        " SELECT $1, project_id, 'budget.threshold', $2, $3, $4, $5, $6, $7, (SELECT currency FROM"
        " prices ORDER BY effective_at DESC LIMIT 1), $8, 'pending', $9 FROM webhooks"
        " WHERE project_id = $10";
    DC_AUTO(db_end) struct db_query *query = NULL;
    char id[DC_UUID_SIZE];

    dc_uuid7(event->at, id);
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, store_budget_name(event->kind));
    db_bind_text(query, 3, subject_of(budgets, event->kind));
    db_bind_int(query, 4, event->period);
    db_bind_int(query, 5, event->threshold);
    db_bind_int(query, 6, event->amount_micros);
    db_bind_int(query, 7, event->budget_micros);
    db_bind_int(query, 8, event->at);
    db_bind_int(query, 9, event->at + event->threshold); /* the smaller ones first */
    db_bind_text(query, 10, budgets->project_id);
    return db_run(query, NULL, err);
}

static int note(struct store_conn *conn, const struct store_budgets *budgets,
                const struct store_budget_event *event, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO budget_events (kind, project_id, subject, period, threshold, amount_micros,"
        " budget_micros, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (kind, project_id, subject, period, threshold) DO NOTHING";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, store_budget_name(event->kind));
    db_bind_text(query, 2, budgets->project_id);
    db_bind_text(query, 3, subject_of(budgets, event->kind));
    db_bind_int(query, 4, event->period);
    db_bind_int(query, 5, event->threshold);
    db_bind_int(query, 6, event->amount_micros);
    db_bind_int(query, 7, event->budget_micros);
    db_bind_int(query, 8, event->at);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    return changes ? queue_webhook(conn, budgets, event, err) : 0;
}

int usage_note_budgets(struct store_conn *conn, const struct store_budgets *budgets, int64_t at,
                       struct dc_err *err)
{
    static const int64_t thresholds[] = {50, 75, 100};

    for (int i = STORE_BUDGET_KEY; i < STORE_BUDGET_KINDS; i++) {
        struct store_budget_event event = {.kind = (enum store_budget)i,
                                           .period = dc_month_of(at),
                                           .budget_micros = budgets->micros[i],
                                           .at = at};

        if (!event.budget_micros || !subject_of(budgets, event.kind))
            continue;
        if (spent(conn, budgets, event.kind, event.period, &event.amount_micros, err) < 0)
            return -err->code;
        for (size_t k = 0; k < sizeof(thresholds) / sizeof(thresholds[0]); k++) {
            event.threshold = thresholds[k];
            if ((__int128)event.amount_micros * 100 >=
                    (__int128)event.budget_micros * event.threshold &&
                note(conn, budgets, &event, err) < 0)
                return -err->code;
        }
    }
    return 0;
}

int usage_note_refusal(struct store_conn *conn, const struct store_budgets *budgets,
                       enum store_budget kind, int64_t price_micros, int64_t at, struct dc_err *err)
{
    struct store_budget_event event = {.kind = kind,
                                       .period = dc_month_of(at),
                                       .threshold = 100,
                                       .budget_micros = budgets->micros[kind],
                                       .at = at};

    if (spent(conn, budgets, kind, event.period, &event.amount_micros, err) < 0)
        return -err->code;
    if (price_micros <= event.budget_micros - event.amount_micros)
        return 0;
    return note(conn, budgets, &event, err);
}

/* ---- telling of them ---- */

static enum store_budget kind_of(const char *name)
{
    for (int i = STORE_BUDGET_KEY; i < STORE_BUDGET_KINDS; i++)
        if (strcmp(names[i], name) == 0)
            return (enum store_budget)i;
    return STORE_BUDGET_NONE;
}

static void read_event(struct db_query *query, struct store_budget_event *event)
{
    char kind[16];

    db_text(query, 0, kind, sizeof(kind));
    db_text(query, 1, event->project_id, sizeof(event->project_id));
    db_text(query, 2, event->subject, sizeof(event->subject));
    event->kind = kind_of(kind);
    event->period = db_int(query, 3);
    event->threshold = db_int(query, 4);
    event->amount_micros = db_int(query, 5);
    event->budget_micros = db_int(query, 6);
    event->at = db_int(query, 7);
}

int store_budget_events(struct store_conn *conn, int max, struct store_budget_event *ret_events,
                        int *ret_count, struct dc_err *err)
{
    static const char sql[] =
        "SELECT kind, project_id, subject, period, threshold, amount_micros, budget_micros, at"
        " FROM budget_events WHERE sent_at IS NULL ORDER BY at, threshold LIMIT $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int count = 0;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, max);
    for (;;) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row || count == max)
            break;
        read_event(query, &ret_events[count]);
        if (db_row_read(query, err) < 0)
            return -err->code;
        count++;
    }
    *ret_count = count;
    return 0;
}

static int mark_sent(struct store_conn *conn, const struct store_budget_event *event,
                     const char *mail_subject, int64_t now, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE budget_events SET sent_at = $1, mail_subject = $2 WHERE kind = $3"
        " AND project_id = $4 AND subject = $5 AND period = $6 AND threshold = $7";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    if (mail_subject)
        db_bind_text(query, 2, mail_subject);
    db_bind_text(query, 3, store_budget_name(event->kind));
    db_bind_text(query, 4, event->project_id);
    db_bind_text(query, 5, event->subject);
    db_bind_int(query, 6, event->period);
    db_bind_int(query, 7, event->threshold);
    return db_run(query, NULL, err);
}

int store_budget_event_sent(struct store_conn *conn, const struct store_budget_event *event,
                            const char *mail_subject, int64_t now, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, mark_sent(conn, event, mail_subject, now, err), err);
}

int store_budget_event_moot(struct store_conn *conn, const struct store_budget_event *event,
                            bool *ret_moot, struct dc_err *err)
{
    static const char sql[] =
        "SELECT 1 FROM budget_events WHERE kind = $1 AND project_id = $2 AND period = $3 AND"
        " ((subject = $4 AND threshold > $5) OR"
        " (kind = 'user' AND threshold = $5 AND mail_subject IS NOT NULL)) LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, store_budget_name(event->kind));
    db_bind_text(query, 2, event->project_id);
    db_bind_int(query, 3, event->period);
    db_bind_text(query, 4, event->subject);
    db_bind_int(query, 5, event->threshold);
    return db_step(query, ret_moot, err);
}

int store_budget_notice_get(struct store_conn *conn, const char *mail_subject,
                            struct store_budget_notice *ret_notice, struct dc_err *err)
{
    static const char sql[] =
        "SELECT e.kind, e.project_id, e.subject, e.period, e.threshold, e.amount_micros,"
        " e.budget_micros, e.at, p.name, COALESCE(k.name, ''), COALESCE((SELECT currency FROM "
        "prices"
        " ORDER BY effective_at DESC LIMIT 1), '') FROM budget_events e"
        " JOIN projects p ON p.id = e.project_id"
        " LEFT JOIN api_keys k ON e.kind = 'key' AND k.id = e.subject WHERE e.mail_subject = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    struct store_budget_notice *notice = ret_notice;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, mail_subject);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such budget event");
    read_event(query, &notice->event);
    db_text(query, 8, notice->project_name, sizeof(notice->project_name));
    db_text(query, 9, notice->key_name, sizeof(notice->key_name));
    db_text(query, 10, notice->currency, sizeof(notice->currency));
    return db_row_read(query, err);
}
