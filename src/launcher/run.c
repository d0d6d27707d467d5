#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum {
    SPAWN_TIMEOUT_S = 15,
    END_TIMEOUT_S = 5,
    COLLECT_TIMEOUT_S = 10,
    FIRST_LOOK_MS = 50,
    LOOK_MS = 20,
    BURST_MS = 50, /* CPU time above the rate that nobody minds */
};

static uint64_t megabytes(uint32_t mb)
{
    return (uint64_t)mb << 20;
}

/* tmpfs is charged to memory, so the disk limit is granted on top. */
static int set_limits(struct slot *slot, uint32_t memory_mb, uint32_t disk_mb, uint32_t processes,
                      struct dc_err *err)
{
    return cgroup_leaf_limit(&slot->leaf, megabytes(memory_mb) + megabytes(disk_mb), processes,
                             err);
}

void run_release(struct run *run)
{
    for (size_t i = 0; i < LAUNCH_RUN_FDS_MAX; i++)
        dc_close_clear(&run->fds[i]);
}

/* --- starting -------------------------------------------------------------------------------- */

static int send_spawn(struct launcher *launcher, struct slot *slot, struct zygote_link *zygote,
                      int socket_fd, struct dc_err *err)
{
    int fds[ZYGOTE_SPAWN_FDS + CG_PARTS];
    struct zygote_spawn body = {
        .slot = slot->index,
        .uid = launcher->rootless ? 0 : slot->index + 1,
        .disk_mb = slot->disk_mb,
    };

    fds[SPAWN_FD_PIDNS] = slot->pidns_fd;
    fds[SPAWN_FD_NETNS] = slot->netns_fd;
    fds[SPAWN_FD_SOCKET] = socket_fd;
    body.cgroup_count = (uint32_t)cgroup_leaf_join_fds(&slot->leaf, &fds[ZYGOTE_SPAWN_FDS]);
    return link_send(zygote->control_fd, ZYGOTE_SPAWN, &body, sizeof(body), fds,
                     ZYGOTE_SPAWN_FDS + body.cgroup_count, err);
}

int run_spawn(struct launcher *launcher, struct slot *slot, struct zygote_link *zygote,
              uint32_t disk_mb, struct dc_err *err)
{
    uint32_t runtime = zygote->runtime;
    int ends[2];
    int result;

    if (set_limits(slot, DC_MEMORY_DEFAULT_MB, disk_mb, DC_PROCESSES_DEFAULT, err) < 0 ||
        link_pair(ends, err) < 0)
        return -err->code;
    slot->runtime = runtime;
    slot->set = 0;
    slot->disk_mb = disk_mb;
    slot->child_fd = ends[0];
    result = fcntl(slot->child_fd, F_SETFL, O_NONBLOCK) < 0 ? dc_fail_errno(err, "O_NONBLOCK") : 0;
    if (result == 0)
        result = loop_watch(launcher, slot->child_fd, WATCH_CHILD, slot->index, err);
    /* Last, for a child that was asked for is in the slot. */
    if (result == 0)
        result = send_spawn(launcher, slot, zygote, ends[1], err);
    dc_close(ends[1]);
    if (result < 0) {
        dc_close_clear(&slot->child_fd);
        return dc_context(err, "spawn in slot %u", slot->index);
    }
    zygote->used_ns = dc_now();
    zygote->forks++;
    zygote->children++;
    launcher->stats.zygote_forks[runtime] += !zygote->plain;
    slot->zygote = (uint32_t)(zygote - launcher->zygotes);
    slot->child_alive = true;
    slot->oom_seen = false;
    slot->state = SLOT_SPAWNING;
    slot->deadline_ns = dc_now() + SPAWN_TIMEOUT_S * DC_NS_PER_S;
    return 0;
}

/* The channel goes to the slot's init, which makes what belongs on its other end. */
static int begin_network(struct slot *slot, struct dc_err *err)
{
    const struct launch_run *request = &slot->run.request;

    if (slot->init_fd < 0)
        return dc_fail(err, DC_NOT_FOUND, 0, "the slot's init is gone");
    slot->networking = true;
    if (link_send(slot->init_fd, INIT_NETWORK, &request->network, sizeof(request->network),
                  &slot->run.fds[RUN_FD_NETWORK], 1, err) < 0)
        return dc_context(err, "network of slot %u", slot->index);
    dc_close_clear(&slot->run.fds[RUN_FD_NETWORK]);
    return 0;
}

