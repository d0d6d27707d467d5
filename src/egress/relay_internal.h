/*
 * One connection of a run, for the files of the relay. Internal to src/egress.
 *
 *   relay.c          acceptance, the first bytes, deadlines
 *   relay_connect.c  real addresses: which are good, and connecting to one
 *   relay_flow.c     passing bytes on, limits, the end
 *
 * A function that may end a connection frees it: the caller does not touch it afterwards. Those are
 * all but connection_watch and connection_close_end.
 */
#ifndef DOCLE_EGRESS_RELAY_INTERNAL_H
#define DOCLE_EGRESS_RELAY_INTERNAL_H

#include "egress/egress.h"

enum side { SIDE_RUN, SIDE_HOST, SIDES };

enum connection_state { CONN_PEEKING, CONN_RESOLVING, CONN_CONNECTING, CONN_RELAYING };

/* One way, named by where it comes from. */
struct flow {
    uint8_t *pending; /* read and not yet passed on; NULL: nothing */
    size_t pending_at;
    size_t pending_end;
    size_t kept_bytes; /* of pending, as counted in the session */
    bool ended;        /* no more will come */
    bool passed;       /* and the other side knows */
};

struct end {
    int fd;
    uv_poll_t *poll;
    int watched; /* events */
};

struct connection {
    struct name_waiter waiter; /* first: `ready` gets it */
    struct session *session;
    struct connection *next;
    struct connection **slot;
    enum connection_state state;
    struct name *name;
    uint16_t port;
    bool trusted;
    bool public_only; /* `*` let it through, which means public hosts: no exceptions */
    bool waiting;     /* for the name */
    size_t next_address;
    int64_t deadline_ns; /* of the states before relaying */
    int64_t active_ns;
    uint64_t bytes[SIDES]; /* passed on, by where they came from */
    struct end ends[SIDES];
    struct flow flows[SIDES];
};

/* relay_flow.c */
void relay_reset_fd(int fd); /* closes so that the other side sees a refusal */
void connection_close_end(struct end *end, bool reset);
/* Logs the attempt. */
void connection_finish(struct connection *connection, enum egress_verdict verdict, bool reset);
/* Listens to what the state waits for. */
void connection_watch(struct connection *connection);
/* One way, as far as it goes at once. */
void connection_relay(struct connection *connection, enum side from);
/* An end has failed. */
void connection_break_off(struct connection *connection, enum side side);
void connection_start_relaying(struct connection *connection);

/* relay_connect.c */
void relay_tune(int fd);
void connection_resolve(struct connection *connection);
void connection_try_next_address(struct connection *connection);
void connection_on_host(uv_poll_t *poll, int status, int events);

/* relay.c */
void connection_on_run(uv_poll_t *poll, int status, int events);

#endif
