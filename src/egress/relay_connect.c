/* From a name to a connection with its host: every real address is judged, and one of exactly those
 * is connected to. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "egress/relay_internal.h"

#include "base/poison.h"

enum {
    CONNECT_TIMEOUT_S = 5,         /* each address */
    UNSENT_MAX_BYTES = 256 * 1024, /* that the kernel takes for a reader who does not read */
};

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
    return !connection->public_only &&
           host_exceptions_hold(&connection->session->egress->exceptions, connection->name->text,
                                &address->any, connection->port);
}

/* No delay, and no hoarding: what waits for a reader counts as nobody's memory. */
void relay_tune(int fd)
{
    const int one = 1;
    const int unsent = UNSENT_MAX_BYTES;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

/* A refusal must not wait for the deadline. */
static int begin_connect(struct connection *connection, union resolver_address *address)
{
    struct end *end = &connection->ends[SIDE_HOST];
    bool v4 = address->any.sa_family == AF_INET;
    struct dc_err err;

    end->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (end->fd < 0)
        return -1;
    relay_tune(end->fd);
    address->v4.sin_port = htons(connection->port);
    if ((connect(end->fd, &address->any, v4 ? sizeof(address->v4) : sizeof(address->v6)) < 0 &&
         errno != EINPROGRESS) ||
        watch_fd(connection->session->egress, end->fd, 0, NULL, connection, &end->poll, &err) < 0) {
        connection_close_end(end, false);
        return -1;
    }
    end->watched = 0;
    return 0;
}

void connection_try_next_address(struct connection *connection)
{
    while (connection->next_address < connection->name->count) {
        union resolver_address address = connection->name->addresses[connection->next_address++];

        connection_close_end(&connection->ends[SIDE_HOST], false);
        if (!address_allowed(connection, &address)) { /* the list may be a newer one */
            connection_finish(connection, EGRESS_DENIED_ADDRESS, true);
            return;
        }
        if (begin_connect(connection, &address) < 0)
            continue;
        connection->state = CONN_CONNECTING;
        connection->deadline_ns = dc_now() + CONNECT_TIMEOUT_S * DC_NS_PER_S;
        connection_watch(connection);
        return;
    }
    connection_finish(connection, EGRESS_CONNECT_FAILED, true);
}

static void on_name(struct name_waiter *waiter)
{
    struct connection *connection = (struct connection *)waiter;
    const struct name *name = connection->name;

    connection->waiting = false;
    if (name->state != NAME_FOUND) {
        connection_finish(connection, EGRESS_RESOLVE_FAILED, true);
        return;
    }
    /* One bad address spoils the name: whoever mixes them has something in mind. */
    for (size_t i = 0; i < name->count; i++) {
        if (!address_allowed(connection, &name->addresses[i])) {
            connection_finish(connection, EGRESS_DENIED_ADDRESS, true);
            return;
        }
    }
    connection_try_next_address(connection);
}

void connection_resolve(struct connection *connection)
{
    connection->state = CONN_RESOLVING;
    connection->waiting = true;
    connection->waiter.ready = on_name;
    connection_watch(connection);
    session_await_name(connection->name, &connection->waiter);
}

void connection_on_host(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    int problem = 0;
    socklen_t size = sizeof(problem);

    if (connection->state == CONN_CONNECTING) {
        if (getsockopt(connection->ends[SIDE_HOST].fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0 ||
            problem || status < 0)
            connection_try_next_address(connection);
        else
            connection_start_relaying(connection);
        return;
    }
    if (status < 0)
        connection_break_off(connection, SIDE_HOST);
    else if (events & UV_WRITABLE && !(events & UV_READABLE))
        connection_relay(connection, SIDE_RUN);
    else
        connection_relay(connection, SIDE_HOST);
}
