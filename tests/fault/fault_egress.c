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
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/auto.h"
#include "fault.h"
#include "fault_egress_hosts.h"
#include "fault_egress_world.h"
#include "fault_internal.h"
#include "proto/egress.h"
#include "proto/link.h"

int egress_main(int argc, char **argv); /* src/egress/main.c, renamed */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

enum { SKIP = 77, SANITIZED = 66 };

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

/* --- one conversation ------------------------------------------------------------------------ */

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
