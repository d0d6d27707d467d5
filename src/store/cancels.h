/* Subscriptions that have to end at Stripe because their project is gone. A row is made in the
 * transaction that deletes the project and stays open until Stripe shows the end. See store.h for
 * conventions. */
#ifndef DOCLE_STORE_CANCELS_H
#define DOCLE_STORE_CANCELS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/metering.h"

struct store_cancel {
    char subscription[STORE_CUSTOMER_SIZE];
    char project_id[DC_UUID_SIZE];
    int64_t requested_at;
    int64_t attempts;
    int64_t next_at;
    char message[STORE_METER_MESSAGE_SIZE]; /* why it is not done yet; "": nothing went wrong */
};

/* In the transaction that deletes the project: its usage is complete, and what it subscribed to is
 * to end. Nothing when it has no subscription that lives. */
DC_MUST int store_cancel_project(struct store_conn *conn, const char *project_id, int64_t now,
                                 struct dc_err *err);
/* One that was found without its project. No matter when it is known already. */
DC_MUST int store_cancel_add(struct store_conn *conn, const char *subscription,
                             const char *project_id, int64_t now, struct dc_err *err);

/* The one that is due first; *ret_found false: none. */
DC_MUST int store_cancel_next(struct store_conn *conn, int64_t now, struct store_cancel *ret_cancel,
                              bool *ret_found, struct dc_err *err);
/* Tried, and to be tried again at next_at; or done (next_at 0), with an entry in the audit log. */
DC_MUST int store_cancel_settle(struct store_conn *conn, const struct store_cancel *cancel,
                                int64_t now, int64_t next_at, const char *message,
                                struct dc_err *err);

/* Those that are open, oldest first. The caller frees *ret_cancels. */
DC_MUST int store_cancels_list(struct store_conn *conn, struct store_cancel **ret_cancels,
                               size_t *ret_count, struct dc_err *err);
DC_MUST int store_cancels_count(struct store_conn *conn, int64_t *ret_count, int64_t *ret_oldest_at,
                                struct dc_err *err);

#endif
