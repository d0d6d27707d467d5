#include "store/billing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/audit.h"
#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define ACCOUNT_COLUMNS                                                                            \
    "project_id, COALESCE(customer, ''), COALESCE(subscription, ''), COALESCE(status, ''),"        \
    " COALESCE(metered_from, 0), COALESCE(metered_until, 0), COALESCE(period_start, 0),"           \
    " COALESCE(period_end, 0), COALESCE(past_due_at, 0), ends_with_period, COALESCE(lapsed_at, 0)"

static void bind_optional(struct db_query *query, int index, int64_t value)
{
    if (value)
        db_bind_int(query, index, value);
    else
        db_bind_null(query, index);
}

static const char *text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

/* ---- accounts ---- */

static int select_account(struct store_conn *conn, const char *sql, const char *value,
                          struct store_billing *billing, bool *ret_found, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, value);
    if (db_step(query, ret_found, err) < 0)
        return -err->code;
    if (!*ret_found)
        return 0;
    db_text(query, 0, billing->project_id, sizeof(billing->project_id));
    db_text(query, 1, billing->customer, sizeof(billing->customer));
    db_text(query, 2, billing->subscription, sizeof(billing->subscription));
    db_text(query, 3, billing->status, sizeof(billing->status));
    billing->metered_from = db_int(query, 4);
    billing->metered_until = db_int(query, 5);
    billing->period_start = db_int(query, 6);
    billing->period_end = db_int(query, 7);
    billing->past_due_at = db_int(query, 8);
    billing->ends_with_period = db_int(query, 9);
    billing->lapsed_at = db_int(query, 10);
    return db_row_read(query, err);
}

int store_billing_get(struct store_conn *conn, const char *project_id,
                      struct store_billing *ret_billing, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " ACCOUNT_COLUMNS " FROM billing_accounts WHERE project_id = $1";
    bool found;

    *ret_billing = (struct store_billing){0};
    (void)snprintf(ret_billing->project_id, sizeof(ret_billing->project_id), "%s", project_id);
    return select_account(conn, sql, project_id, ret_billing, &found, err);
}

int store_billing_find(struct store_conn *conn, const char *customer,
                       struct store_billing *ret_billing, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " ACCOUNT_COLUMNS " FROM billing_accounts WHERE customer = $1";
    bool found;

    *ret_billing = (struct store_billing){0};
    if (select_account(conn, sql, customer, ret_billing, &found, err) < 0)
        return -err->code;
    return found ? 0 : dc_fail(err, DC_NOT_FOUND, 0, "no project has the customer %s", customer);
}

static int put_customer(struct store_conn *conn, const char *project_id, const char *customer,
                        int64_t now, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO billing_accounts (project_id, customer, updated_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (project_id) DO UPDATE SET"
        " customer = COALESCE(billing_accounts.customer, excluded.customer)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_text(query, 2, customer);
    db_bind_int(query, 3, now);
    return db_run(query, NULL, err);
}

int store_billing_set_customer(struct store_conn *conn, const char *project_id,
                               const char *customer, int64_t now,
                               char ret_customer[static STORE_CUSTOMER_SIZE], struct dc_err *err)
{
    struct store_billing billing = {0};
    int result;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    result = put_customer(conn, project_id, customer, now, err);
    if (result == 0)
        result = store_billing_get(conn, project_id, &billing, err);
    if (conn_end(conn, result, err) < 0)
        return -err->code;
    memcpy(ret_customer, billing.customer, STORE_CUSTOMER_SIZE);
    return 0;
}

/* What was paid for is none of the quota of the month in which a subscription ends. */
static int keep_quota(struct store_conn *conn, const char *project_id, int64_t now,
                      struct dc_err *err)
{
    static const char sql[] = "INSERT INTO quota (project_id, period, used) VALUES ($1, $2, 0)"
                              " ON CONFLICT (project_id, period) DO NOTHING";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, dc_month_of(now));
    return db_run(query, NULL, err);
}

static int set_plan(struct store_conn *conn, const char *project_id, bool pro, int64_t now,
                    struct dc_err *err)
{
    static const char sql[] = "UPDATE projects SET plan = $1 WHERE id = $2"
                              " AND plan <> 'enterprise' AND plan <> $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, pro ? "pro" : "free");
    db_bind_text(query, 2, project_id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    if (!changes)
        return 0;
    if (!pro && keep_quota(conn, project_id, now, err) < 0)
        return -err->code;
    return conn_keys_changed(conn, err);
}

static int put_account(struct store_conn *conn, const struct store_billing *new, int64_t now,
                       struct dc_err *err)
{
    static const char sql[] =
        "UPDATE billing_accounts SET subscription = $1, status = $2, metered_from = $3,"
        " metered_until = $4, period_start = $5, period_end = $6, past_due_at = $7,"
        " ends_with_period = $8, updated_at = $9, lapsed_at = $10 WHERE project_id = $11";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, new->subscription);
    db_bind_text(query, 2, new->status);
    bind_optional(query, 3, new->metered_from);
    bind_optional(query, 4, new->metered_until);
    bind_optional(query, 5, new->period_start);
    bind_optional(query, 6, new->period_end);
    bind_optional(query, 7, new->past_due_at);
    db_bind_int(query, 8, new->ends_with_period);
    db_bind_int(query, 9, now);
    bind_optional(query, 10, new->lapsed_at);
    db_bind_text(query, 11, new->project_id);
    return db_run(query, NULL, err);
}

