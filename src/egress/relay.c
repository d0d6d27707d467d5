/* The connections of runs. How one goes: accepted on a synthetic address, which tells the name that
 * was meant; on the ports of HTTP its first bytes must say the same name; then the name's real
 * addresses are looked at, every one, and one of exactly those is connected to (relay_connect.c).
 * From there on bytes pass both ways unseen (relay_flow.c). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "egress/http_host.h"
#include "egress/relay_internal.h"
#include "egress/tls_hello.h"

#include "base/poison.h"

enum {
    ACCEPTS_A_TURN = 32,
    HEAD_MAX_BYTES = 20 * 1024, /* a ClientHello of 16 KiB in records, or a request's head */
    PEEK_TIMEOUT_S = 10,
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
};

/* --- the first bytes ------------------------------------------------------------------------- */

static enum egress_verdict mismatch(const struct connection *connection)
{
    return connection->port == PORT_HTTPS ? EGRESS_SNI_MISMATCH : EGRESS_HOST_MISMATCH;
}

static bool says_its_name(const struct connection *connection)
{
    return connection->name->synthetic &&
           !(connection->session->egress->without & EGRESS_WITHOUT_NAMES) &&
           (connection->port == PORT_HTTP || connection->port == PORT_HTTPS);
}

static void peek(struct connection *connection)
{
    struct flow *flow = &connection->flows[SIDE_RUN];
    char name[DC_HOST_NAME_MAX_BYTES + 1];
    enum peek_result result;
    ssize_t n;

    if (!flow->pending)
        flow->pending = malloc(HEAD_MAX_BYTES);
    if (!flow->pending) {
        connection_finish(connection, EGRESS_LIMIT, true);
        return;
    }
    n = recv(connection->ends[SIDE_RUN].fd, flow->pending + flow->pending_end,
             HEAD_MAX_BYTES - flow->pending_end, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* somebody only looked whether the port answers; or gave up in mid-word */
        connection_finish(connection, flow->pending_end ? mismatch(connection) : EGRESS_ALLOWED,
                          true);
        return;
    }
    flow->pending_end += (size_t)n;
    result = connection->port == PORT_HTTPS
                 ? tls_hello_name(flow->pending, flow->pending_end, name)
                 : http_host_name(flow->pending, flow->pending_end, name);
    if (result == PEEK_MORE && flow->pending_end < HEAD_MAX_BYTES)
        return;
    if (result != PEEK_FOUND || strcmp(name, connection->name->text) != 0)
        connection_finish(connection, mismatch(connection), true);
    else
        connection_resolve(connection);
}

void connection_on_run(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;

    if (connection->state == CONN_PEEKING)
        peek(connection); /* an error shows there */
    else if (status < 0)
        connection_break_off(connection, SIDE_RUN);
    else if (events & UV_WRITABLE && !(events & UV_READABLE))
        connection_relay(connection, SIDE_HOST);
    else
        connection_relay(connection, SIDE_RUN);
}

/* --- accepting ------------------------------------------------------------------------------- */

/* For what has no entry in the session's names. */
static void refuse(struct session *session, int fd, uint32_t address, uint16_t port,
                   const struct name *name, enum egress_verdict verdict)
{
    struct in_addr network = {.s_addr = htonl(address)};
    char text[INET_ADDRSTRLEN];

    (void)inet_ntop(AF_INET, &network, text, sizeof(text));
    session_log(session, name ? name->text : text, port, verdict, 0, 0);
    relay_reset_fd(fd);
}

static void begin(struct session *session, int fd, struct name *name, uint16_t port,
                  const struct egress_rule *rule)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct dc_err err;

    if (!connection || watch_fd(session->egress, fd, 0, NULL, connection,
                                &connection->ends[SIDE_RUN].poll, &err) < 0) {
        free(connection);
        session_log(session, name->text, port, EGRESS_LIMIT, 0, 0);
        relay_reset_fd(fd);
        return;
    }
    relay_tune(fd);
    connection->session = session;
    connection->name = name;
    connection->port = port;
    connection->trusted = rule->trusted;
    connection->public_only = rule->kind == EGRESS_RULE_ANY;
    connection->ends[SIDE_RUN].fd = fd;
    connection->ends[SIDE_HOST].fd = -1;
    connection->active_ns = dc_now();
    connection->deadline_ns = connection->active_ns + PEEK_TIMEOUT_S * DC_NS_PER_S;
    connection->next = session->connections;
    connection->slot = &session->connections;
    if (connection->next)
        connection->next->slot = &connection->next;
    session->connections = connection;
    session->connection_count++;
    session->egress->connection_count++;
    egress_start_ticking(session->egress);
    if (!says_its_name(connection)) {
        connection_resolve(connection);
        return;
    }
    connection->state = CONN_PEEKING;
    connection_watch(connection);
}

static void accepted(struct session *session, int fd)
{
    struct egress *egress = session->egress;
    struct sockaddr_in meant = {0};
    socklen_t size = sizeof(meant);
    const struct egress_rule *rule;
    enum egress_verdict verdict = EGRESS_DENIED_HOST;
    struct name *name;
    uint32_t address;
    uint16_t port;

    if (getsockname(fd, (struct sockaddr *)&meant, &size) < 0) {
        relay_reset_fd(fd);
        return;
    }
    address = ntohl(meant.sin_addr.s_addr);
    port = ntohs(meant.sin_port);
    name = session_name_of_address(session, address);
    rule = name ? host_policy_find(&session->policy, name->text, port, &verdict) : NULL;
    if (rule && (session->connection_count >= session->limits.connections_max ||
                 session->attempts++ >= session->limits.attempts_max ||
                 egress->connection_count >= egress->connections_max)) {
        rule = NULL;
        verdict = EGRESS_LIMIT;
    }
    if (rule)
        begin(session, fd, name, port, rule);
    else
        refuse(session, fd, address, port, name, verdict);
}

void relay_on_accept(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)events;
    for (int i = 0; status >= 0 && i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        accepted(listener->session, fd);
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static void look_at_deadline(struct connection *connection, int64_t now)
{
    switch (connection->state) {
    case CONN_PEEKING:
        if (now > connection->deadline_ns)
            connection_finish(connection, mismatch(connection), true);
        return;
    case CONN_CONNECTING:
        if (now > connection->deadline_ns)
            connection_try_next_address(connection);
        return;
    case CONN_RESOLVING: /* the resolver has a deadline of its own */
        return;
    case CONN_RELAYING:
        if (now - connection->active_ns > connection->session->limits.idle_ms * DC_NS_PER_MS)
            connection_finish(connection, EGRESS_LIMIT, true);
        else
            connection_watch(connection); /* there may be tokens again */
        return;
    }
}

void relay_tick(struct session *session, int64_t now)
{
    struct connection *next;
    uint32_t rate = session->limits.bytes_per_second;

    if (rate) {
        session->tokens_bytes += rate / 20; /* ticks a second */
        if (session->tokens_bytes > rate / 4)
            session->tokens_bytes = rate / 4 + 1;
    }
    for (struct connection *one = session->connections; one; one = next) {
        next = one->next;
        look_at_deadline(one, now);
    }
}

void relay_end(struct session *session)
{
    static const enum egress_verdict verdicts[] = {
        [CONN_PEEKING] = EGRESS_ALLOWED,
        [CONN_RESOLVING] = EGRESS_RESOLVE_FAILED,
        [CONN_CONNECTING] = EGRESS_CONNECT_FAILED,
        [CONN_RELAYING] = EGRESS_ALLOWED,
    };

    while (session->connections)
        connection_finish(session->connections, verdicts[session->connections->state], true);
}
