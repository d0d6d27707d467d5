#include "sandbox/cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "sandbox/cgroup_group.h"

#include "base/poison.h"

static void read_counters(const struct cgroup_leaf *leaf, struct cgroup_usage *usage)
{
    bool v2 = leaf->tree->version == 2;

    usage->cpu_ns =
        v2 ? group_value(leaf->cpu_fd, "usage_usec") * 1000 : group_value(leaf->cpu_fd, NULL);
    usage->peak_bytes = group_value(leaf->peak_fd, NULL);
    usage->oom_kills = group_value(leaf->oom_fd, "oom_kill");
    usage->pids_hits = group_value(leaf->pids_fd, "max");
}

int cgroup_leaf_begin(struct cgroup_leaf *leaf, struct dc_err *err)
{
    if (leaf->tree->version == 1 && leaf->peak_fd >= 0 && pwrite(leaf->peak_fd, "0", 1, 0) < 0)
        return dc_fail_errno(err, "reset the peak of '%s'", leaf->name);
    read_counters(leaf, &leaf->baseline);
    return 0;
}

/* A counter that could not be read is 0: never less than nothing. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

int cgroup_leaf_read(const struct cgroup_leaf *leaf, struct cgroup_usage *ret_usage,
                     struct dc_err *err)
{
    if (leaf->tree->has[CG_CPUACCT] && leaf->cpu_fd < 0)
        return dc_fail(err, DC_BUG, 0, "leaf '%s' is not open", leaf->name);
    read_counters(leaf, ret_usage);
    ret_usage->cpu_ns = since(ret_usage->cpu_ns, leaf->baseline.cpu_ns);
    ret_usage->oom_kills = since(ret_usage->oom_kills, leaf->baseline.oom_kills);
    ret_usage->pids_hits = since(ret_usage->pids_hits, leaf->baseline.pids_hits);
    return 0;
}

/* Stops every process of the leaf where it is, so that none can fork; false when the host cannot or
 * when it takes too long. Thaw in any case. */
static bool freeze(const struct cgroup_leaf *leaf)
{
    enum { TRIES = 20, PAUSE_MS = 1 };
    struct dc_err absent;

    if (leaf->dir_fds[CG_UNIFIED] < 0 ||
        dc_write_file_at(leaf->dir_fds[CG_UNIFIED], "cgroup.freeze", "1", &absent) < 0)
        return false;
    for (int i = 0; i < TRIES; i++) {
        if (group_value(leaf->events_fd, "frozen") == 1)
            return true;
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return false;
}

static void thaw(const struct cgroup_leaf *leaf)
{
    struct dc_err absent;

    if (leaf->dir_fds[CG_UNIFIED] >= 0)
        dc_ignore(dc_write_file_at(leaf->dir_fds[CG_UNIFIED], "cgroup.freeze", "0", &absent));
}

/* Moves the processes that are in the leaf now; false when one could not be. */
static bool move_to_cpu(const struct cgroup_leaf *leaf)
{
    char text[8192];
    bool all = true;

    if (group_members(leaf->dir_fds[CG_PIDS], text, sizeof(text)) < 0)
        return false;
    for (char *at = text; *at;) {
        unsigned long pid = strtoul(at, &at, 10);
        struct dc_err err;

        if (pid && group_write(leaf->dir_fds[CG_CPU], "cgroup.procs", pid, &err) < 0)
            all = all && err.errnum == ESRCH; /* it has ended meanwhile */
        while (*at && !isdigit((unsigned char)*at))
            at++;
    }
    return all;
}

/* KERNEL v1: children inherit the group of their parent, so once all were moved while none could
 * fork, all that come are inside. SECURITY: without the freeze a chain of forks stays ahead of us.
 * Where there is no freezing, throttled stays false and the caller comes back. */
static void throttle_v1(struct cgroup_leaf *leaf)
{
    bool frozen = freeze(leaf);
    bool all = move_to_cpu(leaf);

    thaw(leaf);
    leaf->throttled = frozen && all;
}

int cgroup_leaf_throttle(struct cgroup_leaf *leaf, uint32_t cpus_centi, struct dc_err *err)
{
    enum { PERIOD_US = 100000 };
    uint64_t quota_us = (uint64_t)cpus_centi * PERIOD_US / 100;
    char text[48];

    if (!leaf->tree->has[CG_CPU])
        return 0;
    if (leaf->tree->version == 2) {
        leaf->throttled = true;
        (void)snprintf(text, sizeof(text), "%llu %d", (unsigned long long)quota_us, PERIOD_US);
        return dc_write_file_at(leaf->dir_fds[CG_UNIFIED], "cpu.max", text, err);
    }
    if (group_write(leaf->dir_fds[CG_CPU], "cpu.cfs_quota_us", quota_us, err) < 0)
        return -err->code;
    throttle_v1(leaf);
    return 0;
}

bool cgroup_leaf_kill(const struct cgroup_leaf *leaf)
{
    return leaf->kill_fd >= 0 && pwrite(leaf->kill_fd, "1", 1, 0) == 1;
}

bool cgroup_leaf_populated(const struct cgroup_leaf *leaf)
{
    char text[32];

    if (leaf->events_fd >= 0)
        return group_value(leaf->events_fd, "populated") != 0;
    for (size_t i = 0; i < CG_PARTS; i++)
        if (leaf->procs_fds[i] >= 0 && group_members(leaf->dir_fds[i], text, sizeof(text)) > 0)
            return true;
    return false;
}
