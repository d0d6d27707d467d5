#include "net/http_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/http_internal.h"

#include "base/poison.h"

enum { BACKLOG = 1024, PER_CLIENT_MAX = 512, BODIES_MAX_BYTES = 512 * 1024 * 1024 };

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static int parse_address(const struct http_options *options, struct sockaddr_storage *ret_address,
                         struct dc_err *err)
{
    if (uv_ip4_addr(options->host, options->port, (struct sockaddr_in *)ret_address) == 0 ||
        uv_ip6_addr(options->host, options->port, (struct sockaddr_in6 *)ret_address) == 0)
        return 0;
    return dc_fail(err, DC_INVALID, 0, "'%s' is not an IP address to listen on", options->host);
}

static uint16_t bound_port(const uv_tcp_t *tcp)
{
    struct sockaddr_storage address;
    int size = sizeof(address);

    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &size) < 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static void on_listener_closed(uv_handle_t *handle)
{
    ((struct http_server *)handle->data)->listener_open = false;
}

/* Binds; the listening itself comes with http_server_start. */
static int bind_listener(struct http_server *server, struct dc_err *err)
{
    struct sockaddr_storage address = {0};
    int result;

    if (parse_address(&server->options, &address, err) < 0)
        return -err->code;
    result = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    server->port = bound_port(&server->listener);
    if (result < 0 || server->port == 0)
        return dc_fail(err, result == UV_EADDRINUSE ? DC_BUSY : DC_KERNEL, -result,
                       "listen on %s port %u", server->options.host, server->options.port);
    return 0;
}

static void fill_defaults(struct http_options *options)
{
    struct http_deadlines *deadlines = &options->deadlines;

    deadlines->head_ms = or_default(deadlines->head_ms, 10000);
    deadlines->body_ms = or_default(deadlines->body_ms, 30000);
    deadlines->request_ms = or_default(deadlines->request_ms, 300000);
    deadlines->idle_ms = or_default(deadlines->idle_ms, 60000);
    deadlines->write_ms = or_default(deadlines->write_ms, 30000);
    options->connections_per_client_max =
        or_default(options->connections_per_client_max, PER_CLIENT_MAX);
    if (!options->bodies_max_bytes)
        options->bodies_max_bytes = BODIES_MAX_BYTES;
}

/* Without the listener, which takes a turn of the loop to go. */
static void free_memory(struct http_server *server)
{
    if (server)
        free(server->spare);
    free(server);
}
DC_AUTO_DEFINE(struct http_server *, free_memory)

static void on_listener_abandoned(uv_handle_t *handle)
{
    free_memory(handle->data);
}

int http_server_open(uv_loop_t *loop, const struct http_options *options,
                     struct http_server **ret_server, struct dc_err *err)
{
    DC_AUTO(free_memory) struct http_server *server = calloc(1, sizeof(*server));

    if (!server)
        return dc_fail(err, DC_KERNEL, ENOMEM, "HTTP server");
    server->spare = calloc(1, sizeof(*server->spare));
    if (!server->spare)
        return dc_fail(err, DC_KERNEL, ENOMEM, "HTTP server");
    server->options = *options;
    server->loop = loop;
    fill_defaults(&server->options);
    http_peers_init(&server->peers);
    if (http_networks_parse(options->trusted_proxies, &server->trusted, err) < 0)
        return dc_context(err, "trusted proxies");
    if (uv_tcp_init(loop, &server->listener) < 0)
        return dc_fail(err, DC_KERNEL, ENOMEM, "listening socket");
    server->listener.data = server;
    server->listener_open = true;
    if (bind_listener(server, err) < 0) {
        uv_close((uv_handle_t *)&dc_take(server)->listener, on_listener_abandoned);
        return -err->code;
    }
    *ret_server = dc_take(server);
    return 0;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = listener->data;

    if (status < 0) {
        dc_log(DC_LOG_WARN, "accept: %s", uv_strerror(status));
        return;
    }
    http_connection_accept(server);
}

int http_server_start(struct http_server *server, struct dc_err *err)
{
    int result = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);

    if (result < 0)
        return dc_fail(err, result == UV_EADDRINUSE ? DC_BUSY : DC_KERNEL, -result,
                       "listen on %s port %u", server->options.host, server->port);
    return 0;
}

void http_server_stop(struct http_server *server)
{
    server->stopping = true;
    if (server->listener_open && !uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, on_listener_closed);
    for (struct http_connection *at = server->first, *next; at; at = next) {
        next = at->next;
        if (at->phase == HTTP_IDLE)
            http_connection_close(at);
    }
}

void http_server_close(struct http_server *server)
{
    http_server_stop(server);
    for (struct http_connection *at = server->first, *next; at; at = next) {
        next = at->next;
        http_connection_close(at);
    }
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    if (server->listener_open && !uv_is_closing((uv_handle_t *)&server->listener)) {
        /* Never started: the loop has to turn once more for the handle to go. */
        uv_close((uv_handle_t *)&server->listener, on_listener_closed);
        (void)uv_run(server->loop, UV_RUN_NOWAIT);
    }
    free_memory(server);
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

unsigned http_server_connections(const struct http_server *server)
{
    return server->count;
}
