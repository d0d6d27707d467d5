/*
 * Repositories for runs: fetched from the operator's host, which speaks GitHub's API, and kept in
 * memory for five minutes. See docs/internals/repos.md. API process, loop thread.
 *
 * Lifecycle: repos_new; repos_load in tasks; repos_free when no task is in it any more.
 */
#ifndef DOCLE_REPOS_REPOS_H
#define DOCLE_REPOS_REPOS_H

#include "base/buf.h"
#include "outbound/outbound.h"
#include "repos/contents.h"
#include "repos/spec.h"
#include "runs/problems.h"
#include "runs/request.h"

enum { REPOS_KEPT_S = 300, REPOS_FAILED_S = 15, REPOS_FETCHES_MAX = 8, REPOS_ENTRIES_MAX = 256 };

struct repos;

/* Borrowed until repos_free. */
struct repos_options {
    const char *api_url; /* "https://api.github.com", without a slash at the end */
    const char *host;    /* "github.com": of URLs that callers give */
    const char *token;   /* NULL: none; goes to api_url's host alone */
    size_t cache_bytes;
};

struct repos_stats {
    uint64_t fetched;
    uint64_t failed;
    uint64_t hits; /* answered from memory, or with another's fetch */
    size_t bytes;
    unsigned fetching;
};

/* A repository's files. Shared: unref when done. */
struct repo_tree {
    unsigned users;
    struct repo_spec spec; /* as asked */
    char ref[REPO_REST_MAX_BYTES + 1];
    char commit[65];
    char folder[REPO_REST_MAX_BYTES + 1];
    struct repo_files files;
};

DC_MUST int repos_new(struct outbound *outbound, const struct repos_options *options,
                      struct repos **ret_repos, struct dc_err *err);
void repos_free(struct repos *repos); /* accepts NULL */
void repos_snapshot(const struct repos *repos, struct repos_stats *ret_stats);

/* In a task: suspends. At once for what is kept; many at once for the same fetch once.
 * DC_INVALID, DC_LIMIT, DC_NOT_FOUND, DC_DENIED: the caller's, err says what, for clients.
 * DC_BUSY, DC_TIMEOUT: the host's or ours for now, for clients too; *ret_retry_s says when to come
 * back. DC_KERNEL. */
DC_MUST int repos_load(struct repos *repos, const char *text, struct repo_tree **ret_tree,
                       uint32_t *ret_retry_s, struct dc_err *err);
void repo_tree_unref(struct repo_tree *tree); /* accepts NULL */

/* Puts the files under the request's own, which win, and fills in language and entry point where
 * the caller named none. The request borrows from the tree. -DC_INVALID: see problems. */
DC_MUST int repo_tree_apply(const struct repo_tree *tree, struct run_request *request,
                            struct problems *problems, struct dc_err *err);

/* Appends "repo":{…} to the members of a result, with a comma where there are some. */
bool repo_tree_print(const struct repo_tree *tree, struct dc_buf *out);

#endif
