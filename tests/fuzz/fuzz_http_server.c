/*
 * The server over real sockets, whatever a client sends: each answer is whole, nothing follows an
 * answer that closes, and the answers do not depend on how the bytes were cut. The first byte of
 * the input says how. Clients use ever new addresses of loopback, since ports rest after use.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_server.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096, HEARD_MAX = 8 * 1024 * 1024, LONG_MS = 600000, PATIENCE_MS = 20000 };

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct heard {
    char *text; /* HEARD_MAX */
    size_t length;
};

static uv_loop_t loop;
static struct http_server *server;

/* --- the server ------------------------------------------------------------------------------ */

static uint32_t checksum(const char *bytes, size_t length)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < length; i++)
        sum = (sum ^ (unsigned char)bytes[i]) * 16777619u;
    return sum;
}

static void handle(struct http_exchange *exchange, void *context)
{
    const struct http_refusal *refusal = http_exchange_refusal(exchange);
    const struct http_head *head = http_exchange_head(exchange);
    bool head_only = strcmp(head->method, "HEAD") == 0;
    const struct http_answer_field fields[] = {{"X-Refused", refusal ? refusal->code : "no"},
                                               {"X-Head-Only", head_only ? "yes" : "no"},
                                               {NULL, NULL}};
    size_t length;
    const char *bytes = http_exchange_body(exchange, &length);
    char client[HTTP_ADDRESS_SIZE];
    struct dc_buf body;

    (void)context;
    http_exchange_client(exchange, client);
    dc_buf_init(&body, 65536);
    if (!refusal)
        (void)dc_buf_printf(&body, "%s %s %zu %x %s %d", head->method, head->target, length,
                            checksum(bytes, length),
                            strcmp(client, http_exchange_peer(exchange)) == 0 ? "" : client,
                            http_exchange_is_secure(exchange));
    http_answer(exchange, &(struct http_answer){refusal ? refusal->status : 200, fields}, &body);
}

static void start(void)
{
    static const struct http_options options = {
        .host = "127.0.0.1",
        .body_max_bytes = BODY_MAX,
        .connections_max = 100,
        .deadlines = {LONG_MS, LONG_MS, LONG_MS, LONG_MS, LONG_MS},
        .handle = handle,
    };
    struct dc_err err;

    if (server)
        return;
    if (uv_loop_init(&loop) < 0 || http_server_open(&loop, &options, &server, &err) < 0 ||
        http_server_start(server, &err) < 0)
        abort();
}

/* --- the client ------------------------------------------------------------------------------ */

static int dial(void)
{
    static uint32_t clients;
    uint32_t host = INADDR_LOOPBACK + 1 + clients++ % 0xfffff0;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        abort();
    return fd;
}

/* Lets the server work and takes what it says. False at the end. */
static bool turn(int fd, struct heard *heard)
{
    ssize_t n;

    (void)uv_run(&loop, UV_RUN_NOWAIT);
    n = recv(fd, heard->text + heard->length, HEARD_MAX - 1 - heard->length, MSG_DONTWAIT);
    if (n > 0)
        heard->length += (size_t)n;
    assert(heard->length < HEARD_MAX - 1);
    return n != 0;
}

static void say(int fd, const uint8_t *bytes, size_t length, size_t step, struct heard *heard)
{
    while (length) {
        ssize_t n = send(fd, bytes, length < step ? length : step, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
        if (!turn(fd, heard))
            return;
    }
    (void)shutdown(fd, SHUT_WR);
}

static void talk(const uint8_t *bytes, size_t length, size_t step, struct heard *heard)
{
    int fd = dial();
    int idle = 0;

    heard->length = 0;
    say(fd, bytes, length, step, heard);
    while (turn(fd, heard)) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

        if (idle++ > 8 && poll(&poll_fd, 1, 1) == 0)
            assert(idle < PATIENCE_MS); /* the server neither answers nor ends */
    }
    (void)close(fd);
    for (idle = 0; http_server_connections(server); idle++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        if (idle > 8)
            (void)poll(NULL, 0, 1);
        assert(idle < PATIENCE_MS);
    }
    heard->text[heard->length] = '\0';
}

/* --- what must hold -------------------------------------------------------------------------- */

/* Takes out what may differ: "continue", which a client gets only when the body is late, and the
 * time of day. */
static void normalise(struct heard *heard)
{
    char *at = heard->text;

    while ((at = strstr(at, CONTINUE))) {
        heard->length -= sizeof(CONTINUE) - 1;
        memmove(at, at + sizeof(CONTINUE) - 1, heard->length - (size_t)(at - heard->text) + 1);
    }
    for (at = heard->text; (at = strstr(at, "\r\nDate: ")); at += 2)
        memset(at + 8, '-', strcspn(at + 8, "\r"));
}

/* One answer; where it ends. *ret_last: nothing may follow. */
static const char *check_answer(const char *answer, const char *end, bool *ret_last)
{
    const char *body = strstr(answer, "\r\n\r\n");
    const char *length_field = strstr(answer, "\r\nContent-Length: ");
    const char *close_field = strstr(answer, "\r\nConnection: close\r\n");
    const char *refused = strstr(answer, "\r\nX-Refused: ");
    const char *head_only = strstr(answer, "\r\nX-Head-Only: yes\r\n");
    size_t length;

    assert(strncmp(answer, "HTTP/1.1 ", 9) == 0);
    assert(body && length_field && length_field < body && refused && refused < body);
    length = strtoul(length_field + 18, NULL, 10);
    *ret_last = close_field && close_field < body;
    assert(strncmp(refused, "\r\nX-Refused: no", 15) == 0 || *ret_last);
    body += 4;
    if (head_only && head_only < body)
        return body;
    assert(length <= (size_t)(end - body));
    return body + length;
}

static void check(const struct heard *heard)
{
    const char *at = heard->text;
    const char *end = heard->text + heard->length;
    bool last = false;

    while (at < end) {
        assert(!last);
        at = check_answer(at, end, &last);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct heard whole;
    static struct heard pieces;

    if (size < 2)
        return 0;
    start();
    if (!whole.text) {
        whole.text = malloc(HEARD_MAX);
        pieces.text = malloc(HEARD_MAX);
        assert(whole.text && pieces.text);
    }
    talk(data + 1, size - 1, SIZE_MAX, &whole);
    normalise(&whole);
    check(&whole);
    talk(data + 1, size - 1, 1 + (size_t)data[0] * (data[0] > 31 ? 32 : 1), &pieces);
    normalise(&pieces);
    assert(whole.length == pieces.length);
    assert(memcmp(whole.text, pieces.text, whole.length) == 0);
    return 0;
}
