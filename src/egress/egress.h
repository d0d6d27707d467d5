/*
 * docle-egress' state and what its parts call of each other. One thread, one loop.
 *
 *   main.c      start, rights, command line
 *   link.c      what the API process asks and is told
 *   session.c   the network of one run: sockets, names, the log of attempts
 *   stub.c      its resolver on port 53
 *   relay*.c    its connections
 *
 * Bytes that come from a run are hostile, and so are those of the hosts it talks to. A session's
 * parts never look at another session: what two runs could learn of each other here is only how
 * busy the process is.
 */
#ifndef DOCLE_EGRESS_EGRESS_H
#define DOCLE_EGRESS_EGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"
#include "egress/host_rule.h"
#include "egress/resolver.h"
#include "proto/egress.h"

enum { RELAY_BUFFER_BYTES = 256 * 1024, STUB_CONNECTIONS_MAX = 16 };

/* First of the addresses that stand for names; those below it stand for nothing. */
#define SYNTHETIC_FIRST (EGRESS_SYNTHETIC_NET + 0x100)

/* What is switched off, for the tests of a test build; always 0 in a product build. */
enum egress_without {
    EGRESS_WITHOUT_ADDRESSES = 1u << 0, /* addresses are not judged */
    EGRESS_WITHOUT_NAMES = 1u << 1,     /* first bytes are not read */
};

struct egress {
    uint32_t without; /* enum egress_without */
    uv_loop_t loop;
    int link_fd;
    uv_poll_t link_poll;
    struct dc_buf unsent; /* messages that the link did not take yet */
    struct host_exceptions exceptions;
    struct resolver *resolver;
    uv_timer_t tick;
    bool ticking;
    size_t connection_count;
    size_t connections_max; /* of all sessions: descriptors are finite */
    struct session *sessions;
    uint8_t buffer[RELAY_BUFFER_BYTES]; /* for the one connection that is served now */
};

/* Who waits for a name. Embedded in a question or a connection. */
struct name_waiter {
    void (*ready)(struct name_waiter *waiter); /* the name's state says how it went */
    struct name_waiter *next;
};

enum name_state { NAME_NEW, NAME_ASKED, NAME_FOUND, NAME_MISSING, NAME_FAILED };

/* A name that a run looked up, and what stands for it. */
struct name {
    struct session *session;
    char text[DC_HOST_NAME_MAX_BYTES + 1];
    uint32_t synthetic; /* host order; 0 for an address that stands for itself */
    enum name_state state;
    int64_t asked_ns;
    size_t count;
    union resolver_address addresses[RESOLVER_ADDRESSES_MAX];
    struct name_waiter *waiters;
};

struct listener {
    struct session *session;
    int fd;
    uv_poll_t *poll;
    uint16_t kind; /* enum egress_socket_kind */
    uint16_t port;
};

struct session {
    struct egress *egress;
    struct session *next;
    struct session **slot;
    uint64_t id;
    struct egress_open limits;
    struct host_policy policy;
    size_t rules_due; /* RULE messages that are to come */
    int channel_fd;
    uv_poll_t *channel_poll;
    struct listener listeners[DC_MESSAGE_MAX_FDS];
    size_t listener_count;
    struct name **names; /* DC_NET_NAMES_MAX of them at most */
    size_t name_count;
    struct connection *connections;
    uint32_t connection_count;
    uint32_t attempts;
    uint32_t questions; /* to the stub */
    struct stub_connection *stub_connections;
    uint32_t stub_connection_count;
    size_t kept_bytes;    /* read for sides that do not take them now */
    uint64_t bytes;       /* relayed, both ways */
    int64_t tokens_bytes; /* that may still be relayed before the next tick, with a rate limit */
    uint32_t listed;
    uint32_t unlisted;
    uint32_t denied_names[DC_NET_LOG_MAX]; /* hashes of those in the log, to name each once */
    uint32_t denied_name_count;
    uint32_t asked; /* questions to the resolver under way; the memory waits for them */
    bool closed;
};

/* link.c */
DC_MUST int link_open(struct egress *egress, int link_fd, struct dc_err *err);
/* The process ends when the other end does not take what it is told. */
void link_tell(struct egress *egress, uint8_t type, const void *body, size_t length);

/* session.c */
DC_MUST int session_open(struct egress *egress, const struct egress_open *open, int channel_fd,
                         struct dc_err *err); /* takes channel_fd on success */
DC_MUST int session_rule(struct egress *egress, const struct egress_rule_of *rule,
                         struct dc_err *err);
DC_MUST int session_close(struct egress *egress, uint64_t id, struct dc_err *err);
void session_log(struct session *session, const char *host, uint16_t port,
                 enum egress_verdict verdict, uint64_t bytes_in, uint64_t bytes_out);
void session_log_denied_name(struct session *session, const char *name);
/* The name's entry, made when needed; NULL: too many. */
struct name *session_name(struct session *session, const char *text);
struct name *session_name_of_address(struct session *session, uint32_t address); /* or NULL */
/* Calls ready now or later; at once when the name was found lately. */
void session_await_name(struct name *name, struct name_waiter *waiter);
void session_forget_waiter(struct name *name, struct name_waiter *waiter);
void egress_start_ticking(struct egress *egress);
DC_MUST int watch_fd(struct egress *egress, int fd, int events, uv_poll_cb on_event, void *data,
                     uv_poll_t **ret_poll, struct dc_err *err);
void unwatch_fd(uv_poll_t **poll); /* accepts NULL in it */

/* stub.c */
void stub_on_datagram(uv_poll_t *poll, int status, int events);
void stub_on_accept(uv_poll_t *poll, int status, int events);
void stub_tick(struct session *session, int64_t now);
void stub_end(struct session *session);

/* relay.c */
void relay_on_accept(uv_poll_t *poll, int status, int events);
void relay_tick(struct session *session, int64_t now);
void relay_end(struct session *session);

#endif
