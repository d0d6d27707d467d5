#include "runs/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "runs/pipe_reader.h"

#include "base/poison.h"

enum { TAIL_BYTES = 4096, NOTE_MAX_BYTES = 128 };

struct stream {
    struct output *output;
    struct pipe_reader *reader;
    struct dc_buf kept;
    uint64_t total;
    bool truncated;
    char tail[TAIL_BYTES]; /* the last bytes once some were dropped; only for standard error */
    size_t tail_length;
};

struct output {
    struct stream streams[OUTPUT_STREAMS];
    size_t max_bytes;
    size_t kept_bytes;
    bool finished;
    void (*arrived)(void *context);
    void *context;
};

static void keep_tail(struct stream *stream, const char *bytes, size_t length)
{
    size_t stay;

    if (length >= TAIL_BYTES) {
        memcpy(stream->tail, bytes + length - TAIL_BYTES, TAIL_BYTES);
        stream->tail_length = TAIL_BYTES;
        return;
    }
    stay = stream->tail_length;
    if (stay > TAIL_BYTES - length)
        stay = TAIL_BYTES - length;
    memmove(stream->tail, stream->tail + stream->tail_length - stay, stay);
    memcpy(stream->tail + stay, bytes, length);
    stream->tail_length = stay + length;
}

/* The budget is used up: from here on nothing more of this stream is kept. */
static void cut(struct stream *stream)
{
    size_t whole = dc_utf8_cut(stream->kept.data, stream->kept.length);

    if (stream->truncated)
        return;
    stream->truncated = true;
    stream->output->kept_bytes -= stream->kept.length - whole;
    if (stream->kept.data) {
        stream->kept.length = whole;
        stream->kept.data[whole] = '\0';
    }
}

static void take(void *context, const char *bytes, size_t length)
{
    struct stream *stream = context;
    struct output *output = stream->output;
    size_t room = output->max_bytes - output->kept_bytes;
    size_t keep = length < room ? length : room;

    stream->total += length;
    if (stream->truncated)
        keep = 0;
    if (keep && !dc_buf_append(&stream->kept, bytes, keep))
        keep = 0; /* no memory: as if the budget were used up */
    output->kept_bytes += keep;
    if (stream == &output->streams[OUTPUT_STDERR])
        keep_tail(stream, bytes, length);
    if (keep < length)
        cut(stream);
    if (keep && output->arrived)
        output->arrived(output->context);
}

int output_open(size_t max_bytes, void (*arrived)(void *context), void *context,
                struct output **ret_output, struct dc_err *err)
{
    DC_AUTO(output_free) struct output *output = calloc(1, sizeof(*output));

    if (!output)
        return dc_fail(err, DC_KERNEL, ENOMEM, "output");
    output->max_bytes = max_bytes;
    output->arrived = arrived;
    output->context = context;
    for (size_t i = 0; i < OUTPUT_STREAMS; i++) {
        struct stream *stream = &output->streams[i];

        stream->output = output;
        dc_buf_init(&stream->kept, max_bytes + NOTE_MAX_BYTES);
        if (pipe_reader_open(take, stream, &stream->reader, err) < 0)
            return dc_context(err, "output");
    }
    *ret_output = dc_take(output);
    return 0;
}

int output_listen(struct output *output, uv_loop_t *loop, struct dc_err *err)
{
    for (size_t i = 0; i < OUTPUT_STREAMS; i++)
        if (pipe_reader_listen(output->streams[i].reader, loop, err) < 0)
            return dc_context(err, "output");
    return 0;
}

void output_free(struct output *output)
{
    if (!output)
        return;
    for (size_t i = 0; i < OUTPUT_STREAMS; i++) {
        pipe_reader_free(output->streams[i].reader);
        dc_buf_release(&output->streams[i].kept);
    }
    free(output);
}

int output_writer(const struct output *output, enum output_stream stream)
{
    return pipe_reader_writer(output->streams[stream].reader);
}

void output_close_writers(struct output *output)
{
    for (size_t i = 0; i < OUTPUT_STREAMS; i++)
        pipe_reader_close_writer(output->streams[i].reader);
}

void output_finish(struct output *output)
{
    char note[NOTE_MAX_BYTES];

    for (size_t i = 0; i < OUTPUT_STREAMS; i++)
        pipe_reader_finish(output->streams[i].reader);
    (void)snprintf(note, sizeof(note),
                   "\n\n... (output truncated: %" PRIu64 " bytes exceeds limit of %zu bytes)",
                   output_total(output), output->max_bytes);
    for (size_t i = 0; i < OUTPUT_STREAMS; i++)
        if (output->streams[i].truncated)
            (void)dc_buf_text(&output->streams[i].kept, note); /* no memory: the flag says it */
    output->finished = true;
    if (output->arrived)
        output->arrived(output->context);
}

const char *output_bytes(const struct output *output, enum output_stream stream, size_t *ret_length)
{
    *ret_length = output->streams[stream].kept.length;
    return dc_buf_str(&output->streams[stream].kept);
}

void output_take(struct output *output, enum output_stream stream, struct dc_buf *into)
{
    dc_buf_release(into);
    *into = output->streams[stream].kept;
    dc_buf_init(&output->streams[stream].kept, into->max);
}

bool output_truncated(const struct output *output, enum output_stream stream)
{
    return output->streams[stream].truncated;
}

uint64_t output_total(const struct output *output)
{
    return output->streams[OUTPUT_STDOUT].total + output->streams[OUTPUT_STDERR].total;
}

size_t output_next(const struct output *output, enum output_stream stream, size_t *at, char *out,
                   size_t size)
{
    const struct dc_buf *kept = &output->streams[stream].kept;
    size_t length = kept->length > *at ? kept->length - *at : 0;
    bool last = length <= size && output->finished;

    if (length > size)
        length = size;
    if (length && !last)
        length = dc_utf8_cut(kept->data + *at, length);
    if (length)
        memcpy(out, kept->data + *at, length);
    *at += length;
    return length;
}

size_t output_stderr_tail(const struct output *output, char *out, size_t size)
{
    const struct stream *stream = &output->streams[OUTPUT_STDERR];
    size_t length = stream->tail_length < size ? stream->tail_length : size;

    memcpy(out, stream->tail + stream->tail_length - length, length);
    return length;
}
