#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "egress/egress.h"
#include "proto/link.h"

#include "base/poison.h"

enum { TICK_MS = 50, NAME_FRESH_S = 30 };

/* --- descriptors ----------------------------------------------------------------------------- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

int watch_fd(struct egress *egress, int fd, int events, uv_poll_cb on_event, void *data,
             uv_poll_t **ret_poll, struct dc_err *err)
{
    uv_poll_t *poll = malloc(sizeof(*poll));

    if (!poll)
        return dc_fail(err, DC_KERNEL, ENOMEM, "watch a descriptor");
    if (uv_poll_init(&egress->loop, poll, fd) < 0) { /* makes it non-blocking */
        free(poll);
        return dc_fail(err, DC_KERNEL, 0, "watch a descriptor");
    }
    poll->data = data;
    *ret_poll = poll;
    if (events && uv_poll_start(poll, events, on_event) < 0) {
        unwatch_fd(ret_poll);
        return dc_fail(err, DC_KERNEL, 0, "watch a descriptor");
    }
    return 0;
}

void unwatch_fd(uv_poll_t **poll)
{
    if (!*poll)
        return;
    (void)uv_poll_stop(*poll);
    uv_close((uv_handle_t *)*poll, free_handle);
    *poll = NULL;
}

/* --- the log --------------------------------------------------------------------------------- */

void session_log(struct session *session, const char *host, uint16_t port,
                 enum egress_verdict verdict, uint64_t bytes_in, uint64_t bytes_out)
{
    struct egress_attempt attempt = {
        .session = session->id,
        .bytes_in = bytes_in,
        .bytes_out = bytes_out,
        .port = port,
        .verdict = (uint8_t)verdict,
    };

    if (session->listed == DC_NET_LOG_MAX) {
        session->unlisted++;
        return;
    }
    session->listed++;
    (void)snprintf(attempt.host, sizeof(attempt.host), "%s", host);
    link_tell(session->egress, EGRESS_ATTEMPT, &attempt, sizeof(attempt));
}

/* Programs ask for each name twice (A and AAAA) and then again. */
void session_log_denied_name(struct session *session, const char *name)
{
    uint32_t hash = 2166136261u;

    for (const char *at = name; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    for (uint32_t i = 0; i < session->denied_name_count; i++)
        if (session->denied_names[i] == hash)
            return;
    if (session->denied_name_count < DC_NET_LOG_MAX)
        session->denied_names[session->denied_name_count++] = hash;
    session_log(session, name, 0, EGRESS_DENIED_HOST, 0, 0);
}

/* --- names ----------------------------------------------------------------------------------- */

struct name *session_name(struct session *session, const char *text)
{
    struct name *name;

    for (size_t i = 0; i < session->name_count; i++)
        if (strcmp(session->names[i]->text, text) == 0)
            return session->names[i];
    if (session->name_count == DC_NET_NAMES_MAX)
        return NULL;
    if (!session->names)
        session->names = calloc(DC_NET_NAMES_MAX, sizeof(struct name *));
    name = session->names ? calloc(1, sizeof(*name)) : NULL;
    if (!name)
        return NULL;
    name->session = session;
    name->synthetic = SYNTHETIC_FIRST + (uint32_t)session->name_count;
    (void)snprintf(name->text, sizeof(name->text), "%s", text);
    session->names[session->name_count++] = name;
    return name;
}

static bool has_rule(const struct host_policy *policy, enum egress_rule_kind kind, const char *name)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].kind == kind && strcmp(policy->rules[i].name, name) == 0)
            return true;
    return false;
}

/* An address that a rule names stands for itself. The run's own loopback address stands for the
 * host's where a rule says localhost: that name never comes to the stub. */
static struct name *literal(struct session *session, uint32_t address)
{
    struct in_addr network = {.s_addr = htonl(address)};
    char text[INET_ADDRSTRLEN];
    struct name *name;

    (void)inet_ntop(AF_INET, &network, text, sizeof(text));
    if (!has_rule(&session->policy, EGRESS_RULE_ADDRESS, text)) {
        if (address != INADDR_LOOPBACK ||
            !has_rule(&session->policy, EGRESS_RULE_EXACT, "localhost"))
            return NULL;
        (void)snprintf(text, sizeof(text), "localhost");
    }
    name = session_name(session, text);
    if (!name || name->state == NAME_FOUND)
        return name;
    name->synthetic = 0;
    name->state = NAME_FOUND;
    name->asked_ns = INT64_MAX / 2; /* needs no question, ever */
    name->count = 1;
    name->addresses[0].v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = network};
    return name;
}