void run_attach(struct launcher *launcher, struct slot *slot, struct run *run)
{
    struct dc_err err;

    slot->run = *run;
    slot->has_run = true;
    slot->networking = false;
    if (run->request.flags & RUN_HAS_NETWORK && begin_network(slot, &err) < 0)
        run_trouble(launcher, slot, &err);
}

static int hand_over(struct slot *slot, struct dc_err *err)
{
    const struct launch_run *request = &slot->run.request;
    struct child_job body = {.memory_mb = request->memory_mb};
    int fds[CHILD_JOB_FDS] = {
        [JOB_FD_JOB] = slot->run.fds[RUN_FD_JOB],
        [JOB_FD_STDIN] = slot->run.fds[RUN_FD_STDIN],
        [JOB_FD_STDOUT] = slot->run.fds[RUN_FD_STDOUT],
        [JOB_FD_STDERR] = slot->run.fds[RUN_FD_STDERR],
    };

    if (set_limits(slot, request->memory_mb, request->disk_mb, request->processes, err) < 0 ||
        cgroup_leaf_begin(&slot->leaf, err) < 0)
        return -err->code;
    return link_send(slot->child_fd, CHILD_JOB, &body, sizeof(body), fds, CHILD_JOB_FDS, err);
}

static bool wants_layer(const struct launch_run *request)
{
    static const uint8_t none[DC_LAYER_ID_BYTES];

    return memcmp(request->layer, none, sizeof(none)) != 0;
}

/* Has the slot's init mount the packages into the sealed child, which has no right to. */
static int begin_mounting(struct slot *slot, struct dc_err *err)
{
    struct init_mount body = {.runtime = slot->runtime};

    memcpy(body.layer, slot->run.request.layer, sizeof(body.layer));
    if (slot->init_fd < 0 || slot->mounts_fd < 0)
        return dc_fail(err, DC_NOT_FOUND, 0, "nobody to mount the packages");
    slot->state = SLOT_MOUNTING;
    slot->deadline_ns = dc_now() + SPAWN_TIMEOUT_S * DC_NS_PER_S;
    return link_send(slot->init_fd, INIT_MOUNT, &body, sizeof(body), &slot->mounts_fd, 1, err);
}

static void started(struct launcher *launcher, struct slot *slot)
{
    struct run *run = &slot->run;
    int64_t now = dc_now();

    run->started_ns = now;
    run->next_look_ns = now + FIRST_LOOK_MS * DC_NS_PER_MS;
    slot->state = SLOT_RUNNING;
    slot->deadline_ns = now + run->request.timeout_ms * DC_NS_PER_MS;
    /* Our copies of the output pipes would keep them open after the run. */
    dc_close_clear(&run->fds[RUN_FD_STDIN]);
    dc_close_clear(&run->fds[RUN_FD_STDOUT]);
    dc_close_clear(&run->fds[RUN_FD_STDERR]);
    if (launcher->zygotes[slot->zygote].plain)
        launcher->stats.plain_starts++;
    else if (run->warm)
        launcher->stats.warm_starts++;
    else
        launcher->stats.cold_starts++;
    server_link_started(launcher, run, run->warm);
}

static void start(struct launcher *launcher, struct slot *slot)
{
    struct dc_err err;

    if (slot->networking) { /* then again, when its sockets are there */
        slot->run.prepared = true;
        slot->state = SLOT_MOUNTING;
        slot->deadline_ns = dc_now() + SPAWN_TIMEOUT_S * DC_NS_PER_S;
        return;
    }
    dc_close_clear(&slot->mounts_fd);
    if (hand_over(slot, &err) < 0)
        run_trouble(launcher, slot, &err);
    else
        started(launcher, slot);
}

int run_start_prepared(struct launcher *launcher, struct slot *slot, struct dc_err *err)
{
    if (hand_over(slot, err) < 0)
        return -err->code;
    /* What it may still say there is not heard any more; the child reads what it was sent. */
    dc_close_clear(&slot->child_fd);
    slot->run.warm = true;
    started(launcher, slot);
    return 0;
}

