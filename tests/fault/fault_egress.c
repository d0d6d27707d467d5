/*
 * docle-egress, whole and confined, while its calls fail: the first allocation, the second, and so
 * on, and the same for system calls, interruptions and short transfers. This program plays the API
 * process, a run and the hosts, in a network namespace of its own. Each time the process must
 * either serve on, which a run afterwards tells, with all memory of closed sessions given back, or
 * end by itself, with a word about why where an allocation kept it from serving; the keeper then
 * starts another. What a run was refused under a fault does not matter, what it got must be right.
 * c-ares' allocations count as the process' own.
 */
#include <ares.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/auto.h"
#include "fault.h"
#include "fault_egress_hosts.h"
#include "fault_internal.h"
#include "proto/egress.h"
#include "proto/link.h"

int egress_main(int argc, char **argv); /* src/egress/main.c, renamed */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

enum {
    SKIP = 77,
    SANITIZED = 66,
    PATIENCE_S = 60,
    STEP_MS = 250,
    BODY_BYTES = EGRESS_HOSTS_PAGE_BYTES
};
enum { STUB_PORT = 5353 };

#define SYNTHETIC (EGRESS_SYNTHETIC_NET + 0x100u) /* of the first name that is asked for */

/* The sanitizers' own word, apart from the process' exit codes. */
const char *__asan_default_options(void)
{
    return "exitcode=66:detect_leaks=0";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:exitcode=66";
}

/* What the process under test says of itself, after each turn of its loop. */
static struct shared {
    atomic_bool quiet; /* asked: no faults any more */
    atomic_bool quietened;
    atomic_long blocks;
    atomic_long calls[FAULT_KINDS];
} * shared;

int __real_uv_run(uv_loop_t *loop, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    int left;

    (void)mode;
    do {
        left = __real_uv_run(loop, UV_RUN_ONCE);
        if (atomic_load(&shared->quiet) && !atomic_load(&shared->quietened)) {
            (void)fault_disarm();
            for (int kind = 0; kind < FAULT_KINDS; kind++)
                atomic_store(&shared->calls[kind], fault_calls((enum fault_kind)kind));
            atomic_store(&shared->quietened, true);
        }
        atomic_store(&shared->blocks, fault_blocks());
    } while (left);
    return left;
}

/* --- the API process and a run --------------------------------------------------------------- */

struct world {
    pid_t pid;
    int link;
    bool ended; /* the link has closed */
    bool ready;
    bool said_why;
    uint64_t closed;               /* the last session that has */
    int stub_udp, stub_tcp, relay; /* what the slot's init would have made */
};

static int64_t now_ms(void)
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

/* Takes what the link has, waiting up to ms. */
static void hear(struct world *world, int64_t ms)
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

static void tell(struct world *world, uint8_t type, const void *body, size_t length, const int *fd)
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

static bool close_session(struct world *world, uint64_t id)
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

/* NULL, or what it got that it should not have; whole: every answer must come. */
static const char *run_session(struct world *world, uint64_t id, bool whole)
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

static bool wait_for_word(struct world *world, const atomic_bool *word)
{
    for (int64_t end = now_ms() + PATIENCE_S * 1000L; !atomic_load(word) && now_ms() < end;) {
        hear(world, 10);
        if (world->ended)
            return true;
    }
    return atomic_load(word);
}

/* From here on no call fails. */
static const char *quieten(struct world *world, uint64_t id)
{
    const struct egress_open open = {
        .session = id, .connections_max = 1, .attempts_max = 1, .idle_ms = 1};
    struct dc_err err;
    int ends[2];
    bool closed;

    atomic_store(&shared->quiet, true);
    if (link_pair(ends, &err) < 0)
        exit(1);
    tell(world, EGRESS_OPEN, &open, sizeof(open), &ends[0]);
    closed = close_session(world, id);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return closed && wait_for_word(world, &shared->quietened) ? NULL : "it does not turn any more";
}

static long calls_before[FAULT_KINDS]; /* of this program, when it forked the process */
static long blocks_at_rest = -1;       /* after sessions without a fault */

static const char *converse(struct world *world)
{
    const char *problem;
    int64_t deadline = now_ms() + PATIENCE_S * 1000L;

    while (!world->ready && !world->ended && now_ms() < deadline)
        hear(world, STEP_MS);
    if (!world->ready)
        return world->ended ? NULL : "neither ready nor ended";
    problem = run_session(world, 1, false);
    if (!problem)
        problem = quieten(world, 2);
    if (!problem && !world->ended)
        problem = run_session(world, 3, true);
    if (problem || world->ended)
        return problem;
    deadline = now_ms() + PATIENCE_S * 1000L;
    while (blocks_at_rest >= 0 && atomic_load(&shared->blocks) > blocks_at_rest) {
        if (now_ms() > deadline)
            return "memory of sessions is left";
        hear(world, 10);
    }
    return NULL;
}

