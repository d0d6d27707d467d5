/* One repository from the host: which ref, which commit, the archive. Internal to src/repos. */
#ifndef DOCLE_REPOS_FETCH_H
#define DOCLE_REPOS_FETCH_H

#include "repos/repos.h"

/* In a task. tree->spec is filled. Errors as repos_load's. */
DC_MUST int repo_fetch(struct outbound *outbound, const struct repos_options *options,
                       struct repo_tree *tree, uint32_t *ret_retry_s, struct dc_err *err);

#endif
