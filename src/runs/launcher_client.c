#include "runs/launcher_client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/log.h"
#include "proto/link.h"

#include "base/poison.h"

enum {
    BUCKETS = 256,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    CALM_MS = 60000, /* of service, after which the back-off starts anew */
    LINK_BUFFER_BYTES = 1 << 20,
    MESSAGES_A_TURN = 64,
};

struct launcher_client {
    uv_loop_t *loop;
    struct launcher_keeper *keeper;
    struct launcher_events events;
    enum launcher_state state;
    int link_fd; /* -1: none */
    uv_poll_t *poll;
    uv_timer_t timer; /* back-off */
    uint64_t ready_at_ms;
    uint32_t backoff_ms;
    bool has_hello;
    bool has_fatal;
    struct launch_hello hello;
    struct dc_err fatal;
    struct launcher_client_stats stats;
    uint64_t next_id;
    struct launcher_run *runs[BUCKETS];
    void (*closed)(void *context);
    void *closed_context;
};

static void start_launcher(struct launcher_client *client);

static void insert_run(struct launcher_client *client, struct launcher_run *run)
{
    struct launcher_run **bucket = &client->runs[run->id % BUCKETS];

    run->next = *bucket;
    if (run->next)
        run->next->slot = &run->next;
    run->slot = bucket;
    *bucket = run;
}

static void remove_run(struct launcher_run *run)
{
    *run->slot = run->next;
    if (run->next)
        run->next->slot = run->slot;
    run->next = NULL;
    run->slot = NULL;
}

static struct launcher_run *find_run(struct launcher_client *client, uint64_t id)
{
    struct launcher_run *run = client->runs[id % BUCKETS];

    while (run && run->id != id)
        run = run->next;
    return run;
}

static void lose_runs(struct launcher_client *client, const char *why)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (client->runs[i]) {
            struct launcher_run *run = client->runs[i];
            struct launch_ended ended = {.run = run->id, .kind = END_SANDBOX_ERROR};

            (void)snprintf(ended.text, sizeof(ended.text), "%s", why);
            remove_run(run);
            run->ended(run, &ended);
        }
    }
}

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

static void drop_link(struct launcher_client *client)
{
    if (client->poll) {
        (void)uv_poll_stop(client->poll);
        uv_close((uv_handle_t *)client->poll, free_poll);
        client->poll = NULL;
    }
    dc_close_clear(&client->link_fd);
}

static void on_backoff(uv_timer_t *timer)
{
    start_launcher(timer->data);
}

static void schedule_restart(struct launcher_client *client)
{
    uint64_t served_ms = client->ready_at_ms ? uv_now(client->loop) - client->ready_at_ms : 0;

    if (served_ms >= CALM_MS || client->backoff_ms == 0)
        client->backoff_ms = BACKOFF_FIRST_MS;
    (void)uv_timer_start(&client->timer, on_backoff, client->backoff_ms, 0);
    client->backoff_ms *= 2;
    if (client->backoff_ms > BACKOFF_MAX_MS)
        client->backoff_ms = BACKOFF_MAX_MS;
}

/* The launcher is gone or talks nonsense. */
static void go_down(struct launcher_client *client, const char *why)
{
    if (client->state == LAUNCHER_CLOSED || client->state == LAUNCHER_DOWN)
        return;
    dc_log(DC_LOG_ERROR, "the launcher is down: %s", why);
    client->stats.deaths++;
    client->state = LAUNCHER_DOWN;
    drop_link(client);
    memset(&client->stats.last, 0, sizeof(client->stats.last));
    schedule_restart(client);
    lose_runs(client, why);
    if (client->events.down)
        client->events.down(client->events.context, client->has_fatal ? &client->fatal : NULL);
}

static bool hello_valid(const struct launch_hello *hello)
{
    if (hello->slots < 1 || hello->slots > DC_SLOTS_MAX || hello->level > LEVEL_FULL ||
        hello->runtime_count > DC_RUNTIMES_MAX)
        return false;
    for (size_t i = 0; i < hello->runtime_count; i++) {
        const struct launch_runtime *runtime = &hello->runtimes[i];

        if (!memchr(runtime->name, '\0', sizeof(runtime->name)) ||
            !memchr(runtime->version, '\0', sizeof(runtime->version)) ||
            runtime->start > START_PLAIN)
            return false;
    }
    return true;
}

