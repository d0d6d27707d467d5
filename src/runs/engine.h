/*
 * The engine: takes a checked request to its result. Admission, job, launch, capture, artifacts,
 * outcome. Runs on the loop's thread; engine_run is called in a task and suspends it. Server and
 * CLI.
 *
 * Lifecycle: engine_open starts the launcher; engine_run any number of times at once; engine_drain
 * lets running runs end; engine_close. See ARCHITECTURE.md for the life of a run.
 */
#ifndef DOCLE_RUNS_ENGINE_H
#define DOCLE_RUNS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "runs/admission.h"
#include "runs/egress_client.h"
#include "runs/launcher_client.h"
#include "runs/request.h"
#include "runs/result.h"

struct engine;

struct engine_options {
    uint32_t queued_max;         /* in all; 0: 1000 */
    uint32_t wait_max_ms;        /* in the queue; 0: 60000 */
    uint32_t grace_ms;           /* beyond timeoutMs until the launcher counts as hung; 0: 20000 */
    bool network;                /* start docle-egress: the keeper's options said so too */
    struct egress_limits egress; /* with network */
};

/* Who asks. Borrowed for the call. */
struct engine_caller {
    const char *project; /* id */
    struct admission_share share;
    const char *run_id; /* UUID of the run, made by the caller */
    int64_t created_ns; /* wall clock */
};

/* All optional; all called in the task of engine_run, so they may suspend it: the run goes on
 * meanwhile and its output is kept for them. started comes before all output, whichever of the
 * launcher's word and the program's was here first. */
struct engine_observer {
    void (*started)(void *context, bool warm);
    void (*output)(void *context, enum output_stream stream, const char *bytes, size_t length);
    void *context;
};

/* Why a run was not taken; filled with -DC_BUSY and -DC_LIMIT. */
struct engine_refusal {
    bool own; /* the caller's cap (429), else the server's (503) */
    uint32_t retry_after_s;
};

/* keeper: borrowed. */
DC_MUST int engine_open(uv_loop_t *loop, struct launcher_keeper *keeper,
                        const struct engine_options *options, struct engine **ret_engine,
                        struct dc_err *err);

/* In a task. 0: *result is filled, whatever the outcome. -DC_LIMIT: the project's cap.
 * -DC_BUSY: the server is full or draining, or the wait was too long. -DC_INVALID: no such runtime.
 * result is initialised by the caller. observer may be NULL. */
DC_MUST int engine_run(struct engine *engine, const struct run_request *request,
                       const struct engine_caller *caller, const struct engine_observer *observer,
                       struct run_result *result, struct engine_refusal *ret_refusal,
                       struct dc_err *err);

/* Ends a waiting or running run; its engine_run returns `cancelled`. project NULL: any.
 * -DC_NOT_FOUND: no such run of that project is waiting or running. */
DC_MUST int engine_cancel(struct engine *engine, const char *project, const char *run_id,
                          struct dc_err *err);

/* Where a run is: false when it is neither waiting nor running. */
bool engine_find(const struct engine *engine, const char *project, const char *run_id,
                 bool *ret_running);

bool engine_ready(const struct engine *engine); /* runs can be accepted */

/* The runtime that a request would get. -DC_BUSY: not known before the launcher's first HELLO;
 * -DC_INVALID: there is none such. */
DC_MUST int engine_find_runtime(const struct engine *engine, const struct run_request *request,
                                const struct launch_runtime **ret_runtime, struct dc_err *err);

/* Has a zygote kept with a layer's packages imported, for a request's runtime; also by launchers
 * that are started later. set: below the number in the launcher's options. names: of the packages,
 * one a line. -DC_INVALID: there is no such runtime. */
DC_MUST int engine_warm(struct engine *engine, uint32_t set, const struct run_request *request,
                        const uint8_t layer[static DC_LAYER_ID_BYTES], const char *names,
                        struct dc_err *err);

/* Who runs on behalf of a project, to the launcher. */
void engine_owner(const char *project, uint8_t ret_owner[static DC_OWNER_BYTES]);

/* The same as engine_warm, in spares for runs of the project with request's layer and disk, instead
 * of a zygote. place: below options' prepared_sets. names: the request's arguments. */
DC_MUST int engine_prepare(struct engine *engine, uint32_t place, const struct run_request *request,
                           const char *project, struct dc_err *err);

/* NULL before the launcher's first HELLO. */
const struct launch_hello *engine_hello(const struct engine *engine);

/* The launcher's own words when it could not serve and has not come back since, else NULL. */
const struct dc_err *engine_problem(const struct engine *engine);

/* The relay's own words when it could not serve, as above. */
const struct dc_err *engine_network_problem(const struct engine *engine);

/* In a task: waits for the launcher's HELLO, and for the relay with a network. -DC_TIMEOUT, or the
 * launcher's FATAL. */
DC_MUST int engine_wait_ready(struct engine *engine, uint64_t timeout_ms, struct dc_err *err);

/* In a task: takes no more runs, lets those that are here end for at most wait_ms, then cancels
 * them. Returns when none is left. */
void engine_drain(struct engine *engine, uint64_t wait_ms);

/* Ends the launcher. Only when every engine_run has returned (engine_drain sees to it). closed is
 * called when the engine is gone; may be NULL. */
void engine_close(struct engine *engine, void (*closed)(void *context), void *context);

enum { ENGINE_BUCKETS = 16 };

/* Upper bounds of the latency buckets in milliseconds; the last one is open. */
extern const uint32_t engine_bucket_bounds_ms[ENGINE_BUCKETS - 1];

struct engine_histogram {
    uint64_t buckets[ENGINE_BUCKETS]; /* not cumulative */
    uint64_t count;
    uint64_t sum_ns;
};

struct engine_stats {
    uint64_t runs[RUN_LANGS][OUTCOMES];
    uint64_t refused_own;
    uint64_t refused_full;
    uint64_t wait_expired;
    uint32_t running;
    uint32_t queued;
    uint32_t slots;
    uint64_t warm;
    struct engine_histogram latency[RUN_LANGS]; /* taken to ended, waiting included */
    struct engine_histogram waiting;
    struct launcher_client_stats launcher;
    bool network;
    struct egress_stats egress; /* with network */
};

/* Runs that wait for a slot. */
uint32_t engine_queued(const struct engine *engine);

void engine_snapshot(const struct engine *engine, struct engine_stats *ret_stats);

#endif
