#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum { SPAWN_TIMEOUT_S = 15, FIRST_LOOK_MS = 50 };

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
