#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "sandbox/cgroup_group.h"

#include "base/poison.h"

void cgroup_leaf_init(struct cgroup_leaf *leaf)
{
    *leaf = (struct cgroup_leaf){.cpu_fd = -1,
                                 .peak_fd = -1,
                                 .oom_fd = -1,
                                 .pids_fd = -1,
                                 .events_fd = -1,
                                 .kill_fd = -1,
                                 .oom_event_fd = -1};
    for (size_t i = 0; i < CG_PARTS; i++)
        leaf->dir_fds[i] = leaf->procs_fds[i] = -1;
}

static void leaf_close_files(struct cgroup_leaf *leaf)
{
    int *files[] = {&leaf->cpu_fd,    &leaf->peak_fd, &leaf->oom_fd,      &leaf->pids_fd,
                    &leaf->events_fd, &leaf->kill_fd, &leaf->oom_event_fd};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        dc_close_clear(files[i]);
    for (size_t i = 0; i < CG_PARTS; i++) {
        dc_close_clear(&leaf->dir_fds[i]);
        dc_close_clear(&leaf->procs_fds[i]);
    }
    leaf->memory_max = 0;
    leaf->pids_max = 0;
    leaf->throttled = false;
}

void cgroup_leaf_close(struct cgroup_leaf *leaf)
{
    if (!leaf || !leaf->tree)
        return;
    for (size_t i = 0; i < CG_PARTS; i++)
        if (leaf->dir_fds[i] >= 0)
            group_remove(leaf->tree->base_fds[i], leaf->name);
    leaf_close_files(leaf);
    leaf->tree = NULL;
}

/* KERNEL v1: there is no memory.oom.group, so somebody has to hear of an OOM and end the rest. */
static int watch_oom(struct cgroup_leaf *leaf, struct dc_err *err)
{
    DC_AUTO(dc_close) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    char text[64];

    if (event < 0)
        return dc_fail_errno(err, "eventfd");
    (void)snprintf(text, sizeof(text), "%d %d", event, leaf->oom_fd);
    if (dc_write_file_at(leaf->dir_fds[CG_MEMORY], "cgroup.event_control", text, err) < 0)
        return -err->code;
    leaf->oom_event_fd = dc_take_fd(&event);
    return 0;
}

/* What limits are seen by must be open where the controller is; the rest older kernels lack. */
static int check_files(const struct cgroup_leaf *leaf, struct dc_err *err)
{
    const bool *has = leaf->tree->has;

    if ((has[CG_CPUACCT] && leaf->cpu_fd < 0) || (has[CG_MEMORY] && leaf->oom_fd < 0) ||
        (has[CG_PIDS] && leaf->pids_fd < 0) ||
        (leaf->dir_fds[CG_UNIFIED] >= 0 && leaf->events_fd < 0))
        return dc_fail_errno(err, "open the counters");
    return 0;
}

static int leaf_open_files(struct cgroup_leaf *leaf, struct dc_err *err)
{
    bool v2 = leaf->tree->version == 2;
    int all = leaf->dir_fds[CG_UNIFIED];
    int memory = v2 ? all : leaf->dir_fds[CG_MEMORY];
    int pids = v2 ? all : leaf->dir_fds[CG_PIDS];

    leaf->cpu_fd = v2 ? group_open_file(all, "cpu.stat", O_RDONLY)
                      : group_open_file(leaf->dir_fds[CG_CPUACCT], "cpuacct.usage", O_RDONLY);
    leaf->peak_fd = v2 ? group_open_file(memory, "memory.peak", O_RDONLY)
                       : group_open_file(memory, "memory.max_usage_in_bytes", O_RDWR);
    leaf->oom_fd = group_open_file(memory, v2 ? "memory.events" : "memory.oom_control", O_RDONLY);
    leaf->pids_fd = group_open_file(pids, "pids.events", O_RDONLY);
    leaf->events_fd = group_open_file(all, "cgroup.events", O_RDONLY);
    leaf->kill_fd = group_open_file(all, "cgroup.kill", O_WRONLY);
    if (check_files(leaf, err) < 0)
        return -err->code;
    return !v2 && leaf->tree->has[CG_MEMORY] ? watch_oom(leaf, err) : 0;
}

int cgroup_leaf_open(const struct cgroup_tree *tree, const char *name, struct cgroup_leaf *ret_leaf,
                     struct dc_err *err)
{
    struct cgroup_leaf *leaf = ret_leaf;

