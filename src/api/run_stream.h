/*
 * A run answered as server-sent events. The run goes on in a task of its own, so that a client that
 * reads slowly holds up nothing but its own stream; the call's task writes what has gathered. What
 * waits for the client is bounded by the run's output limit. API process.
 */
#ifndef DOCLE_API_RUN_STREAM_H
#define DOCLE_API_RUN_STREAM_H

#include "api/run_flow.h"

/* In the call's task, after run_flow_read: answers. */
void run_stream(struct run_flow *flow);

#endif
