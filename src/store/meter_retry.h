/* Usage that the meter would not count, and how it is told again; how metering stands. See store.h
 * for conventions. */
#ifndef DOCLE_STORE_METER_RETRY_H
#define DOCLE_STORE_METER_RETRY_H

#include "store/metering.h"

/* The meter took the event and could not count it: dead, though it was acknowledged. *ret_known
 * false: there is none of that id, or it is dead already. */
DC_MUST int store_meter_reject(struct store_conn *conn, const char *id, const char *message,
                               int64_t now, bool *ret_known, struct dc_err *err);

struct store_meter_dead {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char customer[STORE_CUSTOMER_SIZE];
    enum store_meter meter;
    int64_t value;
    int64_t at;
    int64_t settled_at;
    char message[STORE_METER_MESSAGE_SIZE];
};
/* All dead events, those of one project, meter and hour together; or (id not NULL) that one. The
 * caller frees *ret_events. */
DC_MUST int store_meter_dead_list(struct store_conn *conn, const char *id,
                                  struct store_meter_dead **ret_events, size_t *ret_count,
                                  struct dc_err *err);

/* What is known of the hour of an event, dead ones apart. */
struct store_meter_hour_state {
    struct store_meter_hour hour;
    int64_t dead; /* value */
};
DC_MUST int store_meter_hour_of(struct store_conn *conn, const struct store_meter_dead *event,
                                struct store_meter_hour_state *ret_state, struct dc_err *err);

/* Pending again, under an id of its own: the meter may remember the old one. DC_CONFLICT: it is no
 * longer dead. With an entry in the audit log. ret_id: DC_UUID_SIZE bytes. */
DC_MUST int store_meter_requeue(struct store_conn *conn, const struct store_meter_dead *event,
                                int64_t now, char *ret_id, struct dc_err *err);
/* It is at the meter after all. DC_CONFLICT: it is no longer dead. */
DC_MUST int store_meter_found(struct store_conn *conn, const struct store_meter_dead *event,
                              int64_t now, struct dc_err *err);

/* How metering stands, at little cost. */
struct store_meter_health {
    int64_t unsent; /* events pending or sending */
    int64_t
        oldest_at; /* since when the first of those, or of runs without a batch, waits; 0: none */
    int64_t ambiguous;
    int64_t dead;
};
DC_MUST int store_meter_health(struct store_conn *conn, struct store_meter_health *ret_health,
                               struct dc_err *err);

#endif
