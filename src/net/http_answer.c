#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "net/http_internal.h"

#include "base/poison.h"

enum { ANSWER_HEAD_MAX_BYTES = 16 * 1024, CHUNK_MAX_BYTES = 64 * 1024 };

/* One write under way: head and body leave together. */
struct leaving {
    uv_write_t request;
    struct http_exchange *exchange;
    struct dc_buf head;
    struct dc_buf body;
};

/* --- the request's side of http_server.h ----------------------------------------------------- */

const struct http_refusal *http_exchange_refusal(const struct http_exchange *exchange)
{
    return exchange->refusal;
}

const struct http_head *http_exchange_head(const struct http_exchange *exchange)
{
    return &exchange->head;
}

const char *http_exchange_body(const struct http_exchange *exchange, size_t *ret_length)
{
    *ret_length = exchange->has_body_state ? exchange->body.bytes.length : 0;
    return exchange->has_body_state ? dc_buf_str(&exchange->body.bytes) : "";
}

const char *http_exchange_peer(const struct http_exchange *exchange)
{
    return exchange->connection->peer;
}

bool http_exchange_peer_is_loopback(const struct http_exchange *exchange)
{
    return http_address_is_loopback(&exchange->connection->address);
}

void http_exchange_client(const struct http_exchange *exchange, char out[static HTTP_ADDRESS_SIZE])
{
    const struct http_head *head = &exchange->head;
    struct http_address client = exchange->connection->address;

    for (size_t i = head->field_count; i > 0; i--) {
        const struct http_field *field = &head->fields[i - 1];

        if (strcmp(field->name, "x-forwarded-for") == 0 &&
            !http_forwarded_client(field->value, &exchange->connection->server->trusted, &client))
            break;
    }
    http_address_print(&client, out);
}

bool http_exchange_is_secure(const struct http_exchange *exchange)
{
    const char *proto = http_head_field(&exchange->head, "x-forwarded-proto");

    return proto && strcasecmp(proto, "https") == 0 &&
           http_networks_contain(&exchange->connection->server->trusted,
                                 &exchange->connection->address);
}

void *http_exchange_context(const struct http_exchange *exchange)
{
    return exchange->connection->server->options.context;
}

bool http_exchange_gone(const struct http_exchange *exchange)
{
    return exchange->connection->phase == HTTP_CLOSED || exchange->connection->ended;
}

void http_exchange_on_gone(struct http_exchange *exchange, void (*gone)(void *arg), void *arg)
{
    exchange->gone = gone;
    exchange->gone_arg = arg;
    if (gone && http_exchange_gone(exchange)) {
        exchange->gone = NULL;
        gone(arg);
    }
}

/* --- writing --------------------------------------------------------------------------------- */

static void leaving_free(struct leaving *leaving)
{
    dc_buf_release(&leaving->head);
    dc_buf_release(&leaving->body);
    free(leaving);
}

void http_answer_check_done(struct http_exchange *exchange)
{
    struct http_connection *connection = exchange->connection;

    if (exchange->task_running || exchange->writing || connection->phase != HTTP_HANDLED)
        return;
    if (!exchange->answered || exchange->streaming)
        http_connection_close(connection); /* a handler that gave up half-way */
    else
        http_connection_finish(connection);
}

static void on_written(uv_write_t *request, int status)
{
    struct leaving *leaving = request->data;
    struct http_exchange *exchange = leaving->exchange;
    struct http_connection *connection = exchange->connection;
    struct task *writer = exchange->writer;

    leaving_free(leaving);
    exchange->writing--;
    if (connection->phase == HTTP_HANDLED && exchange->writing == 0)
        http_connection_set_deadline(connection, 0);
    if (status < 0 && connection->phase != HTTP_CLOSED)
        http_connection_close(connection);
    exchange->writer = NULL;
    if (writer)
        task_wake(writer); /* the connection may be gone when this returns: its task goes on */
    else
        http_answer_check_done(exchange);
}

/* Sends and takes leaving. */
static void send_off(struct http_exchange *exchange, struct leaving *leaving)
{
    struct http_connection *connection = exchange->connection;
    uv_buf_t parts[2] = {
        uv_buf_init(leaving->head.data, (unsigned)leaving->head.length),
        uv_buf_init(leaving->body.data, (unsigned)leaving->body.length),
    };

    leaving->exchange = exchange;
    leaving->request.data = leaving;
    if (connection->phase == HTTP_CLOSED ||
        uv_write(&leaving->request, (uv_stream_t *)&connection->tcp, parts,
                 leaving->body.length ? 2 : 1, on_written) < 0) {
        leaving_free(leaving);
        http_connection_close(connection);
        return;
    }
    exchange->writing++;
    if (connection->phase == HTTP_HANDLED) /* else it is "continue", and the body is waited for */
        http_connection_await_write(connection);
}

static struct leaving *leaving_new(void)
{
    struct leaving *leaving = calloc(1, sizeof(*leaving));

    if (leaving)
        dc_buf_init(&leaving->head, ANSWER_HEAD_MAX_BYTES + CHUNK_MAX_BYTES);
    return leaving;
}

/* --- heads ----------------------------------------------------------------------------------- */

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } all[] = {
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i].status == status)
            return all[i].text;
    return "Unknown";
}

