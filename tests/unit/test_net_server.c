/* The server over real sockets: what it answers, what it refuses, when it lets go. Each test has a
 * server of its own on a thread of its own; deadlines that are tested are short, all others long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/http_server.h"
#include "net/task.h"

#include "base/poison.h"

enum { PATIENCE_MS = 60000, LONG_MS = 600000, BIG_BYTES = 16 * 1024 * 1024 };

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define LAST(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define POST_HEAD "POST /echo HTTP/1.1\r\nHost: x\r\n"

/* --- the server ------------------------------------------------------------------------------ */

struct world {
    uv_loop_t loop;
    uv_async_t stop;
    struct http_server *server;
    pthread_t thread;
    atomic_int handled; /* requests that were not refused */
    atomic_int waiting; /* handlers in /gone and /held */
    atomic_bool gone;
    atomic_bool draining;
    struct task *held;
};

static const struct http_options usual = {
    .host = "127.0.0.1",
    .body_max_bytes = 100000,
    .connections_max = 100,
    .deadlines = {LONG_MS, LONG_MS, LONG_MS, LONG_MS, LONG_MS},
};

static void answer_text(struct http_exchange *exchange, int status, const char *text, size_t length)
{
    static const struct http_answer_field fields[] = {
        {"Content-Type", "text/plain"}, {"X-Bad", "a\r\nSet-Cookie: b"}, {NULL, NULL}};
    struct dc_buf body;

    dc_buf_init(&body, BIG_BYTES);
    (void)dc_buf_append(&body, text, length);
    http_answer(exchange, &(struct http_answer){status, fields}, &body);
}

static void answer_big(struct http_exchange *exchange)
{
    char *bytes = malloc(BIG_BYTES);

    memset(bytes, 'b', BIG_BYTES);
    answer_text(exchange, 200, bytes, BIG_BYTES);
    free(bytes);
}

static void answer_client(struct http_exchange *exchange)
{
    char text[HTTP_ADDRESS_SIZE + 16];
    char client[HTTP_ADDRESS_SIZE];
    int length;

    http_exchange_client(exchange, client);
    length = snprintf(text, sizeof(text), "%s %s", client,
                      http_exchange_is_secure(exchange) ? "secure" : "plain");
    answer_text(exchange, 200, text, (size_t)length);
}

static void answer_count(const struct world *world, struct http_exchange *exchange)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%u", http_server_connections(world->server));

    answer_text(exchange, 200, text, (size_t)length);
}

static void stream(struct http_exchange *exchange)
{
    http_stream_begin(exchange, &(struct http_answer){200, NULL});
    http_stream_write(exchange, "one ", 4);
    task_sleep(1);
    http_stream_write(exchange, "two", 3);
    http_stream_end(exchange);
}

static void on_gone(void *arg)
{
    task_wake(arg);
}

/* Begins, waits until the client is gone, writes on. */
static void stream_until_gone(struct world *world, struct http_exchange *exchange)
{
    http_stream_begin(exchange, &(struct http_answer){200, NULL});
    http_stream_write(exchange, "begun", 5);
    http_exchange_on_gone(exchange, on_gone, task_self());
    atomic_fetch_add(&world->waiting, 1);
    while (!http_exchange_gone(exchange))
        task_suspend();
    http_stream_write(exchange, "never", 5);
    http_stream_end(exchange);
    atomic_store(&world->gone, true);
}

static void hold(struct world *world, struct http_exchange *exchange)
{
    world->held = task_self();
    atomic_fetch_add(&world->waiting, 1);
    while (!atomic_load(&world->draining))
        task_suspend();
    world->held = NULL;
    answer_text(exchange, 200, "held", 4);
}

static bool is(const struct http_exchange *exchange, const char *target)
{
    return strcmp(http_exchange_head(exchange)->target, target) == 0;
}

