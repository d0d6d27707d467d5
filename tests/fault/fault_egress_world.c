#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "fault_egress_hosts.h"
#include "fault_egress_world.h"
#include "proto/egress.h"
#include "proto/link.h"

enum { BODY_BYTES = EGRESS_HOSTS_PAGE_BYTES };

int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool readable(int fd, int64_t ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, ms > 0 ? (int)ms : 0) > 0;
}

void hear(struct world *world, int64_t ms)
{
    struct link_message message;
    struct dc_err err;
    struct dc_err why;

    if (world->ended || !readable(world->link, ms))
        return;
    if (link_receive(world->link, &message, &err) < 0) {
        world->ended = true;
        return;
    }
    if (message.header.type == EGRESS_READY) {
        world->ready = true;
    } else if (message.header.type == EGRESS_FATAL && message.header.length == sizeof(why)) {
        memcpy(&why, message.body, sizeof(why));
        world->said_why = why.text[0] != '\0';
    } else if (message.header.type == EGRESS_CLOSED) {
        memcpy(&world->closed, message.body, sizeof(world->closed));
    }
    link_message_release(&message);
}

void tell(struct world *world, uint8_t type, const void *body, size_t length, const int *fd)
{
    struct dc_err err;

    if (!world->ended && link_send(world->link, type, body, length, fd, fd != NULL, &err) < 0)
        hear(world, PATIENCE_S * 1000L); /* it has ended: what it said comes first */
}

/* Opens a session with two rules; its sockets are this program's own. */
static void open_session(struct world *world, uint64_t id)
{
    struct egress_open open = {.session = id,
                               .bytes_max = 64 << 20,
                               .connections_max = 8,
                               .attempts_max = 1000,
                               .idle_ms = 60000,
                               .rule_count = 2,
                               .port_count = 1,
                               .ports = {80}};
    struct egress_rule_of rule = {id,
                                  {.kind = EGRESS_RULE_EXACT, .trusted = 1, .name = "api.test"}};
    const struct egress_sockets sockets = {.count = 3,
                                           .sockets = {{EGRESS_SOCKET_DNS_UDP, 0},
                                                       {EGRESS_SOCKET_DNS_TCP, 0},
                                                       {EGRESS_SOCKET_RELAY, 80}}};
    const int fds[] = {world->stub_udp, world->stub_tcp, world->relay};
    struct dc_err err;
    int ends[2];

    if (link_pair(ends, &err) < 0)
        exit(1);
    tell(world, EGRESS_OPEN, &open, sizeof(open), &ends[0]);
    tell(world, EGRESS_RULE, &rule, sizeof(rule), NULL);
    rule.rule = (struct egress_rule){.kind = EGRESS_RULE_BELOW, .name = "wild.test"};
    tell(world, EGRESS_RULE, &rule, sizeof(rule), NULL);
    (void)close(ends[0]);
    (void)!link_send(ends[1], EGRESS_SOCKETS, &sockets, sizeof(sockets), fds, 3, &err);
    (void)close(ends[1]);
}

bool close_session(struct world *world, uint64_t id)
{
    const struct egress_close body = {id};
    int64_t deadline = now_ms() + PATIENCE_S * 1000L;

    tell(world, EGRESS_CLOSE, &body, sizeof(body), NULL);
    while (!world->ended && world->closed != id && now_ms() < deadline)
        hear(world, STEP_MS);
    return world->ended || world->closed == id;
}

