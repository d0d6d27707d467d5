/*
 * Ends a run when Node's event loop has nothing left to do, instead of Node itself: after its loop
 * Node waits for tasks of platform threads that a fork does not have, for ever on Node 18 and 20.
 * The guard keeps the loop alive, notices when nothing else does, and then does as Node does: emits
 * 'beforeExit', again each time that found new work for the loop, then 'exit', then ends the
 * process with process.exitCode. Used in the addon alone, on the main thread.
 */
#ifndef DOCLE_RUNTIMES_NODE_LOOP_GUARD_H
#define DOCLE_RUNTIMES_NODE_LOOP_GUARD_H

#include <stdbool.h>

#include <node_api.h>

/* False: out of memory. */
bool loop_guard_start(napi_env env);

#endif