static int apply(struct store_conn *conn, const struct store_subscription *sub, int64_t now,
                 struct dc_err *err)
{
    struct store_billing billing;
    bool was_metered;
    bool pro;

    if (put_customer(conn, sub->project_id, sub->customer, now, err) < 0 ||
        store_billing_get(conn, sub->project_id, &billing, err) < 0)
        return -err->code;
    was_metered = billing.metered_from && !billing.metered_until;
    if (!sub->pro && was_metered && strcmp(billing.subscription, sub->id) != 0)
        return 0; /* an older one, whose end is told late */
    if (strcmp(sub->status, "past_due") != 0)
        billing.past_due_at = billing.lapsed_at = 0;
    else if (!billing.past_due_at)
        billing.past_due_at = now;
    pro = sub->pro && !billing.lapsed_at;
    (void)snprintf(billing.subscription, sizeof(billing.subscription), "%s", sub->id);
    (void)snprintf(billing.status, sizeof(billing.status), "%s", sub->status);
    if (pro && !was_metered) {
        billing.metered_from = now;
        billing.metered_until = 0;
    } else if (!pro && was_metered) {
        billing.metered_until = now;
    }
    billing.period_start = sub->period_start;
    billing.period_end = sub->period_end;
    billing.ends_with_period = sub->ends_with_period;
    if (put_account(conn, &billing, now, err) < 0)
        return -err->code;
    return set_plan(conn, sub->project_id, pro, now, err);
}

int store_billing_apply(struct store_conn *conn, const struct store_subscription *sub, int64_t now,
                        struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, apply(conn, sub, now, err), err);
}

/* ---- the end of patience ---- */

static int read_project_id(struct db_query *query, void *into, struct dc_err *err)
{
    db_text(query, 0, into, DC_UUID_SIZE);
    return db_row_read(query, err);
}

static int find_overdue(struct store_conn *conn, int64_t before, void **ret_ids, size_t *ret_count,
                        struct dc_err *err)
{
    static const char sql[] =
        "SELECT b.project_id FROM billing_accounts b JOIN projects p ON p.id = b.project_id"
        " WHERE b.past_due_at <= $1 AND b.lapsed_at IS NULL AND p.plan <> 'enterprise'";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, before);
    return rows_read(query, DC_UUID_SIZE, read_project_id, ret_ids, ret_count, err);
}

static int lapse_one(struct store_conn *conn, const char *project_id, int64_t now,
                     struct dc_err *err)
{
    struct store_billing billing;

    if (store_billing_get(conn, project_id, &billing, err) < 0)
        return -err->code;
    billing.lapsed_at = now;
    if (billing.metered_from && !billing.metered_until)
        billing.metered_until = now;
    if (put_account(conn, &billing, now, err) < 0 ||
        set_plan(conn, project_id, false, now, err) < 0)
        return -err->code;
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = project_id,
                                                 .actor = "server",
                                                 .action = "subscription.lapse",
                                                 .target = billing.subscription,
                                                 .address = "",
                                                 .at = now},
                           err);
}

static int lapse(struct store_conn *conn, int64_t before, int64_t now, int *ret_count,
                 struct dc_err *err)
{
    DC_AUTO(dc_free) void *ids = NULL;
    size_t count;

    if (find_overdue(conn, before, &ids, &count, err) < 0)
        return -err->code;
    for (size_t i = 0; i < count; i++)
        if (lapse_one(conn, (const char *)ids + i * DC_UUID_SIZE, now, err) < 0)
            return -err->code;
    *ret_count = (int)count;
    return 0;
}

int store_billing_lapse(struct store_conn *conn, int64_t before, int64_t now, int *ret_count,
                        struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, lapse(conn, before, now, ret_count, err), err);
}

/* ---- webhooks ---- */

int store_stripe_event_add(struct store_conn *conn, const char *id, const char *type,
                           const char *object_id, int64_t now, bool *ret_new, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO stripe_events (id, type, object_id, received_at, next_at)"
        " VALUES ($1, $2, $3, $4, $4) ON CONFLICT (id) DO NOTHING";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, type);
    db_bind_text(query, 3, object_id);
    db_bind_int(query, 4, now);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    *ret_new = changes > 0;
    return 0;
}

