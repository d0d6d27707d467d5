/*
 * One `docle run`: what the command line said, and what carries it out. For the files of that
 * command: run_options.c fills the first part, run_execute.c uses the second. The CLI's process
 * alone, one thread.
 *
 * Lifecycle: cmd_run.c makes it zeroed but for keeper.fd = -1, and releases each part, whatever
 * failed.
 */
#ifndef DOCLE_CLI_RUN_CALL_H
#define DOCLE_CLI_RUN_CALL_H

#include <uv.h>

#include "base/uuid.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/package_setup.h"
#include "cli/run_repo.h"
#include "runs/engine.h"

struct run_call {
    struct run_request request;
    struct run_network_limits network;
    bool json;
    const char *stdin_path;
    const char *artifacts_dir;

    const struct config *config;
    const char *repo;       /* as written; NULL: none */
    struct repo_tree *tree; /* what it holds */
    struct package_wish wish;
    struct package_setup packages_setup;
    struct packages *packages; /* NULL: nothing is to be installed */
    struct launch_plan plan;
    struct launcher_keeper keeper;
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct engine *engine;
    struct run_result result;
    char id[DC_UUID_SIZE];
    unsigned interrupts;
    bool muted; /* our standard output is gone */
    int status; /* of the run: 0 or -DC_code */
    struct dc_err err;
};

extern const struct cli_option run_options[]; /* with an end */

/* For cli_parse; context: a struct run_call. */
int run_take_option(void *context, int option, const char *value, struct dc_err *err);

/* Runs run->request to its end and fills run->result; output is passed through as it comes unless
 * run->json. Starts a launcher, and takes SIGINT, SIGTERM and SIGPIPE over. */
DC_MUST int run_execute(struct run_call *run, const struct config *config, struct dc_err *err);

#endif
