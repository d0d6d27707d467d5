/*
 * The job: everything of a run that is the caller's, in one sealed memfd. Written by the API
 * process, read only inside the sealed run, where it is data of the caller about himself. Flat
 * records { uint32 kind, uint32 length, bytes }, unpadded, in any order, ended by JOB_END.
 *
 * JOB_FILE's bytes are { uint16 path_length, path, content }.
 */
#ifndef DOCLE_PROTO_JOB_H
#define DOCLE_PROTO_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum job_kind {
    JOB_END = 0,
    JOB_ENTRYPOINT, /* path relative to the workspace; exactly one */
    JOB_ARG,        /* one argument; any number, in order */
    JOB_ENV,        /* "NAME=value"; any number */
    JOB_FILE,       /* a workspace file; any number */
    JOB_FLAGS,      /* uint32 of enum job_flags; at most one */
    JOB_ARTIFACT,   /* glob of workspace files to return; any number; read by the collector */
};

enum job_flags {
    JOB_LIVE_OUTPUT = 1u << 0, /* flush standard output at every line */
    JOB_PACKAGES = 1u << 1,    /* packages are mounted */
};

struct job_record {
    enum job_kind kind;
    const char *bytes; /* borrowed from the job */
    size_t length;
};

struct job_file {
    const char *path; /* borrowed, not NUL-terminated */
    size_t path_length;
    const char *content;
    size_t content_length;
};

/* Writer: appends to buf; false when buf's maximum is reached. */
bool job_put(struct dc_buf *buf, enum job_kind kind, const void *bytes, size_t length);
bool job_put_file(struct dc_buf *buf, const char *path, const void *content, size_t length);

/* Makes the sealed memfd (no write, grow, shrink) of the finished buffer. Caller owns *ret_fd. */
DC_MUST int job_seal(const struct dc_buf *buf, int *ret_fd, struct dc_err *err);

/* Reader: *at starts at 0. 1: a record was read; 0: the end; -DC_INVALID: malformed. */
DC_MUST int job_next(const char *job, size_t length, size_t *at, struct job_record *ret_record,
                     struct dc_err *err);

/* Splits a JOB_FILE record. */
DC_MUST int job_file_split(const struct job_record *record, struct job_file *ret_file,
                           struct dc_err *err);

/* A workspace path is relative, has no empty, "." or ".." component, no NUL, no component over 255
 * bytes and is at most DC_PATH_MAX_BYTES long. Valid UTF-8 and control characters are the API's
 * concern. */
bool job_path_valid(const char *path, size_t length);

#endif
