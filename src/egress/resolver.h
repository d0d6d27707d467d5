/*
 * Real names to real addresses, by the host's resolver or the operator's, without blocking. Built
 * on c-ares; answers are hostile, and only addresses are taken from them. docle-egress.
 */
#ifndef DOCLE_EGRESS_RESOLVER_H
#define DOCLE_EGRESS_RESOLVER_H

#include <netinet/in.h>
#include <stddef.h>
#include <uv.h>

#include "base/auto.h"
#include "base/error.h"

enum { RESOLVER_ADDRESSES_MAX = 16 };

union resolver_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum resolver_status {
    RESOLVER_FOUND,
    RESOLVER_MISSING, /* there is no such name, or it has no address */
    RESOLVER_FAILED,  /* no answer, or a bad one */
};

struct resolver;

/* servers: "192.0.2.1,[2001:db8::1]:5353"; NULL or empty: /etc/resolv.conf, which is read again
 * when it changed. */
DC_MUST int resolver_open(uv_loop_t *loop, const char *servers, struct resolver **ret_resolver,
                          struct dc_err *err);

/* Its memory goes when the loop has closed its handles, in a turn after this one. Accepts NULL. */
void resolver_free(struct resolver *resolver);
DC_AUTO_DEFINE(struct resolver *, resolver_free)

/* done comes exactly once, at once for what needs no question. addresses: in the order to try,
 * valid for the call; count is 0 unless found. Ports are not set. A name with more than
 * RESOLVER_ADDRESSES_MAX addresses has FAILED: all that it has shall be looked at. */
typedef void resolver_done(void *context, enum resolver_status status,
                           const union resolver_address *addresses, size_t count);
void resolver_ask(struct resolver *resolver, const char *name, resolver_done *done, void *context);

#endif
