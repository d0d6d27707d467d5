/* The connections of runs. How one goes: accepted on a synthetic address, which tells the name that
 * was meant; on the ports of HTTP its first bytes must say the same name; then the name's real
 * addresses are looked at, every one, and one of exactly those is connected to. From there on bytes
 * pass both ways unseen. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "egress/egress.h"
#include "egress/http_host.h"
#include "egress/tls_hello.h"

#include "base/poison.h"

enum {
    ACCEPTS_A_TURN = 32,
    ROUNDS_A_TURN = 4,
    HEAD_MAX_BYTES = 20 * 1024, /* a ClientHello of 16 KiB in records, or a request's head */
    PEEK_TIMEOUT_S = 10,
    CONNECT_TIMEOUT_S = 5, /* each address */
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
};

enum side { SIDE_RUN, SIDE_HOST, SIDES };

enum connection_state { CONN_PEEKING, CONN_RESOLVING, CONN_CONNECTING, CONN_RELAYING };

/* One way, named by where it comes from. */
struct flow {
    uint8_t *pending; /* read and not yet passed on; NULL: nothing */
    size_t pending_at;
    size_t pending_end;
    bool ended;  /* no more will come */
    bool passed; /* and the other side knows */
};

struct end {
    int fd;
    uv_poll_t *poll;
    int watched; /* events */
};

struct connection {
    struct name_waiter waiter; /* first: `ready` gets it */
    struct session *session;
    struct connection *next;
    struct connection **slot;
    enum connection_state state;
    struct name *name;
    uint16_t port;
    bool trusted;
    bool waiting; /* for the name */
    size_t next_address;
    int64_t deadline_ns; /* of the states before relaying */
    int64_t active_ns;
    uint64_t bytes[SIDES]; /* passed on, by where they came from */
    struct end ends[SIDES];
    struct flow flows[SIDES];
};

static void on_run(uv_poll_t *poll, int status, int events);
static void on_host(uv_poll_t *poll, int status, int events);
static void try_next_address(struct connection *connection);

/* --- the end --------------------------------------------------------------------------------- */

/* The client shall see a refusal, not an orderly end of nothing. */
static void reset_fd(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    dc_close(fd);
}

static void close_end(struct end *end, bool reset)
{
    unwatch_fd(&end->poll);
    if (end->fd >= 0 && reset)
        reset_fd(end->fd);
    else
        dc_close(end->fd);
    end->fd = -1;
}

static void finish(struct connection *connection, enum egress_verdict verdict, bool reset)
{
    struct session *session = connection->session;

    if (connection->waiting)
        session_forget_waiter(connection->name, &connection->waiter);
    for (int side = 0; side < SIDES; side++) {
        close_end(&connection->ends[side], reset);
        free(connection->flows[side].pending);
    }
    session_log(session, connection->name->text, connection->port, verdict,
                connection->bytes[SIDE_HOST], connection->bytes[SIDE_RUN]);
    *connection->slot = connection->next;
    if (connection->next)
        connection->next->slot = connection->slot;
    session->connection_count--;
    session->egress->connection_count--;
    free(connection);
}

/* --- what is waited for ---------------------------------------------------------------------- */

static bool has_tokens(const struct session *session)
{
    return !session->limits.bytes_per_second || session->tokens_bytes > 0;
}

static int wanted_events(const struct connection *connection, enum side side)
{
    const struct flow *from = &connection->flows[side];
    const struct flow *to = &connection->flows[!side];
    int events = 0;

    if (connection->state == CONN_PEEKING)
        return side == SIDE_RUN ? UV_READABLE : 0;
    if (connection->state == CONN_CONNECTING)
        return side == SIDE_HOST ? UV_WRITABLE : 0;
    if (connection->state != CONN_RELAYING)
        return 0;
    if (!from->ended && !from->pending && has_tokens(connection->session))
        events |= UV_READABLE;
    if (to->pending)
        events |= UV_WRITABLE;
    return events;
}