    cgroup_leaf_init(leaf);
    leaf->tree = tree;
    (void)snprintf(leaf->name, sizeof(leaf->name), "%s", name);
    for (size_t i = 0; i < CG_PARTS; i++) {
        int base = tree->base_fds[i];

        if (base < 0)
            continue;
        if (mkdirat(base, name, 0755) < 0 && errno != EEXIST)
            return dc_fail_errno(err, "make control group '%s'", name);
        leaf->dir_fds[i] = openat(base, name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        leaf->procs_fds[i] = group_open_file(leaf->dir_fds[i], "cgroup.procs", O_RDWR);
        if (leaf->procs_fds[i] < 0)
            return dc_fail_errno(err, "open control group '%s'", name);
    }
    if (leaf_open_files(leaf, err) < 0)
        return dc_context(err, "control group '%s'", name);
    return 0;
}

size_t cgroup_leaf_join_fds(const struct cgroup_leaf *leaf, int fds[static CG_PARTS])
{
    size_t count = 0;

    for (size_t i = 0; i < CG_PARTS; i++)
        if (leaf->procs_fds[i] >= 0 && i != CG_CPU)
            fds[count++] = leaf->procs_fds[i];
    return count;
}

int cgroup_leaf_add(const struct cgroup_leaf *leaf, int pid, struct dc_err *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", pid);

    for (size_t i = 0; i < CG_PARTS; i++)
        if (leaf->procs_fds[i] >= 0 && pwrite(leaf->procs_fds[i], text, (size_t)n, 0) < 0)
            return dc_fail_errno(err, "move pid %d into '%s'", pid, leaf->name);
    return 0;
}

/* For what not every kernel has: where the file is, it must take the number. */
static int write_if_there(int dir_fd, const char *file, uint64_t value, struct dc_err *err)
{
    int result = group_write(dir_fd, file, value, err);

    return result == -DC_NOT_FOUND ? 0 : result;
}

static int limit_memory_v1(const struct cgroup_leaf *leaf, uint64_t bytes, struct dc_err *err)
{
    int dir = leaf->dir_fds[CG_MEMORY];
    bool raise = bytes > leaf->memory_max && leaf->memory_max != 0;
    struct dc_err ignored;

    /* memsw must never be below the plain limit; it is absent where swap is not accounted. */
    if (raise && write_if_there(dir, "memory.memsw.limit_in_bytes", bytes, err) < 0)
        return -err->code;
    if (group_write(dir, "memory.limit_in_bytes", bytes, err) < 0 ||
        write_if_there(dir, "memory.memsw.limit_in_bytes", bytes, err) < 0)
        return -err->code;
    if (leaf->memory_max == 0)
        dc_ignore(group_write(dir, "memory.swappiness", 0, &ignored));
    return 0;
}

static int limit_memory_v2(const struct cgroup_leaf *leaf, uint64_t bytes, struct dc_err *err)
{
    int dir = leaf->dir_fds[CG_UNIFIED];

    if (group_write(dir, "memory.max", bytes, err) < 0)
        return -err->code;
    if (leaf->memory_max == 0 && (write_if_there(dir, "memory.swap.max", 0, err) < 0 ||
                                  group_write(dir, "memory.oom.group", 1, err) < 0))
        return -err->code; /* the former is absent without swap */
    return 0;
}

int cgroup_leaf_limit(struct cgroup_leaf *leaf, uint64_t memory_max, uint32_t pids_max,
                      struct dc_err *err)
{
    const struct cgroup_tree *tree = leaf->tree;

    if (tree->has[CG_MEMORY] && leaf->memory_max != memory_max) {
        int result = tree->version == 2 ? limit_memory_v2(leaf, memory_max, err)
                                        : limit_memory_v1(leaf, memory_max, err);

        if (result < 0)
            return dc_context(err, "memory limit of '%s'", leaf->name);
        leaf->memory_max = memory_max;
    }
    if (tree->has[CG_PIDS] && leaf->pids_max != pids_max) {
        int dir = leaf->dir_fds[tree->version == 2 ? CG_UNIFIED : CG_PIDS];

        if (group_write(dir, "pids.max", pids_max, err) < 0)
            return dc_context(err, "process limit of '%s'", leaf->name);
        leaf->pids_max = pids_max;
    }
    return 0;
}

void cgroup_leaf_cap_sockets(const struct cgroup_leaf *leaf)
{
    enum { SOCKET_BYTES_MAX = 16 << 20 };
    struct dc_err absent;

    if (leaf->tree->version == 1 && leaf->tree->has[CG_MEMORY])
        dc_ignore(group_write(leaf->dir_fds[CG_MEMORY], "memory.kmem.tcp.limit_in_bytes",
                              SOCKET_BYTES_MAX, &absent));
}

/* KERNEL v1: the group stays, and with it the cache of files that the run was first to read. The
 * next run's peak would begin there. Groups that few runs left anything in are not worth the time.
 */
static void drop_leftovers_v1(const struct cgroup_leaf *leaf)
{
    enum { LEFTOVERS_MAX = 2 << 20 };
    int dir = leaf->dir_fds[CG_MEMORY];
    struct dc_err ignored;
    DC_AUTO(dc_close) int usage_fd = group_open_file(dir, "memory.usage_in_bytes", O_RDONLY);

    if (usage_fd >= 0 && group_value(usage_fd, NULL) > LEFTOVERS_MAX)
        dc_ignore(dc_write_file_at(dir, "memory.force_empty", "0", &ignored));
}

int cgroup_leaf_renew(struct cgroup_leaf *leaf, struct dc_err *err)
{
    const struct cgroup_tree *tree = leaf->tree;
    char name[sizeof(leaf->name)];

    leaf->throttled = false;
    if (tree->version == 1) {
        drop_leftovers_v1(leaf);
        return 0;
    }
    memcpy(name, leaf->name, sizeof(name));
    cgroup_leaf_close(leaf);
    return cgroup_leaf_open(tree, name, leaf, err);
}
