/*
 * Bounded capture of a run's standard output and error. Both share one budget; each keeps what came
 * first; what is beyond is read and dropped, so a run never blocks on us, and counted. Reading
 * happens on the loop, a bounded piece a turn. Server and CLI.
 *
 * Lifecycle: output_open makes the pipes; the caller hands the write ends on and closes them with
 * output_close_writers; output_listen reads as it comes, sooner or later (see pipe_reader.h); after
 * the run's end output_finish reads what is left (never waits for an end of file: a stray holder of
 * the pipe must not delay the answer); output_free.
 */
#ifndef DOCLE_RUNS_OUTPUT_H
#define DOCLE_RUNS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/error.h"

enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_STREAMS };

struct output;

/* arrived: called on the loop when kept bytes were added; may be NULL. */
DC_MUST int output_open(size_t max_bytes, void (*arrived)(void *context), void *context,
                        struct output **ret_output, struct dc_err *err);
/* Reads on the loop from now on; until then the pipes hold what they can. Repeatable. */
DC_MUST int output_listen(struct output *output, uv_loop_t *loop, struct dc_err *err);
void output_free(struct output *output); /* accepts NULL; handles close in the background */
DC_AUTO_DEFINE(struct output *, output_free)

/* Write end of a stream, blocking; -1 once closed. */
int output_writer(const struct output *output, enum output_stream stream);
void output_close_writers(struct output *output);

/* Reads what the pipes hold now and stops listening. Then appends the original's last line to a cut
 * stream. Call once, after the run has ended. */
void output_finish(struct output *output);

/* The kept bytes; valid until the loop runs again. */
const char *output_bytes(const struct output *output, enum output_stream stream,
                         size_t *ret_length);
/* Gives the kept bytes of a stream away; it is empty afterwards. Only when finished. */
void output_take(struct output *output, enum output_stream stream, struct dc_buf *into);
bool output_truncated(const struct output *output, enum output_stream stream);
uint64_t output_total(const struct output *output); /* written to both */

/* Copies the next kept bytes after *at, at most size, whole characters only (an unfinished one at
 * the end waits for its rest, or comes once the output is finished). Returns how many; *at moves.
 */
size_t output_next(const struct output *output, enum output_stream stream, size_t *at, char *out,
                   size_t size);

/* The last bytes of standard error, kept or not: where interpreters say why they die. */
size_t output_stderr_tail(const struct output *output, char *out, size_t size);

#endif
