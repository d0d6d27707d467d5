/*
 * Runs, their results, the ledger and idempotency claims in the store. See store.h for conventions.
 *
 * A run is admitted once (store_run_admit) and finished once (store_run_finish); a result may be
 * told to a client only after the finish is durable. The worker keeps the order of writes, so
 * nobody needs to wait for an admission before starting the run, unless it carries an idempotency
 * key: then its verdict decides whether there is anything to run.
 */
#ifndef DOCLE_STORE_RUNS_H
#define DOCLE_STORE_RUNS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/budgets.h"
#include "store/hash.h"
#include "store/metering.h"
#include "store/store.h"

enum {
    STORE_LIST_DEFAULT = 50,
    STORE_LIST_MAX = 200,
    STORE_CURSOR_SIZE = 64, /* text and NUL */
};

#define STORE_CLAIM_NS (INT64_C(24) * 3600 * 1000000000) /* how long an idempotency key holds */

struct store_run_new {
    const char *id;
    const char *project_id;
    const char *key_id;  /* NULL: a dashboard session */
    const char *user_id; /* userContext.id, or NULL */
    const char *lang;    /* "python", "node" */
    int64_t created_at;
    struct store_bytes policy; /* JSON of the policy in force, or empty */
    bool test;                 /* costs nothing */
    bool has_quota;            /* this run is to be one of quota_limit in its month */
    int64_t quota_limit;
    bool follows_quota; /* without has_quota: counts where the month has a quota that does not hold
                         * now, so that it is complete when it holds again */
    const struct store_budgets *budgets; /* that stop; NULL: none */
    int64_t hold_micros;                 /* with budgets: what the run may cost at most */
    int64_t price_micros;                /* with budgets: what the cheapest run costs */
    struct store_bytes request; /* JSON of the inputs, env values redacted; empty: not kept */
    struct store_bytes head;    /* how the program begins; only with a request */
    int64_t packages;           /* asked for */

    const char *idempotency_key; /* NULL: no claim, the rest is ignored */
    uint8_t body_hash[STORE_HASH_BYTES];
};

enum store_claim {
    STORE_CLAIM_NEW,  /* admitted: run it */
    STORE_CLAIM_SAME, /* same key and body: nothing was inserted, the answer is run ret_run_id's */
    STORE_CLAIM_CONFLICT,    /* same key, another body: nothing was inserted */
    STORE_CLAIM_OVER_BUDGET, /* one of the budgets has not enough left: nothing was inserted */
    STORE_CLAIM_OVER_QUOTA,  /* nothing of the quota is left: nothing was inserted */
};

struct store_admission {
    enum store_claim claim;
    char run_id[DC_UUID_SIZE]; /* the run that holds the claim; ours for STORE_CLAIM_NEW */
    enum store_budget budget;  /* with STORE_CLAIM_OVER_BUDGET */
    int64_t quota_used;        /* of the month, with STORE_CLAIM_OVER_QUOTA */
};

/* Inserts the run (status queued), claims its idempotency key, reserves one of its quota and holds
 * what it may cost of its budgets, atomically across processes. The reservation is given back when
 * the run is withdrawn, or ends in a way that costs nothing; the hold whenever it ends. */
DC_MUST int store_run_admit(struct store_conn *conn, const struct store_run_new *run,
                            struct store_admission *ret_admission, struct dc_err *err);

/* Is the key held, by a run with any body? */
DC_MUST int store_claim_held(struct store_conn *conn, const struct store_run_new *run,
                             bool *ret_held, struct dc_err *err);

/* Takes an admitted run back that was refused before it started (full queue): no trace, no claim.
 */
DC_MUST int store_run_withdraw(struct store_conn *conn, const char *run_id, struct dc_err *err);

/* status becomes running. Worth a lazy write at most; nothing depends on it. */
DC_MUST int store_run_started(struct store_conn *conn, const char *run_id, int64_t at,
                              struct dc_err *err);