int store_stripe_event_next(struct store_conn *conn, int64_t now,
                            struct store_stripe_event *ret_event, bool *ret_found,
                            struct dc_err *err)
{
    static const char sql[] =
        "SELECT id, type, object_id, attempts FROM stripe_events"
        " WHERE handled_at IS NULL AND next_at <= $1 ORDER BY next_at, id LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    if (db_step(query, ret_found, err) < 0)
        return -err->code;
    if (!*ret_found)
        return 0;
    db_text(query, 0, ret_event->id, sizeof(ret_event->id));
    db_text(query, 1, ret_event->type, sizeof(ret_event->type));
    db_text(query, 2, ret_event->object_id, sizeof(ret_event->object_id));
    ret_event->attempts = db_int(query, 3);
    return db_row_read(query, err);
}

int store_stripe_event_settle(struct store_conn *conn, const char *id, int64_t now, int64_t next_at,
                              struct dc_err *err)
{
    static const char sql[] = "UPDATE stripe_events SET handled_at = $1, next_at = $2,"
                              " attempts = attempts + 1 WHERE id = $3";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    if (next_at)
        db_bind_null(query, 1);
    else
        db_bind_int(query, 1, now);
    db_bind_int(query, 2, next_at);
    db_bind_text(query, 3, id);
    return db_run(query, NULL, err);
}

int store_stripe_events_purge(struct store_conn *conn, int64_t before, struct dc_err *err)
{
    static const char sql[] =
        "DELETE FROM stripe_events WHERE received_at < $1 AND handled_at IS NOT NULL";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, before);
    return db_run(query, NULL, err);
}

/* ---- invoices ---- */

int store_invoice_put(struct store_conn *conn, const struct store_invoice *invoice, int64_t now,
                      struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO invoices (id, project_id, number, status, currency, amount_due, amount_paid,"
        " period_start, period_end, created_at, finalized_at, paid_at, failed_at, url, pdf,"
        " updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
        " $16) ON CONFLICT (id) DO UPDATE SET number = excluded.number, status = excluded.status,"
        " amount_due = excluded.amount_due, amount_paid = excluded.amount_paid,"
        " finalized_at = excluded.finalized_at, paid_at = excluded.paid_at,"
        " failed_at = COALESCE(excluded.failed_at, invoices.failed_at), url = excluded.url,"
        " pdf = excluded.pdf, updated_at = excluded.updated_at";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, invoice->id);
    db_bind_text(query, 2, invoice->project_id);
    db_bind_text(query, 3, text_or_null(invoice->number));
    db_bind_text(query, 4, invoice->status);
    db_bind_text(query, 5, invoice->currency);
    db_bind_int(query, 6, invoice->amount_due);
    db_bind_int(query, 7, invoice->amount_paid);
    db_bind_int(query, 8, invoice->period_start);
    db_bind_int(query, 9, invoice->period_end);
    db_bind_int(query, 10, invoice->created_at);
    bind_optional(query, 11, invoice->finalized_at);
    bind_optional(query, 12, invoice->paid_at);
    bind_optional(query, 13, invoice->failed_at);
    db_bind_text(query, 14, text_or_null(invoice->url));
    db_bind_text(query, 15, text_or_null(invoice->pdf));
    db_bind_int(query, 16, now);
    return db_run(query, NULL, err);
}

static int read_invoice(struct db_query *query, struct store_invoice *invoice, struct dc_err *err)
{
    db_text(query, 0, invoice->id, sizeof(invoice->id));
    db_text(query, 1, invoice->project_id, sizeof(invoice->project_id));
    db_text(query, 2, invoice->number, sizeof(invoice->number));
    db_text(query, 3, invoice->status, sizeof(invoice->status));
    db_text(query, 4, invoice->currency, sizeof(invoice->currency));
    invoice->amount_due = db_int(query, 5);
    invoice->amount_paid = db_int(query, 6);
    invoice->period_start = db_int(query, 7);
    invoice->period_end = db_int(query, 8);
    invoice->created_at = db_int(query, 9);
    invoice->finalized_at = db_int(query, 10);
    invoice->paid_at = db_int(query, 11);
    invoice->failed_at = db_int(query, 12);
    db_text(query, 13, invoice->url, sizeof(invoice->url));
    db_text(query, 14, invoice->pdf, sizeof(invoice->pdf));
    return db_row_read(query, err);
}

int store_invoices_list(struct store_conn *conn, const char *project_id, int max,
                        struct store_invoice **ret_invoices, size_t *ret_count, struct dc_err *err)
{
    static const char sql[] =
        "SELECT id, project_id, number, status, currency, amount_due, amount_paid, period_start,"
        " period_end, created_at, finalized_at, paid_at, failed_at, url, pdf FROM invoices"
        " WHERE project_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(dc_free) void *owned = calloc((size_t)max, sizeof(struct store_invoice));
    size_t count = 0;
    bool row;

    if (!owned)
        return dc_fail(err, DC_KERNEL, ENOMEM, "invoices");
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, max);
    for (;; count++) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row || count == (size_t)max)
            break;
        if (read_invoice(query, (struct store_invoice *)owned + count, err) < 0)
            return -err->code;
    }
    *ret_invoices = dc_take(owned);
    *ret_count = count;
    return 0;
}
