#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/http_internal.h"

#include "base/poison.h"

enum {
    IN_MAX_BYTES = 128 * 1024, /* of what came and is not yet taken */
    LINGER_MS = 2000,
};

static const struct http_refusal timed_out = {
    408, "Request timeout", "request_timeout",
    "The request did not arrive in time; send it in one go."};
static const struct http_refusal too_large = {
    413, "Request too large", "request_too_large",
    "The request body is over this server's limit; send less, or files in several runs."};
static const struct http_refusal server_full = {
    503, "Server full", "too_many_connections",
    "The server holds as many connections as it may; try again in a moment."};
static const struct http_refusal bad_chunks = {400, "Bad request", "bad_framing",
                                               "The chunked body is not well-formed."};

static void advance(struct http_connection *connection);

/* --- the end --------------------------------------------------------------------------------- */

static void free_exchange(struct http_exchange *exchange)
{
    if (exchange->has_body_state)
        http_body_release(&exchange->body);
    free(exchange->head_text);
    *exchange = (struct http_exchange){.connection = exchange->connection};
}

/* The memory goes when both handles are closed and no task uses the exchange. */
static void release_if_unused(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (connection->open_handles || connection->exchange.task_running)
        return;
    free_exchange(&connection->exchange);
    dc_buf_release(&connection->in);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    server->count--;
    free(connection);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *connection = handle->data;

    connection->open_handles--;
    release_if_unused(connection);
}

static void tell_gone(struct http_exchange *exchange)
{
    void (*gone)(void *arg) = exchange->gone;

    exchange->gone = NULL;
    if (gone)
        gone(exchange->gone_arg);
}

void http_connection_close(struct http_connection *connection)
{
    if (connection->phase == HTTP_CLOSED)
        return;
    connection->phase = HTTP_CLOSED;
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
    uv_close((uv_handle_t *)&connection->timer, on_closed);
    tell_gone(&connection->exchange);
}

/* --- deadlines ------------------------------------------------------------------------------- */

static void refuse(struct http_connection *connection, const struct http_refusal *refusal);

static void on_deadline(uv_timer_t *timer)
{
    struct http_connection *connection = timer->data;

    if (connection->phase == HTTP_HEAD || connection->phase == HTTP_BODY)
        refuse(connection, &timed_out);
    else
        http_connection_close(connection);
}

void http_connection_set_deadline(struct http_connection *connection, uint32_t ms)
{
    if (connection->phase == HTTP_CLOSED)
        return;
    if (ms)
        (void)uv_timer_start(&connection->timer, on_deadline, ms, 0);
    else
        (void)uv_timer_stop(&connection->timer);
}

/* --- handling -------------------------------------------------------------------------------- */

static void handle_task(void *arg)
{
    struct http_connection *connection = arg;
    const struct http_options *options = &connection->server->options;

    options->handle(&connection->exchange, options->context);
    connection->exchange.task_running = false;
    if (connection->phase == HTTP_CLOSED)
        release_if_unused(connection);
    else
        http_answer_check_done(&connection->exchange);
}

static void handle(struct http_connection *connection)
{
    struct dc_err err;

    connection->phase = HTTP_HANDLED;
    connection->exchange.task_running = true;
    http_connection_set_deadline(connection, 0);
    if (task_start(connection->server->loop, handle_task, connection, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "a request was dropped");
        connection->exchange.task_running = false;
        http_connection_close(connection);
    }
}

/* Answers a request that cannot be taken further; the connection ends after it. */
static void refuse(struct http_connection *connection, const struct http_refusal *refusal)
{
    struct http_exchange *exchange = &connection->exchange;

    exchange->refusal = refusal;
    exchange->close_after = true;
    dc_buf_consume(&connection->in, connection->in.length);
    handle(connection);
}

/* --- reading --------------------------------------------------------------------------------- */

static void take_head(struct http_connection *connection)
{
    struct http_exchange *exchange = &connection->exchange;
    size_t length = http_head_find_end(dc_buf_str(&connection->in), connection->in.length);
    const struct http_refusal *refusal;
    enum http_body_state state;

    if (length > HTTP_HEAD_MAX_BYTES || (!length && connection->in.length > HTTP_HEAD_MAX_BYTES)) {
        refuse(connection, http_head_too_long(connection->in.data, HTTP_TARGET_MAX_BYTES));
        return;
    }
    if (!length)
        return;
    exchange->head_text = malloc(length);
    if (!exchange->head_text) {
        http_connection_close(connection);
        return;
    }
    memcpy(exchange->head_text, connection->in.data, length);
    dc_buf_consume(&connection->in, length);
    refusal = http_head_parse(&exchange->head, exchange->head_text, length);
    if (refusal) {
        exchange->head = (struct http_head){0};
        refuse(connection, refusal);
        return;
    }
    exchange->close_after = !exchange->head.keep_alive || connection->server->stopping;
    state = http_body_init(&exchange->body, &exchange->head,
                           connection->server->options.body_max_bytes);
    exchange->has_body_state = true;
    connection->phase = HTTP_BODY;
    if (state == HTTP_BODY_TOO_LONG) {
        refuse(connection, &too_large);
    } else if (state == HTTP_BODY_DONE) {
        handle(connection);
    } else {
        http_connection_set_deadline(connection, connection->server->options.deadlines.body_ms);
        if (exchange->head.expect_continue && exchange->head.minor == 1 &&
            connection->in.length == 0)
            http_answer_continue(connection);
    }
}