struct store_run_result {
    const char *id;
    const char *outcome; /* "ok", "error", … */
    const char *message; /* one line that says why it stopped, or NULL */
    int exit_code;
    int signal; /* 0: none */
    struct store_bytes out;
    struct store_bytes err;
    bool out_truncated;
    bool err_truncated;
    struct store_bytes limits;    /* JSON array of the limits met, or empty */
    struct store_bytes artifacts; /* JSON of the files returned, or empty */
    int64_t cpu_ms;               /* as answered; the precise values follow */
    int64_t mem_mb;
    int64_t duration_ms;
    int64_t cpu_ns;
    int64_t peak_bytes;
    int64_t wall_ns;
    int64_t egress_bytes;
    int64_t started_at;            /* 0: it never was */
    int64_t install_ns;            /* until its packages were there */
    struct store_bytes error_line; /* of standard error, or empty */
    int64_t finished_at;
    /* Prices in force, in millionths; negative: none was. */
    int64_t price_run_micros;
    int64_t price_cpu_ms_micros;
    int64_t amount_micros;
    const struct store_budgets *budgets; /* NULL: none */
    enum store_metering metering;        /* whether it is to be told to a meter */
    bool costless;                       /* gives the reservation of the quota back */
    bool forget;                         /* store:false: keep the ledger row alone */
    bool release; /* drop the idempotency claim: a retry is to run again (sandbox_error) */
};

/*
 * The result, the ledger row and the end of the claim in one transaction. DC_CONFLICT when the run
 * is done already, DC_NOT_FOUND when it was never admitted.
 */
DC_MUST int store_run_finish(struct store_conn *conn, const struct store_run_result *result,
                             struct dc_err *err);

/* One run as stored. Owned strings; NULL where there is none. */
struct store_run {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char key_id[DC_UUID_SIZE]; /* "": none */
    char *user_id;
    char lang[16];
    bool test; /* made with a test key */
    char status[16];
    char outcome[24]; /* "" until done */
    char *message;
    int exit_code;
    int signal;
    bool out_truncated;
    bool err_truncated;
    char *limits;
    char *policy;
    int64_t cpu_ms;
    int64_t mem_mb;
    int64_t duration_ms;
    int64_t cpu_ns;
    int64_t peak_bytes;
    int64_t wall_ns;
    int64_t created_at;
    int64_t started_at;
    int64_t finished_at;
    int64_t packages;
    int64_t install_ns;
    char *error_line;
    char key_prefix[24]; /* "": no key, or one that is gone */
    char *key_name;
    int64_t amount_micros; /* -1: no price was in force, or it has not ended */
    int64_t egress_bytes;
    char *head; /* how the program begins */

    /* By store_run_get only. NUL-terminated behind their length. */
    char *request;
    size_t request_length;
    char *out;
    size_t out_length;
    char *err;
    size_t err_length;
    char *artifacts;
    size_t artifacts_length;
};

void store_run_release(struct store_run *run); /* accepts a zeroed one */
static inline void store_run_release_auto(struct store_run *run)
{
    store_run_release(run);
}

/* A run of this project, with its output. DC_NOT_FOUND for another project's run too. */
DC_MUST int store_run_get(struct store_conn *conn, const char *project_id, const char *run_id,
                          struct store_run *ret_run, struct dc_err *err);

/* NULL, 0: any. */
struct store_run_filter {
    const char *project_id; /* never NULL */
    const char *lang;
    const char *status;   /* "done", or another word for those that are not */
    const char *outcomes; /* ",error,timeout,": one of these, commas around each */
    bool failed;          /* "ok" is not among the outcomes; finds them faster */
    const char *user_id;
    const char *key_id;
    const bool *test;
    const char *id_like;   /* pattern of LIKE */
    const char *text_like; /* the same in lower case, "!" escapes; for program, message, error */
    int64_t since;         /* created at or after */
    int64_t until;         /* created before */
    const char *cursor;    /* next_cursor of the page before; NULL: from the newest */
    int limit;             /* 1..STORE_LIST_MAX, 0: STORE_LIST_DEFAULT; else DC_INVALID */
};

struct store_run_page {
    struct store_run *runs;
    size_t count;
    char next_cursor[STORE_CURSOR_SIZE]; /* "": this was the last page */
    int64_t searched_to; /* not 0: the page ends there since it had looked at enough runs */
};

void store_run_page_release(struct store_run_page *page);
static inline void store_run_page_release_auto(struct store_run_page *page)
{
    store_run_page_release(page);
}

/*
 * Newest first. The order is by creation time and id, so pages neither repeat nor skip a run that
 * was there when the first page was read, whatever is inserted meanwhile. DC_INVALID for a cursor
 * that is not one of ours.
 */
DC_MUST int store_runs_list(struct store_conn *conn, const struct store_run_filter *filter,
                            struct store_run_page *ret_page, struct dc_err *err);

/* Sums over the ledger of a project (NULL: all), from <= at < to. */
struct store_usage {
    int64_t runs; /* rows, whatever their outcome */
    int64_t cpu_ns;
    int64_t wall_ns;
    int64_t amount_micros;
};
DC_MUST int store_ledger_sum(struct store_conn *conn, const char *project_id, int64_t from,
                             int64_t to, struct store_usage *ret_usage, struct dc_err *err);

#endif