/* A question for an A record. */
static size_t question(uint8_t *out, const char *first)
{
    size_t length = strlen(first);
    uint8_t *to = out;

    memcpy(to, (const uint8_t[]){0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 12);
    to += 12;
    *to++ = (uint8_t)length;
    memcpy(to, first, length);
    to += length;
    memcpy(to, "\4test\0\0\1\0\1", 10);
    return (size_t)(to + 10 - out);
}

enum got { GOT_NOTHING, GOT_REFUSED, GOT_RIGHT, GOT_WRONG };

static enum got judge_answer(const uint8_t *bytes, ssize_t n)
{
    const uint8_t right[] = {198, 18, 1, 0};

    if (n < 12)
        return GOT_NOTHING;
    if ((bytes[3] & 15) != 0)
        return GOT_REFUSED;
    return n > 16 && memcmp(bytes + n - 4, right, 4) == 0 ? GOT_RIGHT : GOT_WRONG;
}

/* As resolvers do: again when nothing comes. */
static enum got look_up(struct world *world, const char *first, int64_t tries)
{
    struct sockaddr_in stub = address_at(0x7f000002, STUB_PORT);
    DC_AUTO(dc_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint8_t bytes[512];
    size_t length = question(bytes, first);

    (void)connect(fd, (struct sockaddr *)&stub, sizeof(stub));
    for (int64_t i = 0; i < tries && !world->ended; i++) {
        uint8_t answer[512];

        (void)!send(fd, bytes, length, MSG_NOSIGNAL);
        if (readable(fd, STEP_MS))
            return judge_answer(answer, recv(fd, answer, sizeof(answer), 0));
        hear(world, 0);
    }
    return GOT_NOTHING;
}

static int dial(uint32_t address, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in where = address_at(address, port);
    const int small = 4096;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)); /* so that bytes pile up */
    (void)connect(fd, (struct sockaddr *)&where, sizeof(where));
    return fd;
}

/* Reads up to the end; a listener that is watched no more may leave it without a word. */
static ssize_t read_all(struct world *world, int fd, uint8_t *out, size_t size, size_t enough,
                        int64_t tries)
{
    size_t have = 0;

    while (have < enough && tries > 0 && !world->ended) {
        ssize_t n;

        hear(world, 0);
        if (!readable(fd, STEP_MS)) {
            tries--;
            continue;
        }
        n = recv(fd, out + have, size - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

static enum got look_up_over_tcp(struct world *world, int64_t tries)
{
    DC_AUTO(dc_close) int fd = dial(0x7f000002, STUB_PORT);
    uint8_t bytes[512] = {0};
    size_t length = question(bytes + 2, "api");
    ssize_t n;

    bytes[1] = (uint8_t)length;
    (void)!send(fd, bytes, length + 2, MSG_NOSIGNAL);
    n = read_all(world, fd, bytes, sizeof(bytes), 2 + length + 16, tries);
    return judge_answer(bytes + 2, n - 2);
}

static enum got fetch_page(struct world *world, int64_t tries)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";
    static uint8_t page[BODY_BYTES + 1];
    DC_AUTO(dc_close) int fd = dial(SYNTHETIC, 80);
    ssize_t n;

    (void)!send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
    (void)readable(fd, STEP_MS);
    n = read_all(world, fd, page, sizeof(page), BODY_BYTES, tries);
    for (ssize_t i = 0; i < n; i++)
        if (page[i] != 'x')
            return GOT_WRONG;
    return n == BODY_BYTES ? GOT_RIGHT : GOT_REFUSED;
}

const char *run_session(struct world *world, uint64_t id, bool whole)
{
    int64_t tries = whole ? PATIENCE_S * 1000L / STEP_MS : 4;
    enum got got[3];
    bool closed;

    open_session(world, id);
    got[0] = look_up(world, "api", tries);
    got[1] = look_up_over_tcp(world, tries);
    got[2] = fetch_page(world, tries);
    if (look_up(world, "evil", tries) > GOT_REFUSED)
        return "a name that no rule knows has an address";
    closed = close_session(world, id);
    for (size_t i = 0; i < 3; i++) {
        if (got[i] == GOT_WRONG)
            return "a wrong answer";
        if (whole && !world->ended && got[i] != GOT_RIGHT)
            return (const char *const[]){"no name afterwards", "no name over TCP afterwards",
                                         "no page afterwards"}[i];
    }
    return closed ? NULL : "a session that does not close";
}
