/*
 * A pipe whose reading end lives on the loop. Internal to src/runs: output and artifacts.
 *
 * Lifecycle: pipe_reader_open, hand the writer on, pipe_reader_close_writer, pipe_reader_listen,
 * pipe_reader_finish when nothing more is awaited, pipe_reader_free (the handle closes in the
 * background).
 *
 * Listening costs a dozen system calls for the loop's sake. A writer that has ended before it began
 * is read by pipe_reader_finish alone, so listen late to what is short as a rule.
 */
#ifndef DOCLE_RUNS_PIPE_READER_H
#define DOCLE_RUNS_PIPE_READER_H

#include <stddef.h>
#include <uv.h>

#include "base/auto.h"
#include "base/error.h"

struct pipe_reader;

/* take: called with each piece that was read; must not free the reader. */
DC_MUST int pipe_reader_open(void (*take)(void *context, const char *bytes, size_t length),
                             void *context, struct pipe_reader **ret_reader, struct dc_err *err);
void pipe_reader_free(struct pipe_reader *reader); /* accepts NULL */
DC_AUTO_DEFINE(struct pipe_reader *, pipe_reader_free)

/* The write end: blocking, close-on-exec; -1 once closed. */
int pipe_reader_writer(const struct pipe_reader *reader);
void pipe_reader_close_writer(struct pipe_reader *reader);

/* Reads on the loop from now on. A second call changes nothing. */
DC_MUST int pipe_reader_listen(struct pipe_reader *reader, uv_loop_t *loop, struct dc_err *err);

/* Reads what the pipe holds now, bounded by the largest a pipe can hold, and stops listening. */
void pipe_reader_finish(struct pipe_reader *reader);

#endif
