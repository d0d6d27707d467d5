#include "runs/service_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/log.h"

#include "base/poison.h"

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    CALM_MS = 60000, /* of service, after which the back-off starts anew */
    LINK_BUFFER_BYTES = 1 << 20,
};

static void start(struct service_link *link);

/* ---- its end ---- */

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

static void drop(struct service_link *link)
{
    if (link->poll) {
        (void)uv_poll_stop(link->poll);
        uv_close((uv_handle_t *)link->poll, free_poll);
        link->poll = NULL;
    }
    dc_close_clear(&link->fd);
}

static void on_backoff(uv_timer_t *timer)
{
    start(timer->data);
}

static void schedule_restart(struct service_link *link)
{
    uint64_t served_ms = link->ready_at_ms ? uv_now(link->loop) - link->ready_at_ms : 0;

    if (served_ms >= CALM_MS || link->backoff_ms == 0)
        link->backoff_ms = BACKOFF_FIRST_MS;
    (void)uv_timer_start(&link->backoff, on_backoff, link->backoff_ms, 0);
    link->backoff_ms *= 2;
    if (link->backoff_ms > BACKOFF_MAX_MS)
        link->backoff_ms = BACKOFF_MAX_MS;
}

void service_link_replace(struct service_link *link, const char *why)
{
    if (link->state == SERVICE_CLOSED || link->state == SERVICE_DOWN)
        return;
    dc_log(DC_LOG_ERROR, "%s is down: %s", link->kind->name, why);
    link->deaths++;
    link->state = SERVICE_DOWN;
    drop(link);
    schedule_restart(link);
    link->kind->down(link->owner, why);
}

/* ---- its words ---- */

static bool take_fatal(struct service_link *link, const struct link_message *message)
{
    if (!link_message_is(message, sizeof(link->fatal), 0))
        return false;
    memcpy(&link->fatal, message->body, sizeof(link->fatal));
    link->fatal.text[sizeof(link->fatal.text) - 1] = '\0';
    if (link->fatal.code <= DC_OK || link->fatal.code > DC_BUG)
        link->fatal.code = DC_BUG;
    link->has_fatal = true;
    dc_log_err(DC_LOG_ERROR, NULL, &link->fatal, "%s cannot serve", link->kind->name);
    return true;
}

static bool dispatch(struct service_link *link, const struct link_message *message)
{
    const struct service_message *known = link->kind->messages;

    if (message->header.type == link->kind->fatal_type)
        return take_fatal(link, message);
    for (; known->take; known++)
        if (known->type == message->header.type)
            return known->take(link->owner, message);
    return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct service_link *link = poll->data;
    struct link_message message;
    struct dc_err err;

    (void)events;
    if (status < 0) {
        service_link_replace(link, uv_strerror(status));
        return;
    }
    /* A callback may have closed or replaced the link: look again each time. */
    for (unsigned i = 0; i < link->kind->messages_a_turn && link->poll == poll; i++) {
        int result = link_receive(link->fd, &message, &err);
        bool good;

        if (result == -DC_BUSY)
            return;
        if (result < 0) {
            service_link_replace(link, link->has_fatal ? link->fatal.text : err.text);
            return;
        }
        good = dispatch(link, &message);
        link_message_release(&message);
        if (!good && link->poll == poll) {
            service_link_replace(link, "it sent a message out of the protocol");
            return;
        }
    }
}

void service_link_ready(struct service_link *link)
{
    link->state = SERVICE_READY;
    link->has_fatal = false;
    link->ready_at_ms = uv_now(link->loop);
}

/* ---- its start ---- */

static int watch(struct service_link *link, struct dc_err *err)
{
    uv_poll_t *poll = calloc(1, sizeof(*poll));
    int result;

    if (!poll)
        return dc_fail(err, DC_KERNEL, ENOMEM, "watch the link");
    result = uv_poll_init(link->loop, poll, link->fd); /* makes it non-blocking */
    if (result < 0) {
        free(poll);
        return dc_fail(err, DC_KERNEL, -result, "watch the link");
    }
    poll->data = link;
    link->poll = poll;
    result = uv_poll_start(poll, UV_READABLE, on_readable);
    return result < 0 ? dc_fail(err, DC_KERNEL, -result, "watch the link") : 0;
}

static int connect_process(struct service_link *link, struct dc_err *err)
{
    const int bytes = LINK_BUFFER_BYTES;
    int ends[2];
    int result;

    if (link_pair(ends, err) < 0)
        return -err->code;
    /* Room for all that may be asked at once, so that sending never has to wait. */
    for (size_t i = 0; i < 2; i++)
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    link->fd = ends[0];
    result = link->kind->start(link->keeper, ends[1], err);
    dc_close(ends[1]);
    return result < 0 ? result : watch(link, err);
}

static void start(struct service_link *link)
{
    struct dc_err err;

    link->state = SERVICE_STARTING;
    link->ready_at_ms = 0;
    link->starts++;
    if (connect_process(link, &err) == 0)
        return;
    dc_log_err(DC_LOG_ERROR, NULL, &err, "%s cannot be started", link->kind->name);
    link->has_fatal = true;
    link->fatal = err;
    service_link_replace(link, err.text);
}

void service_link_open(struct service_link *link, const struct service_kind *kind, void *owner,
                       uv_loop_t *loop, struct launcher_keeper *keeper)
{
    *link = (struct service_link){
        .fd = -1, .kind = kind, .owner = owner, .loop = loop, .keeper = keeper};
    (void)uv_timer_init(loop, &link->backoff); /* never fails */
    link->backoff.data = link;
    start(link);
}

static void on_closed(uv_handle_t *timer)
{
    struct service_link *link = timer->data;

    link->closed(link->owner);
}

void service_link_close(struct service_link *link, void (*closed)(void *owner))
{
    link->state = SERVICE_CLOSED;
    link->closed = closed;
    drop(link);
    (void)uv_timer_stop(&link->backoff);
    uv_close((uv_handle_t *)&link->backoff, on_closed);
}
