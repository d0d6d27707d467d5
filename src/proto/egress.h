/*
 * Messages of docle-egress, the relay of runs that may use the network. Fixed-size bodies; framing:
 * link.h. All integers are host order.
 *
 *   API process ──OPEN, RULE…, CLOSE──▶ docle-egress ──ATTEMPT…, CLOSED──▶ API process
 *   slot's init ──SOCKETS, on the session's own channel──▶ docle-egress
 *
 * A session is the network of one run. The API process makes a socket pair, sends one end with OPEN
 * and gives the other one, with RUN, to the launcher, which passes it to the slot's init: the init
 * makes the sockets in the slot's network namespace and sends them over it. So nobody but the API
 * process sees a host name, and no id ties a namespace to a policy: the channel does. RULE messages
 * follow OPEN at once, as many as it says. CLOSE is answered by ATTEMPT for what is still open,
 * then by CLOSED; a session that breaks earlier still waits for its CLOSE.
 */
#ifndef DOCLE_PROTO_EGRESS_H
#define DOCLE_PROTO_EGRESS_H

#include <stdint.h>

#include "base/limits.h"

enum egress_type {
    EGRESS_READY = 64, /* E→S  no body: sessions can be opened */
    EGRESS_FATAL,      /* E→S  struct dc_err: cannot serve; the link closes after it */
    EGRESS_OPEN,       /* S→E  struct egress_open, 1 fd: the channel's end */
    EGRESS_RULE,       /* S→E  struct egress_rule_of */
    EGRESS_CLOSE,      /* S→E  struct egress_close */
    EGRESS_ATTEMPT,    /* E→S  struct egress_attempt */
    EGRESS_CLOSED,     /* E→S  struct egress_closed */
    EGRESS_SOCKETS,    /* init→E, on the channel: struct egress_sockets, its count of fds */
};

/* Where connections that the relay understands are made to; what it listens on in every session. */
enum {
    EGRESS_STUB_PORT = 53,                   /* of 127.0.0.1, UDP and TCP */
    EGRESS_SYNTHETIC_NET = 0xc6120000,       /* 198.18.0.0/15, set aside for such uses */
    EGRESS_SYNTHETIC_MASK = (int)0xfffe0000, /* */
};

enum egress_rule_kind {
    EGRESS_RULE_EXACT,   /* name alone */
    EGRESS_RULE_BELOW,   /* name and all below it */
    EGRESS_RULE_ANY,     /* every name */
    EGRESS_RULE_ADDRESS, /* name is an IPv4 address */
};

/* One entry of allowedHosts, normalised: lower case, no trailing dot, ASCII form of international
 * names. */
struct egress_rule {
    uint8_t kind;                          /* enum egress_rule_kind */
    uint8_t trusted;                       /* 1: may resolve to private addresses */
    uint16_t port;                         /* 0: the session's ports */
    char name[DC_HOST_NAME_MAX_BYTES + 3]; /* NUL-terminated; empty for ANY */
};

struct egress_open {
    uint64_t session;          /* chosen by the API process, unique while open */
    uint64_t bytes_max;        /* both ways together */
    uint32_t bytes_per_second; /* both ways together; 0: no limit */
    uint32_t connections_max;  /* at once */
    uint32_t attempts_max;     /* in all, names asked for included */
    uint32_t idle_ms;          /* a connection without traffic is closed after this */
    uint16_t rule_count;
    uint16_t port_count;
    uint16_t ports[DC_NET_PORTS_MAX]; /* for rules without one */
};

struct egress_rule_of {
    uint64_t session;
    struct egress_rule rule;
};

struct egress_close {
    uint64_t session;
};

enum egress_verdict {
    EGRESS_ALLOWED,
    EGRESS_DENIED_HOST,    /* no rule names it */
    EGRESS_DENIED_PORT,    /* not on this port */
    EGRESS_DENIED_ADDRESS, /* it resolves to an address that is not public */
    EGRESS_SNI_MISMATCH,   /* port 443: not TLS, or for another name */
    EGRESS_HOST_MISMATCH,  /* port 80: not HTTP, or for another host */
    EGRESS_RESOLVE_FAILED,
    EGRESS_CONNECT_FAILED,
    EGRESS_LIMIT,      /* connections, bytes or attempts */
    EGRESS_RELAY_LOST, /* said by the API process: the relay died; never sent */
    EGRESS_VERDICTS
};

struct egress_attempt {
    uint64_t session;
    uint64_t bytes_in;  /* received by the run */
    uint64_t bytes_out; /* sent by the run */
    uint16_t port;      /* 0: the name was only asked for */
    uint8_t verdict;    /* enum egress_verdict */
    uint8_t reserved[5];
    char host[DC_HOST_NAME_MAX_BYTES + 3]; /* NUL-terminated */
};

struct egress_closed {
    uint64_t session;
    uint64_t bytes;    /* relayed, both ways together, of attempts that are not listed too */
    uint32_t unlisted; /* attempts beyond DC_NET_LOG_MAX, not sent one by one */
    uint32_t reserved;
};

/* What the sockets are, in the order of the descriptors. */
enum egress_socket_kind { EGRESS_SOCKET_DNS_UDP, EGRESS_SOCKET_DNS_TCP, EGRESS_SOCKET_RELAY };

struct egress_sockets {
    uint16_t count;
    uint16_t reserved;
    struct {
        uint16_t kind; /* enum egress_socket_kind */
        uint16_t port; /* of RELAY */
    } sockets[DC_MESSAGE_MAX_FDS];
};

#endif