void run_deliver(struct launcher *launcher, struct slot *slot, bool warm)
{
    struct dc_err err;

    slot->run.warm = warm;
    /* A zygote with packages has them mounted, and so have its forks. */
    if (!wants_layer(&slot->run.request) || launcher->zygotes[slot->zygote].warm)
        start(launcher, slot);
    else if (begin_mounting(slot, &err) < 0)
        run_trouble(launcher, slot, &err);
}

void run_on_mounted(struct launcher *launcher, struct slot *slot,
                    const struct link_message *message)
{
    struct dc_err err;

    memcpy(&err, message->body, sizeof(err));
    err.text[sizeof(err.text) - 1] = '\0';
    if (slot->state == SLOT_PREPARING) {
        prepared_on_mounted(launcher, slot, &err);
        return;
    }
    if (slot->state != SLOT_MOUNTING || !slot->has_run || slot->run.stopped)
        return; /* it was cancelled meanwhile */
    if (err.code == DC_OK)
        start(launcher, slot);
    else
        run_trouble(launcher, slot, &err);
}

void run_on_networked(struct launcher *launcher, struct slot *slot, const struct dc_err *theirs)
{
    struct dc_err err = *theirs;

    slot->networking = false;
    err.text[sizeof(err.text) - 1] = '\0';
    if (!slot->has_run || slot->run.stopped)
        return;
    if (err.code != DC_OK)
        run_trouble(launcher, slot, &err);
    else if (slot->run.prepared)
        start(launcher, slot);
}

/* --- stopping -------------------------------------------------------------------------------- */

void run_stop(struct launcher *launcher, struct slot *slot, enum launch_end_kind verdict)
{
    if (slot->run.stopped || slot->state == SLOT_COLLECTING || slot->state == SLOT_ENDING)
        return;
    slot->run.stopped = true;
    slot->run.verdict = verdict;
    slot->run.ended_ns = dc_now();
    slot_kill_inside(launcher, slot);
}

void run_trouble(struct launcher *launcher, struct slot *slot, const struct dc_err *err)
{
    char text[sizeof(slot->run.ended.text)];

    dc_log_err(DC_LOG_ERROR, NULL, err, "slot %u: run failed", slot->index);
    (void)dc_err_describe(err, text, sizeof(text));
    memcpy(slot->run.ended.text, text, sizeof(text));
    slot->condemned = true;
    slot->run.stopped = true;
    slot->run.verdict = END_SANDBOX_ERROR;
    if (!slot->run.ended_ns)
        slot->run.ended_ns = dc_now();
    if (slot->state == SLOT_SPAWNING || slot->state == SLOT_SPARE || slot->state == SLOT_MOUNTING ||
        slot->state == SLOT_RUNNING)
        slot_kill_inside(launcher, slot);
}

/* --- events ---------------------------------------------------------------------------------- */

static void child_ready(struct launcher *launcher, struct slot *slot, struct link_message *message)
{
    slot->workspace_fd = link_message_take_fd(message, READY_FD_WORKSPACE);
    slot->mounts_fd = link_message_take_fd(message, READY_FD_MOUNTS);
    slot->deadline_ns = 0;
    if (slot->has_run)
        run_deliver(launcher, slot, false);
    else if (slot_is_prepared(slot))
        prepared_on_sealed(launcher, slot);
    else
        slot->state = SLOT_SPARE;
}

static void child_failed(struct launcher *launcher, struct slot *slot,
                         const struct link_message *message)
{
    struct dc_err err;

    memcpy(&err, message->body, sizeof(err));
    err.text[sizeof(err.text) - 1] = '\0';
    dc_ignore(dc_context(&err, "sealing"));
    if (slot->has_run) {
        run_trouble(launcher, slot, &err);
        return;
    }
    dc_log_err(DC_LOG_ERROR, NULL, &err, "slot %u: spare failed", slot->index);
    slot->condemned = true;
    slot_kill_inside(launcher, slot);
}