static void watch(struct connection *connection)
{
    static const uv_poll_cb on_event[SIDES] = {on_run, on_host};

    for (int side = 0; side < SIDES; side++) {
        struct end *end = &connection->ends[side];
        int events = wanted_events(connection, (enum side)side);

        if (!end->poll || events == end->watched)
            continue;
        end->watched = events;
        if (events)
            (void)uv_poll_start(end->poll, events, on_event[side]);
        else
            (void)uv_poll_stop(end->poll);
    }
}

/* --- relaying -------------------------------------------------------------------------------- */

/* Sends what was kept; false when something is left. Errors show when reading. */
static bool flush(struct connection *connection, enum side from)
{
    struct flow *flow = &connection->flows[from];
    ssize_t n;

    if (!flow->pending)
        return true;
    n = send(connection->ends[!from].fd, flow->pending + flow->pending_at,
             flow->pending_end - flow->pending_at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        flow->pending_at += (size_t)n;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        flow->pending_at = flow->pending_end; /* nobody wants it any more */
        flow->ended = flow->passed = true;
    }
    if (flow->pending_at < flow->pending_end)
        return false;
    free(flow->pending);
    flow->pending = NULL;
    return true;
}

static bool keep(struct flow *flow, const uint8_t *bytes, size_t length)
{
    flow->pending = malloc(length);
    if (!flow->pending)
        return false;
    memcpy(flow->pending, bytes, length);
    flow->pending_at = 0;
    flow->pending_end = length;
    return true;
}

static size_t read_size(const struct session *session)
{
    size_t size = RELAY_BUFFER_BYTES;

    if (session->limits.bytes_per_second && (uint64_t)session->tokens_bytes < size)
        size = (size_t)session->tokens_bytes;
    return size;
}

enum pumped { PUMPED, PUMP_RESET, PUMP_LIMIT };

/* Counts before passing on: the byte beyond the limit never leaves. */
static bool account(struct connection *connection, enum side from, size_t length)
{
    struct session *session = connection->session;

    if (length > session->limits.bytes_max - session->bytes)
        return false;
    session->bytes += length;
    session->tokens_bytes -= (int64_t)length;
    connection->bytes[from] += length;
    connection->active_ns = dc_now();
    return true;
}

static enum pumped pump(struct connection *connection, enum side from)
{
    struct flow *flow = &connection->flows[from];
    struct session *session = connection->session;
    uint8_t *buffer = session->egress->buffer;

    if (!flush(connection, from))
        return PUMPED;
    for (int i = 0; i < ROUNDS_A_TURN && !flow->ended && has_tokens(session); i++) {
        ssize_t n = recv(connection->ends[from].fd, buffer, read_size(session), MSG_DONTWAIT);
        ssize_t sent;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0)
            return PUMP_RESET;
        if (n == 0) {
            flow->ended = true;
            break;
        }
        if (!account(connection, from, (size_t)n))
            return PUMP_LIMIT;
        sent = send(connection->ends[!from].fd, buffer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return PUMP_RESET;
        if (sent < n) {
            size_t done = sent > 0 ? (size_t)sent : 0;

            if (!keep(flow, buffer + done, (size_t)n - done))
                return PUMP_RESET;
            break;
        }
    }
    if (flow->ended && !flow->pending && !flow->passed) {
        (void)shutdown(connection->ends[!from].fd, SHUT_WR);
        flow->passed = true;
    }
    return PUMPED;
}

static void relay(struct connection *connection, enum side from)
{
    switch (pump(connection, from)) {
    case PUMP_RESET:
        finish(connection, EGRESS_ALLOWED, true);
        return;
    case PUMP_LIMIT:
        finish(connection, EGRESS_LIMIT, true);
        return;
    case PUMPED:
        break;
    }
    if (connection->flows[SIDE_RUN].passed && connection->flows[SIDE_HOST].passed)
        finish(connection, EGRESS_ALLOWED, false);
    else
        watch(connection);
}

