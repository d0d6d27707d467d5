/*
 * Files that a run gives back. The globs come from the caller; the stream comes from a process that
 * read a hostile file system, so it is bounded and checked record by record. Server and CLI.
 */
#ifndef DOCLE_RUNS_ARTIFACTS_H
#define DOCLE_RUNS_ARTIFACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/error.h"
#include "runs/request.h"

struct artifact {
    const char *path; /* into the stream's bytes, not NUL-terminated */
    size_t path_length;
    const char *content;
    size_t content_length;
};

struct artifacts {
    size_t count;
    bool truncated; /* files were left out because of a cap, broke a rule, or the stream was not
                       whole */
    struct artifact list[DC_ARTIFACTS_MAX];
};

/* Splits a stream. Files that break a rule (path, caps, not asked for, twice) are left out and set
 * truncated; a malformed record ends the reading. globs NULL: any path. */
void artifacts_parse(const char *stream, size_t length, const struct run_text *globs,
                     size_t glob_count, struct artifacts *ret_artifacts);

/* True when a workspace path matches a glob: "*" stays within a directory, "**" does not. */
bool artifact_glob_matches(const char *glob, const char *path);

/* Appends the members of an answer, without braces: "files":[{"path","size","encoding":"base64",
 * "content"}, …] and, when some were left out, "filesTruncated":true. */
bool artifacts_print(const struct artifacts *artifacts, struct dc_buf *out);

/* The reading end: collects a stream on the loop up to the caps, then drops. */
struct artifact_reader;
DC_MUST int artifact_reader_open(uv_loop_t *loop, struct artifact_reader **ret_reader,
                                 struct dc_err *err);
void artifact_reader_free(struct artifact_reader *reader); /* accepts NULL */
DC_AUTO_DEFINE(struct artifact_reader *, artifact_reader_free)
int artifact_reader_writer(const struct artifact_reader *reader);
void artifact_reader_close_writer(struct artifact_reader *reader);
/* Reads what the pipe still holds; the stream is valid until the reader is freed. */
const char *artifact_reader_finish(struct artifact_reader *reader, size_t *ret_length);

#endif