/* User code never holds this socket: the child closes it before. */
void run_on_child(struct launcher *launcher, struct slot *slot)
{
    struct link_message message;
    struct dc_err err;
    int result;

    if (slot->child_fd < 0)
        return;
    if (slot_is_prepared(slot) && slot->state != SLOT_SPAWNING) {
        prepared_on_child(launcher, slot);
        return;
    }
    result = link_receive(slot->child_fd, &message, &err);
    if (result == -DC_BUSY)
        return;
    if (result < 0) {
        dc_close_clear(&slot->child_fd);
        return;
    }
    if (message.header.type == CHILD_READY && slot->state == SLOT_SPAWNING &&
        link_message_is(&message, 0, CHILD_READY_FDS)) {
        child_ready(launcher, slot, &message);
    } else if (message.header.type == CHILD_FAILED &&
               link_message_is(&message, sizeof(struct dc_err), 0) &&
               (slot->state == SLOT_SPAWNING || slot->state == SLOT_RUNNING)) {
        child_failed(launcher, slot, &message);
    }
    link_message_release(&message);
}

/* KERNEL v1: an OOM kills one task; the rest of the run goes with it by our hand. */
void run_on_oom(struct launcher *launcher, struct slot *slot)
{
    struct cgroup_usage usage;
    struct dc_err err;
    uint64_t times;

    if (slot->leaf.oom_event_fd >= 0 &&
        read(slot->leaf.oom_event_fd, &times, sizeof(times)) == sizeof(times))
        slot->oom_seen = true;
    if (slot->state == SLOT_RUNNING && slot->oom_seen &&
        cgroup_leaf_read(&slot->leaf, &usage, &err) == 0 && usage.oom_kills > 0)
        run_stop(launcher, slot, END_MEMORY);
}

void run_on_exit(struct launcher *launcher, struct slot *slot, const struct zygote_exited *exited)
{
    run_on_child(launcher, slot); /* a reason that it gave comes before its end */
    slot->child_alive = false;
    slot->child_status = exited->status;
    slot->child_cpu_ns = exited->cpu_ns;
    slot->child_peak_bytes = exited->peak_bytes;
    switch (slot->state) {
    case SLOT_SPAWNING:
    case SLOT_PREPARING:
    case SLOT_SPARE:
    case SLOT_MOUNTING:
        if (slot->set && !slot->has_run)
            prepared_failed(launcher, slot, "it ended");
        if (slot->has_run && !slot->run.stopped) {
            struct dc_err err;

            (void)dc_fail(&err, DC_BUG, 0, "the child ended before its job, status 0x%x",
                          (unsigned)exited->status);
            run_trouble(launcher, slot, &err);
        }
        break;
    case SLOT_RUNNING:
        slot->run.ended_ns = dc_now();
        break;
    case SLOT_EMPTY:
    case SLOT_MAKING:
    case SLOT_FREE:
    case SLOT_ENDING:
    case SLOT_COLLECTING:
    case SLOT_SCRUBBING:
    case SLOT_DYING:
        return;
    }
    slot->state = SLOT_ENDING;
    slot->deadline_ns = dc_now() + END_TIMEOUT_S * DC_NS_PER_S;
}

