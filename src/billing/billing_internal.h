/* What the files of src/billing share. */
#ifndef DOCLE_BILLING_INTERNAL_H
#define DOCLE_BILLING_INTERNAL_H

#include "billing/billing.h"
#include "store/leases.h"

enum { FORM_MAX_BYTES = 16384, PATH_MAX_BYTES = 256 };

struct billing {
    struct billing_options options;
    struct outbound *outbound; /* borrowed */
    struct store_worker *worker;
    struct stripe stripe;
    bool stopping;
    struct await_flag metering_due;
    struct await_flag hints_due;
    uv_timer_t timer; /* sets both once a second */
    bool timer_open;
    bool flush;             /* batch now, whatever the clock says */
    int64_t next_batch;     /* dc_now() */
    int64_t next_reconcile; /* dc_now() */
    int64_t next_full;      /* dc_now(): comparison of days */
    int64_t next_lapse;     /* dc_now() */
    int64_t next_look;      /* dc_now() */
    uint64_t drifts;        /* hours that did not agree, since the start */
    uint64_t drifting;      /* the same in the last comparison of days, and since */
    bool compared;          /* one has been made */
    int64_t refused_until;  /* dc_now(): the meter does not take our key */
    uint64_t bad_signatures;
    uint64_t bad_signatures_told;
    struct store_lease lease; /* of what one server does */
    int64_t lease_renewal;    /* dc_now(): before, it is surely ours */
    char holder[STORE_HOLDER_SIZE];
    bool succeeded; /* what an earlier life of ours had is taken over */
    struct billing_stats stats;
};

/* What a sink made of one event. */
struct sink_verdict {
    enum store_meter_state state; /* ACKED, DEAD, or SENDING: again later */
    bool next_key;
    bool denied; /* our key is not taken: nothing will be */
};
/* Suspends. err says why when the state is not ACKED. */
void sink_stripe_send(struct billing *billing, const struct store_meter_event *event,
                      struct sink_verdict *ret_verdict, struct dc_err *err);
void sink_events_send(struct billing *billing, const struct store_meter_event *event,
                      struct sink_verdict *ret_verdict, struct dc_err *err);

/* Takes over what Stripe shows of a subscription or an invoice. Suspend. failed: a payment of the
 * invoice has failed just now. DC_NOT_FOUND: Stripe does not have it, or it is no project's. */
DC_MUST int refresh_subscription(struct billing *billing, const char *id, struct dc_err *err);
DC_MUST int refresh_invoice(struct billing *billing, const char *id, bool failed,
                            struct dc_err *err);

/* The invoices of a customer whose period holds the moment. Suspends. */
DC_MUST int refresh_invoices_of(struct billing *billing, const char *customer, int64_t at,
                                struct dc_err *err);

/* Takes events of the last days that no webhook told; suspends. */
void billing_catch_up(struct billing *billing);

/* Compares with the meter; suspends for long. full: days instead of hours. */
void billing_reconcile(struct billing *billing, bool full);

/* The lease of everything that one server does: metering.c. Prolongs it, or takes it where it can
 * be had; suspends. */
bool billing_take_lease(struct billing *billing);
bool billing_holds_lease(const struct billing *billing);

/* Ends subscriptions without a project that are due; suspends. */
void billing_cancel_due(struct billing *billing);

/* Looks for what operators have to know of, every few seconds; suspends. */
void billing_watch(struct billing *billing);

/* Keeps an event of either kind to be acted on; suspends. DC_INVALID: it is none. */
DC_MUST int hints_keep(struct billing *billing, const json_t *event, struct dc_err *err);

/* Thin events about a meter. take reads one and marks the usage; catch_up keeps those since a
 * moment. Suspend. */
bool meter_errors_concern(const char *type);
DC_MUST int meter_errors_take(struct billing *billing, const char *event_id, struct dc_err *err);
DC_MUST int meter_errors_catch_up(struct billing *billing, int64_t since, struct dc_err *err);

/* In test builds: DOCLE_TEST_BILLING_DIES=NAME kills the process here. */
void billing_crash_point(const char *name);

#endif