static void handle(struct http_exchange *exchange, void *context)
{
    struct world *world = context;
    const struct http_refusal *refusal = http_exchange_refusal(exchange);
    size_t length;
    const char *body = http_exchange_body(exchange, &length);

    if (refusal) {
        answer_text(exchange, refusal->status, refusal->code, strlen(refusal->code));
        return;
    }
    atomic_fetch_add(&world->handled, 1);
    if (is(exchange, "/echo"))
        answer_text(exchange, 200, body, length);
    else if (is(exchange, "/big"))
        answer_big(exchange);
    else if (is(exchange, "/client"))
        answer_client(exchange);
    else if (is(exchange, "/stream"))
        stream(exchange);
    else if (is(exchange, "/gone"))
        stream_until_gone(world, exchange);
    else if (is(exchange, "/held"))
        hold(world, exchange);
    else if (is(exchange, "/count"))
        answer_count(world, exchange);
    else if (is(exchange, "/none"))
        answer_text(exchange, 204, "", 0);
    else if (is(exchange, "/silent"))
        return;
    else {
        if (is(exchange, "/sleep"))
            task_sleep(5);
        answer_text(exchange, 200, http_exchange_head(exchange)->target,
                    strlen(http_exchange_head(exchange)->target));
    }
}

/* First a drain, then the end. */
static void on_stop(uv_async_t *async)
{
    struct world *world = async->data;

    if (!atomic_exchange(&world->draining, true)) {
        http_server_stop(world->server);
        if (world->held)
            task_wake(world->held);
        return;
    }
    http_server_close(world->server);
    uv_close((uv_handle_t *)async, NULL);
}

static void *serve(void *arg)
{
    struct world *world = arg;

    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    task_release_kept();
    return NULL;
}

static struct world *start(struct http_options options)
{
    struct world *world = calloc(1, sizeof(*world));
    struct dc_err err;

    assert_non_null(world);
    options.handle = handle;
    options.context = world;
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(uv_async_init(&world->loop, &world->stop, on_stop), 0);
    world->stop.data = world;
    if (http_server_open(&world->loop, &options, &world->server, &err) < 0 ||
        http_server_start(world->server, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&world->thread, NULL, serve, world), 0);
    return world;
}

static void wait_for(const atomic_int *counter, int value)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(counter) < value; i++)
        (void)usleep(1000);
    assert_true(atomic_load(counter) >= value);
}

static void end(struct world *world)
{
    atomic_store(&world->draining, true);
    (void)uv_async_send(&world->stop);
    assert_int_equal(pthread_join(world->thread, NULL), 0);
    assert_int_equal(http_server_connections(world->server), 0);
    http_server_free(world->server);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    free(world);
}

/* --- the client ------------------------------------------------------------------------------ */

static int try_dial(const struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(world->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int dial(const struct world *world)
{
    int fd = try_dial(world);

    assert_true(fd >= 0);
    return fd;
}

/* The other side may have closed already: then nothing more is sent. */
static void say_bytes(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

        if (n < 0)
            return;
        bytes += n;
        length -= (size_t)n;
    }
}

static void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Waits for bytes; 0 at the end. */
static size_t hear_some(int fd, char *out, size_t size)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    ssize_t n;

    if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
        fail_msg("no answer and no end");
    n = recv(fd, out, size, 0);
    return n < 0 ? 0 : (size_t)n;
}

static char heard[1024 * 1024];

/* Everything until the server closes. Closes fd. */
static const char *hear_all(int fd)
{
    size_t length = 0;
    size_t n;

    while (length < sizeof(heard) - 1 &&
           (n = hear_some(fd, heard + length, sizeof(heard) - 1 - length)) > 0)
        length += n;
    heard[length] = '\0';
    (void)close(fd);
    return heard;
}

/* Until text has come. */
static const char *hear(int fd, const char *text)
{
    size_t length = 0;

    heard[0] = '\0';
    while (!strstr(heard, text)) {
        size_t n = hear_some(fd, heard + length, sizeof(heard) - 1 - length);

        if (!n)
            fail_msg("ended before '%s': '%s'", text, heard);
        length += n;
        heard[length] = '\0';
    }
    return heard;
}

static const char *talk(const struct world *world, const char *text)
{
    int fd = dial(world);

    say(fd, text);
    return hear_all(fd);
}

static int count(const char *text, const char *part)
{
    int n = 0;

    for (text = strstr(text, part); text; text = strstr(text + 1, part))
        n++;
    return n;
}

static int status_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

/* Until nobody but the one who asks is connected. */
static void wait_alone(const struct world *world)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        const char *answer = talk(world, LAST("/count"));
        const char *body = strstr(answer, "\r\n\r\n");

        if (body && strcmp(body, "\r\n\r\n1") == 0)
            return;
        (void)usleep(1000);
    }
    fail_msg("connections stay");
}

