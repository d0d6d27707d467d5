/*
 * The keeper: a small process forked before `docle serve` gives up its rights, so that the launcher
 * can be started again later with the rights it needs, and docle-egress beside it. It reads nothing
 * but "start" with one descriptor; the command lines are fixed when the keeper is made. A hostile
 * server gains nothing but restarts of the two.
 *
 * How it works: keeper_start forks; the child keeps one end of a SOCK_SEQPACKET pair, no other
 * descriptor but standard error, and serves until the server's end closes; then it leaves, and the
 * launcher, whose link closed too, ends by itself.
 *
 * Fork it before any thread exists. Server and CLI.
 */
#ifndef DOCLE_RUNS_LAUNCHER_KEEPER_H
#define DOCLE_RUNS_LAUNCHER_KEEPER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runs/launcher_options.h"

struct launcher_keeper {
    int fd;    /* to the keeper; owned */
    pid_t pid; /* of the keeper */
};

DC_MUST int launcher_keeper_start(const struct launcher_options *options,
                                  struct launcher_keeper *ret_keeper, struct dc_err *err);

/* Asks for a fresh launcher on link_fd; one that still lives is killed first. link_fd stays the
 * caller's. Does not wait. */
DC_MUST int launcher_keeper_launch(struct launcher_keeper *keeper, int link_fd, struct dc_err *err);

/* The same for docle-egress. Only when the options said `network`: else the keeper ends. */
DC_MUST int launcher_keeper_relay(struct launcher_keeper *keeper, int link_fd, struct dc_err *err);

/* Closes the end and reaps the keeper, which leaves at once. */
void launcher_keeper_release(struct launcher_keeper *keeper);

#endif
