/*
 * What has to be at Stripe, found or made; and what its meters show, against what we told them.
 * Used by the server once an hour and by `docle billing`. In tasks: everything suspends but
 * judging.
 */
#ifndef DOCLE_BILLING_METERS_H
#define DOCLE_BILLING_METERS_H

#include "billing/stripe.h"
#include "store/metering.h"

struct meter_ids {
    char id[STORE_METERS][STORE_CUSTOMER_SIZE]; /* "": there is none */
};

/* Finds the active meters of these event names (NULL: not wanted). */
DC_MUST int meters_find(const struct stripe *stripe, const char *const names[static STORE_METERS],
                        struct meter_ids *ret_ids, struct dc_err *err);

/* Makes the meter with that event name. ret_id: STORE_CUSTOMER_SIZE bytes. */
DC_MUST int meters_create(const struct stripe *stripe, const char *name, const char *display,
                          char *ret_id, struct dc_err *err);

/* The monthly price with that look-up key, made when it is missing; *ret_made says so. amount: in
 * the currency's smallest unit, decimal. DC_CONFLICT: there is one of another amount or meter. */
struct price_wish {
    const char *lookup_key;
    const char *product; /* name, when it has to be made */
    const char *currency;
    const char *amount;
    const char *meter_id;
};
DC_MUST int meters_ensure_price(const struct stripe *stripe, const struct price_wish *wish,
                                char *ret_id, bool *ret_made, struct dc_err *err);

/* What the meter counts for the customer in that hour. */
DC_MUST int meters_read_hour(const struct stripe *stripe, const struct meter_ids *ids,
                             const struct store_meter_hour *hour, int64_t *ret_value,
                             struct dc_err *err);

enum meter_judgement {
    METER_EQUAL,
    METER_UNDER_WAY, /* usage of that hour is not settled yet */
    METER_RECEIVED,  /* what was ambiguous is there */
    METER_MISSING,   /* what was ambiguous is not there */
    METER_DRIFT,     /* neither: somebody has to look */
};
/* settled: the hour is over for so long that the meter has added everything up. Pure. */
enum meter_judgement meters_judge(const struct store_meter_hour *hour, int64_t value, bool settled);
const char *meters_judgement_name(enum meter_judgement judgement);

#endif