static void expect_one(const char *answer, int status, const char *what)
{
    if (status_of(answer) != status || count(answer, "HTTP/1.") != 1)
        fail_msg("%.60s: not one answer of %d: %.300s", what, status, answer);
}

/* --- answers --------------------------------------------------------------------------------- */

static void test_keep_alive(void **state)
{
    struct world *world = start(usual);
    int fd = dial(world);
    const char *answer;

    (void)state;
    for (int i = 0; i < 3; i++) {
        say(fd, GET("/a"));
        answer = hear(fd, "\r\n\r\n/a");
        assert_int_equal(status_of(answer), 200);
        assert_non_null(strstr(answer, "\r\nContent-Length: 2\r\n"));
        assert_non_null(strstr(answer, "\r\nDate: "));
        assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
        assert_null(strstr(answer, "\r\nServer:"));
        assert_null(strstr(answer, "Connection:"));
        assert_null(strstr(answer, "Set-Cookie")); /* no line break gets into a field */
    }
    say(fd, "HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n" GET("/none") LAST("/d"));
    answer = hear_all(fd);
    assert_int_equal(count(answer, "HTTP/1.1 200 OK"), 2);
    assert_non_null(strstr(answer, "Content-Length: 4\r\n\r\nHTTP/1.1 204 No Content"));
    assert_int_equal(count(answer, "Content-Length"), 2);
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n/d"), "\r\n\r\n/d");
    end(world);
}

static void test_old_versions(void **state)
{
    struct world *world = start(usual);
    const char *answer = talk(world, "GET /a HTTP/1.0\r\n\r\n");
    int fd;

    (void)state;
    expect_one(answer, 200, "1.0");
    fd = dial(world);
    say(fd, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_non_null(strstr(hear(fd, "\r\n\r\n/a"), "Connection: keep-alive\r\n"));
    say(fd, "GET /b HTTP/1.0\r\n\r\n");
    expect_one(hear_all(fd), 200, "1.0 again");
    end(world);
}

static void test_pipelining(void **state)
{
    struct world *world = start(usual);
    const char *answer = talk(world, GET("/sleep") GET("/b") POST_HEAD
                              "Content-Length: 3\r\n\r\nxyz" GET("/stream") LAST("/d"));
    const char *order[] = {"\r\n\r\n/sleep", "\r\n\r\n/b", "\r\n\r\nxyz", "0\r\n\r\n",
                           "\r\n\r\n/d"};

    (void)state;
    assert_int_equal(count(answer, "HTTP/1.1 200 OK"), 5);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        answer = strstr(answer, order[i]);
        assert_non_null(answer);
    }
    end(world);
}

/* A client that has said all it will is still answered, and then let go. */
static void test_half_close(void **state)
{
    struct world *world = start(usual);
    int fd = dial(world);
    const char *answer;

    (void)state;
    say(fd, GET("/sleep") GET("/b") GET("/c") "GET /unfinished");
    (void)shutdown(fd, SHUT_WR);
    answer = hear_all(fd);
    assert_int_equal(count(answer, "HTTP/1.1 200 OK"), 3);
    assert_non_null(strstr(answer, "\r\n\r\n/c"));
    end(world);
}