struct name *session_name_of_address(struct session *session, uint32_t address)
{
    uint32_t index = address - SYNTHETIC_FIRST;

    if ((address & (uint32_t)EGRESS_SYNTHETIC_MASK) != (uint32_t)EGRESS_SYNTHETIC_NET)
        return literal(session, address);
    if (index >= session->name_count || session->names[index]->synthetic != address)
        return NULL;
    return session->names[index];
}

static void free_session(struct session *session)
{
    for (size_t i = 0; i < session->name_count; i++)
        free(session->names[i]);
    free(session->names);
    free(session);
}

static void on_resolved(void *context, enum resolver_status status,
                        const union resolver_address *addresses, size_t count)
{
    static const enum name_state states[] = {
        [RESOLVER_FOUND] = NAME_FOUND,
        [RESOLVER_MISSING] = NAME_MISSING,
        [RESOLVER_FAILED] = NAME_FAILED,
    };
    struct name *name = context;
    struct session *session = name->session;
    struct name_waiter *waiter;

    name->state = states[status];
    name->asked_ns = dc_now();
    name->count = count;
    if (count)
        memcpy(name->addresses, addresses, count * sizeof(addresses[0]));
    while ((waiter = name->waiters)) { /* one that is served may end others */
        name->waiters = waiter->next;
        waiter->ready(waiter);
    }
    session->asked--;
    if (session->closed && !session->asked)
        free_session(session);
}

void session_await_name(struct name *name, struct name_waiter *waiter)
{
    struct session *session = name->session;

    if (name->state == NAME_FOUND && dc_now() - name->asked_ns < NAME_FRESH_S * DC_NS_PER_S) {
        waiter->ready(waiter);
        return;
    }
    waiter->next = name->waiters;
    name->waiters = waiter;
    if (name->state == NAME_ASKED)
        return;
    name->state = NAME_ASKED;
    session->asked++;
    resolver_ask(session->egress->resolver, name->text, on_resolved, name);
}

void session_forget_waiter(struct name *name, struct name_waiter *waiter)
{
    for (struct name_waiter **at = &name->waiters; *at; at = &(*at)->next) {
        if (*at == waiter) {
            *at = waiter->next;
            return;
        }
    }
}

/* --- sockets --------------------------------------------------------------------------------- */

static void close_channel(struct session *session)
{
    unwatch_fd(&session->channel_poll);
    dc_close_clear(&session->channel_fd);
}

static bool socket_is(int fd, int option, int wanted)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

static int add_listener(struct session *session, int fd, uint16_t kind, uint16_t port,
                        struct dc_err *err)
{
    static const uv_poll_cb on_event[] = {
        [EGRESS_SOCKET_DNS_UDP] = stub_on_datagram,
        [EGRESS_SOCKET_DNS_TCP] = stub_on_accept,
        [EGRESS_SOCKET_RELAY] = relay_on_accept,
    };
    struct listener *listener = &session->listeners[session->listener_count];
    bool stream = kind != EGRESS_SOCKET_DNS_UDP;

    if (kind > EGRESS_SOCKET_RELAY || !socket_is(fd, SO_DOMAIN, AF_INET) ||
        !socket_is(fd, SO_TYPE, stream ? SOCK_STREAM : SOCK_DGRAM) ||
        !socket_is(fd, SO_ACCEPTCONN, stream))
        return dc_fail(err, DC_BUG, 0, "a socket of kind %u is something else", kind);
    *listener =
        (struct listener){.session = session, .fd = fd, .poll = NULL, .kind = kind, .port = port};
    return watch_fd(session->egress, fd, UV_READABLE, on_event[kind], listener, &listener->poll,
                    err);
}

static int take_sockets(struct session *session, struct link_message *message, struct dc_err *err)
{
    struct egress_sockets body;

    if (message->header.type != EGRESS_SOCKETS || message->header.length != sizeof(body) ||
        session->listener_count)
        return dc_fail(err, DC_BUG, 0, "message %u on a channel", message->header.type);
    memcpy(&body, message->body, sizeof(body));
    if (body.count > DC_MESSAGE_MAX_FDS || body.count != message->header.fd_count)
        return dc_fail(err, DC_BUG, 0, "%u sockets in a message with %u", body.count,
                       message->header.fd_count);
    for (size_t i = 0; i < body.count; i++) {
        if (add_listener(session, message->fds[i], body.sockets[i].kind, body.sockets[i].port,
                         err) < 0)
            return -err->code;
        (void)link_message_take_fd(message, i); /* the listener's now */
        session->listener_count++;
    }
    return 0;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct session *session = poll->data;
    struct link_message message;
    struct dc_err err;
    int result = status < 0 ? -DC_NOT_FOUND : link_receive(session->channel_fd, &message, &err);

    (void)events;
    if (result == -DC_BUSY)
        return;
    if (result == 0) {
        result = take_sockets(session, &message, &err);
        link_message_release(&message);
    }
    if (result < 0 && result != -DC_NOT_FOUND)
        dc_log_err(DC_LOG_WARN, NULL, &err, "session %llu", (unsigned long long)session->id);
    close_channel(session); /* one message is all there is */
}

