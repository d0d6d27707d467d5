/*
 * A session of the relay under a hostile run: any bytes on its stub, over UDP and TCP, and on
 * connections to any of its ports. The real hosts are two of the test's own, on loopback, that
 * answer nonsense or hang up. Nothing is passed on that the policy does not allow, and when the
 * session is closed nothing of it is left.
 *
 * The input is a list of operations, one byte each, with what they take behind them.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "egress/egress.h"
#include "proto/link.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 6, OPERATIONS_MAX = 200, SETTLE_TURNS = 50 };

struct world {
    struct egress egress;
    int server_fd; /* the API process' end of the link */
    int stub_udp;
    int stub_tcp;
    int relay; /* listens; what comes to it may pass */
    int host;  /* listens on the same port of another address: where it leads */
    uint16_t port;
    int clients[CLIENTS];
    int accepted; /* of host; -1: none */
    unsigned attempts;
    bool closed;
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct input *input)
{
    if (!input->left)
        return 0;
    input->left--;
    return *input->at++;
}

static size_t take_bytes(struct input *input, void *out, size_t size)
{
    size_t n = take(input);

    n = n < size ? n : size;
    n = n < input->left ? n : input->left;
    memcpy(out, input->at, n);
    input->at += n;
    input->left -= n;
    return n;
}

static struct sockaddr_in at(uint32_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(address)}};
}

static int listen_at(int type, uint32_t address, uint16_t port)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in where = at(address, port);

    if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0 ||
        (type == SOCK_STREAM && listen(fd, 16) < 0)) {
        dc_close(fd);
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in where;
    socklen_t size = sizeof(where);

    assert(getsockname(fd, (struct sockaddr *)&where, &size) == 0);
    return ntohs(where.sin_port);
}

static void connect_to(int *fd, int type, uint32_t address, uint16_t port)
{
    struct sockaddr_in where = at(address, port);

    dc_close(*fd);
    *fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert(*fd >= 0);
    (void)connect(*fd, (struct sockaddr *)&where, sizeof(where)); /* in progress, or refused */
}

static void hear_link(struct world *world)
{
    struct link_message message;
    struct dc_err err;

    while (link_receive(world->server_fd, &message, &err) == 0) {
        struct egress_attempt attempt;

        link_message_release(&message);
        if (message.header.type == EGRESS_CLOSED) {
            world->closed = true;
            continue;
        }
        assert(message.header.type == EGRESS_ATTEMPT && message.header.length == sizeof(attempt));
        memcpy(&attempt, message.body, sizeof(attempt));
        assert(attempt.verdict < EGRESS_RELAY_LOST && ++world->attempts <= DC_NET_LOG_MAX);
        assert(memchr(attempt.host, '\0', sizeof(attempt.host)));
        /* Bytes pass to the one host that is allowed, and count against the limit. */
        assert(attempt.bytes_in + attempt.bytes_out == 0 || strcmp(attempt.host, "127.0.0.1") == 0);
        assert(attempt.bytes_in + attempt.bytes_out <= 4096);
    }
}

static void turn(struct world *world)
{
    (void)uv_run(&world->egress.loop, UV_RUN_NOWAIT);
    hear_link(world);
}

static void open_session(struct world *world)
{
    struct egress_open open = {
        .session = 1,
        .bytes_max = 4096,
        .connections_max = 4,
        .attempts_max = 50,
        .idle_ms = 60000,
        .rule_count = 2,
        .port_count = 2,
        .ports = {443, 80},
    };
    struct egress_rule_of rule = {.session = 1};
    struct egress_sockets sockets = {
        .count = 3,
        .sockets = {{EGRESS_SOCKET_DNS_UDP, 0},
                    {EGRESS_SOCKET_DNS_TCP, 0},
                    {EGRESS_SOCKET_RELAY, world->port}},
    };
    int fds[] = {world->stub_udp, world->stub_tcp, world->relay};
    struct name *name;
    struct dc_err err;
    int ends[2];

    assert(link_pair(ends, &err) == 0);
    assert(session_open(&world->egress, &open, ends[0], &err) == 0);
    rule.rule = (struct egress_rule){
        .kind = EGRESS_RULE_ADDRESS, .trusted = 1, .port = world->port, .name = "127.0.0.1"};
    assert(session_rule(&world->egress, &rule, &err) == 0);
    rule.rule = (struct egress_rule){.kind = EGRESS_RULE_BELOW, .name = "allowed.example"};
    assert(session_rule(&world->egress, &rule, &err) == 0);
    assert(link_send(ends[1], EGRESS_SOCKETS, &sockets, sizeof(sockets), fds, 3, &err) == 0);
    dc_close(ends[1]);
    turn(world);
    name = session_name_of_address(world->egress.sessions, INADDR_LOOPBACK);
    assert(name && name->count == 1);
    name->addresses[0].v4.sin_addr.s_addr = htonl(0x7f000002);
}