/* An end has failed: what it sent before is passed on as far as that goes at once. */
static void break_off(struct connection *connection, enum side side)
{
    finish(connection, pump(connection, side) == PUMP_LIMIT ? EGRESS_LIMIT : EGRESS_ALLOWED, true);
}

static void start_relaying(struct connection *connection)
{
    struct flow *flow = &connection->flows[SIDE_RUN];

    connection->state = CONN_RELAYING;
    connection->active_ns = dc_now();
    if (flow->pending && !account(connection, SIDE_RUN, flow->pending_end)) {
        finish(connection, EGRESS_LIMIT, true);
        return;
    }
    relay(connection, SIDE_RUN);
}

/* --- connecting ------------------------------------------------------------------------------ */

/* An address of this very host, whatever it looks like from outside. Nothing is sent. */
static bool is_own_address(const union resolver_address *address)
{
    DC_AUTO(dc_close) int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    union resolver_address to = *address;
    union resolver_address own = {0};
    socklen_t size = sizeof(own);

    to.v4.sin_port = htons(9); /* in the same place for both families */
    if (fd < 0 || connect(fd, &to.any, sizeof(to)) < 0 || getsockname(fd, &own.any, &size) < 0)
        return false; /* unreachable: so it is not ours */
    if (own.any.sa_family == AF_INET)
        return own.v4.sin_addr.s_addr == address->v4.sin_addr.s_addr;
    return memcmp(&own.v6.sin6_addr, &address->v6.sin6_addr, sizeof(own.v6.sin6_addr)) == 0;
}

/* SECURITY: what runs may not reach, however the name came to point there. Held by
 * tests/network/test_addresses.py. */
static bool address_allowed(const struct connection *connection,
                            const union resolver_address *address)
{
    enum address_class class = address_class_of(&address->any);

    if (connection->session->egress->without & EGRESS_WITHOUT_ADDRESSES)
        return true;
    if (class == ADDRESS_PUBLIC && !is_own_address(address))
        return true;
    if (class == ADDRESS_MULTICAST)
        return false;
    if (connection->trusted)
        return class != ADDRESS_LINK && class != ADDRESS_METADATA;
    return host_exceptions_hold(&connection->session->egress->exceptions, connection->name->text,
                                &address->any, connection->port);
}

/* A refusal must not wait for the deadline. */
static int begin_connect(struct connection *connection, union resolver_address *address)
{
    struct end *end = &connection->ends[SIDE_HOST];
    const int one = 1;
    bool v4 = address->any.sa_family == AF_INET;
    struct dc_err err;

    end->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (end->fd < 0)
        return -1;
    (void)setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    address->v4.sin_port = htons(connection->port);
    if ((connect(end->fd, &address->any, v4 ? sizeof(address->v4) : sizeof(address->v6)) < 0 &&
         errno != EINPROGRESS) ||
        watch_fd(connection->session->egress, end->fd, 0, NULL, connection, &end->poll, &err) < 0) {
        close_end(end, false);
        return -1;
    }
    end->watched = 0;
    return 0;
}

static void try_next_address(struct connection *connection)
{
    while (connection->next_address < connection->name->count) {
        union resolver_address address = connection->name->addresses[connection->next_address++];

        close_end(&connection->ends[SIDE_HOST], false);
        if (!address_allowed(connection, &address)) { /* the list may be a newer one */
            finish(connection, EGRESS_DENIED_ADDRESS, true);
            return;
        }
        if (begin_connect(connection, &address) < 0)
            continue;
        connection->state = CONN_CONNECTING;
        connection->deadline_ns = dc_now() + CONNECT_TIMEOUT_S * DC_NS_PER_S;
        watch(connection);
        return;
    }
    finish(connection, EGRESS_CONNECT_FAILED, true);
}

