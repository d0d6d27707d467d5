/*
 * The link to docle-egress: opens a session for each run that may use the network and collects what
 * the run attempted. A relay that dies is started again with a back-off; the sessions it had are
 * lost, which their logs then say. All on the loop's thread. Server and CLI.
 */
#ifndef DOCLE_RUNS_EGRESS_CLIENT_H
#define DOCLE_RUNS_EGRESS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"
#include "egress/host_rule.h"
#include "proto/egress.h"
#include "runs/launcher_keeper.h"

struct egress_client;

/* The operator's limits on each run. Zero means the default where one is named. */
struct egress_limits {
    uint64_t bytes_max;        /* both ways together; 0: 1 GiB */
    uint32_t bytes_per_second; /* both ways together; 0: no limit */
    uint32_t connections_max;  /* at once; 0: 64 */
    uint32_t attempts_max;     /* in all; 0: 1000 */
    uint32_t idle_ms;          /* 0: 60000 */
};

struct egress_entry {
    char *host; /* owned by the session */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint16_t port; /* 0: only looked up */
    enum egress_verdict verdict;
};

/* The owner's memory, zero-initialised but for `closed`; borrowed by the client from begin until
 * closed was called. */
struct egress_session {
    /* The owner's. On the loop; exactly once, after egress_client_end; may be called by it. */
    void (*closed)(struct egress_session *session);

    /* To read, once closed. */
    struct egress_entry *entries;
    size_t count;
    uint64_t unlisted; /* attempts beyond DC_NET_LOG_MAX */
    uint64_t bytes;    /* both ways together; of a relay that died: of the attempts it had told */

    /* The client's. */
    struct egress_client *client;
    uint64_t id;
    bool lost;   /* the relay died */
    bool ending; /* end was called */
    uint64_t ended_at_ms;
    struct egress_session *next;
    struct egress_session **slot;
};

struct egress_stats {
    uint64_t starts;
    uint64_t deaths;
    uint64_t sessions;
    uint64_t attempts[EGRESS_VERDICTS];
    uint64_t bytes_in;
    uint64_t bytes_out;
    bool ready;
};

/* Starts the relay through the keeper, which is borrowed. */
DC_MUST int egress_client_open(uv_loop_t *loop, struct launcher_keeper *keeper,
                               const struct egress_limits *limits,
                               struct egress_client **ret_client, struct dc_err *err);

/* A session for a run. *ret_channel_fd: to be sent with RUN, then closed by the caller. DC_BUSY:
 * the relay is not there now. */
DC_MUST int egress_client_begin(struct egress_client *client, const struct host_policy *policy,
                                struct egress_session *session, int *ret_channel_fd,
                                struct dc_err *err);

/* The run is over. `closed` follows. */
void egress_client_end(struct egress_session *session);

/* Frees what the log holds. */
void egress_session_release(struct egress_session *session);

/* Appends "network":[…], and "networkUnlisted":N when some are not listed. */
bool egress_session_print(const struct egress_session *session, struct dc_buf *out);

const char *egress_verdict_name(enum egress_verdict verdict);

void egress_client_stats(const struct egress_client *client, struct egress_stats *ret_stats);

/* Does the relay take sessions now? */
bool egress_client_ready(const struct egress_client *client);

/* The relay's own words when it could not serve and has not come back since, else NULL. */
const struct dc_err *egress_client_problem(const struct egress_client *client);

/* Ends the relay. Only when every session has been closed. closed may be NULL. */
void egress_client_close(struct egress_client *client, void (*closed)(void *context),
                         void *context);

#endif
