/* Passing bytes on, both ways, unseen: one buffer for all connections; what the other side does not
 * take at once is kept, and no more is read until it has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "egress/relay_internal.h"

#include "base/poison.h"

enum {
    ROUNDS_A_TURN = 4,
    /* Beyond this much kept for one run, less is read at a time, so that its connections together,
     * none of which it reads from, hold little more. */
    KEPT_MAX_BYTES = 2 * 1024 * 1024,
    CAREFUL_READ_BYTES = 16 * 1024,
};

/* --- the end --------------------------------------------------------------------------------- */

/* The client shall see a refusal, not an orderly end of nothing. */
void relay_reset_fd(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    dc_close(fd);
}

void connection_close_end(struct end *end, bool reset)
{
    unwatch_fd(&end->poll);
    if (end->fd >= 0 && reset)
        relay_reset_fd(end->fd);
    else
        dc_close(end->fd);
    end->fd = -1;
}

static void drop_pending(struct session *session, struct flow *flow)
{
    session->kept_bytes -= flow->kept_bytes;
    flow->kept_bytes = 0;
    free(flow->pending);
    flow->pending = NULL;
}

void connection_finish(struct connection *connection, enum egress_verdict verdict, bool reset)
{
    struct session *session = connection->session;

    if (connection->waiting)
        session_forget_waiter(connection->name, &connection->waiter);
    for (int side = 0; side < SIDES; side++) {
        connection_close_end(&connection->ends[side], reset);
        drop_pending(session, &connection->flows[side]);
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

void connection_watch(struct connection *connection)
{
    static const uv_poll_cb on_event[SIDES] = {connection_on_run, connection_on_host};

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
    drop_pending(connection->session, flow);
    return true;
}

static bool keep(struct session *session, struct flow *flow, const uint8_t *bytes, size_t length)
{
    flow->pending = malloc(length);
    if (!flow->pending)
        return false;
    memcpy(flow->pending, bytes, length);
    flow->pending_at = 0;
    flow->pending_end = length;
    flow->kept_bytes = length;
    session->kept_bytes += length;
    return true;
}

static size_t read_size(const struct session *session)
{
    size_t size = session->kept_bytes < KEPT_MAX_BYTES ? RELAY_BUFFER_BYTES : CAREFUL_READ_BYTES;

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

            if (!keep(session, flow, buffer + done, (size_t)n - done))
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

void connection_relay(struct connection *connection, enum side from)
{
    switch (pump(connection, from)) {
    case PUMP_RESET:
        connection_finish(connection, EGRESS_ALLOWED, true);
        return;
    case PUMP_LIMIT:
        connection_finish(connection, EGRESS_LIMIT, true);
        return;
    case PUMPED:
        break;
    }
    if (connection->flows[SIDE_RUN].passed && connection->flows[SIDE_HOST].passed)
        connection_finish(connection, EGRESS_ALLOWED, false);
    else
        connection_watch(connection);
}

/* An end has failed: what it sent before is passed on as far as that goes at once. */
void connection_break_off(struct connection *connection, enum side side)
{
    connection_finish(connection,
                      pump(connection, side) == PUMP_LIMIT ? EGRESS_LIMIT : EGRESS_ALLOWED, true);
}

void connection_start_relaying(struct connection *connection)
{
    struct flow *flow = &connection->flows[SIDE_RUN];

    connection->state = CONN_RELAYING;
    connection->active_ns = dc_now();
    if (flow->pending && !account(connection, SIDE_RUN, flow->pending_end)) {
        connection_finish(connection, EGRESS_LIMIT, true);
        return;
    }
    connection_relay(connection, SIDE_RUN);
}