static void on_name(struct name_waiter *waiter)
{
    struct connection *connection = (struct connection *)waiter;
    const struct name *name = connection->name;

    connection->waiting = false;
    if (name->state != NAME_FOUND) {
        finish(connection, EGRESS_RESOLVE_FAILED, true);
        return;
    }
    /* One bad address spoils the name: whoever mixes them has something in mind. */
    for (size_t i = 0; i < name->count; i++) {
        if (!address_allowed(connection, &name->addresses[i])) {
            finish(connection, EGRESS_DENIED_ADDRESS, true);
            return;
        }
    }
    try_next_address(connection);
}

static void resolve(struct connection *connection)
{
    connection->state = CONN_RESOLVING;
    connection->waiting = true;
    connection->waiter.ready = on_name;
    watch(connection);
    session_await_name(connection->name, &connection->waiter);
}

static void on_host(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    int problem = 0;
    socklen_t size = sizeof(problem);

    if (connection->state == CONN_CONNECTING) {
        if (getsockopt(connection->ends[SIDE_HOST].fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0 ||
            problem || status < 0)
            try_next_address(connection);
        else
            start_relaying(connection);
        return;
    }
    if (status < 0)
        break_off(connection, SIDE_HOST);
    else if (events & UV_WRITABLE && !(events & UV_READABLE))
        relay(connection, SIDE_RUN);
    else
        relay(connection, SIDE_HOST);
}

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
        finish(connection, EGRESS_LIMIT, true);
        return;
    }
    n = recv(connection->ends[SIDE_RUN].fd, flow->pending + flow->pending_end,
             HEAD_MAX_BYTES - flow->pending_end, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* somebody only looked whether the port answers; or gave up in mid-word */
        finish(connection, flow->pending_end ? mismatch(connection) : EGRESS_ALLOWED, true);
        return;
    }
    flow->pending_end += (size_t)n;
    result = connection->port == PORT_HTTPS
                 ? tls_hello_name(flow->pending, flow->pending_end, name)
                 : http_host_name(flow->pending, flow->pending_end, name);
    if (result == PEEK_MORE && flow->pending_end < HEAD_MAX_BYTES)
        return;
    if (result != PEEK_FOUND || strcmp(name, connection->name->text) != 0)
        finish(connection, mismatch(connection), true);
    else
        resolve(connection);
}

static void on_run(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;

    if (connection->state == CONN_PEEKING)
        peek(connection); /* an error shows there */
    else if (status < 0)
        break_off(connection, SIDE_RUN);
    else if (events & UV_WRITABLE && !(events & UV_READABLE))
        relay(connection, SIDE_HOST);
    else
        relay(connection, SIDE_RUN);
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
    reset_fd(fd);
}

static void begin(struct session *session, int fd, struct name *name, uint16_t port, bool trusted)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    const int one = 1;
    struct dc_err err;

    if (!connection || watch_fd(session->egress, fd, 0, NULL, connection,
                                &connection->ends[SIDE_RUN].poll, &err) < 0) {
        free(connection);
        session_log(session, name->text, port, EGRESS_LIMIT, 0, 0);
        reset_fd(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connection->session = session;
    connection->name = name;
    connection->port = port;
    connection->trusted = trusted;
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
        resolve(connection);
        return;
    }
    connection->state = CONN_PEEKING;
    watch(connection);
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
        reset_fd(fd);
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
        begin(session, fd, name, port, rule->trusted);
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
            finish(connection, mismatch(connection), true);
        return;
    case CONN_CONNECTING:
        if (now > connection->deadline_ns)
            try_next_address(connection);
        return;
    case CONN_RESOLVING: /* the resolver has a deadline of its own */
        return;
    case CONN_RELAYING:
        if (now - connection->active_ns > connection->session->limits.idle_ms * DC_NS_PER_MS)
            finish(connection, EGRESS_LIMIT, true);
        else
            watch(connection); /* there may be tokens again */
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
        finish(session->connections, verdicts[session->connections->state], true);
}