static bool take_hello(struct launcher_client *client, const struct link_message *message)
{
    if (!link_message_is(message, sizeof(client->hello), 0) || client->state != LAUNCHER_STARTING)
        return false;
    memcpy(&client->hello, message->body, sizeof(client->hello));
    if (!hello_valid(&client->hello))
        return false;
    client->has_hello = true;
    client->has_fatal = false;
    client->state = LAUNCHER_READY;
    client->ready_at_ms = uv_now(client->loop);
    if (client->events.ready)
        client->events.ready(client->events.context, &client->hello);
    return true;
}

static bool take_started(struct launcher_client *client, const struct link_message *message)
{
    struct launch_started started;
    struct launcher_run *run;

    if (!link_message_is(message, sizeof(started), 0))
        return false;
    memcpy(&started, message->body, sizeof(started));
    run = find_run(client, started.run);
    if (run && run->started)
        run->started(run, started.warm);
    return run != NULL;
}

/* Figures fit the signed numbers of the history; statuses those of the kernel. */
static bool ended_valid(const struct launch_ended *ended)
{
    if (ended->cpu_ns > INT64_MAX || ended->peak_bytes > INT64_MAX || ended->wall_ns > INT64_MAX)
        return false;
    if (ended->kind == END_EXITED)
        return ended->status >= 0 && ended->status <= 255;
    if (ended->kind == END_SIGNALLED)
        return ended->status > 0 && ended->status < NSIG;
    return ended->kind <= END_SANDBOX_ERROR;
}

static bool take_ended(struct launcher_client *client, const struct link_message *message)
{
    struct launch_ended ended;
    struct launcher_run *run;

    if (!link_message_is(message, sizeof(ended), 0))
        return false;
    memcpy(&ended, message->body, sizeof(ended));
    ended.text[sizeof(ended.text) - 1] = '\0';
    run = find_run(client, ended.run);
    if (!run || !ended_valid(&ended))
        return false;
    remove_run(run);
    run->ended(run, &ended);
    return true;
}

static bool take_stats(struct launcher_client *client, const struct link_message *message)
{
    if (!link_message_is(message, sizeof(client->stats.last), 0))
        return false;
    memcpy(&client->stats.last, message->body, sizeof(client->stats.last));
    return true;
}

static bool take_fatal(struct launcher_client *client, const struct link_message *message)
{
    if (!link_message_is(message, sizeof(client->fatal), 0))
        return false;
    memcpy(&client->fatal, message->body, sizeof(client->fatal));
    client->fatal.text[sizeof(client->fatal.text) - 1] = '\0';
    if (client->fatal.code <= DC_OK || client->fatal.code > DC_BUG)
        client->fatal.code = DC_BUG;
    client->has_fatal = true;
    dc_log_err(DC_LOG_ERROR, NULL, &client->fatal, "the launcher cannot serve");
    return true;
}

static const struct {
    uint8_t type;
    bool (*take)(struct launcher_client *client, const struct link_message *message);
} messages[] = {
    {LAUNCH_HELLO, take_hello}, {LAUNCH_STARTED, take_started}, {LAUNCH_ENDED, take_ended},
    {LAUNCH_STATS, take_stats}, {LAUNCH_FATAL, take_fatal},
};

static bool dispatch(struct launcher_client *client, const struct link_message *message)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        if (messages[i].type == message->header.type)
            return messages[i].take(client, message);
    return false;
}

static void on_link(uv_poll_t *poll, int status, int events)
{
    struct launcher_client *client = poll->data;
    struct link_message message;
    struct dc_err err;

    (void)events;
    if (status < 0) {
        go_down(client, uv_strerror(status));
        return;
    }
    /* A callback may have closed or replaced the link: look again each time. */
    for (int i = 0; i < MESSAGES_A_TURN && client->poll == poll; i++) {
        int result = link_receive(client->link_fd, &message, &err);
        bool good;

        if (result == -DC_BUSY)
            return;
        if (result < 0) {
            go_down(client, client->has_fatal ? client->fatal.text : err.text);
            return;
        }
        good = dispatch(client, &message);
        link_message_release(&message);
        if (!good && client->poll == poll) {
            go_down(client, "the launcher sent a message out of the protocol");
            return;
        }
    }
}

static int watch(struct launcher_client *client, int fd, struct dc_err *err)
{
    uv_poll_t *poll = calloc(1, sizeof(*poll));
    int result;

    if (!poll)
        return dc_fail(err, DC_KERNEL, ENOMEM, "watch the launcher");
    result = uv_poll_init(client->loop, poll, fd); /* makes fd non-blocking */
    if (result < 0) {
        free(poll);
        return dc_fail(err, DC_KERNEL, -result, "watch the launcher");
    }
    poll->data = client;
    client->poll = poll;
    result = uv_poll_start(poll, UV_READABLE, on_link);
    if (result < 0)
        return dc_fail(err, DC_KERNEL, -result, "watch the launcher");
    return 0;
}

