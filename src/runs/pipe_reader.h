/*
 * A pipe whose reading end lives on the loop. Internal to src/runs: output and artifacts.
 *
 * Lifecycle: pipe_reader_open, hand the writer on, pipe_reader_close_writer, pipe_reader_finish
 * when nothing more is awaited, pipe_reader_free (the handle closes in the background).
 */
#ifndef DOCLE_RUNS_PIPE_READER_H
#define DOCLE_RUNS_PIPE_READER_H

#include <stddef.h>
#include <uv.h>

#include "base/error.h"

struct pipe_reader;

/* take: called with each piece that was read; must not free the reader. */
DC_MUST int pipe_reader_open(uv_loop_t *loop,
                             void (*take)(void *context, const char *bytes, size_t length),
                             void *context, struct pipe_reader **ret_reader, struct dc_err *err);
void pipe_reader_free(struct pipe_reader *reader); /* accepts NULL */

/* The write end: blocking, close-on-exec; -1 once closed. */
int pipe_reader_writer(const struct pipe_reader *reader);
void pipe_reader_close_writer(struct pipe_reader *reader);

/* Reads what the pipe holds now, bounded by the largest a pipe can hold, and stops listening. */
void pipe_reader_finish(struct pipe_reader *reader);

#endif