static const char *date(struct http_server *server)
{
    int64_t now = dc_wall_now() / DC_NS_PER_S;
    time_t seconds = (time_t)now;
    struct tm tm;

    if (now != server->date_s) {
        server->date_s = now;
        (void)gmtime_r(&seconds, &tm);
        (void)strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    }
    return server->date;
}

/* A field's value never holds a line break: nothing of a client gets in unchecked. */
static bool value_is_safe(const char *value)
{
    return strpbrk(value, "\r\n") == NULL;
}

static void print_head(struct http_exchange *exchange, const struct http_answer *answer,
                       struct dc_buf *out)
{
    struct http_server *server = exchange->connection->server;

    if (server->stopping)
        exchange->close_after = true;
    (void)dc_buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", answer->status,
                        reason(answer->status), date(server));
    (void)dc_buf_text(out, "X-Content-Type-Options: nosniff\r\n"
                           "Referrer-Policy: no-referrer\r\n"
                           "X-Frame-Options: DENY\r\n");
    for (const struct http_answer_field *field = answer->fields; field && field->name; field++)
        if (value_is_safe(field->value))
            (void)dc_buf_printf(out, "%s: %s\r\n", field->name, field->value);
    if (exchange->close_after)
        (void)dc_buf_text(out, "Connection: close\r\n");
    else if (exchange->head.minor == 0)
        (void)dc_buf_text(out, "Connection: keep-alive\r\n");
}

static bool is_head_only(const struct http_exchange *exchange)
{
    return strcmp(exchange->head.method, "HEAD") == 0;
}

/* --- whole answers --------------------------------------------------------------------------- */

void http_answer(struct http_exchange *exchange, const struct http_answer *answer,
                 struct dc_buf *body)
{
    struct leaving *leaving = leaving_new();
    bool no_length = answer->status == 204 || answer->status == 304;

    assert(!exchange->answered);
    exchange->answered = true;
    if (!leaving) {
        dc_buf_release(body);
        http_connection_close(exchange->connection);
        return;
    }
    leaving->body = *body;
    dc_buf_init(body, body->max);
    print_head(exchange, answer, &leaving->head);
    if (!no_length)
        (void)dc_buf_printf(&leaving->head, "Content-Length: %zu\r\n", leaving->body.length);
    (void)dc_buf_text(&leaving->head, "\r\n");
    if (no_length || is_head_only(exchange))
        dc_buf_release(&leaving->body);
    send_off(exchange, leaving);
}

void http_answer_continue(struct http_connection *connection)
{
    struct leaving *leaving = leaving_new();

    if (!leaving || !dc_buf_text(&leaving->head, "HTTP/1.1 100 Continue\r\n\r\n")) {
        free(leaving);
        http_connection_close(connection);
        return;
    }
    send_off(&connection->exchange, leaving);
}

/* --- streams --------------------------------------------------------------------------------- */

void http_stream_begin(struct http_exchange *exchange, const struct http_answer *answer)
{
    struct leaving *leaving = leaving_new();

    assert(!exchange->answered);
    exchange->answered = true;
    exchange->streaming = true;
    exchange->raw_stream = exchange->head.minor == 0;
    if (exchange->raw_stream)
        exchange->close_after = true;
    if (!leaving) {
        http_connection_close(exchange->connection);
        return;
    }
    print_head(exchange, answer, &leaving->head);
    if (!exchange->raw_stream)
        (void)dc_buf_text(&leaving->head, "Transfer-Encoding: chunked\r\n");
    (void)dc_buf_text(&leaving->head, "\r\n");
    send_off(exchange, leaving);
}

static void wait_written(struct http_exchange *exchange)
{
    while (exchange->writing && exchange->connection->phase != HTTP_CLOSED) {
        exchange->writer = task_self();
        task_suspend();
        exchange->writer = NULL;
    }
}

static void write_chunk(struct http_exchange *exchange, const char *bytes, size_t length)
{
    struct leaving *leaving = leaving_new();

    if (!leaving) {
        http_connection_close(exchange->connection);
        return;
    }
    if (!exchange->raw_stream)
        (void)dc_buf_printf(&leaving->head, "%zx\r\n", length);
    (void)dc_buf_append(&leaving->head, bytes, length);
    if (!exchange->raw_stream)
        (void)dc_buf_text(&leaving->head, "\r\n");
    send_off(exchange, leaving);
    wait_written(exchange);
}

void http_stream_write(struct http_exchange *exchange, const char *bytes, size_t length)
{
    if (is_head_only(exchange))
        return;
    if (length && http_exchange_gone(exchange))
        exchange->cut = true;
    while (length && !exchange->cut) {
        size_t n = length < CHUNK_MAX_BYTES ? length : CHUNK_MAX_BYTES;

        write_chunk(exchange, bytes, n);
        bytes += n;
        length -= n;
        exchange->cut = length && http_exchange_gone(exchange);
    }
}

void http_stream_end(struct http_exchange *exchange)
{
    exchange->streaming = false;
    if (exchange->connection->phase == HTTP_CLOSED)
        return;
    if (exchange->cut)
        http_connection_close(exchange->connection);
    if (exchange->cut || exchange->raw_stream || is_head_only(exchange))
        return;
    exchange->raw_stream = true; /* the end is written as it stands */
    write_chunk(exchange, "0\r\n\r\n", 5);
}
