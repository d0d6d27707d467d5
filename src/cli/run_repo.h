/* `docle run --repo`: a repository fetched without a server. CLI process, before the launcher is
 * started. */
#ifndef DOCLE_CLI_RUN_REPO_H
#define DOCLE_CLI_RUN_REPO_H

#include "cli/config.h"
#include "repos/repos.h"
#include "runs/request.h"

/*
 * Fetches what text names, as the field `repo` of POST /api/run, and puts its files into the
 * request. *ret_tree: the request borrows from it; repo_tree_unref after the run. Blocks, with an
 * event loop of its own. DC_INVALID and the like: for the user.
 */
DC_MUST int run_repo_add(const struct config *config, const char *text, struct run_request *request,
                         struct repo_tree **ret_tree, struct dc_err *err);

#endif
