/*
 * The files of a repository, read from the archive that its host makes of a commit (tar, gzip). The
 * archive is hostile. Runs on a thread of the pool: it may take a while. Server and CLI.
 *
 * Taken are regular files with an ending that programs are made of (repo_path_taken), below the
 * folder that is asked for, with paths from there on. The first part of each path, which the host
 * makes up, is dropped. Left out: links, devices, what lies in a folder called .git, and files of
 * more than REPO_FILE_MAX_BYTES.
 */
#ifndef DOCLE_REPOS_CONTENTS_H
#define DOCLE_REPOS_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    REPO_FILES_MAX = 100,
    REPO_FILE_MAX_BYTES = 1024 * 1024,
    REPO_ARCHIVE_ENTRIES_MAX = 100000,
};

#define REPO_UNPACKED_MAX_BYTES ((size_t)512 << 20) /* of the whole archive, most of it skipped */

struct repo_file {
    const char *path;    /* NUL-terminated, valid in a workspace */
    const char *content; /* any bytes, a NUL behind them */
    size_t length;
};

struct repo_files {
    struct repo_file files[REPO_FILES_MAX]; /* by path */
    size_t count;
    size_t bytes;    /* of their contents */
    size_t large;    /* files left out for their size */
    bool has_folder; /* the folder that was asked for is there */
    char commit[65]; /* as the archive says it, lower-case hex; "": it does not */
    struct dc_arena arena;
};

/* Zeroed is empty. */
void repo_files_release(struct repo_files *files); /* accepts NULL */

static inline void repo_files_release_auto(struct repo_files *files)
{
    repo_files_release(files);
}

/*
 * ret_files: initialised here, to be released in any case. folder: "a/b", "" for the top.
 * DC_LIMIT: more than REPO_FILES_MAX files, whose number the text tells, or an archive that is out
 * of proportion. DC_INVALID: damaged, cut off, or with a path that leads out. DC_KERNEL: memory.
 */
DC_MUST int repo_contents_read(const void *bytes, size_t length, const char *folder,
                               struct repo_files *ret_files, struct dc_err *err);

/* By its ending: .py .js .ts .json .txt .md .jsx .tsx .mjs .cjs .yml .yaml .toml .ini .cfg .conf */
bool repo_path_taken(const char *path);

#endif