static void test_bodies(void **state)
{
    struct world *world = start(usual);
    int fd = dial(world);
    const char *chunked =
        POST_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";

    (void)state;
    say(fd, POST_HEAD "Content-Length: 5\r\n\r\nhello");
    assert_non_null(hear(fd, "\r\n\r\nhello"));
    for (const char *at = chunked; *at; at++)
        say_bytes(fd, at, 1);
    assert_non_null(hear(fd, "\r\n\r\nhello!"));
    say(fd, POST_HEAD "Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    assert_non_null(hear(fd, "HTTP/1.1 100 Continue\r\n\r\n"));
    say(fd, "ok");
    expect_one(hear_all(fd), 200, "continue");
    assert_int_equal(atomic_load(&world->handled), 3);
    end(world);
}

static void test_silent_handler(void **state)
{
    struct world *world = start(usual);

    (void)state;
    assert_string_equal(talk(world, GET("/silent") GET("/a")), ""); /* closed, nothing made up */
    end(world);
}

/* --- refusals -------------------------------------------------------------------------------- */

/* Heads that do not end before the tail, which is chunks and two more requests. */
static const char *const smuggled[] = {
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 5\r\nContent-Length: 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: -5\r\n",
    "Content-Length: 5,5\r\n",
    "Content-Length: 18446744073709551621\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length: 5 5\r\n",
    "Content-Length:\r\n",
    "Content-Length : 5\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: \013chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "X: a\r\n folded\r\n",
    "X: a\r\n\tfolded\r\n",
    "X: a\nTransfer-Encoding: chunked\r\n",
    "X: a\rTransfer-Encoding: chunked\r\n",
    "Host: y\r\n",
    "X Y: a\r\n",
    ": a\r\n",
    "X\r\n",
};

static void test_smuggling(void **state)
{
    struct world *world = start(usual);

    (void)state;
    for (size_t i = 0; i < sizeof(smuggled) / sizeof(smuggled[0]); i++) {
        char text[1024];

        (void)snprintf(text, sizeof(text), POST_HEAD "%s\r\n%s", smuggled[i],
                       "5\r\nhello\r\n0\r\n\r\n" GET("/a") GET("/b"));
        expect_one(talk(world, text), 400, smuggled[i]);
    }
    assert_int_equal(atomic_load(&world->handled), 0);
    end(world);
}

static void test_nul(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n" GET("/a");
    struct world *world = start(usual);
    int fd = dial(world);

    (void)state;
    say_bytes(fd, text, sizeof(text) - 1);
    expect_one(hear_all(fd), 400, "NUL");
    end(world);
}

static void test_bad_chunks(void **state)
{
    static const char *const bad[] = {
        "5;ext=1\r\nhello\r\n",
        "fffffffffffffffff\r\nx",
        "-1\r\nx",
        "0x5\r\nhello\r\n",
        "5\nhello\n",
        "5 \r\nhello\r\n",
        "\r\n5\r\n",
        "5\r\nhelloX0\r\n",
        "g\r\n",
        "0\r\nX: y\r\n",
    };
    struct world *world = start(usual);

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[512];

        (void)snprintf(text, sizeof(text), POST_HEAD "Transfer-Encoding: chunked\r\n\r\n%s%s",
                       bad[i], "0\r\n\r\n" GET("/a"));
        expect_one(talk(world, text), 400, bad[i]);
    }
    assert_int_equal(atomic_load(&world->handled), 0);
    end(world);
}

/* What can never become a request is refused at once; no deadline of this server would. */
static void test_at_once(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"\x16\x03\x01\x02", 400},
        {"GET / HTTP/1.1\nHost: x\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\n\n", 400},
        {"GET /\r\n", 400},
        {"GET / HTTP/0.9\r\n", 505},
        {"PRI * HTTP/2.0\r\n", 400},
        {"GET / HTTP/2.0\r\n", 505},
        {"GET /a b HTTP/1.1\r\n", 400},
        {"get / HTTP/1.1\r\n", 400},
        {"\r\n", 400},
        {"CONNECT x:80 HTTP/1.1\r\n", 400},
        {"GET http://x/ HTTP/1.1\r\n", 400},
    };
    struct world *world = start(usual);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd;

        expect_one(talk(world, cases[i].text), cases[i].status, cases[i].text);
        fd = dial(world);
        for (const char *at = cases[i].text; *at; at++)
            say_bytes(fd, at, 1);
        expect_one(hear_all(fd), cases[i].status, cases[i].text);
    }
    end(world);
}

static void test_paths(void **state)
{
    static const char *const bad[] = {"/%00",      "/a/%2e%2e/b", "/../a",  "/a/..",    "/.",
                                      "/a/%2E/b",  "/a%2fb",      "/a%5cb", "/a\\b",    "/%252e",
                                      "/.%2e?x=1", "/%",          "/%zz",   "/a%0d%0a", "/a#b",
                                      "/a?x=%00",  "/a?%g1"};
    static const char *const good[] = {"/a", "/...", "/a.b/.c", "/%e2%82%ac", "/a?x=../%2e%2f%25",
                                       "//a"};
    struct world *world = start(usual);
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", bad[i]);
        expect_one(talk(world, text), 400, bad[i]);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void)snprintf(text, sizeof(text),
                       "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", good[i]);
        expect_one(talk(world, text), 200, good[i]);
    }
    end(world);
}

