#include "runs/pipe_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"

#include "base/poison.h"

enum {
    PIECE_BYTES = 16384,
    TURN_BYTES = 64 * 1024,          /* read in one turn of the loop */
    REST_MAX_BYTES = 4 * 1024 * 1024 /* above what a run may make of its pipe */
};

struct pipe_reader {
    uv_poll_t poll; /* once listening began */
    int fd;
    int writer;
    bool has_poll;
    bool listening;
    bool ended; /* end of file, or an error */
    void (*take)(void *context, const char *bytes, size_t length);
    void *context;
};

/* Reads at most max bytes. Returns false when there is nothing more to come. After a
 * short read a pipe is most likely empty: in a turn of the loop that is enough, for it asks again.
 */
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
        if ((size_t)n < sizeof(piece) && max == TURN_BYTES)
            return true;
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
    if (status == 0 && read_some(reader, TURN_BYTES))
        return;
    reader->ended = true;
    stop(reader);
}

int pipe_reader_open(void (*take)(void *context, const char *bytes, size_t length), void *context,
                     struct pipe_reader **ret_reader, struct dc_err *err)
{
    DC_AUTO(pipe_reader_free) struct pipe_reader *reader = calloc(1, sizeof(*reader));
    int ends[2];
    int on = 1;

    if (!reader)
        return dc_fail(err, DC_KERNEL, ENOMEM, "pipe");
    reader->fd = reader->writer = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return dc_fail_errno(err, "pipe");
    reader->fd = ends[0];
    reader->writer = ends[1];
    reader->take = take;
    reader->context = context;
    if (ioctl(reader->fd, FIONBIO, &on) < 0) /* of this end alone */
        return dc_fail_errno(err, "pipe");
    *ret_reader = dc_take(reader);
    return 0;
}

int pipe_reader_listen(struct pipe_reader *reader, uv_loop_t *loop, struct dc_err *err)
{
    int result;

    if (reader->has_poll)
        return 0;
    result = uv_poll_init(loop, &reader->poll, reader->fd);
    if (result < 0)
        return dc_fail(err, DC_KERNEL, -result, "watch a pipe");
    reader->has_poll = true;
    reader->poll.data = reader;
    result = uv_poll_start(&reader->poll, UV_READABLE, on_readable);
    if (result < 0)
        return dc_fail(err, DC_KERNEL, -result, "watch a pipe");
    reader->listening = true;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void pipe_reader_free(struct pipe_reader *reader)
{
    if (!reader)
        return;
    stop(reader);
    pipe_reader_close_writer(reader);
    if (reader->has_poll)
        uv_close((uv_handle_t *)&reader->poll, on_closed);
    dc_close_clear(&reader->fd);
    if (!reader->has_poll)
        free(reader);
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
    pipe_reader_close_writer(reader);
    stop(reader);
    if (!reader->ended)
        (void)read_some(reader, REST_MAX_BYTES);
    reader->ended = true;
}
