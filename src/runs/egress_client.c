#include "runs/egress_client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "proto/link.h"
#include "runs/service_link.h"

#include "base/poison.h"

enum {
    BYTES_MAX_MB = 1024,
    CONNECTIONS_MAX = 64,
    ATTEMPTS_MAX = 1000,
    IDLE_MS = 60000,
    PATIENCE_MS = 5000, /* with a relay that does not answer a CLOSE */
    MESSAGES_A_TURN = 256,
};

struct egress_client {
    struct service_link link;
    struct egress_limits limits;
    uv_timer_t patience;
    struct egress_stats stats;
    uint64_t next_id;
    struct egress_session *sessions;
    void (*closed)(void *context);
    void *closed_context;
};

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
static void on_down(void *owner, const char *why)
{
    struct egress_client *client = owner;
    struct egress_session *next;

    (void)why;
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

/* --- its words ------------------------------------------------------------------------------- */

static bool take_ready(void *owner, const struct link_message *message)
{
    struct egress_client *client = owner;

    if (!link_message_is(message, 0, 0) || client->link.state != SERVICE_STARTING)
        return false;
    service_link_ready(&client->link);
    return true;
}

static bool take_attempt(void *owner, const struct link_message *message)
{
    struct egress_client *client = owner;
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
    session->bytes += attempt.bytes_in + attempt.bytes_out; /* until CLOSED says the whole */
    add_entry(session, attempt.host, attempt.port, (enum egress_verdict)attempt.verdict,
              attempt.bytes_in, attempt.bytes_out);
    return true;
}

static bool take_closed(void *owner, const struct link_message *message)
{
    struct egress_client *client = owner;
    struct egress_closed closed;
    struct egress_session *session;

    if (!link_message_is(message, sizeof(closed), 0))
        return false;
    memcpy(&closed, message->body, sizeof(closed));
    session = find(client, closed.session);
    if (!session || !session->ending || closed.bytes > client->limits.bytes_max)
        return false;
    session->unlisted += closed.unlisted;
    session->bytes = closed.bytes;
    close_session(session);
    return true;
}

static const struct service_message messages[] = {
    {EGRESS_READY, take_ready},
    {EGRESS_ATTEMPT, take_attempt},
    {EGRESS_CLOSED, take_closed},
    {0, NULL},
};

static const struct service_kind relay_kind = {
    .name = "the relay of the network",
    .start = launcher_keeper_relay,
    .messages = messages,
    .fatal_type = EGRESS_FATAL,
    .messages_a_turn = MESSAGES_A_TURN,
    .down = on_down,
};

/* --- starting -------------------------------------------------------------------------------- */

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
    client->limits = *limits;
    client->next_id = 1;
    fill_defaults(&client->limits);
    (void)uv_timer_init(loop, &client->patience); /* never fails */
    client->patience.data = client;
    *ret_client = client;
    service_link_open(&client->link, &relay_kind, client, loop, keeper);
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
    if (link_send(client->link.fd, EGRESS_OPEN, &open, sizeof(open), &channel_fd, 1, err) < 0)
        return -err->code;
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct egress_rule_of body = {.session = id, .rule = policy->rules[i]};

        if (link_send(client->link.fd, EGRESS_RULE, &body, sizeof(body), NULL, 0, err) < 0)
            return -err->code;
    }
    return 0;
}

int egress_client_begin(struct egress_client *client, const struct host_policy *policy,
                        struct egress_session *session, int *ret_channel_fd, struct dc_err *err)
{
    int ends[2];
    int result;

    if (client->link.state != SERVICE_READY)
        return dc_fail(err, DC_BUSY, 0, "the relay of the network is not there%s%s",
                       client->link.has_fatal ? ": " : "",
                       client->link.has_fatal ? client->link.fatal.text : "");
    if (link_pair(ends, err) < 0)
        return -err->code;
    result = send_session(client, policy, client->next_id, ends[0], err);
    dc_close(ends[0]);
    if (result < 0) {
        dc_close(ends[1]);
        service_link_replace(&client->link,
                             "it does not take a session"); /* half of one may be there */
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
    uint64_t now = uv_now(client->link.loop);
    bool waiting = false;

    for (struct egress_session *one = client->sessions; one; one = one->next) {
        if (!one->ending)
            continue;
        if (now - one->ended_at_ms >= PATIENCE_MS) {
            service_link_replace(&client->link, "it does not end a session");
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
    session->ended_at_ms = uv_now(client->link.loop);
    if (session->lost) {
        close_session(session);
        return;
    }
    if (link_send(client->link.fd, EGRESS_CLOSE, &close, sizeof(close), NULL, 0, &err) < 0)
        service_link_replace(&client->link, err.text); /* which closes it */
    else if (!uv_is_active((uv_handle_t *)&client->patience))
        (void)uv_timer_start(&client->patience, on_patience, PATIENCE_MS, 0);
}

void egress_client_stats(const struct egress_client *client, struct egress_stats *ret_stats)
{
    *ret_stats = client->stats;
    ret_stats->starts = client->link.starts;
    ret_stats->deaths = client->link.deaths;
    ret_stats->ready = egress_client_ready(client);
}

bool egress_client_ready(const struct egress_client *client)
{
    return client->link.state == SERVICE_READY;
}

const struct dc_err *egress_client_problem(const struct egress_client *client)
{
    return client->link.has_fatal ? &client->link.fatal : NULL;
}

static void on_patience_closed(uv_handle_t *timer)
{
    struct egress_client *client = timer->data;
    void (*closed)(void *) = client->closed;
    void *context = client->closed_context;

    free(client);
    if (closed)
        closed(context);
}

static void on_link_closed(void *owner)
{
    struct egress_client *client = owner;

    uv_close((uv_handle_t *)&client->patience, on_patience_closed);
}

void egress_client_close(struct egress_client *client, void (*closed)(void *context), void *context)
{
    assert(!client->sessions);
    client->closed = closed;
    client->closed_context = context;
    (void)uv_timer_stop(&client->patience);
    service_link_close(&client->link, on_link_closed);
}
