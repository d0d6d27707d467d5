/*
 * The HTTP server while memory and libuv's calls fail. A client gets each answer whole, an error of
 * the server's, or the end of its connection, and the next one is served as if nothing had been.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"
#include "net/http_server.h"
#include "net/task.h"

enum { LONG_MS = 600000, IDLE_TURNS = 60, TURNS_MAX = 5000, HEARD_MAX = 1 << 20 };

static const char requests[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                               "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
                               "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
                               "GET /bad target HTTP/1.1\r\nHost: x\r\n\r\n";

static uv_loop_t loop;
static struct http_server *server;
static char heard[HEARD_MAX];

static void handle(struct http_exchange *exchange, void *context)
{
    static const struct http_answer_field fields[] = {{"Content-Type", "text/plain"}, {NULL, NULL}};
    const struct http_refusal *refusal = http_exchange_refusal(exchange);
    size_t length;
    const char *bytes = http_exchange_body(exchange, &length);
    struct dc_buf body;

    (void)context;
    if (!refusal && strcmp(http_exchange_head(exchange)->target, "/stream") == 0) {
        http_stream_begin(exchange, &(struct http_answer){200, fields});
        http_stream_write(exchange, "one ", 4);
        task_sleep(1);
        http_stream_write(exchange, "two", 3);
        http_stream_end(exchange);
        return;
    }
    dc_buf_init(&body, 1 << 20);
    (void)dc_buf_append(&body, bytes, length);
    (void)dc_buf_text(&body, "!");
    http_answer(exchange, &(struct http_answer){refusal ? refusal->status : 200, fields}, &body);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -1;
    return fd;
}

/* Sends the requests and hears until the server hangs up or has nothing more to say; how many
 * answers were good. */
static int talk(const char *text, size_t length)
{
    size_t got = 0;
    int fd = dial();
    int answers = 0;

    if (fd < 0 || send(fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
        return -1;
    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        ssize_t n;

        (void)uv_run(&loop, UV_RUN_NOWAIT);
        n = recv(fd, heard + got, sizeof(heard) - 1 - got, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        if (n > 0) {
            got += (size_t)n;
            idle = 0;
        } else if (idle > 5) {
            (void)poll(&poll_fd, 1, 1);
        }
    }
    heard[got] = '\0';
    (void)close(fd);
    for (int i = 0; http_server_connections(server) && i < TURNS_MAX; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        if (i > 10)
            (void)poll(NULL, 0, 1);
    }
    for (const char *at = heard; (at = strstr(at, "HTTP/1.1 200 ")); at++)
        answers++;
    return http_server_connections(server) ? -1000 : answers;
}

static int talk_once(struct dc_err *err)
{
    int answers = talk(requests, sizeof(requests) - 1);

    if (answers < 0)
        return dc_fail(err, DC_BUG, 0, "the server hangs");
    if (answers != 3 || !strstr(heard, "HTTP/1.1 400 "))
        return dc_fail(err, DC_KERNEL, 0, "%d answers", answers);
    return 0;
}

static int open_server(struct dc_err *err)
{
    static const struct http_options options = {
        .host = "127.0.0.1",
        .body_max_bytes = 100000,
        .connections_max = 100,
        .trusted_proxies = "192.0.2.1",
        .deadlines = {LONG_MS, LONG_MS, LONG_MS, LONG_MS, LONG_MS},
        .handle = handle,
    };

    if (http_server_open(&loop, &options, &server, err) < 0)
        return -err->code;
    return http_server_start(server, err);
}

static int serve(struct dc_err *err)
{
    struct dc_err again;
    int result;

    server = NULL;
    if (uv_loop_init(&loop) < 0)
        return dc_fail(err, DC_KERNEL, 0, "loop");
    result = open_server(err);
    if (result == 0) {
        result = talk_once(err);
        fault_pause(true);
        if (talk_once(&again) < 0)
            result = dc_fail(err, DC_BUG, 0, "not well afterwards: %s", again.text);
        fault_pause(false);
    }
    if (server)
        http_server_close(server);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    http_server_free(server);
    task_release_kept();
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&loop) < 0)
        return dc_fail(err, DC_BUG, 0, "handles are left");
    return result;
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"serve HTTP", serve, NULL, FAULT_HARD},
    };

    return fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