static int connect_launcher(struct launcher_client *client, struct dc_err *err)
{
    const int bytes = LINK_BUFFER_BYTES;
    int ends[2];
    int result;

    if (link_pair(ends, err) < 0)
        return -err->code;
    /* Room for a RUN and a CANCEL for every slot, so that sending never has to wait. */
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    (void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    client->link_fd = ends[0];
    result = launcher_keeper_launch(client->keeper, ends[1], err);
    dc_close(ends[1]);
    if (result < 0)
        return result;
    return watch(client, ends[0], err);
}

static void start_launcher(struct launcher_client *client)
{
    struct dc_err err;

    client->state = LAUNCHER_STARTING;
    client->ready_at_ms = 0;
    client->stats.starts++;
    if (connect_launcher(client, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "the launcher cannot be started");
        client->has_fatal = true;
        client->fatal = err;
        go_down(client, err.text);
    }
}

int launcher_client_open(uv_loop_t *loop, struct launcher_keeper *keeper,
                         const struct launcher_events *events, struct launcher_client **ret_client,
                         struct dc_err *err)
{
    struct launcher_client *client = calloc(1, sizeof(*client));

    if (!client)
        return dc_fail(err, DC_KERNEL, ENOMEM, "launcher client");
    client->loop = loop;
    client->keeper = keeper;
    client->events = *events;
    client->link_fd = -1;
    client->next_id = 1;
    (void)uv_timer_init(loop, &client->timer); /* never fails */
    client->timer.data = client;
    *ret_client = client;
    start_launcher(client);
    return 0;
}

int launcher_client_run(struct launcher_client *client, struct launch_run *fields,
                        const int fds[static LAUNCH_RUN_FDS_MAX], struct launcher_run *run,
                        struct dc_err *err)
{
    if (client->state != LAUNCHER_READY)
        return dc_fail(err, DC_BUSY, 0, "the launcher is not ready");
    run->id = fields->run = client->next_id++;
    if (link_send(client->link_fd, LAUNCH_RUN, fields, sizeof(*fields), fds,
                  fields->flags & RUN_HAS_NETWORK ? LAUNCH_RUN_FDS_MAX : LAUNCH_RUN_FDS, err) < 0)
        return dc_context(err, "send a run to the launcher");
    insert_run(client, run);
    return 0;
}

int launcher_client_warm(struct launcher_client *client, const struct launch_warm *wish,
                         int names_fd, struct dc_err *err)
{
    if (client->state != LAUNCHER_READY)
        return dc_fail(err, DC_BUSY, 0, "the launcher is not ready");
    return link_send(client->link_fd, LAUNCH_WARM, wish, sizeof(*wish), &names_fd, 1, err);
}

void launcher_client_cancel(struct launcher_client *client, struct launcher_run *run)
{
    struct launch_cancel cancel = {.run = run->id};
    struct dc_err err;

    if (client->state == LAUNCHER_READY && run->slot &&
        link_send(client->link_fd, LAUNCH_CANCEL, &cancel, sizeof(cancel), NULL, 0, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "cannot cancel a run"); /* its timeout still holds */
}

enum launcher_state launcher_client_state(const struct launcher_client *client)
{
    return client->state;
}

const struct launch_hello *launcher_client_hello(const struct launcher_client *client)
{
    return client->has_hello ? &client->hello : NULL;
}

const struct launcher_client_stats *launcher_client_stats(const struct launcher_client *client)
{
    return &client->stats;
}

void launcher_client_replace(struct launcher_client *client, const char *why)
{
    go_down(client, why);
}

static void on_closed(uv_handle_t *timer)
{
    struct launcher_client *client = timer->data;
    void (*closed)(void *) = client->closed;
    void *context = client->closed_context;

    free(client);
    if (closed)
        closed(context);
}

void launcher_client_close(struct launcher_client *client, void (*closed)(void *context),
                           void *context)
{
    struct dc_err err;

    assert(client->state != LAUNCHER_CLOSED);
    if (client->state == LAUNCHER_READY)
        dc_ignore(link_send(client->link_fd, LAUNCH_SHUTDOWN, NULL, 0, NULL, 0,
                            &err)); /* closing the link says the same */
    client->state = LAUNCHER_CLOSED;
    client->closed = closed;
    client->closed_context = context;
    drop_link(client);
    lose_runs(client, "the server is stopping");
    (void)uv_timer_stop(&client->timer);
    uv_close((uv_handle_t *)&client->timer, on_closed);
}
