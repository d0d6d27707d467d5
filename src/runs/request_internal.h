/* What the files of the request share. Internal to src/runs. */
#ifndef DOCLE_RUNS_REQUEST_INTERNAL_H
#define DOCLE_RUNS_REQUEST_INTERNAL_H

#include "runs/request.h"

/* Fails with DC_KERNEL, ENOMEM. */
int run_request_no_memory(struct dc_err *err);

/* A workspace path (or glob of such) that is also well-formed text without control characters and
 * not nested too deep. */
bool run_path_valid(const char *path, size_t length);

/* Paths, sizes and the entry point of the files; see request_files.c. */
DC_MUST int run_request_check_files(struct run_request *request, const struct run_limits *limits,
                                    struct problems *problems, struct dc_err *err);

/* What the run may reach, or why not; see request_network.c. */
DC_MUST int run_request_check_network(struct run_request *request, const struct run_limits *limits,
                                      struct problems *problems, struct dc_err *err);

/* Chooses the entry point, or says why it cannot. All paths are good. */
void run_request_choose_entrypoint(struct run_request *request, struct problems *problems);

#endif
