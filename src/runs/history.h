/*
 * What is kept of a run: its admission, its result and ledger row, and reading them back. Glue
 * between the engine's structures and the store's, for tasks: the functions suspend the task until
 * the store's thread has done its part. Server only.
 *
 * Order of a run: history_admit; engine_run; history_finish, and only then the answer. A run that
 * was admitted and could not be taken by the engine is withdrawn.
 */
#ifndef DOCLE_RUNS_HISTORY_H
#define DOCLE_RUNS_HISTORY_H

#include "base/uuid.h"
#include "runs/request.h"
#include "runs/result.h"
#include "store/runs.h"
#include "store/worker.h"

struct history;

/* worker: borrowed. */
DC_MUST int history_open(struct store_worker *worker, struct history **ret_history,
                         struct dc_err *err);
/* Which runs enter what is billed, from now on. At first: none. */
void history_set_metering(struct history *history, enum store_metering metering);
/* No task may be waiting. Writes that nobody waits for end with the worker. Accepts NULL. */
void history_free(struct history *history);

/* Whose run it is. Borrowed for the call. */
struct history_run {
    const char *id;
    const char *project_id;
    const char *key_id; /* NULL: a dashboard session */
    int64_t created_ns;
    const char *idempotency_key;         /* NULL: none */
    uint8_t body_hash[STORE_HASH_BYTES]; /* only with a key: of what must be the same */
    /* Prices in force, in millionths; negative: none. */
    int64_t price_run_micros;
    int64_t price_cpu_ms_micros;
    bool test;      /* made with a test key: costs nothing */
    bool has_quota; /* one of quota_limit in its UTC month */
    int64_t quota_limit;
    bool follows_quota;           /* else: counts in a quota that does not hold now */
    struct store_budgets budgets; /* of its key, project and end user; texts borrowed */
    bool loaded; /* for history_finish: other runs wait, so commits are shared with more of them */
};

enum history_verdict {
    HISTORY_NEW,  /* run it */
    HISTORY_SAME, /* the same key and body came before: the run of that id is the one to answer with
                   */
    HISTORY_CONFLICT,    /* the key came with another body */
    HISTORY_OVER_BUDGET, /* one that stops has not enough left for it */
    HISTORY_OVER_QUOTA,  /* the month's runs are used up */
};

struct history_admission {
    char id[DC_UUID_SIZE];    /* of the run that counts, ours for NEW */
    int64_t quota_used;       /* with OVER_QUOTA */
    enum store_budget budget; /* with OVER_BUDGET */
};

/* Each NEW is followed by exactly one history_finish or history_withdraw.
 * With a key waits for the claim, with a quota for the reservation, with a budget that stops for
 * what it holds; else the write is left to the store and NEW comes at once. */
DC_MUST int history_admit(struct history *history, const struct run_request *request,
                          const struct history_run *run, enum history_verdict *ret_verdict,
                          struct history_admission *ret_admission, struct dc_err *err);

/* Would history_admit find run->idempotency_key in use? For what is dear to prepare and not needed
 * for an answer that is there already; only history_admit decides. Waits. */
DC_MUST int history_claimed(struct history *history, const struct history_run *run,
                            bool *ret_claimed, struct dc_err *err);

/* The engine did not take it: no trace, no claim. Waits only with a key. */
DC_MUST int history_withdraw(struct history *history, const struct history_run *run,
                             struct dc_err *err);

/* status becomes running; left to the store, nothing depends on it. */
void history_started(struct history *history, const char *run_id);

/* Result and ledger row in one transaction; returns when they are durable. no_store: only the
 * ledger row stays. */
DC_MUST int history_finish(struct history *history, const struct history_run *run,
                           const struct run_request *request, const struct run_result *result,
                           struct dc_err *err);

struct history_entry {
    struct store_run run; /* as stored */
    bool done;
    struct run_result result; /* when done: prints to the bytes that were answered */
};

void history_entry_release(struct history_entry *entry); /* accepts a zeroed one */

static inline void history_entry_release_auto(struct history_entry *entry)
{
    history_entry_release(entry);
}

/* *ret_entry is zeroed by the caller. -DC_NOT_FOUND: none of this project. wait: with
 * an id that history_admit gave for SAME, until that run is done; then -DC_NOT_FOUND also means
 * that it was withdrawn or not kept, and admitting anew is the way on. */
DC_MUST int history_get(struct history *history, const char *project_id, const char *run_id,
                        bool wait, struct history_entry *ret_entry, struct dc_err *err);

/* Newest first; see store_runs_list. */
DC_MUST int history_list(struct history *history, const struct store_run_filter *filter,
                         struct store_run_page *ret_page, struct dc_err *err);

/* What a run costs by the prices of `run`: sandbox_error and install_failed nothing. -1: no price.
 */
int64_t history_amount_micros(const struct history_run *run, const struct run_result *result);

/* What it may cost at most: its price, and every millisecond of CPU time that its policy gives. */
int64_t history_hold_micros(const struct history_run *run, const struct run_policy *policy);

/* From a stored run; for the command line too, which reads the store directly. -DC_KERNEL: memory.
 */
DC_MUST int history_result(const struct store_run *run, struct run_result *ret_result,
                           struct dc_err *err);

#endif