/* --- life ------------------------------------------------------------------------------------ */

static struct session *find(struct egress *egress, uint64_t id)
{
    struct session *session = egress->sessions;

    while (session && session->id != id)
        session = session->next;
    return session;
}

static bool open_valid(const struct egress_open *open)
{
    return open->rule_count <= DC_NET_HOSTS_MAX && open->port_count <= DC_NET_PORTS_MAX &&
           open->connections_max && open->attempts_max && open->idle_ms;
}

int session_open(struct egress *egress, const struct egress_open *open, int channel_fd,
                 struct dc_err *err)
{
    struct session *session;

    if (!open_valid(open) || find(egress, open->session))
        return dc_fail(err, DC_BUG, 0, "OPEN out of range");
    session = calloc(1, sizeof(*session));
    if (!session)
        return dc_fail(err, DC_KERNEL, ENOMEM, "session");
    session->egress = egress;
    session->id = open->session;
    session->limits = *open;
    session->rules_due = open->rule_count;
    session->channel_fd = channel_fd;
    session->tokens_bytes = open->bytes_per_second;
    session->policy.port_count = open->port_count;
    memcpy(session->policy.ports, open->ports, sizeof(open->ports));
    if (watch_fd(egress, channel_fd, session->rules_due ? 0 : UV_READABLE, on_channel, session,
                 &session->channel_poll, err) < 0) {
        free(session);
        return -err->code;
    }
    session->next = egress->sessions;
    session->slot = &egress->sessions;
    if (session->next)
        session->next->slot = &session->next;
    egress->sessions = session;
    return 0;
}

int session_rule(struct egress *egress, const struct egress_rule_of *body, struct dc_err *err)
{
    struct session *session = find(egress, body->session);
    const struct egress_rule *rule = &body->rule;

    if (!session || !session->rules_due)
        return dc_fail(err, DC_BUG, 0, "RULE for no session");
    if (rule->kind > EGRESS_RULE_ADDRESS || rule->trusted > 1 ||
        !memchr(rule->name, '\0', sizeof(rule->name)) ||
        (rule->kind == EGRESS_RULE_ANY ? rule->name[0] != '\0' : !host_name_valid(rule->name)))
        return dc_fail(err, DC_BUG, 0, "RULE out of range");
    session->policy.rules[session->policy.rule_count++] = *rule;
    /* Only now may the run's sockets be served. */
    if (--session->rules_due == 0 && session->channel_poll)
        (void)uv_poll_start(session->channel_poll, UV_READABLE, on_channel);
    return 0;
}

int session_close(struct egress *egress, uint64_t id, struct dc_err *err)
{
    struct session *session = find(egress, id);
    struct egress_closed closed = {.session = id};

    if (!session)
        return dc_fail(err, DC_BUG, 0, "CLOSE for no session");
    close_channel(session);
    for (size_t i = 0; i < session->listener_count; i++) {
        unwatch_fd(&session->listeners[i].poll);
        dc_close_clear(&session->listeners[i].fd);
    }
    relay_end(session);
    stub_end(session);
    closed.unlisted = session->unlisted;
    closed.bytes = session->bytes;
    link_tell(egress, EGRESS_CLOSED, &closed, sizeof(closed));
    *session->slot = session->next;
    if (session->next)
        session->next->slot = session->slot;
    session->closed = true;
    if (!session->asked)
        free_session(session);
    return 0;
}

/* --- time ------------------------------------------------------------------------------------ */

static void on_tick(uv_timer_t *timer)
{
    struct egress *egress = timer->data;
    int64_t now = dc_now();
    bool busy = false;

    for (struct session *session = egress->sessions; session; session = session->next) {
        relay_tick(session, now);
        stub_tick(session, now);
        busy |= session->connection_count || session->stub_connection_count;
    }
    if (!busy) {
        (void)uv_timer_stop(timer);
        egress->ticking = false;
    }
}

void egress_start_ticking(struct egress *egress)
{
    if (egress->ticking)
        return;
    (void)uv_timer_start(&egress->tick, on_tick, TICK_MS, TICK_MS);
    egress->ticking = true;
}
