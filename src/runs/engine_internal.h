/*
 * The engine without tasks: what engine_run (engine_task.c) and the tests stand on. Internal to
 * src/runs.
 *
 * A run is begun, hears through `changed` (on the loop) that there is something to see, and is
 * ended by its owner once it is done. Its slot goes to the next run the moment it ends, whether or
 * not the owner has looked yet.
 */
#ifndef DOCLE_RUNS_ENGINE_INTERNAL_H
#define DOCLE_RUNS_ENGINE_INTERNAL_H

#include "runs/engine.h"

enum engine_phase { ENGINE_WAITING, ENGINE_RUNNING, ENGINE_DONE };

/* The owner's memory; borrowed by the engine from engine_begin to engine_end. */
struct engine_run {
    /* The owner's, set before engine_begin. */
    const struct run_request *request;
    const struct engine_caller *caller;
    struct run_result *result;
    void (*changed)(struct engine_run *run);

    /* To read. */
    enum engine_phase phase;
    bool started;          /* the launcher said so */
    struct output *output; /* from the launch on */
    struct dc_err failure; /* code other than DC_OK: there is no result */

    /* The engine's. */
    struct engine *engine;
    struct admission_entry entry;
    struct launcher_run launched;
    struct artifact_reader *artifacts;
    struct egress_session egress; /* with has_egress */
    bool has_egress;
    int64_t begun_ns;
    int64_t launched_ns;
    int64_t hung_ns; /* when to take the launcher for hung */
    bool cancelling;
    bool listening;                 /* its output is read as it comes */
    struct engine_run *prev, *next; /* of all in the engine */
};

struct engine {
    uv_loop_t *loop;
    struct engine_options options;
    struct admission *admission;
    struct launcher_client *launcher;
    struct egress_client *egress; /* NULL: no network */
    uv_timer_t tick;
    uv_timer_t listen;
    bool ticking;
    bool taking;
    bool pumping;
    bool has_problem;
    struct dc_err problem;
    struct {
        struct launch_warm wish;
        int names_fd; /* owned; 0: there is none (it is never standard input) */
    } warm[DC_WARM_ALL];
    struct engine_run *runs; /* all that were begun and not ended */
    size_t run_count;
    struct engine_stats stats;
    void (*closed)(void *context);
    void *closed_context;
    int closing; /* handles still to close */
};

/* As engine_run, up to the start. 0: taken; `changed` will be called. */
DC_MUST int engine_begin(struct engine *engine, struct engine_run *run,
                         struct engine_refusal *ret_refusal, struct dc_err *err);

/* Moves what the run wrote into its result and lets go of the rest. Only when it is done. */
void engine_end(struct engine_run *run);

void engine_cancel_run(struct engine_run *run);

/* engine_launch.c: sends a run that was given a place to the launcher. It comes back through
 * engine_settle, which gives the place back and tells the owner; engine_pump then starts what may
 * start. */
void engine_launch(struct engine_run *run);
void engine_settle(struct engine_run *run);
void engine_pump(struct engine *engine);

/* engine_runtime.c: which runtime serves what. */

/* Tells the launcher of a set of packages to keep imported, when there is one. */
void engine_send_warm(struct engine *engine, size_t set);

/* Always -DC_INVALID: says which runtimes there are. */
int engine_no_runtime(const struct launch_hello *hello, const struct run_request *request,
                      struct dc_err *err);

/* Index of the runtime for a request, or -1. */
int engine_runtime(const struct launch_hello *hello, const struct run_request *request);

/* The relay is there, or none is wanted. */
bool engine_network_ready(const struct engine *engine);

/* No more runs are taken. */
void engine_stop_taking(struct engine *engine);
size_t engine_count(const struct engine *engine); /* waiting, running or not yet looked at */
void engine_cancel_all(struct engine *engine);

/* The launcher does not end them: replace it, which does. */
void engine_lose_all(struct engine *engine);
uint32_t engine_retry_after_s(const struct engine *engine);
uint32_t engine_grace_ms(const struct engine *engine);

void engine_histogram_add(struct engine_histogram *histogram, int64_t ns);

#endif
