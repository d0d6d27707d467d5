/*
 * From a checked request to an answer: claim, run, store, and what goes wrong between. Used by the
 * plain answer and by the stream. API process, in a task.
 */
#ifndef DOCLE_API_RUN_FLOW_H
#define DOCLE_API_RUN_FLOW_H

#include "api/call.h"
#include "packages/packages.h"
#include "repos/repos.h"
#include "runs/engine.h"
#include "runs/history.h"
#include "runs/request.h"
#include "runs/result.h"

/* Everything of one run. Its strings point into the call's arena and the request. */
struct run_flow {
    struct call *call;
    struct run_request request;
    struct package_wish wish;
    bool unready;           /* an earlier result was expected, so nothing was fetched or checked */
    struct repo_tree *tree; /* the request's files may point into it; NULL: no repository */
    const char *idempotency_key; /* NULL: none */
    struct engine_observer observer;
    void (*installing)(void *context); /* of the observer: packages are being installed first */
    char id[DC_UUID_SIZE];
    struct history_run history;

    /* Filled by run_flow_run. */
    bool has_result;
    bool replayed; /* the result is an earlier request's */
    struct run_result result;
    struct call_error failure; /* when there is no result */
    struct problems problems;  /* failure.status 400: what is wrong with the request */
    char text[256];            /* failure.message may point here */
};

void run_flow_init(struct run_flow *flow, struct call *call);
void run_flow_release(struct run_flow *flow);

static inline void run_flow_release_auto(struct run_flow *flow)
{
    run_flow_release(flow);
}

/* Reads and checks what the client sent. False: has answered. */
bool run_flow_read(struct run_flow *flow);

/* Carries the run out, or finds the result of the same request made before. */
void run_flow_run(struct run_flow *flow);

/* As engine_cancel and engine_find, also for runs that wait for their packages. */
DC_MUST int run_flow_cancel(struct app *app, const char *project, const char *run_id,
                            struct dc_err *err);
bool run_flow_find(const struct app *app, const char *project, const char *run_id,
                   bool *ret_running);

/* HTTP status of the result. */
int run_flow_status(const struct run_flow *flow);

/* Answers a failure. */
void run_flow_fail(struct run_flow *flow);

#endif
