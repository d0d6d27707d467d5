/*
 * What operators have to know of. One incident of a kind is open at a time; when it opens, each
 * operator is mailed once, and not again for a kind that opens anew within six hours. See store.h
 * for conventions.
 */
#ifndef DOCLE_STORE_INCIDENTS_H
#define DOCLE_STORE_INCIDENTS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/store.h"

enum store_incident_kind {
    STORE_INCIDENT_DRIFT,       /* the meter shows something else than it was told */
    STORE_INCIDENT_DEAD,        /* usage that the meter refused for good */
    STORE_INCIDENT_STALLED,     /* usage waits for too long */
    STORE_INCIDENT_SIGNATURE,   /* webhooks that are not signed by one of our secrets */
    STORE_INCIDENT_METER_ERROR, /* the meter took usage and then could not count it */
    STORE_INCIDENT_CANCEL,      /* a subscription without a project that does not end */
    STORE_INCIDENTS
};

enum { STORE_INCIDENT_DETAIL_SIZE = 301 };

const char *store_incident_name(enum store_incident_kind kind);

struct store_incident {
    char id[DC_UUID_SIZE];
    enum store_incident_kind kind;
    char detail[STORE_INCIDENT_DETAIL_SIZE];
    int64_t count; /* times that it was raised */
    int64_t opened_at;
    int64_t last_at;
    int64_t closed_at; /* 0: open */
};

/* Opens one, with mails and an entry in the audit log, or counts one more of the open one. */
DC_MUST int store_incident_raise(struct store_conn *conn, enum store_incident_kind kind,
                                 const char *detail, int64_t now, struct dc_err *err);
/* No matter when none is open. */
DC_MUST int store_incident_close(struct store_conn *conn, enum store_incident_kind kind,
                                 int64_t now, struct dc_err *err);
DC_MUST int store_incident_get(struct store_conn *conn, const char *id,
                               struct store_incident *ret_incident, struct dc_err *err);
/* Those that are open; at most one of a kind. */
DC_MUST int store_incidents_open(struct store_conn *conn,
                                 struct store_incident ret_incidents[static STORE_INCIDENTS],
                                 int *ret_count, struct dc_err *err);

#endif
