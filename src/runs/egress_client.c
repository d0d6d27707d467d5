#include "runs/egress_client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/log.h"
#include "proto/link.h"

#include "base/poison.h"

enum {
    BYTES_MAX_MB = 1024,
    CONNECTIONS_MAX = 64,
    ATTEMPTS_MAX = 1000,
    IDLE_MS = 60000,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    CALM_MS = 60000,    /* of service, after which the back-off starts anew */
    PATIENCE_MS = 5000, /* with a relay that does not answer a CLOSE */
    LINK_BUFFER_BYTES = 1 << 20,
    MESSAGES_A_TURN = 256,
};

struct egress_client {
    uv_loop_t *loop;
    struct launcher_keeper *keeper;
    struct egress_limits limits;
    int link_fd; /* -1: none */
    uv_poll_t *poll;
    uv_timer_t timer; /* back-off, or patience */
    uint64_t ready_at_ms;
    uint32_t backoff_ms;
    bool closing;
    bool down; /* until the back-off is over */
    bool has_problem;
    struct dc_err problem;
    struct egress_stats stats;
    uint64_t next_id;
    struct egress_session *sessions;
    void (*closed)(void *context);
    void *closed_context;
};

static void start_relay(struct egress_client *client);

/* --- sessions -------------------------------------------------------------------------------- */

static struct egress_session *find(struct egress_client *client, uint64_t id)
{
    struct egress_session *session = client->sessions;

    while (session && session->id != id)
        session = session->next;
    return session;
}

static void add_entry(struct egress_session *session, const char *host, uint16_t port,
                      enum egress_verdict verdict, uint64_t bytes_in, uint64_t bytes_out)
{
    struct egress_entry *entry;

    if (!session->entries)
        session->entries = calloc(DC_NET_LOG_MAX + 1, sizeof(*session->entries));
    if (!session->entries || session->count > DC_NET_LOG_MAX) {
        session->unlisted++;
        return;
    }
    entry = &session->entries[session->count];
    *entry = (struct egress_entry){strdup(host), bytes_in, bytes_out, port, verdict};
    if (entry->host)
        session->count++;
    else
        session->unlisted++;
}

static void close_session(struct egress_session *session)
{
    *session->slot = session->next;
    if (session->next)
        session->next->slot = session->slot;
    session->client->stats.sessions--;
    session->closed(session);
}

/* The relay is gone; those that wait for its last word have it now. */
static void lose_sessions(struct egress_client *client)
{
    struct egress_session *next;

    for (struct egress_session *one = client->sessions; one; one = next) {
        next = one->next;
        if (!one->lost) {
            one->lost = true;
            client->stats.attempts[EGRESS_RELAY_LOST]++;
            add_entry(one, "*", 0, EGRESS_RELAY_LOST, 0, 0);
        }
        if (one->ending)
            close_session(one);
    }
}

/* --- the relay's end ------------------------------------------------------------------------- */

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

static void drop_link(struct egress_client *client)
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
    start_relay(timer->data);
}

static void go_down(struct egress_client *client, const char *why)
{
    uint64_t served_ms = client->ready_at_ms ? uv_now(client->loop) - client->ready_at_ms : 0;

    if (client->closing || client->down)
        return;
    client->down = true;
    dc_log(DC_LOG_ERROR, "the relay of the network is down: %s", why);
    client->stats.deaths++;
    client->stats.ready = false;
    drop_link(client);
    if (served_ms >= CALM_MS || client->backoff_ms == 0)
        client->backoff_ms = BACKOFF_FIRST_MS;
    (void)uv_timer_start(&client->timer, on_backoff, client->backoff_ms, 0);
    client->backoff_ms =
        client->backoff_ms * 2 < BACKOFF_MAX_MS ? client->backoff_ms * 2 : BACKOFF_MAX_MS;
    lose_sessions(client);
}

/* --- its words ------------------------------------------------------------------------------- */

static bool take_ready(struct egress_client *client, const struct link_message *message)
{
    if (!link_message_is(message, 0, 0) || client->stats.ready)
        return false;
    client->stats.ready = true;
    client->has_problem = false;
    client->ready_at_ms = uv_now(client->loop);
    return true;
}

static bool take_fatal(struct egress_client *client, const struct link_message *message)
{
    if (!link_message_is(message, sizeof(client->problem), 0))
        return false;
    memcpy(&client->problem, message->body, sizeof(client->problem));
    client->problem.text[sizeof(client->problem.text) - 1] = '\0';
    if (client->problem.code <= DC_OK || client->problem.code > DC_BUG)
        client->problem.code = DC_BUG;
    client->has_problem = true;
    dc_log_err(DC_LOG_ERROR, NULL, &client->problem, "the relay of the network cannot serve");
    return true;
}