static void operate(struct world *world, struct input *input)
{
    uint8_t operation = take(input);
    int *client = &world->clients[(operation >> 4) % CLIENTS];
    uint8_t bytes[256];
    size_t n;

    switch (operation & 7) {
    case 0:
    case 1:
        connect_to(client, SOCK_STREAM, INADDR_LOOPBACK, world->port);
        break;
    case 2:
        connect_to(client, SOCK_STREAM, INADDR_LOOPBACK, port_of(world->stub_tcp));
        break;
    case 3:
        connect_to(client, SOCK_DGRAM, INADDR_LOOPBACK, port_of(world->stub_udp));
        break;
    case 4:
        dc_close_clear(client);
        break;
    case 5: /* the host answers */
        if (world->accepted < 0)
            world->accepted = accept(world->host, NULL, NULL);
        n = take_bytes(input, bytes, sizeof(bytes));
        if (world->accepted >= 0 && n)
            (void)!send(world->accepted, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        else if (world->accepted >= 0)
            dc_close_clear(&world->accepted);
        break;
    default:
        n = take_bytes(input, bytes, sizeof(bytes));
        if (*client >= 0)
            (void)!send(*client, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    }
    if (operation & 8)
        turn(world);
}

static void open_world(struct world *world)
{
    struct dc_err err;
    int ends[2];

    for (size_t i = 0; i < CLIENTS; i++)
        world->clients[i] = -1;
    world->accepted = -1;
    assert(uv_loop_init(&world->egress.loop) == 0 && link_pair(ends, &err) == 0);
    world->server_fd = ends[1];
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    assert(resolver_open(&world->egress.loop, "127.0.0.1:9", &world->egress.resolver, &err) == 0);
    assert(link_open(&world->egress, ends[0], &err) == 0);
    (void)uv_timer_init(&world->egress.loop, &world->egress.tick);
    world->egress.tick.data = &world->egress;
    world->egress.connections_max = 8;
    world->stub_udp = listen_at(SOCK_DGRAM, INADDR_LOOPBACK, 0);
    world->stub_tcp = listen_at(SOCK_STREAM, INADDR_LOOPBACK, 0);
    world->host = listen_at(SOCK_STREAM, 0x7f000002, 0);
    world->port = port_of(world->host);
    world->relay = listen_at(SOCK_STREAM, INADDR_LOOPBACK, world->port);
}

static void on_walk(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_world(struct world *world)
{
    for (size_t i = 0; i < CLIENTS; i++)
        dc_close(world->clients[i]);
    dc_close(world->accepted);
    dc_close(world->host);
    resolver_free(world->egress.resolver);
    (void)uv_run(&world->egress.loop, UV_RUN_NOWAIT); /* handles that are closing */
    uv_walk(&world->egress.loop, on_walk, NULL);
    (void)uv_run(&world->egress.loop, UV_RUN_DEFAULT);
    assert(uv_loop_close(&world->egress.loop) == 0);
    dc_buf_release(&world->egress.unsent);
    dc_close(world->egress.link_fd);
    dc_close(world->server_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *world = calloc(1, sizeof(*world));
    struct input input = {data, size};
    struct dc_err err;

    assert(world);
    dc_log_setup("fuzz", DC_LOG_OFF);
    open_world(world);
    if (world->relay >= 0) { /* the port may be taken on the other address */
        open_session(world);
        for (int i = 0; i < OPERATIONS_MAX && input.left; i++)
            operate(world, &input);
        turn(world);
        assert(session_close(&world->egress, 1, &err) == 0);
        hear_link(world);
        assert(world->closed && world->egress.connection_count == 0);
        for (int i = 0; i < SETTLE_TURNS && world->egress.sessions; i++)
            turn(world);
        assert(!world->egress.sessions);
    }
    dc_close(world->stub_udp);
    dc_close(world->stub_tcp);
    dc_close(world->relay);
    close_world(world);
    free(world);
    return 0;
}
