/*
 * Billing: what the ledger gained is told to a meter (Stripe, or a receiver of CloudEvents),
 * subscriptions and invoices follow what Stripe shows. docs/internals/billing.md says how it cannot
 * bill twice and does not forget. Server, on the loop; functions marked so suspend their task.
 *
 * Lifecycle: billing_open; billing_start on the loop, then billing_run_metering and
 * billing_run_hints each in a task of the caller's until billing_stop, after which outbound_stop
 * ends what waits; billing_free with the loop at rest.
 */
#ifndef DOCLE_BILLING_BILLING_H
#define DOCLE_BILLING_BILLING_H

#include <stdbool.h>

#include "base/auto.h"
#include "billing/signature.h"
#include "billing/stripe.h"
#include "runs/await.h"
#include "store/billing.h"
#include "store/incidents.h"
#include "store/worker.h"

enum billing_mode { BILLING_OFF, BILLING_STRIPE, BILLING_CLOUDEVENTS };

enum billing_late { BILLING_LATE_NEXT_PERIOD, BILLING_LATE_WRITE_OFF };

enum billing_format { BILLING_FORMAT_CLOUDEVENTS, BILLING_FORMAT_LAGO };

/* Strings are borrowed for the life of the object. */
struct billing_options {
    enum billing_mode mode;
    const char *url;   /* of the API, or of the receiver of events */
    const char *token; /* the secret key; Bearer for the receiver, NULL: none */
    const char *webhook_secrets[SIGNATURE_SECRETS];
    const char *prices[STORE_METERS]; /* Stripe's ids; NULL: that meter is not told */
    const char *meters[STORE_METERS]; /* names of the meters' events */
    const char *app_url;              /* where people come back to */
    enum billing_format format;
    enum billing_late late;
    uint32_t batch_s;       /* between batches */
    uint32_t per_second;    /* requests with usage */
    uint32_t past_due_days; /* after which an overdue project is free; 0: never */
    const char *instance;   /* tells this server from others, and is the same after a restart */
};

struct billing;

DC_MUST int billing_open(const struct billing_options *options, struct billing **ret_billing,
                         struct dc_err *err);
void billing_start(struct billing *billing, uv_loop_t *loop, struct store_worker *worker,
                   struct outbound *outbound);
void billing_run_metering(struct billing *billing);
void billing_run_hints(struct billing *billing);
void billing_stop(struct billing *billing);
void billing_free(struct billing *billing); /* accepts NULL */
DC_AUTO_DEFINE(struct billing *, billing_free)

/* How things stand, as of some seconds ago. Loop. */
struct billing_stats {
    int64_t unsent;    /* events that the meter is to get */
    int64_t oldest_at; /* since when the first of what is not told waits; 0: nothing does */
    int64_t ambiguous;
    int64_t dead;
    int64_t cancels;                 /* subscriptions of deleted projects that have not ended */
    bool incidents[STORE_INCIDENTS]; /* open */
    bool sends;                      /* it is this server that tells the meter */
    uint64_t drifts;                 /* hours found that did not agree */
    uint64_t bad_signatures;
};
void billing_stats(const struct billing *billing, struct billing_stats *ret_stats);

const struct billing_options *billing_options(const struct billing *billing);
/* Which meters are told: bits 1 << enum store_meter. */
unsigned billing_meters(const struct billing *billing);
/* Which runs store_run_finish is to count. billing NULL: none. */
enum store_metering billing_metering(const struct billing *billing);

/* A webhook as it came. *ret_valid false: the signature is not Stripe's. DC_INVALID: signed, but no
 * event. Suspends; the event is durable when it returns. */
DC_MUST int billing_webhook(struct billing *billing, const char *signature, const char *body,
                            size_t length, bool *ret_valid, struct dc_err *err);

/* Links to Stripe's pages, made now. Suspend. DC_CONFLICT: the project has a subscription (portal:
 * has no customer yet). url: STORE_URL_SIZE bytes. */
DC_MUST int billing_checkout(struct billing *billing, const char *project_id, char *ret_url,
                             struct dc_err *err);
DC_MUST int billing_portal(struct billing *billing, const char *project_id, char *ret_url,
                           struct dc_err *err);

#endif
