/*
 * Runs without key and session, where the operator allows them: for people who try the playground.
 * They belong to a project of their own, which no person belongs to and which is never billed, and
 * have limits of their own. API process, in the task of a call.
 */
#ifndef DOCLE_API_ANONYMOUS_H
#define DOCLE_API_ANONYMOUS_H

#include "api/call.h"
#include "api/route_table.h"
#include "runs/request.h"

/* Nobody says who he is, and the route may be taken by nobody. */
bool anonymous_is(const struct call *call, const struct route *route);

/* Fills who asks. False: has answered 403 (another site asks, or the operator has suspended these
 * runs), 413 or 429. */
bool anonymous_admit(struct call *call, const struct route *route);

/* What such a run may not have becomes a problem, or is taken out. Call before run_request_check.
 */
void anonymous_check(const struct call *call, struct run_request *request,
                     struct problems *problems);

/* One of the places that all such runs together have. False: *ret_failure is the answer. */
bool anonymous_enter(struct call *call, struct call_error *ret_failure);
void anonymous_leave(struct call *call);

#endif
