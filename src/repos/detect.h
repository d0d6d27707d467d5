/*
 * What a repository's files say of how to run them, where the caller says nothing. Pure. The rules
 * are the original's (its page on repositories), told in docs/internals/repos.md.
 */
#ifndef DOCLE_REPOS_DETECT_H
#define DOCLE_REPOS_DETECT_H

#include "repos/contents.h"
#include "runs/request.h"

/* package.json → node; requirements.txt or setup.py → python; else the language of most files.
 * False: there is no program. */
bool repo_detect_lang(const struct repo_files *files, enum run_lang *ret_lang);

/* The path of the file to begin with: a customary name at the top, then for node package.json's
 * `main`, then the first program there is. NULL: none. Lives as long as files. */
const char *repo_detect_entrypoint(const struct repo_files *files, enum run_lang lang);

#endif
