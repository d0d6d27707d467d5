/*
 * The server's end of the launcher link: starts the launcher through the keeper, sends runs, hears
 * how they went, and starts it again when it dies. All on the loop's thread; never blocks.
 *
 * Lifecycle: launcher_client_open; once `ready` was called, launcher_client_run; a dead launcher
 * ends every run in flight with END_SANDBOX_ERROR and is replaced after a back-off of 0.1 to 10 s;
 * launcher_client_shutdown, then launcher_client_close, whose callback may free what the events
 * point to. Server and CLI.
 */
#ifndef DOCLE_RUNS_LAUNCHER_CLIENT_H
#define DOCLE_RUNS_LAUNCHER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "proto/launch.h"
#include "runs/launcher_keeper.h"

struct launcher_client;

struct launcher_events {
    /* Called on the loop. All optional. */
    void (*ready)(void *context, const struct launch_hello *hello);
    /* The launcher is gone. fatal: its own last words, or NULL when it just died. Every run in
     * flight has been ended already. */
    void (*down)(void *context, const struct dc_err *fatal);
    void *context;
};

/* One run in flight; the caller's memory, must live until ended was called. */
struct launcher_run {
    /* Both called on the loop; may start further runs. ended comes exactly once. */
    void (*started)(struct launcher_run *run, bool warm); /* optional */
    void (*ended)(struct launcher_run *run, const struct launch_ended *ended);

    /* The client's. */
    uint64_t id;
    struct launcher_run *next;
    struct launcher_run **slot;
};

struct launcher_client_stats {
    uint64_t starts; /* of the launcher */
    uint64_t deaths;
    struct launch_stats last; /* as the launcher sent them, since its own start */
};

/* keeper: borrowed. */
DC_MUST int launcher_client_open(uv_loop_t *loop, struct launcher_keeper *keeper,
                                 const struct launcher_events *events,
                                 struct launcher_client **ret_client, struct dc_err *err);

/* fds: LAUNCH_RUN_FDS of them, or with RUN_HAS_NETWORK one more.
 * Sends a RUN (fields->run is chosen here). The descriptors stay the caller's. DC_BUSY: not ready.
 */
DC_MUST int launcher_client_run(struct launcher_client *client, struct launch_run *fields,
                                const int fds[static LAUNCH_RUN_FDS_MAX], struct launcher_run *run,
                                struct dc_err *err);

/* Sends a WARM; names_fd stays the caller's. DC_BUSY: not ready. */
DC_MUST int launcher_client_warm(struct launcher_client *client, const struct launch_warm *wish,
                                 int names_fd, struct dc_err *err);

/* Asks to end a run; `ended` follows. */
void launcher_client_cancel(struct launcher_client *client, struct launcher_run *run);

/* Can it take runs now? */
bool launcher_client_ready(const struct launcher_client *client);

/* As last announced; NULL before the first HELLO. */
const struct launch_hello *launcher_client_hello(const struct launcher_client *client);

void launcher_client_stats(const struct launcher_client *client,
                           struct launcher_client_stats *ret_stats);

/* The launcher is taken for hung: kill and replace it. */
void launcher_client_replace(struct launcher_client *client, const char *why);

/* Ends every run and the launcher, starts none any more. closed is called when nothing refers to
 * the client any more; it is freed then. closed may be NULL. */
void launcher_client_close(struct launcher_client *client, void (*closed)(void *context),
                           void *context);

#endif
