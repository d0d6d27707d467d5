/* New connections: room for them, who they are, how many they have. */
#include <stdlib.h>

#include "base/log.h"
#include "net/http_internal.h"

#include "base/poison.h"

static const struct http_refusal server_full = {
    503, "Server full", "server_full",
    "The server holds as many connections as it may; try again in a moment."};
static const struct http_refusal client_full = {
    429, "Too many connections", "too_many_connections",
    "Your address has as many connections as it may; reuse them, or close some."};

/* --- memory ---------------------------------------------------------------------------------- */

/* A connection that libuv has accepted and nobody takes stops the listener, so there is always a
 * spare, or a connection whose end brings one. */
static struct http_connection *allocate(struct http_server *server)
{
    struct http_connection *connection = server->spare;

    if (!connection)
        connection = calloc(1, sizeof(*connection));
    if (connection)
        server->spare = calloc(1, sizeof(*connection));
    return connection;
}

static void link_in(struct http_server *server, struct http_connection *connection)
{
    connection->next = server->first;
    if (server->first)
        server->first->previous = connection;
    server->first = connection;
    server->count++;
}

void http_connection_release(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    server->count--;
    http_peers_leave(&server->peers, connection->client);
    if (server->spare) {
        free(connection);
    } else {
        *connection = (struct http_connection){0};
        server->spare = connection;
    }
    if (server->accept_waits && !server->stopping) {
        server->accept_waits = false;
        http_connection_accept(server);
    }
}

/* --- admission ------------------------------------------------------------------------------- */

/* False: the client is gone already, or there is no memory to count it. */
static bool read_peer(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct sockaddr_storage address;
    int size = sizeof(address);

    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&address, &size) < 0)
        return false;
    http_address_of_socket((struct sockaddr *)&address, &connection->address);
    http_address_print(&connection->address, connection->peer);
    if (http_networks_contain(&server->trusted, &connection->address))
        return true;
    connection->client = http_peers_enter(&server->peers, &connection->address);
    return connection->client != NULL;
}

/* Some over the limit are told so, more are just closed. */
static void admit(struct http_connection *connection)
{
    const struct http_options *options = &connection->server->options;
    unsigned all = connection->server->count;
    unsigned own = connection->client ? http_peer_count(connection->client) : 0;

    if (all > 2 * options->connections_max || own > 2 * options->connections_per_client_max)
        http_connection_close(connection);
    else if (own > options->connections_per_client_max)
        http_connection_refuse(connection, &client_full);
    else if (all > options->connections_max)
        http_connection_refuse(connection, &server_full);
}

void http_connection_accept(struct http_server *server)
{
    struct http_connection *connection = allocate(server);

    if (!connection) {
        server->accept_waits = true;
        return;
    }
    connection->server = server;
    connection->exchange.connection = connection;
    link_in(server, connection);
    (void)uv_timer_init(server->loop, &connection->timer); /* never fails */
    (void)uv_tcp_init(server->loop, &connection->tcp);     /* makes no socket yet: never fails */
    connection->tcp.data = connection->timer.data = connection;
    connection->open_handles = 2;
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) < 0 ||
        server->stopping || !read_peer(connection)) {
        http_connection_close(connection);
        return;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    http_connection_begin(connection);
    if (connection->phase == HTTP_IDLE)
        admit(connection);
}
