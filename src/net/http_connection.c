#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/http_internal.h"

#include "base/poison.h"

enum {
    IN_MAX_BYTES = 128 * 1024, /* of what came and is not yet taken */
    IN_KEPT_BYTES = 4096,      /* an idle connection holds no more */
    LINGER_MS = 2000,
};

static const struct http_refusal timed_out = {
    408, "Request timeout", "request_timeout",
    "The request did not arrive in time; send it in one go."};
static const struct http_refusal too_large = {
    413, "Request too large", "request_too_large",
    "The request body is over this server's limit; send less, or files in several runs."};
static const struct http_refusal server_full = {
    503, "Server full", "server_full",
    "The server holds as many request bodies as it may; try again in a moment."};
static const struct http_refusal bad_chunks = {400, "Bad request", "bad_framing",
                                               "The chunked body is not well-formed."};

static void advance(struct http_connection *connection);

/* --- the end --------------------------------------------------------------------------------- */

static void drop_body(struct http_exchange *exchange)
{
    if (exchange->has_body_state)
        http_body_release(&exchange->body);
    exchange->has_body_state = false;
    exchange->connection->server->bodies_bytes -= exchange->charged;
    exchange->charged = 0;
}

static void free_exchange(struct http_exchange *exchange)
{
    drop_body(exchange);
    free(exchange->head_text);
    *exchange = (struct http_exchange){.connection = exchange->connection};
}

/* The memory goes when both handles are closed and no task uses the exchange. */
static void release_if_unused(struct http_connection *connection)
{
    if (connection->open_handles || connection->exchange.task_running)
        return;
    free_exchange(&connection->exchange);
    dc_buf_release(&connection->in);
    http_connection_release(connection);
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

static size_t unwritten(const struct http_connection *connection)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp);
}

