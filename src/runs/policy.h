/*
 * The policy of a run: what it may use. Ranges and defaults of every field stand in one table;
 * ceilings of the operator and of the caller's plan narrow them. Pure. Server and CLI.
 */
#ifndef DOCLE_RUNS_POLICY_H
#define DOCLE_RUNS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "egress/host_rule.h"

/* The numeric fields, in the order in which they are checked: diskMB depends on memoryMB. */
enum policy_field {
    POLICY_TIMEOUT_MS,
    POLICY_MEMORY_MB,
    POLICY_DISK_MB,
    POLICY_PROCESSES,
    POLICY_CPUS_CENTI, /* hundredths of a core; `cpus` on the wire */
    POLICY_CPU_MS,     /* 0: no limit but the wall clock */
    POLICY_OUTPUT_BYTES,
    POLICY_FIELDS
};

struct run_policy {
    uint32_t value[POLICY_FIELDS];
    uint32_t clamped; /* bit 1u << field: the default was above a ceiling and was lowered to it */
};

struct policy_range {
    uint32_t low;
    uint32_t high;
    uint32_t fallback; /* the value when the caller names none */
};

/* What one party allows at most. */
struct run_ceiling {
    uint32_t max;       /* 0: nothing said */
    const char *source; /* static text for messages: "this server", "the plan 'free'" */
};

/* What the operator lets runs do on the network. */
struct run_network_limits {
    bool allow_any;                     /* `*`, and wildcards under a public suffix */
    bool has_defaults;                  /* for allowNet without hosts */
    struct host_policy defaults;        /* rules alone */
    struct host_exceptions exceptions;  /* hosts that are not public */
    uint16_t blocked[DC_NET_PORTS_MAX]; /* ports that no run may name */
    size_t blocked_count;
};

/* From the operator's words; each may be empty. hosts: entries as in allowedHosts, or "public" for
 * every host. */
DC_MUST int run_network_limits_parse(const char *hosts, const char *exceptions, const char *blocked,
                                     struct run_network_limits *ret_limits, struct dc_err *err);

/* Everything a caller's request is held against. Zero-initialised: the product's ranges alone. */
struct run_limits {
    struct run_ceiling ceiling[POLICY_FIELDS];
    uint32_t body_max_bytes;                  /* of files together; 0: DC_BODY_MAX_BYTES */
    const struct run_network_limits *network; /* borrowed; NULL: no run may use the network */
};

/* Name on the wire: "timeoutMs", … */
const char *policy_field_name(enum policy_field field);

/* Range and default of a field by the product's rules. memory_mb matters for POLICY_DISK_MB alone.
 */
struct policy_range policy_range(enum policy_field field, uint32_t memory_mb);

/* Lowers the ceiling of one field; a ceiling that is lower already stays. max 0 changes nothing. */
void run_limits_lower(struct run_limits *limits, enum policy_field field, uint32_t max,
                      const char *source);

#endif
