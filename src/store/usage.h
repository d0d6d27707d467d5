/*
 * Quota, prices, usage and budgets in the store: what is counted beside the ledger, in the same
 * transactions. See store.h for conventions. Months are UTC, as numbers: 202511.
 */
#ifndef DOCLE_STORE_USAGE_H
#define DOCLE_STORE_USAGE_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/store.h"

/* What a project has used of its quota in a month: what counts and what is under way. */
DC_MUST int store_quota_used(struct store_conn *conn, const char *project_id, int64_t period,
                             int64_t *ret_used, struct dc_err *err);
/* The project's quota of now's month begins anew at its next admission, with what the ledger shows
 * of that month. */
DC_MUST int store_quota_restart(struct store_conn *conn, const char *project_id, int64_t now,
                                struct dc_err *err);

enum { STORE_CURRENCY_SIZE = 4 };

struct store_price {
    int64_t run_micros;
    int64_t cpu_ms_micros;
    char currency[STORE_CURRENCY_SIZE];
};

/* Writes the price into the book, in force from now on, unless it is in force already. */
DC_MUST int store_price_set(struct store_conn *conn, const struct store_price *price, int64_t now,
                            struct dc_err *err);

struct store_usage_sums {
    int64_t runs;
    int64_t cpu_ms;
    int64_t mem_mb; /* peaks, added up */
    int64_t duration_ms;
    int64_t mem_mb_ms;
    int64_t egress_bytes;
    int64_t amount_micros;
};

enum store_usage_by {
    STORE_USAGE_DAY,     /* label: "2025-11-24"; what costs */
    STORE_USAGE_LANG,    /* what costs */
    STORE_USAGE_OUTCOME, /* all but test runs */
    STORE_USAGE_KEY,     /* the key's id; what costs */
    STORE_USAGE_USER,    /* the end user's id; what costs; most runs first */
    STORE_USAGE_BYS
};

enum { STORE_USAGE_LABEL_SIZE = 256, STORE_USAGE_ROWS_MAX = 500 };

struct store_usage_row {
    char label[STORE_USAGE_LABEL_SIZE];
    struct store_usage_sums sums;
};

/* A month of a project: what costs, test runs, and those that cost nothing because they were not
 * the caller's failure. */
struct store_usage_month {
    struct store_usage_sums sums;
    int64_t test_runs;
    int64_t free_runs;
};
DC_MUST int store_usage_month(struct store_conn *conn, const char *project_id, int64_t period,
                              struct store_usage_month *ret_month, struct dc_err *err);

enum { STORE_P95_RUNS = 1000 };

/* The 95th percentile (nearest rank) of how long the month's last STORE_P95_RUNS runs took that
 * cost; -1: there are none. */
DC_MUST int store_usage_p95(struct store_conn *conn, const char *project_id, int64_t period,
                            int64_t *ret_duration_ms, struct dc_err *err);

/* At most STORE_USAGE_ROWS_MAX rows; *ret_rows is malloc'ed. */
DC_MUST int store_usage_by(struct store_conn *conn, const char *project_id, int64_t period,
                           enum store_usage_by by, struct store_usage_row **ret_rows,
                           size_t *ret_count, struct dc_err *err);

/* What costs within from..to (wall clock, ns; without to): runs, cpu_ms and amount_micros, the rest
 * zero. Reads at most two days of the ledger, however long the span. */
DC_MUST int store_usage_span(struct store_conn *conn, const char *project_id, int64_t from,
                             int64_t to, struct store_usage_sums *ret_sums, struct dc_err *err);

/* All that a project ever ran and that costs. */
struct store_usage_ever {
    int64_t runs;
    int64_t python_runs;
    int64_t node_runs;
    int64_t ok_runs;
};
DC_MUST int store_usage_ever(struct store_conn *conn, const char *project_id,
                             struct store_usage_ever *ret_ever, struct dc_err *err);

enum { STORE_RECENT_MAX = 50, STORE_RECENT_REQUEST_MAX_BYTES = 256 * 1024 };

/* A finished run with its inputs. */
struct store_recent {
    char id[DC_UUID_SIZE];
    char lang[16];
    char outcome[24];
    int exit_code;
    int64_t duration_ms;
    int64_t created_at;
    bool test;           /* made with a test key */
    const char *request; /* JSON; NULL: not kept, or longer than STORE_RECENT_REQUEST_MAX_BYTES */
};

/* The last STORE_RECENT_MAX of a project, newest first; *ret_runs is malloc'ed, texts included. */
DC_MUST int store_usage_recent(struct store_conn *conn, const char *project_id,
                               struct store_recent **ret_runs, size_t *ret_count,
                               struct dc_err *err);

#endif
