/*
 * From a checked request to the descriptors and numbers that the launcher takes. Server and CLI.
 *
 * The environment of a run: HOME=/tmp, LANG=C.UTF-8, PATH=/usr/local/bin:/usr/bin:/bin,
 * PWD=/workspace, TERM=dumb, TMPDIR=/tmp, USER=docle; the caller's `env` comes after and wins. It
 * may hold anything, LD_PRELOAD too: it is the caller's own sandbox.
 */
#ifndef DOCLE_RUNS_JOB_BUILD_H
#define DOCLE_RUNS_JOB_BUILD_H

#include "proto/launch.h"
#include "runs/request.h"

/* Makes the sealed job; the caller owns *ret_fd. */
DC_MUST int job_build(const struct run_request *request, int *ret_fd, struct dc_err *err);

/* What the run reads as standard input: a sealed memfd of its own, or /dev/null opened for it
 * alone (an open file shared by two runs would be a channel between them). */
DC_MUST int job_stdin(const struct run_request *request, int *ret_fd, struct dc_err *err);

/* Fills the numbers of a RUN; `run` and `runtime` are left 0. */
void job_launch_fields(const struct run_request *request, struct launch_run *ret_run);

#endif
