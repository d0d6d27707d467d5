/*
 * What a caller may write for a repository, taken apart. Pure; the text is hostile. Server and CLI.
 *
 *   owner/name                          the branch main, or else the repository's own
 *   https://HOST/owner/name[.git]       the same
 *   …/tree/REF                          a branch, a tag or a commit
 *   …/tree/REF/FOLDER                   what lies below a folder of it
 *   …/commit/SHA                        a commit
 *
 * A branch may hold slashes, so where REF ends cannot be known from the text: `rest` holds both.
 */
#ifndef DOCLE_REPOS_SPEC_H
#define DOCLE_REPOS_SPEC_H

#include <stddef.h>

#include "base/error.h"

enum {
    REPO_SPEC_MAX_BYTES = 1024,
    REPO_OWNER_MAX_BYTES = 39, /* GitHub's own maxima */
    REPO_NAME_MAX_BYTES = 100,
    REPO_REST_MAX_BYTES = 512,
    REPO_SEGMENTS_MAX = 32,
};

struct repo_spec {
    char owner[REPO_OWNER_MAX_BYTES + 1];
    char name[REPO_NAME_MAX_BYTES + 1];
    char rest[REPO_REST_MAX_BYTES + 1]; /* "REF" or "REF/FOLDER", percent-decoded; "": none */
};

/* host: the operator's, such as "github.com"; a URL must name it or its www. DC_INVALID says what
 * is wrong, in words for the caller that follow "repo ". */
DC_MUST int repo_spec_parse(const char *text, size_t length, const char *host,
                            struct repo_spec *ret_spec, struct dc_err *err);

/*
 * The ways to cut rest into a ref and a folder, shortest ref first: count is their number, and
 * repo_spec_cut gives number i, with folder "" for none. ref has room for REPO_REST_MAX_BYTES + 1;
 * folder points into rest.
 */
size_t repo_spec_cuts(const struct repo_spec *spec);
void repo_spec_cut(const struct repo_spec *spec, size_t i, char *ret_ref, const char **ret_folder);

#endif