static void take_body(struct http_connection *connection)
{
    size_t taken;
    enum http_body_state state;

    if (connection->in.length == 0)
        return;
    state = http_body_feed(&connection->exchange.body, connection->in.data, connection->in.length,
                           &taken);
    dc_buf_consume(&connection->in, taken);
    switch (state) {
    case HTTP_BODY_MORE:
        http_connection_set_deadline(connection, connection->server->options.deadlines.body_ms);
        break;
    case HTTP_BODY_DONE:
        handle(connection);
        break;
    case HTTP_BODY_BAD:
        refuse(connection, &bad_chunks);
        break;
    case HTTP_BODY_TOO_LONG:
        refuse(connection, &too_large);
        break;
    }
}

/* Goes on with what has been read, as far as it reaches. */
static void advance(struct http_connection *connection)
{
    if (connection->phase == HTTP_IDLE && connection->in.length) {
        connection->phase = HTTP_HEAD;
        http_connection_set_deadline(connection, connection->server->options.deadlines.head_ms);
    }
    if (connection->phase == HTTP_HEAD)
        take_head(connection);
    if (connection->phase == HTTP_BODY)
        take_body(connection);
    if (connection->phase == HTTP_LINGER)
        dc_buf_consume(&connection->in, connection->in.length);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct http_connection *connection = handle->data;
    size_t room = IN_MAX_BYTES - connection->in.length;
    size_t size = room < suggested ? room : suggested;
    char *bytes = size ? dc_buf_reserve(&connection->in, size) : NULL;

    *ret_buffer = uv_buf_init(bytes, bytes ? (unsigned)size : 0); /* 0: on_read gets UV_ENOBUFS */
}

static void stop_reading(struct http_connection *connection)
{
    if (connection->reading)
        (void)uv_read_stop((uv_stream_t *)&connection->tcp);
    connection->reading = false;
}

static void on_end(struct http_connection *connection)
{
    stop_reading(connection);
    connection->ended = true;
    switch (connection->phase) {
    case HTTP_IDLE:
    case HTTP_LINGER:
    case HTTP_HEAD:
    case HTTP_BODY:
        http_connection_close(connection);
        break;
    case HTTP_HANDLED:
        connection->exchange.close_after = true;
        tell_gone(&connection->exchange);
        break;
    case HTTP_CLOSED:
        break;
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct http_connection *connection = stream->data;

    (void)buffer;
    if (length == UV_ENOBUFS) {
        stop_reading(connection); /* until the request at hand is answered */
        return;
    }
    if (length == UV_EOF) {
        on_end(connection);
        return;
    }
    if (length < 0) {
        http_connection_close(connection);
        return;
    }
    if (length) {
        dc_buf_commit(&connection->in, (size_t)length);
        advance(connection);
    }
}

static bool start_reading(struct http_connection *connection)
{
    if (!connection->reading && !connection->ended)
        connection->reading =
            uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) == 0;
    return connection->reading || connection->ended;
}

/* --- between requests ------------------------------------------------------------------------ */

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

static void linger(struct http_connection *connection)
{
    uv_shutdown_t *request = malloc(sizeof(*request));

    if (!request || connection->ended || !start_reading(connection) ||
        uv_shutdown(request, (uv_stream_t *)&connection->tcp, on_shut_down) < 0) {
        free(request);
        http_connection_close(connection);
        return;
    }
    connection->phase = HTTP_LINGER;
    dc_buf_consume(&connection->in, connection->in.length);
    http_connection_set_deadline(connection, LINGER_MS);
}

void http_connection_finish(struct http_connection *connection)
{
    bool close = connection->exchange.close_after || connection->server->stopping;

    free_exchange(&connection->exchange);
    if (close) {
        linger(connection);
        return;
    }
    connection->phase = HTTP_IDLE;
    if (!start_reading(connection)) {
        http_connection_close(connection);
        return;
    }
    http_connection_set_deadline(connection, connection->server->options.deadlines.idle_ms);
    advance(connection);
}

/* --- accepting ------------------------------------------------------------------------------- */

static void read_peer(struct http_connection *connection)
{
    struct sockaddr_storage address;
    int size = sizeof(address);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;

    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&address, &size) < 0)
        return;
    if (address.ss_family == AF_INET6) {
        (void)uv_ip6_name(v6, connection->peer, sizeof(connection->peer));
        connection->peer_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    } else {
        (void)uv_ip4_name(v4, connection->peer, sizeof(connection->peer));
        connection->peer_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
}

static void link_in(struct http_server *server, struct http_connection *connection)
{
    connection->next = server->first;
    if (server->first)
        server->first->previous = connection;
    server->first = connection;
    server->count++;
}

void http_connection_accept(struct http_server *server)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));

    if (!connection)
        return; /* stays in the backlog */
    connection->server = server;
    connection->exchange.connection = connection;
    dc_buf_init(&connection->in, IN_MAX_BYTES);
    link_in(server, connection);
    (void)uv_timer_init(server->loop, &connection->timer); /* never fails */
    (void)uv_tcp_init(server->loop, &connection->tcp);     /* makes no socket yet: never fails */
    connection->tcp.data = connection->timer.data = connection;
    connection->open_handles = 2;
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) < 0 ||
        server->count > 2 * server->options.connections_max || server->stopping) {
        http_connection_close(connection);
        return;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    read_peer(connection);
    if (!start_reading(connection)) {
        http_connection_close(connection);
        return;
    }
    http_connection_set_deadline(connection, server->options.deadlines.idle_ms);
    if (server->count > server->options.connections_max)
        refuse(connection, &server_full);
}
