/* What the files of src/billing share. */
#ifndef DOCLE_BILLING_INTERNAL_H
#define DOCLE_BILLING_INTERNAL_H

#include "billing/billing.h"

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
    uint64_t drifts;        /* hours that did not agree */
    int64_t refused_until;  /* dc_now(): the meter does not take our key */
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

/* Takes events of the last days that no webhook told; suspends. */
void billing_catch_up(struct billing *billing);

/* Compares with the meter; suspends for long. */
void billing_reconcile(struct billing *billing);

/* In test builds: DOCLE_TEST_BILLING_DIES=NAME kills the process here. */
void billing_crash_point(const char *name);

#endif
