#include <errno.h>
#include <signal.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum { COLLECT_TIMEOUT_S = 10 };

void run_release(struct run *run)
{
    for (size_t i = 0; i < LAUNCH_RUN_FDS_MAX; i++)
        dc_close_clear(&run->fds[i]);
}

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