static bool take_attempt(struct egress_client *client, const struct link_message *message)
{
    struct egress_attempt attempt;
    struct egress_session *session;

    if (!link_message_is(message, sizeof(attempt), 0))
        return false;
    memcpy(&attempt, message->body, sizeof(attempt));
    session = find(client, attempt.session);
    if (!session || attempt.verdict >= EGRESS_RELAY_LOST ||
        !memchr(attempt.host, '\0', sizeof(attempt.host)) ||
        attempt.bytes_in > client->limits.bytes_max ||
        attempt.bytes_out > client->limits.bytes_max ||
        session->count + session->unlisted >= DC_NET_LOG_MAX)
        return false;
    client->stats.attempts[attempt.verdict]++;
    client->stats.bytes_in += attempt.bytes_in;
    client->stats.bytes_out += attempt.bytes_out;
    add_entry(session, attempt.host, attempt.port, (enum egress_verdict)attempt.verdict,
              attempt.bytes_in, attempt.bytes_out);
    return true;
}

static bool take_closed(struct egress_client *client, const struct link_message *message)
{
    struct egress_closed closed;
    struct egress_session *session;

    if (!link_message_is(message, sizeof(closed), 0))
        return false;
    memcpy(&closed, message->body, sizeof(closed));
    session = find(client, closed.session);
    if (!session || !session->ending)
        return false;
    session->unlisted += closed.unlisted;
    close_session(session);
    return true;
}

static const struct {
    uint8_t type;
    bool (*take)(struct egress_client *client, const struct link_message *message);
} messages[] = {
    {EGRESS_READY, take_ready},
    {EGRESS_FATAL, take_fatal},
    {EGRESS_ATTEMPT, take_attempt},
    {EGRESS_CLOSED, take_closed},
};

static bool dispatch(struct egress_client *client, const struct link_message *message)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        if (messages[i].type == message->header.type)
            return messages[i].take(client, message);
    return false;
}

static void on_link(uv_poll_t *poll, int status, int events)
{
    struct egress_client *client = poll->data;
    struct link_message message;
    struct dc_err err;

    (void)events;
    if (status < 0) {
        go_down(client, uv_strerror(status));
        return;
    }
    /* A callback may have closed the link: look again each time. */
    for (int i = 0; i < MESSAGES_A_TURN && client->poll == poll; i++) {
        int result = link_receive(client->link_fd, &message, &err);
        bool good;

        if (result == -DC_BUSY)
            return;
        if (result < 0) {
            go_down(client, client->has_problem ? client->problem.text : err.text);
            return;
        }
        good = dispatch(client, &message);
        link_message_release(&message);
        if (!good && client->poll == poll) {
            go_down(client, "it sent a message out of the protocol");
            return;
        }
    }
}

/* --- starting -------------------------------------------------------------------------------- */

static int watch(struct egress_client *client, int fd, struct dc_err *err)
{
    uv_poll_t *poll = calloc(1, sizeof(*poll));

    if (!poll)
        return dc_fail(err, DC_KERNEL, ENOMEM, "watch the relay");
    if (uv_poll_init(client->loop, poll, fd) < 0) { /* makes fd non-blocking */
        free(poll);
        return dc_fail(err, DC_KERNEL, 0, "watch the relay");
    }
    poll->data = client;
    client->poll = poll;
    if (uv_poll_start(poll, UV_READABLE, on_link) < 0)
        return dc_fail(err, DC_KERNEL, 0, "watch the relay");
    return 0;
}

static int connect_relay(struct egress_client *client, struct dc_err *err)
{
    const int bytes = LINK_BUFFER_BYTES;
    int ends[2];
    int result;

    if (link_pair(ends, err) < 0)
        return -err->code;
    for (size_t i = 0; i < 2; i++)
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    client->link_fd = ends[0];
    result = launcher_keeper_relay(client->keeper, ends[1], err);
    dc_close(ends[1]);
    return result < 0 ? result : watch(client, ends[0], err);
}

static void start_relay(struct egress_client *client)
{
    struct dc_err err;

    client->ready_at_ms = 0;
    client->down = false;
    client->stats.starts++;
    if (connect_relay(client, &err) == 0)
        return;
    client->has_problem = true;
    client->problem = err;
    go_down(client, err.text);
}

static void fill_defaults(struct egress_limits *limits)
{
    if (!limits->bytes_max)
        limits->bytes_max = (uint64_t)BYTES_MAX_MB << 20;
    if (!limits->connections_max)
        limits->connections_max = CONNECTIONS_MAX;
    if (!limits->attempts_max)
        limits->attempts_max = ATTEMPTS_MAX;
    if (!limits->idle_ms)
        limits->idle_ms = IDLE_MS;
}

