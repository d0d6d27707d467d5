/*
 * From the ledger to the meter: what is to be told, in which order it is made durable. See store.h
 * for conventions and docs/internals/billing.md for the whole way.
 *
 * A billable run enters meter_pending with its ledger row (store_run_finish). store_meter_batch
 * turns what is pending of one project and hour into one batch and its frozen events.
 * store_meter_claim hands events out, durably marked as sent before they are; store_meter_settle
 * records what came of it.
 */
#ifndef DOCLE_STORE_METERING_H
#define DOCLE_STORE_METERING_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/store.h"

enum {
    STORE_METER_BATCH_RUNS = 5000, /* in one batch, so that its transaction stays short */
    STORE_CUSTOMER_SIZE = 72,      /* Stripe's ids: text and NUL */
    STORE_METER_MESSAGE_SIZE = 200,
};

/* Whose runs are billable. */
enum store_metering {
    STORE_METERING_OFF,
    STORE_METERING_SUBSCRIBED, /* of projects with a subscription, admitted while it was paid for */
    STORE_METERING_ALL,
};

enum store_meter { STORE_METER_RUNS, STORE_METER_CPU_MS, STORE_METERS };

const char *store_meter_name(enum store_meter meter); /* "runs", "cpu_ms" */

enum store_meter_state {
    STORE_METER_PENDING,
    STORE_METER_SENDING,     /* the meter may have it, or not */
    STORE_METER_ACKED,       /* the meter has it */
    STORE_METER_AMBIGUOUS,   /* sent, unanswered, and too old to be sent again without a doubt */
    STORE_METER_DEAD,        /* refused for good: somebody has to look */
    STORE_METER_WRITTEN_OFF, /* its invoice was final before it could be sent */
    STORE_METER_STATES
};

const char *store_meter_state_name(enum store_meter_state state);

/* In the transaction of the run's ledger row: is it billable, then it is pending. */
DC_MUST int store_meter_add(struct store_conn *conn, const char *run_id,
                            enum store_metering metering, struct dc_err *err);

/* One batch: runs of one project that ended in one UTC hour and one billing period. meters: bits
 * 1 << enum store_meter. *ret_made is false when nothing is pending. */
DC_MUST int store_meter_batch(struct store_conn *conn, unsigned meters, int64_t now, bool *ret_made,
                              struct dc_err *err);

struct store_meter_event {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char customer[STORE_CUSTOMER_SIZE]; /* "": none */
    enum store_meter meter;
    int64_t value;
    int64_t at;
    int64_t attempts;      /* this one included */
    int64_t key_number;    /* 0, and one more after each answer that must not be had again */
    int64_t first_sent_at; /* 0: never before this attempt */
    bool late;   /* never sent yet, and the invoice of its moment is final: not to be sent so */
    bool unsure; /* never sent yet, its period is over and we know of no invoice: Stripe is to be
                    asked, and then store_meter_asked called */
};

/*
 * At most max events that are due, oldest first. Each is marked as sent now, unless it is late or
 * unsure, and is due again at retry_at unless it is settled before. Those that were first sent
 * before give_up become ambiguous instead.
 */
DC_MUST int store_meter_claim(struct store_conn *conn, int64_t now, int64_t retry_at,
                              int64_t give_up, int max, struct store_meter_event *ret_events,
                              int *ret_count, struct dc_err *err);

/* The invoices of the project's past periods are known now, as far as there are any. */
DC_MUST int store_meter_asked(struct store_conn *conn, const char *project_id, int64_t now,
                              struct dc_err *err);

struct store_meter_outcome {
    const char *id;
    enum store_meter_state state; /* SENDING or PENDING: to be tried again at next_at */
    bool next_key;                /* the next attempt needs another idempotency key */
    int64_t next_at;
    int64_t at;          /* a new moment for one that never left; 0: it keeps its own */
    const char *message; /* or NULL */
    int64_t now;
};
/* An event that is acked stays so. */
DC_MUST int store_meter_settle(struct store_conn *conn, const struct store_meter_outcome *outcome,
                               struct dc_err *err);

/* Everything that was under way is due at once: at the start of a server, or for one project
 * (NULL: all) whose period ends. */
DC_MUST int store_meter_hurry(struct store_conn *conn, const char *project_id, int64_t now,
                              struct dc_err *err);

/* What is not with the meter yet, of one project (NULL: all). */
struct store_meter_state_sum {
    int64_t events[STORE_METER_STATES];
    int64_t pending_runs; /* not in a batch */
    int64_t oldest_at;    /* of what is pending or sending; 0: nothing is */
};
DC_MUST int store_meter_sum(struct store_conn *conn, const char *project_id,
                            struct store_meter_state_sum *ret_sum, struct dc_err *err);

/* What counts for the meters in from <= at < to, told or not, and what it comes to at the prices of
 * its time. meters: as for store_meter_batch. */
struct store_meter_used {
    int64_t sums[STORE_METERS];
    int64_t amount_micros;
};
DC_MUST int store_meter_used(struct store_conn *conn, const char *project_id, unsigned meters,
                             int64_t from, int64_t to, struct store_meter_used *ret_used,
                             struct dc_err *err);

/* What we told the meter of one project, meter and hour. */
struct store_meter_hour {
    char project_id[DC_UUID_SIZE];
    char customer[STORE_CUSTOMER_SIZE];
    enum store_meter meter;
    int64_t hour;      /* its start */
    int64_t acked;     /* value */
    int64_t ambiguous; /* value */
    int64_t open;      /* value that is pending or sending */
};
/* Hours of from <= hour < to in order, at most max; begin at *ret_next_skip = skip again. */
DC_MUST int store_meter_hours(struct store_conn *conn, int64_t from, int64_t to, int64_t skip,
                              int max, struct store_meter_hour *ret_hours, int *ret_count,
                              struct dc_err *err);

/* Ambiguous events of that hour: acked (received), or sent again under a new id. */
DC_MUST int store_meter_resolve(struct store_conn *conn, const struct store_meter_hour *hour,
                                bool received, int64_t now, struct dc_err *err);

#endif
