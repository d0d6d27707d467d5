#include "runs/pipe_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"

#include "base/poison.h"

enum {
    PIECE_BYTES = 16384,
    TURN_BYTES = 64 * 1024,          /* read in one turn of the loop */
    REST_MAX_BYTES = 4 * 1024 * 1024 /* above what a run may make of its pipe */
};

struct pipe_reader {
    uv_poll_t poll;
    int fd;
    int writer;
    bool listening;
    void (*take)(void *context, const char *bytes, size_t length);
    void *context;
};

/* Reads at most max bytes. Returns false when there is nothing more to come. */
static bool read_some(struct pipe_reader *reader, size_t max)
{
    char piece[PIECE_BYTES];

    for (size_t done = 0; done < max;) {
        ssize_t n = read(reader->fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return false;
        done += (size_t)n;
        reader->take(reader->context, piece, (size_t)n);
        if ((size_t)n < sizeof(piece))
            return true; /* most likely empty now; the loop asks again if not */
    }
    return true;
}

static void stop(struct pipe_reader *reader)
{
    if (reader->listening)
        (void)uv_poll_stop(&reader->poll);
    reader->listening = false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct pipe_reader *reader = poll->data;

    (void)events;
    if (status < 0 || !read_some(reader, TURN_BYTES))
        stop(reader);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int pipe_reader_open(uv_loop_t *loop, void (*take)(void *context, const char *bytes, size_t length),
                     void *context, struct pipe_reader **ret_reader, struct dc_err *err)
{
    struct pipe_reader *reader = calloc(1, sizeof(*reader));
    int ends[2];
    int result;

    if (!reader)
        return dc_fail(err, DC_KERNEL, ENOMEM, "pipe");
    if (pipe2(ends, O_CLOEXEC) < 0) {
        free(reader);
        return dc_fail_errno(err, "pipe");
    }
    reader->fd = ends[0];
    reader->writer = ends[1];
    reader->take = take;
    reader->context = context;
    reader->poll.data = reader;
    result = uv_poll_init(loop, &reader->poll, reader->fd); /* makes it non-blocking */
    if (result < 0) {
        dc_close(ends[0]);
        dc_close(ends[1]);
        free(reader);
        return dc_fail(err, DC_KERNEL, -result, "watch a pipe");
    }
    result = uv_poll_start(&reader->poll, UV_READABLE, on_readable);
    if (result < 0) {
        pipe_reader_free(reader);
        return dc_fail(err, DC_KERNEL, -result, "watch a pipe");
    }
    reader->listening = true;
    *ret_reader = reader;
    return 0;
}

void pipe_reader_free(struct pipe_reader *reader)
{
    if (!reader)
        return;
    stop(reader);
    pipe_reader_close_writer(reader);
    uv_close((uv_handle_t *)&reader->poll, on_closed);
    dc_close_clear(&reader->fd);
}

int pipe_reader_writer(const struct pipe_reader *reader)
{
    return reader->writer;
}

void pipe_reader_close_writer(struct pipe_reader *reader)
{
    dc_close_clear(&reader->writer);
}

void pipe_reader_finish(struct pipe_reader *reader)
{
    size_t rest = 0;

    pipe_reader_close_writer(reader);
    if (!reader->listening)
        return;
    stop(reader);
    /* Unlike above, a short read is not believed: ask until the pipe is empty or closed. */
    while (rest < REST_MAX_BYTES) {
        char piece[PIECE_BYTES];
        ssize_t n = read(reader->fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        rest += (size_t)n;
        reader->take(reader->context, piece, (size_t)n);
    }
}
