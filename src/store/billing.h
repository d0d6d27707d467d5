/*
 * Who pays: customers and subscriptions as Stripe last showed them, webhooks that arrived,
 * invoices. See store.h for conventions.
 */
#ifndef DOCLE_STORE_BILLING_H
#define DOCLE_STORE_BILLING_H

#include <stdbool.h>

#include "store/metering.h"

enum {
    STORE_STRIPE_STATUS_SIZE = 24, /* "incomplete_expired" and such */
    STORE_STRIPE_TYPE_SIZE = 72,
    STORE_URL_SIZE = 1024,
    STORE_INVOICES_MAX = 200,
};

struct store_billing {
    char project_id[DC_UUID_SIZE];
    char customer[STORE_CUSTOMER_SIZE];     /* "": none yet */
    char subscription[STORE_CUSTOMER_SIZE]; /* "": none yet */
    char status[STORE_STRIPE_STATUS_SIZE];  /* of the subscription, Stripe's word; "": none */
    int64_t metered_from;                   /* 0: never was */
    int64_t metered_until;                  /* 0: still is, when metered_from is set */
    int64_t period_start;
    int64_t period_end;
    int64_t past_due_at; /* 0: it is not */
    int64_t lapsed_at;   /* overdue for too long, treated as free since; 0: it is not */
    bool ends_with_period;
};

/* Zeroed but for project_id when the project has nothing. */
DC_MUST int store_billing_get(struct store_conn *conn, const char *project_id,
                              struct store_billing *ret_billing, struct dc_err *err);
/* DC_NOT_FOUND for a customer of no project. */
DC_MUST int store_billing_find(struct store_conn *conn, const char *customer,
                               struct store_billing *ret_billing, struct dc_err *err);

/* The first customer of a project stays; *ret_customer is the one that counts. */
DC_MUST int store_billing_set_customer(struct store_conn *conn, const char *project_id,
                                       const char *customer, int64_t now,
                                       char ret_customer[static STORE_CUSTOMER_SIZE],
                                       struct dc_err *err);

/*
 * Takes over what Stripe shows: paid says whether runs admitted from now on are billed, pro whether
 * the project has the plan. A subscription that is over does not displace another one that is paid.
 * Sets projects.plan, but for an enterprise, in the same transaction.
 */
struct store_subscription {
    const char *project_id;
    const char *customer;
    const char *id;
    const char *status;
    bool pro;
    int64_t period_start;
    int64_t period_end;
    bool ends_with_period;
};
DC_MUST int store_billing_apply(struct store_conn *conn, const struct store_subscription *sub,
                                int64_t now, struct dc_err *err);

/* Projects whose payment is overdue since before the moment become free, and are not billed, until
 * Stripe shows another status; those of the plan enterprise are left alone. */
DC_MUST int store_billing_lapse(struct store_conn *conn, int64_t before, int64_t now,
                                int *ret_count, struct dc_err *err);

/* A webhook; *ret_new is false when it came before. */
DC_MUST int store_stripe_event_add(struct store_conn *conn, const char *id, const char *type,
                                   const char *object_id, int64_t now, bool *ret_new,
                                   struct dc_err *err);

struct store_stripe_event {
    char id[STORE_CUSTOMER_SIZE];
    char type[STORE_STRIPE_TYPE_SIZE];
    char object_id[STORE_CUSTOMER_SIZE];
    int64_t attempts;
};
/* The oldest that is due; *ret_found false: none. */
DC_MUST int store_stripe_event_next(struct store_conn *conn, int64_t now,
                                    struct store_stripe_event *ret_event, bool *ret_found,
                                    struct dc_err *err);
/* Handled, or (next_at > 0) to be tried again then. */
DC_MUST int store_stripe_event_settle(struct store_conn *conn, const char *id, int64_t now,
                                      int64_t next_at, struct dc_err *err);
/* Forgets those that were handled and came before. */
DC_MUST int store_stripe_events_purge(struct store_conn *conn, int64_t before, struct dc_err *err);

struct store_invoice {
    char id[STORE_CUSTOMER_SIZE];
    char project_id[DC_UUID_SIZE];
    char number[STORE_CUSTOMER_SIZE];
    char status[STORE_STRIPE_STATUS_SIZE];
    char currency[8];
    int64_t amount_due; /* in the currency's smallest unit */
    int64_t amount_paid;
    int64_t period_start;
    int64_t period_end;
    int64_t created_at;
    int64_t finalized_at;
    int64_t paid_at;
    int64_t failed_at; /* put: 0 leaves what is there */
    char url[STORE_URL_SIZE];
    char pdf[STORE_URL_SIZE];
};
DC_MUST int store_invoice_put(struct store_conn *conn, const struct store_invoice *invoice,
                              int64_t now, struct dc_err *err);
/* Newest first, at most max (STORE_INVOICES_MAX); the caller frees *ret_invoices. */
DC_MUST int store_invoices_list(struct store_conn *conn, const char *project_id, int max,
                                struct store_invoice **ret_invoices, size_t *ret_count,
                                struct dc_err *err);

#endif