int egress_client_open(uv_loop_t *loop, struct launcher_keeper *keeper,
                       const struct egress_limits *limits, struct egress_client **ret_client,
                       struct dc_err *err)
{
    struct egress_client *client = calloc(1, sizeof(*client));

    if (!client)
        return dc_fail(err, DC_KERNEL, ENOMEM, "egress client");
    client->loop = loop;
    client->keeper = keeper;
    client->limits = *limits;
    client->link_fd = -1;
    client->next_id = 1;
    fill_defaults(&client->limits);
    (void)uv_timer_init(loop, &client->timer); /* never fails */
    client->timer.data = client;
    *ret_client = client;
    start_relay(client);
    return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

static int send_session(struct egress_client *client, const struct host_policy *policy, uint64_t id,
                        int channel_fd, struct dc_err *err)
{
    struct egress_open open = {
        .session = id,
        .bytes_max = client->limits.bytes_max,
        .bytes_per_second = client->limits.bytes_per_second,
        .connections_max = client->limits.connections_max,
        .attempts_max = client->limits.attempts_max,
        .idle_ms = client->limits.idle_ms,
        .rule_count = (uint16_t)policy->rule_count,
        .port_count = (uint16_t)policy->port_count,
    };

    memcpy(open.ports, policy->ports, sizeof(open.ports));
    if (link_send(client->link_fd, EGRESS_OPEN, &open, sizeof(open), &channel_fd, 1, err) < 0)
        return -err->code;
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct egress_rule_of body = {.session = id, .rule = policy->rules[i]};

        if (link_send(client->link_fd, EGRESS_RULE, &body, sizeof(body), NULL, 0, err) < 0)
            return -err->code;
    }
    return 0;
}

int egress_client_begin(struct egress_client *client, const struct host_policy *policy,
                        struct egress_session *session, int *ret_channel_fd, struct dc_err *err)
{
    int ends[2];
    int result;

    if (!client->stats.ready)
        return dc_fail(err, DC_BUSY, 0, "the relay of the network is not there%s%s",
                       client->has_problem ? ": " : "",
                       client->has_problem ? client->problem.text : "");
    if (link_pair(ends, err) < 0)
        return -err->code;
    result = send_session(client, policy, client->next_id, ends[0], err);
    dc_close(ends[0]);
    if (result < 0) {
        dc_close(ends[1]);
        go_down(client, "it does not take a session"); /* half of one may be there */
        return dc_context(err, "relay of the network");
    }
    session->client = client;
    session->id = client->next_id++;
    session->next = client->sessions;
    session->slot = &client->sessions;
    if (session->next)
        session->next->slot = &session->next;
    client->sessions = session;
    client->stats.sessions++;
    *ret_channel_fd = ends[1];
    return 0;
}

static void on_patience(uv_timer_t *timer)
{
    struct egress_client *client = timer->data;
    uint64_t now = uv_now(client->loop);
    bool waiting = false;

    for (struct egress_session *one = client->sessions; one; one = one->next) {
        if (!one->ending)
            continue;
        if (now - one->ended_at_ms >= PATIENCE_MS) {
            go_down(client, "it does not end a session");
            return;
        }
        waiting = true;
    }
    if (waiting)
        (void)uv_timer_start(timer, on_patience, PATIENCE_MS, 0);
}

void egress_client_end(struct egress_session *session)
{
    struct egress_client *client = session->client;
    struct egress_close close = {.session = session->id};
    struct dc_err err;

    session->ending = true;
    session->ended_at_ms = uv_now(client->loop);
    if (session->lost) {
        close_session(session);
        return;
    }
    if (link_send(client->link_fd, EGRESS_CLOSE, &close, sizeof(close), NULL, 0, &err) < 0)
        go_down(client, err.text); /* which closes it */
    else if (!uv_is_active((uv_handle_t *)&client->timer))
        (void)uv_timer_start(&client->timer, on_patience, PATIENCE_MS, 0);
}

const struct egress_stats *egress_client_stats(const struct egress_client *client)
{
    return &client->stats;
}

const struct dc_err *egress_client_problem(const struct egress_client *client)
{
    return client->has_problem ? &client->problem : NULL;
}

static void on_closed(uv_handle_t *timer)
{
    struct egress_client *client = timer->data;
    void (*closed)(void *) = client->closed;
    void *context = client->closed_context;

    free(client);
    if (closed)
        closed(context);
}

void egress_client_close(struct egress_client *client, void (*closed)(void *context), void *context)
{
    assert(!client->sessions);
    client->closing = true;
    client->closed = closed;
    client->closed_context = context;
    drop_link(client);
    (void)uv_timer_stop(&client->timer);
    uv_close((uv_handle_t *)&client->timer, on_closed);
}