/* --- one fault ------------------------------------------------------------------------------- */

static void open_world(struct world *world, enum fault_kind kind, long nth)
{
    struct dc_err err;
    int ends[2];

    *world = (struct world){.stub_udp = socket_at(SOCK_DGRAM, 0x7f000002, STUB_PORT),
                            .stub_tcp = socket_at(SOCK_STREAM, 0x7f000002, STUB_PORT),
                            .relay = socket_at(SOCK_STREAM, SYNTHETIC, 80)};
    memset(shared, 0, sizeof(*shared));
    if (link_pair(ends, &err) < 0)
        exit(1);
    for (int i = 0; i < FAULT_KINDS; i++)
        calls_before[i] = fault_calls((enum fault_kind)i);
    world->pid = fork();
    if (world->pid == 0) {
        char name[] = "docle-egress";
        char link[32];
        char resolvers[] = "--resolvers=127.0.0.1:53";
        char *argv[] = {name, link, resolvers, NULL};

        (void)snprintf(link, sizeof(link), "--link-fd=%d", ends[0]);
        (void)close(ends[1]);
        (void)close(world->stub_udp); /* they come over the channel */
        (void)close(world->stub_tcp);
        (void)close(world->relay);
        fault_arm(kind, nth, false);
        _exit(egress_main(3, argv));
    }
    (void)close(ends[0]);
    world->link = ends[1];
}

/* What is wrong, or NULL. *ret_served: it went on. */
static const char *try_once(enum fault_kind kind, long nth, bool *ret_served)
{
    struct world world;
    const char *problem;
    int status = 0;

    open_world(&world, kind, nth);
    problem = converse(&world);
    *ret_served = !world.ended;
    (void)close(world.link);
    (void)close(world.stub_udp);
    (void)close(world.stub_tcp);
    (void)close(world.relay);
    if (problem) /* it may hang */
        (void)kill(world.pid, SIGKILL);
    if (waitpid(world.pid, &status, 0) != world.pid)
        return "gone";
    if (problem)
        return problem;
    if (WIFSIGNALED(status))
        return "it crashes";
    if (WEXITSTATUS(status) == SANITIZED)
        return "a sanitizer's report";
    if (kind == FAULT_MEMORY && !world.ready && !world.said_why)
        return "it ends without a word";
    if (*ret_served)
        return WEXITSTATUS(status) == 0 ? NULL : "it ends badly with its link";
    if (kind == FAULT_INTERRUPT || kind == FAULT_SHORT)
        return "it should have gone on";
    return WEXITSTATUS(status) == 1 ? NULL : "it ends as if all were well";
}

static bool try_kind(int number, enum fault_kind kind, const char *name, long total)
{
    long served = 0;
    long ended = 0;
    bool good = total > 0;

    for (long nth = 1; nth <= total; nth++) {
        bool on = false;
        const char *problem = try_once(kind, nth, &on);

        if (problem)
            printf("# %s %ld: %s\n", name, nth, problem);
        good &= !problem;
        served += on;
        ended += !on;
    }
    /* A process that only ever ends, or never, has not been tested. */
    good &= served > 0;
    printf("%sok %d - %s: %ld, served on %ld, ended %ld\n", good ? "" : "not ", number, name, total,
           served, ended);
    return good;
}

static bool enter_own_network(void)
{
    return unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0 &&
           system("ip addr add 198.18.0.0/15 dev lo") == 0;
}

int main(void)
{
    static const char *const names[FAULT_KINDS] = {
        [FAULT_MEMORY] = "allocations",
        [FAULT_SYSTEM] = "system calls",
        [FAULT_INTERRUPT] = "interruptions",
        [FAULT_SHORT] = "short transfers",
    };
    long totals[FAULT_KINDS];
    const char *problem;
    bool served = false;
    bool good = true;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0 || !enter_own_network()) {
        printf("1..0 # SKIP makes a network namespace: needs root\n");
        return SKIP;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED ||
        ares_library_init_mem(ARES_LIB_INIT_ALL, malloc, free, realloc) != ARES_SUCCESS)
        return 1;
    egress_hosts_start();
    problem = try_once(FAULT_NONE, 0, &served);
    if (problem || !served) {
        printf("Bail out! without faults: %s\n", problem ? problem : "it ended");
        return 1;
    }
    blocks_at_rest = atomic_load(&shared->blocks);
    for (int kind = 1; kind < FAULT_KINDS; kind++)
        totals[kind] = atomic_load(&shared->calls[kind]) - calls_before[kind];
    for (int kind = 1; kind < FAULT_KINDS; kind++)
        good &= try_kind(kind, (enum fault_kind)kind, names[kind], totals[kind]);
    printf("1..%d\n", FAULT_KINDS - 1);
    return good ? 0 : 1;
}