static void on_deadline(uv_timer_t *timer)
{
    struct http_connection *connection = timer->data;

    if (connection->phase == HTTP_HEAD || connection->phase == HTTP_BODY)
        http_connection_refuse(connection, &timed_out);
    else if (connection->phase == HTTP_HANDLED && unwritten(connection) < connection->unwritten)
        http_connection_await_write(connection); /* slow, but it reads */
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

void http_connection_await_write(struct http_connection *connection)
{
    connection->unwritten = unwritten(connection);
    http_connection_set_deadline(connection, connection->server->options.deadlines.write_ms);
}

/* For the next byte of the body, within the time that the whole request has. */
static void await_body(struct http_connection *connection)
{
    const struct http_deadlines *deadlines = &connection->server->options.deadlines;
    uint64_t used = uv_now(connection->server->loop) - connection->begun_ms;
    uint64_t left = used < deadlines->request_ms ? deadlines->request_ms - used : 1;

    http_connection_set_deadline(connection,
                                 left < deadlines->body_ms ? (uint32_t)left : deadlines->body_ms);
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

void http_connection_refuse(struct http_connection *connection, const struct http_refusal *refusal)
{
    struct http_exchange *exchange = &connection->exchange;

    exchange->refusal = refusal;
    exchange->close_after = true;
    drop_body(exchange);
    dc_buf_consume(&connection->in, connection->in.length);
    handle(connection);
}

/* --- reading --------------------------------------------------------------------------------- */

/* The head is whole and good: what about the body? */
static void begin_body(struct http_connection *connection)
{
    struct http_exchange *exchange = &connection->exchange;
    enum http_body_state state = http_body_init(&exchange->body, &exchange->head,
                                                connection->server->options.body_max_bytes);

    exchange->has_body_state = true;
    connection->phase = HTTP_BODY;
    if (state == HTTP_BODY_TOO_LONG) {
        http_connection_refuse(connection, &too_large);
    } else if (state == HTTP_BODY_DONE) {
        handle(connection);
    } else {
        await_body(connection);
        if (exchange->head.expect_continue && exchange->head.minor == 1 &&
            connection->in.length == 0)
            http_answer_continue(connection);
    }
}

static void parse_head(struct http_connection *connection, size_t length)
{
    struct http_exchange *exchange = &connection->exchange;
    const struct http_refusal *refusal;

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
        http_connection_refuse(connection, refusal);
        return;
    }
    exchange->close_after = !exchange->head.keep_alive || connection->server->stopping;
    begin_body(connection);
}

static void take_head(struct http_connection *connection)
{
    const char *bytes = dc_buf_str(&connection->in);
    size_t there = connection->in.length;
    size_t looked_at = there < HTTP_HEAD_MAX_BYTES ? there : HTTP_HEAD_MAX_BYTES;
    const struct http_refusal *refusal;
    size_t length = http_head_scan(bytes, looked_at, connection->seen, &refusal);

    connection->seen = length ? 0 : looked_at;
    if (refusal)
        http_connection_refuse(connection, refusal);
    else if (length)
        parse_head(connection, length);
    else if (there > HTTP_HEAD_MAX_BYTES)
        http_connection_refuse(connection, http_head_too_long(bytes, HTTP_TARGET_MAX_BYTES));
}

/* Counts what the body holds; false when all bodies together hold too much. */
static bool charge_body(struct http_exchange *exchange)
{
    struct http_server *server = exchange->connection->server;

    server->bodies_bytes += exchange->body.bytes.capacity - exchange->charged;
    exchange->charged = exchange->body.bytes.capacity;
    return server->bodies_bytes <= server->options.bodies_max_bytes;
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
    if (!charge_body(&connection->exchange)) {
        http_connection_refuse(connection, &server_full);
        return;
    }
    switch (state) {
    case HTTP_BODY_MORE:
        await_body(connection);
        break;
    case HTTP_BODY_DONE:
        handle(connection);
        break;
    case HTTP_BODY_BAD:
        http_connection_refuse(connection, &bad_chunks);
        break;
    case HTTP_BODY_TOO_LONG:
        http_connection_refuse(connection, &too_large);
        break;
    }
}

/* Goes on with what has been read, as far as it reaches. */
static void advance(struct http_connection *connection)
{
    if (connection->phase == HTTP_IDLE && connection->in.length) {
        connection->phase = HTTP_HEAD;
        connection->seen = 0;
        connection->begun_ms = uv_now(connection->server->loop);
        http_connection_set_deadline(connection, connection->server->options.deadlines.head_ms);
    }
    if (connection->phase == HTTP_HEAD)
        take_head(connection);
    if (connection->phase == HTTP_BODY)
        take_body(connection);
    if (connection->phase == HTTP_LINGER)
        dc_buf_consume(&connection->in, connection->in.length);
}

/* One buffer for all: what was read is taken over before the next read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct http_connection *connection = handle->data;
    size_t room = IN_MAX_BYTES - connection->in.length;
    size_t size = room < HTTP_READ_BYTES ? room : HTTP_READ_BYTES;

    (void)suggested;
    /* 0: on_read gets UV_ENOBUFS */
    *ret_buffer = uv_buf_init(connection->server->read_buffer, (unsigned)size);
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
    if (connection->phase == HTTP_HANDLED)
        tell_gone(&connection->exchange);
    else
        http_connection_close(connection);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct http_connection *connection = stream->data;

    if (length == UV_ENOBUFS) {
        stop_reading(connection); /* until the request at hand is answered */
    } else if (length == UV_EOF) {
        on_end(connection);
    } else if (length < 0 || !dc_buf_append(&connection->in, buffer->base, (size_t)length)) {
        http_connection_close(connection);
    } else if (length) {
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

/* Goes on to the next request, which may be there already; without one a client that has sent all
 * it will is let go. */
static void next_request(struct http_connection *connection)
{
    connection->phase = HTTP_IDLE;
    if (connection->in.length == 0 && connection->in.capacity > IN_KEPT_BYTES)
        dc_buf_release(&connection->in);
    if (!start_reading(connection)) {
        http_connection_close(connection);
        return;
    }
    http_connection_set_deadline(connection, connection->server->options.deadlines.idle_ms);
    advance(connection);
    if (connection->ended && (connection->phase == HTTP_IDLE || connection->phase == HTTP_HEAD ||
                              connection->phase == HTTP_BODY))
        http_connection_close(connection);
}

void http_connection_finish(struct http_connection *connection)
{
    bool close = connection->exchange.close_after || connection->server->stopping;

    free_exchange(&connection->exchange);
    if (close)
        linger(connection);
    else
        next_request(connection);
}

void http_connection_begin(struct http_connection *connection)
{
    dc_buf_init(&connection->in, IN_MAX_BYTES);
    next_request(connection);
}