/* text with a run of `length` times `fill` in the place of '~'. */
static void expect_long(const struct world *world, const char *text, char fill, size_t length,
                        int status)
{
    int fd = dial(world);
    const char *place = strchr(text, '~');
    char *run = malloc(length);

    assert_non_null(run);
    memset(run, fill, length);
    say_bytes(fd, text, (size_t)(place - text));
    say_bytes(fd, run, length);
    say(fd, place + 1);
    free(run);
    expect_one(hear_all(fd), status, text);
}

static void test_sizes(void **state)
{
    struct world *world = start(usual);
    char many[8192] = "GET / HTTP/1.1\r\nHost: x\r\n";
    size_t length = strlen(many);

    (void)state;
    expect_long(world, "GET /~ HTTP/1.1\r\nHost: x\r\n\r\n" GET("/a"), 'a', 65536, 414);
    expect_long(world, "GET /~ HTTP/1.1\r\nHost: x\r\n\r\n" GET("/a"), 'a', 9000, 414);
    expect_long(world, "GET / HTTP/1.1\r\nHost: x\r\nX: ~\r\n\r\n" GET("/a"), 'a', 1 << 20, 431);
    expect_long(world, "GET / HTTP/1.1\r\nHost: x\r\n~: x\r\n\r\n" GET("/a"), 'a', 20000, 431);
    for (int i = 0; i < 200; i++)
        length += (size_t)snprintf(many + length, sizeof(many) - length, "X-%d: a\r\n", i);
    (void)snprintf(many + length, sizeof(many) - length, "\r\n%s", GET("/a"));
    expect_one(talk(world, many), 431, "200 headers");
    expect_one(talk(world, POST_HEAD "Content-Length: 100001\r\n\r\n" GET("/a")), 413, "length");
    expect_long(world, POST_HEAD "Content-Length: 999999\r\n\r\n~" GET("/a"), 'a', 999999, 413);
    expect_long(world, POST_HEAD "Transfer-Encoding: chunked\r\n\r\n186a0\r\n~\r\n1\r\na\r\n", 'a',
                100000, 413);
    expect_one(talk(world, POST_HEAD "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" GET("/a")),
               413, "chunk");
    assert_int_equal(atomic_load(&world->handled), 0);
    expect_long(world, POST_HEAD "Connection: close\r\nContent-Length: 100000\r\n\r\n~", 'a',
                100000, 200);
    end(world);
}

static void test_methods(void **state)
{
    static const char *const others[] = {"TRACE", "OPTIONS", "DELETE", "PATCH"};
    struct world *world = start(usual);
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       others[i]);
        expect_one(talk(world, text), 200, others[i]); /* the handler's matter */
    }
    expect_one(talk(world, "NOSUCH /a HTTP/1.1\r\nHost: x\r\n\r\n" GET("/a")), 400, "method");
    expect_one(talk(world, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, "
                           "close\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"),
               200, "h2c");
    end(world);
}

/* --- deadlines ------------------------------------------------------------------------------- */

static void test_slow_heads(void **state)
{
    struct http_options options = usual;
    struct world *world;

    (void)state;
    options.deadlines.head_ms = 50;
    world = start(options);
    expect_one(talk(world, "GET / HTTP/1.1\r\nHost"), 408, "half a head");
    end(world);
    options = usual;
    options.deadlines.idle_ms = 50;
    world = start(options);
    assert_string_equal(talk(world, ""), "");
    expect_one(talk(world, GET("/a")), 200, "idle after a request");
    end(world);
}

static void test_slow_bodies(void **state)
{
    struct http_options options = usual;
    struct world *world;
    int fd;

    (void)state;
    options.deadlines.body_ms = 50;
    world = start(options);
    expect_one(talk(world, POST_HEAD "Content-Length: 10\r\n\r\nabc"), 408, "half a body");
    /* "continue" must not stand in for a byte of the body. */
    fd = dial(world);
    say(fd, POST_HEAD "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_non_null(strstr(hear_all(fd), "100 Continue\r\n\r\nHTTP/1.1 408"));
    end(world);

    /* Trickling does not help. */
    options = usual;
    options.deadlines.request_ms = 200;
    world = start(options);
    fd = dial(world);
    say(fd, POST_HEAD "Content-Length: 100000\r\n\r\n");
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

        say(fd, "a");
        if (poll(&poll_fd, 1, 10) == 1)
            break;
    }
    expect_one(hear_all(fd), 408, "trickle");
    end(world);
}

