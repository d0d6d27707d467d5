/*
 * The grammar of allowedHosts, and what a list of rules lets through. Pure, but for the tables of
 * libidn2 and libpsl.
 *
 *   name            that host
 *   *.name          hosts below it, and itself; `*name` means the same, for the original's clients
 *   entry:port      on this port instead of the run's ports
 *   *               every host
 *   1.2.3.4         an address instead of a name; only where the operator lists it
 *
 * API process (parsing), docle-egress (matching).
 */
#ifndef DOCLE_EGRESS_HOST_RULE_H
#define DOCLE_EGRESS_HOST_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "egress/address.h"
#include "proto/egress.h"

enum host_rule_note {
    HOST_RULE_OLD_FORM = 1u << 0, /* `*name`, read as `*.name` */
    HOST_RULE_WIDE = 1u << 1,     /* `*`, or a wildcard directly under a public suffix */
    HOST_RULE_LOCAL = 1u << 2, /* a name without a dot, or an address: the operator must list it */
};

/* Reads one entry. *ret_notes: what the caller has to judge. DC_INVALID: the text says why, for the
 * entry's author. */
DC_MUST int host_rule_parse(const char *text, size_t length, struct egress_rule *ret_rule,
                            uint32_t *ret_notes, struct dc_err *err);

/* Lower-case ASCII form, one trailing dot removed. DC_INVALID for what is no host name. */
DC_MUST int host_name_normalise(const char *text, size_t length,
                                char ret_name[static DC_HOST_NAME_MAX_BYTES + 1],
                                struct dc_err *err);

/* A normalised name: labels of letters, digits, '-' and '_', none empty or over 63 bytes. Also what
 * messages of other processes are held against. */
bool host_name_valid(const char *name);

/* name: normalised. Ports are not looked at. */
bool host_rule_matches(const struct egress_rule *rule, const char *name);

/* Appends the entry as it would be written: "*.example.com:8443". */
void host_rule_print(const struct egress_rule *rule, char out[static DC_HOST_NAME_MAX_BYTES + 12]);

/* What one run may reach. */
struct host_policy {
    struct egress_rule rules[DC_NET_HOSTS_MAX];
    size_t rule_count;
    uint16_t ports[DC_NET_PORTS_MAX]; /* for rules without a port */
    size_t port_count;
};

/* May this name be looked up at all? */
bool host_policy_knows(const struct host_policy *policy, const char *name);

/* The rule that lets a connection through, or NULL; *ret_verdict says why not. A trusted rule comes
 * before others, and ANY behind them. */
const struct egress_rule *host_policy_find(const struct host_policy *policy, const char *name,
                                           uint16_t port, enum egress_verdict *ret_verdict);

/* All ports that some rule names or implies, each once, sorted. False: more than max. */
bool host_policy_ports(const struct host_policy *policy, uint16_t *ret_ports, size_t max,
                       size_t *ret_count);

/* One of the operator's exceptions for addresses that are not public: "db.internal:5432",
 * "10.0.0.0/8", "192.168.1.7:443". */
struct host_exception {
    bool is_net;
    struct address_net net; /* when it is one */
    char name[DC_HOST_NAME_MAX_BYTES + 1];
    uint16_t port; /* 0: any */
};

enum { HOST_EXCEPTIONS_MAX = 64 };

struct host_exceptions {
    struct host_exception list[HOST_EXCEPTIONS_MAX];
    size_t count;
};

/* A list separated by commas or blanks; may be empty. */
DC_MUST int host_exceptions_parse(const char *text, struct host_exceptions *ret_exceptions,
                                  struct dc_err *err);

/* Is this address, met under this name, one that the operator lets runs reach on this port? */
bool host_exceptions_hold(const struct host_exceptions *exceptions, const char *name,
                          const struct sockaddr *address, uint16_t port);

/* Does the operator list this name, or this address given as text? */
bool host_exceptions_name(const struct host_exceptions *exceptions, const struct egress_rule *rule);

#endif
