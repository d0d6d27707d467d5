#include "runs/launcher_client.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proto/link.h"
#include "runs/service_link.h"

#include "base/poison.h"

enum {
    BUCKETS = 256,
    MESSAGES_A_TURN = 64,
};

struct launcher_client {
    struct service_link link;
    struct launcher_events events;
    bool has_hello;
    struct launch_hello hello;
    struct launch_stats stats; /* as last sent */
    uint64_t next_id;
    struct launcher_run *runs[BUCKETS];
    void (*closed)(void *context);
    void *closed_context;
};

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

static void on_down(void *owner, const char *why)
{
    struct launcher_client *client = owner;

    memset(&client->stats, 0, sizeof(client->stats));
    lose_runs(client, why);
    if (client->events.down)
        client->events.down(client->events.context,
                            client->link.has_fatal ? &client->link.fatal : NULL);
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

static bool take_hello(void *owner, const struct link_message *message)
{
    struct launcher_client *client = owner;

    if (!link_message_is(message, sizeof(client->hello), 0) ||
        client->link.state != SERVICE_STARTING)
        return false;
    memcpy(&client->hello, message->body, sizeof(client->hello));
    if (!hello_valid(&client->hello))
        return false;
    client->has_hello = true;
    service_link_ready(&client->link);
    if (client->events.ready)
        client->events.ready(client->events.context, &client->hello);
    return true;
}

static bool take_started(void *owner, const struct link_message *message)
{
    struct launcher_client *client = owner;
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

static bool take_ended(void *owner, const struct link_message *message)
{
    struct launcher_client *client = owner;
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

static bool take_stats(void *owner, const struct link_message *message)
{
    struct launcher_client *client = owner;

    if (!link_message_is(message, sizeof(client->stats), 0))
        return false;
    memcpy(&client->stats, message->body, sizeof(client->stats));
    return true;
}

static const struct service_message messages[] = {
    {LAUNCH_HELLO, take_hello},
    {LAUNCH_STARTED, take_started},
    {LAUNCH_ENDED, take_ended},
    {LAUNCH_STATS, take_stats},
    {0, NULL},
};

static const struct service_kind launcher_kind = {
    .name = "the launcher",
    .start = launcher_keeper_launch,
    .messages = messages,
    .fatal_type = LAUNCH_FATAL,
    .messages_a_turn = MESSAGES_A_TURN,
    .down = on_down,
};

int launcher_client_open(uv_loop_t *loop, struct launcher_keeper *keeper,
                         const struct launcher_events *events, struct launcher_client **ret_client,
                         struct dc_err *err)
{
    struct launcher_client *client = calloc(1, sizeof(*client));

    if (!client)
        return dc_fail(err, DC_KERNEL, ENOMEM, "launcher client");
    client->events = *events;
    client->next_id = 1;
    *ret_client = client;
    service_link_open(&client->link, &launcher_kind, client, loop, keeper);
    return 0;
}

int launcher_client_run(struct launcher_client *client, struct launch_run *fields,
                        const int fds[static LAUNCH_RUN_FDS_MAX], struct launcher_run *run,
                        struct dc_err *err)
{
    if (client->link.state != SERVICE_READY)
        return dc_fail(err, DC_BUSY, 0, "the launcher is not ready");
    run->id = fields->run = client->next_id++;
    if (link_send(client->link.fd, LAUNCH_RUN, fields, sizeof(*fields), fds,
                  fields->flags & RUN_HAS_NETWORK ? LAUNCH_RUN_FDS_MAX : LAUNCH_RUN_FDS, err) < 0)
        return dc_context(err, "send a run to the launcher");
    insert_run(client, run);
    return 0;
}

int launcher_client_warm(struct launcher_client *client, const struct launch_warm *wish,
                         int names_fd, struct dc_err *err)
{
    if (client->link.state != SERVICE_READY)
        return dc_fail(err, DC_BUSY, 0, "the launcher is not ready");
    return link_send(client->link.fd, LAUNCH_WARM, wish, sizeof(*wish), &names_fd, 1, err);
}

void launcher_client_cancel(struct launcher_client *client, struct launcher_run *run)
{
    struct launch_cancel cancel = {.run = run->id};
    struct dc_err err;

    if (client->link.state == SERVICE_READY && run->slot &&
        link_send(client->link.fd, LAUNCH_CANCEL, &cancel, sizeof(cancel), NULL, 0, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "cannot cancel a run"); /* its timeout still holds */
}

bool launcher_client_ready(const struct launcher_client *client)
{
    return client->link.state == SERVICE_READY;
}

const struct launch_hello *launcher_client_hello(const struct launcher_client *client)
{
    return client->has_hello ? &client->hello : NULL;
}

void launcher_client_stats(const struct launcher_client *client,
                           struct launcher_client_stats *ret_stats)
{
    *ret_stats =
        (struct launcher_client_stats){client->link.starts, client->link.deaths, client->stats};
}

void launcher_client_replace(struct launcher_client *client, const char *why)
{
    service_link_replace(&client->link, why);
}

static void on_closed(void *owner)
{
    struct launcher_client *client = owner;
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

    assert(client->link.state != SERVICE_CLOSED);
    if (client->link.state == SERVICE_READY)
        dc_ignore(link_send(client->link.fd, LAUNCH_SHUTDOWN, NULL, 0, NULL, 0,
                            &err)); /* closing the link says the same */
    client->closed = closed;
    client->closed_context = context;
    service_link_close(&client->link, on_closed);
    lose_runs(client, "the server is stopping");
}
