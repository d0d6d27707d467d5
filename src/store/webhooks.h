/*
 * Webhooks of projects, and the events that leave by them. See store.h for conventions and
 * docs/internals/webhooks.md for the whole way.
 *
 * An event of a budget is written in the transaction that writes down its threshold, so there is
 * exactly one. store_webhook_claim hands out an attempt, durably noted before it is made;
 * store_webhook_settle records what came of it. Who dies in between repeats the attempt.
 */
#ifndef DOCLE_STORE_WEBHOOKS_H
#define DOCLE_STORE_WEBHOOKS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/store.h"

enum {
    STORE_WEBHOOK_URL_SIZE = 2049,
    STORE_WEBHOOK_SECRET_SIZE = 72,
    STORE_WEBHOOK_ERROR_SIZE = 200,
    STORE_WEBHOOK_TESTS_MAX = 10, /* test events of a project that wait */
};

struct store_webhook {
    char url[STORE_WEBHOOK_URL_SIZE];
    char secret[STORE_WEBHOOK_SECRET_SIZE];
    char old_secret[STORE_WEBHOOK_SECRET_SIZE]; /* "": none */
    int64_t old_until;
    int64_t created_at;
    int64_t secret_at;
};

/* Makes it, with that secret, or changes its URL: what waits is then due at once. */
DC_MUST int store_webhook_put(struct store_conn *conn, const char *project_id, const char *url,
                              const char *secret, int64_t now, bool *ret_made, struct dc_err *err);
DC_MUST int store_webhook_get(struct store_conn *conn, const char *project_id,
                              struct store_webhook *ret_webhook, struct dc_err *err);
/* With all its events. */
DC_MUST int store_webhook_delete(struct store_conn *conn, const char *project_id,
                                 struct dc_err *err);
/* The secret of now signs too until old_until. */
DC_MUST int store_webhook_roll(struct store_conn *conn, const char *project_id, const char *secret,
                               int64_t now, int64_t old_until, struct dc_err *err);
/* Writes a test event. DC_CONFLICT: too many wait. */
DC_MUST int store_webhook_test(struct store_conn *conn, const char *project_id, int64_t now,
                               char ret_id[static DC_UUID_SIZE], struct dc_err *err);

/* An event and its state. */
struct store_webhook_event {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char type[24];
    char kind[16]; /* "": not of a budget, and the next five mean nothing */
    char subject[256];
    int64_t period;
    int64_t threshold;
    int64_t amount_micros;
    int64_t budget_micros;
    char currency[8];
    int64_t at;
    char state[16]; /* "pending", "delivered", "failed" */
    int64_t attempts;
    int64_t due_at;
    int64_t tried_at; /* 0: never */
    int status;       /* of the last answer; 0: none came */
    char error[STORE_WEBHOOK_ERROR_SIZE];
    int64_t settled_at; /* 0: it is pending */
};

/* The one that was tried last, or the newest where none was. DC_NOT_FOUND: there is none. */
DC_MUST int store_webhook_last(struct store_conn *conn, const char *project_id,
                               struct store_webhook_event *ret_event, int64_t *ret_pending,
                               struct dc_err *err);

struct store_webhook_times {
    int64_t now;
    int64_t lease_ns;       /* how long an attempt takes at most */
    const int64_t *waits_s; /* before the next attempt, by how many there were; the last repeats */
    int wait_count;
    int64_t give_up_ns; /* age of an event at which it has failed */
    int64_t rest_max_s; /* of a receiver that fails */
};

/* Is there something to claim? */
DC_MUST int store_webhook_due(struct store_conn *conn, int64_t now, bool *ret_due,
                              struct dc_err *err);
/* The longest due event of the receiver that rested longest. One at a time of each receiver.
 * DC_NOT_FOUND: none. */
DC_MUST int store_webhook_claim(struct store_conn *conn, const struct store_webhook_times *times,
                                struct store_webhook_event *ret_event,
                                struct store_webhook *ret_webhook, struct dc_err *err);
/* event->status, event->error: of this attempt. */
DC_MUST int store_webhook_settle(struct store_conn *conn, const struct store_webhook_times *times,
                                 const struct store_webhook_event *event, bool delivered,
                                 struct dc_err *err);
/* At a start: attempts that were under way are not. */
DC_MUST int store_webhooks_hurry(struct store_conn *conn, int64_t now, struct dc_err *err);

#endif