void run_watch_limits(struct launcher *launcher, struct slot *slot, int64_t now)
{
    struct run *run = &slot->run;
    struct cgroup_usage usage;
    struct dc_err err;
    uint64_t fair_ns;
    uint32_t without = launcher->options.without;

    if (now >= slot->deadline_ns && !seal_is_without(without, WITHOUT_DEADLINE)) {
        run_stop(launcher, slot, END_TIMEOUT);
        return;
    }
    if (slot->oom_seen)
        run_on_oom(launcher, slot);
    if (slot->state != SLOT_RUNNING || now < run->next_look_ns ||
        cgroup_leaf_read(&slot->leaf, &usage, &err) < 0)
        return;
    run->next_look_ns = now + LOOK_MS * DC_NS_PER_MS;
    if (run->request.cpu_ms && usage.cpu_ns >= run->request.cpu_ms * (uint64_t)DC_NS_PER_MS) {
        run_stop(launcher, slot, END_CPU);
        return;
    }
    fair_ns =
        (uint64_t)(now - run->started_ns) / 100 * run->request.cpus_centi + BURST_MS * DC_NS_PER_MS;
    if (!slot->leaf.throttled && usage.cpu_ns > fair_ns &&
        !seal_is_without(without, WITHOUT_RATE) &&
        cgroup_leaf_throttle(&slot->leaf, run->request.cpus_centi, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "slot %u: cannot cap its CPU rate", slot->index);
}

/* --- the end --------------------------------------------------------------------------------- */

static uint32_t disk_hit(const struct slot *slot)
{
    struct statfs stat;

    if (slot->workspace_fd < 0 || fstatfs(slot->workspace_fd, &stat) < 0)
        return 0;
    return stat.f_bavail == 0 || stat.f_ffree == 0 ? HIT_DISK : 0;
}

static void set_outcome(const struct slot *slot, const struct cgroup_usage *usage,
                        struct launch_ended *ended)
{
    int status = slot->child_status;

    if (slot->run.stopped) {
        ended->kind = slot->run.verdict;
        ended->status = slot->run.verdict == END_SANDBOX_ERROR ? -1 : SIGKILL;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && usage->oom_kills > 0) {
        ended->kind = END_MEMORY;
        ended->status = SIGKILL;
    } else if (WIFSIGNALED(status)) {
        ended->kind = END_SIGNALLED;
        ended->status = WTERMSIG(status);
    } else {
        ended->kind = END_EXITED;
        ended->status = WEXITSTATUS(status);
    }
}

/* Reads what the run used, once everything of it is dead. */
static void settle(struct slot *slot)
{
    struct launch_ended *ended = &slot->run.ended;
    struct cgroup_usage usage = {0};
    struct dc_err err;

    if (slot->run.settled)
        return;
    slot->run.settled = true;
    ended->run = slot->run.request.run;
    if (slot->leaf.tree && slot->run.started_ns && cgroup_leaf_read(&slot->leaf, &usage, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "slot %u: usage", slot->index);
    ended->cpu_ns = usage.cpu_ns ? usage.cpu_ns : slot->child_cpu_ns;
    ended->peak_bytes = usage.peak_bytes ? usage.peak_bytes : slot->child_peak_bytes;
    if (slot->run.started_ns && slot->run.ended_ns > slot->run.started_ns)
        ended->wall_ns = (uint64_t)(slot->run.ended_ns - slot->run.started_ns);
    ended->hits =
        disk_hit(slot) | (usage.pids_hits ? HIT_PROCESSES : 0) | (usage.oom_kills ? HIT_MEMORY : 0);
    set_outcome(slot, &usage, ended);
}

static int begin_collecting(struct launcher *launcher, struct slot *slot, struct dc_err *err)
{
    struct init_collect body = {.uid = launcher->rootless ? 0 : slot->index + 1};
    int fds[INIT_COLLECT_FDS] = {
        [COLLECT_FD_WORKSPACE] = slot->workspace_fd,
        [COLLECT_FD_JOB] = slot->run.fds[RUN_FD_JOB],
        [COLLECT_FD_OUT] = slot->run.fds[RUN_FD_ARTIFACTS],
    };

    if (slot->init_fd < 0 || slot->workspace_fd < 0)
        return dc_fail(err, DC_NOT_FOUND, 0, "nothing to collect from");
    return link_send(slot->init_fd, INIT_COLLECT, &body, sizeof(body), fds, INIT_COLLECT_FDS, err);
}

void run_all_gone(struct launcher *launcher, struct slot *slot)
{
    struct dc_err err;

    if (!slot->has_run) {
        slot_scrub(launcher, slot);
        return;
    }
    settle(slot);
    if (slot->run.request.flags & RUN_WANTS_ARTIFACTS && slot->run.started_ns) {
        if (begin_collecting(launcher, slot, &err) == 0) {
            dc_close_clear(&slot->run.fds[RUN_FD_ARTIFACTS]);
            slot->state = SLOT_COLLECTING;
            slot->deadline_ns = dc_now() + COLLECT_TIMEOUT_S * DC_NS_PER_S;
            return;
        }
        dc_log_err(DC_LOG_WARN, NULL, &err, "slot %u: artifacts", slot->index);
    }
    run_finish(launcher, slot);
    slot_scrub(launcher, slot);
}

void run_finish(struct launcher *launcher, struct slot *slot)
{
    settle(slot);
    run_release(&slot->run);
    slot->has_run = false;
    /* Its namespace has addresses and counters that a pristine one has not. */
    slot->condemned |= (slot->run.request.flags & RUN_HAS_NETWORK) != 0;
    launcher->running_count--;
    server_link_ended(launcher, &slot->run.ended);
}
