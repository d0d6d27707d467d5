/*
 * Work that one of several servers does at a time: a row with a holder, an end by the store's clock
 * and a token. Who holds a lease checks it in the transaction of each step (fencing), so that one
 * that was held up for longer than its lease can no longer write. See store.h for conventions.
 */
#ifndef DOCLE_STORE_LEASES_H
#define DOCLE_STORE_LEASES_H

#include <stdbool.h>

#include "store/store.h"

enum { STORE_HOLDER_SIZE = 256 };

struct store_lease {
    const char *name;
    const char *holder; /* which server, the same after a restart; shorter than the size */
    int64_t token;      /* 0: not held */
};

/*
 * Takes the lease where it is free, has run out, or (succeed) belongs to this holder's earlier
 * life, which the caller knows to be over; prolongs one that is held. lease->token is 0 afterwards
 * when somebody else has it.
 */
DC_MUST int store_lease_take(struct store_conn *conn, struct store_lease *lease, int64_t length_ns,
                             bool succeed, struct dc_err *err);

/* In the transaction of a write: DC_CONFLICT when somebody else has taken over. */
DC_MUST int store_lease_check(struct store_conn *conn, const struct store_lease *lease,
                              struct dc_err *err);

/* Gives it back early; no matter when it is lost already. */
DC_MUST int store_lease_give(struct store_conn *conn, struct store_lease *lease,
                             struct dc_err *err);

/* For people: who has it. holder: STORE_HOLDER_SIZE bytes, "" when nobody has it. */
DC_MUST int store_lease_show(struct store_conn *conn, const char *name, char *ret_holder,
                             int64_t *ret_expires_at, struct dc_err *err);

#endif