static int dial_with_small_buffer(const struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(world->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int size = 4096;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void test_no_reader(void **state)
{
    struct http_options options = usual;
    struct world *world;
    int fd;

    (void)state;
    options.deadlines.write_ms = 50;
    world = start(options);
    fd = dial_with_small_buffer(world);
    say(fd, GET("/big"));
    wait_for(&world->handled, 1);
    wait_alone(world);
    (void)close(fd);
    end(world);
}

/* Slower than the deadline for the whole, but never without progress. */
static void test_slow_reader(void **state)
{
    static char piece[65536];
    struct http_options options = usual;
    struct world *world;
    size_t length = 0;
    size_t n;
    int fd;

    (void)state;
    options.deadlines.write_ms = 1500;
    world = start(options);
    fd = dial_with_small_buffer(world);
    say(fd, GET("/big"));
    while (length < BIG_BYTES && (n = hear_some(fd, piece, sizeof(piece))) > 0) {
        if (length / (1024 * 1024) != (length + n) / (1024 * 1024))
            (void)usleep(250 * 1000);
        length += n;
    }
    assert_true(length >= BIG_BYTES);
    (void)close(fd);
    end(world);
}

/* --- room ------------------------------------------------------------------------------------ */

/* Opens `max` connections, then sees what the next ones get. */
static void fill(struct world *world, int max, int status)
{
    int fds[8];

    for (int i = 0; i < max; i++) {
        fds[i] = dial(world);
        say(fds[i], GET("/a"));
        (void)hear(fds[i], "\r\n\r\n/a");
    }
    for (int i = max; i < 2 * max; i++) {
        fds[i] = dial(world);
        expect_one(hear(fds[i], "\r\n\r\n"), status, "one more");
    }
    assert_string_equal(talk(world, ""), ""); /* far too many are just closed */
    for (int i = 0; i < 2 * max; i++)
        (void)close(fds[i]);
    wait_alone(world);
}

static void test_full(void **state)
{
    struct http_options options = usual;
    struct world *world;

    (void)state;
    options.connections_max = 3;
    options.connections_per_client_max = 1; /* not for the proxy on loopback */
    world = start(options);
    fill(world, 3, 503);
    end(world);
}

static void test_client_full(void **state)
{
    struct http_options options = usual;
    struct world *world;

    (void)state;
    options.connections_per_client_max = 2;
    options.trusted_proxies = "";
    world = start(options);
    fill(world, 2, 429);
    end(world);
}

static void test_bodies_full(void **state)
{
    struct http_options options = usual;
    struct world *world;
    char body[60000];
    int first;

    (void)state;
    memset(body, 'b', sizeof(body));
    options.bodies_max_bytes = 100000;
    world = start(options);
    first = dial(world);
    say(first, POST_HEAD "Content-Length: 60001\r\n\r\n");
    say_bytes(first, body, sizeof(body));
    expect_long(world, POST_HEAD "Content-Length: 60001\r\n\r\n~" GET("/a"), 'b', 60000, 503);
    say(first, "b");
    assert_non_null(strstr(hear(first, "bbb"), "HTTP/1.1 200"));
    (void)close(first);
    /* Given back: the same body again fits. */
    expect_long(world, POST_HEAD "Connection: close\r\nContent-Length: 60000\r\n\r\n~", 'b', 60000,
                200);
    end(world);
}

/* --- streams --------------------------------------------------------------------------------- */

static void test_streams(void **state)
{
    struct world *world = start(usual);
    int fd = dial(world);
    const char *answer;

    (void)state;
    say(fd, GET("/stream"));
    answer = hear(fd, "\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n");
    assert_non_null(strstr(answer, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strstr(answer, "Content-Length"));
    say(fd, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" LAST("/b"));
    answer = hear_all(fd);
    assert_int_equal(count(answer, "HTTP/1.1 200 OK"), 2);
    assert_null(strstr(answer, "one"));
    answer = talk(world, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_non_null(strstr(answer, "\r\n\r\none two"));
    assert_null(strstr(answer, "chunked"));
    end(world);
}

static void wait_gone(struct world *world)
{
    for (int i = 0; i < PATIENCE_MS && !atomic_load(&world->gone); i++)
        (void)usleep(1000);
    assert_true(atomic_load(&world->gone));
}

static void test_gone(void **state)
{
    struct world *world = start(usual);
    int fd = dial(world);

    (void)state;
    say(fd, GET("/gone"));
    (void)hear(fd, "begun");
    (void)close(fd);
    wait_gone(world);
    end(world);
}

/* A stream that lost bytes must not look complete. */
static void test_cut_stream(void **state)
{
    struct world *world = start(usual);
    int fd = dial(world);
    const char *rest;

    (void)state;
    say(fd, GET("/gone"));
    (void)hear(fd, "begun\r\n");
    (void)shutdown(fd, SHUT_WR);
    rest = hear_all(fd);
    assert_string_equal(rest, "");
    wait_gone(world);
    end(world);
}

/* --- proxies, the end ------------------------------------------------------------------------ */

static void expect_client(const struct world *world, const char *fields, const char *client)
{
    char text[512];
    const char *answer;

    (void)snprintf(text, sizeof(text),
                   "GET /client HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", fields);
    answer = strstr(talk(world, text), "\r\n\r\n");
    assert_non_null(answer);
    assert_string_equal(answer + 4, client);
}

static void test_proxies(void **state)
{
    struct http_options options = usual;
    struct world *world = start(options);

    (void)state;
    expect_client(world, "", "127.0.0.1 plain");
    expect_client(world, "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n",
                  "192.0.2.7 secure");
    expect_client(world, "X-Forwarded-For: 192.0.2.7, 127.0.0.5\r\n", "192.0.2.7 plain");
    expect_client(world, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: ::1\r\n",
                  "192.0.2.7 plain");
    expect_client(world, "X-Forwarded-For: 192.0.2.7, nonsense\r\n", "127.0.0.1 plain");
    end(world);
    options.trusted_proxies = "10.0.0.0/8";
    world = start(options);
    expect_client(world, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n",
                  "127.0.0.1 plain");
    end(world);
}

static void test_drain(void **state)
{
    struct world *world = start(usual);
    int idle = dial(world);
    int busy = dial(world);
    int half = dial(world);
    const char *answer;

    (void)state;
    say(idle, GET("/a"));
    (void)hear(idle, "\r\n\r\n/a");
    say(half, POST_HEAD "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    (void)hear(half, "100 Continue\r\n\r\n");
    say(busy, GET("/held"));
    wait_for(&world->waiting, 1);
    (void)uv_async_send(&world->stop);
    answer = hear_all(busy);
    expect_one(answer, 200, "in flight");
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_string_equal(hear_all(idle), "");
    say(half, "ok");
    answer = hear_all(half);
    expect_one(answer, 200, "arriving");
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_int_equal(try_dial(world), -1);
    end(world);
}

static void test_wrong_options(void **state)
{
    struct http_options options = usual;
    struct http_server *server;
    struct dc_err err;
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    options.trusted_proxies = "127.0.0.1, 10.0.0.0/33";
    assert_int_equal(http_server_open(&loop, &options, &server, &err), -DC_INVALID);
    assert_non_null(strstr(err.text, "10.0.0.0/33"));
    options.trusted_proxies = NULL;
    options.host = "nowhere";
    assert_int_equal(http_server_open(&loop, &options, &server, &err), -DC_INVALID);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),  cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_pipelining),  cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_bodies),      cmocka_unit_test(test_silent_handler),
        cmocka_unit_test(test_smuggling),   cmocka_unit_test(test_nul),
        cmocka_unit_test(test_bad_chunks),  cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_paths),       cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_methods),     cmocka_unit_test(test_slow_heads),
        cmocka_unit_test(test_slow_bodies), cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_slow_reader), cmocka_unit_test(test_full),
        cmocka_unit_test(test_client_full), cmocka_unit_test(test_bodies_full),
        cmocka_unit_test(test_streams),     cmocka_unit_test(test_gone),
        cmocka_unit_test(test_cut_stream),  cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_drain),       cmocka_unit_test(test_wrong_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
