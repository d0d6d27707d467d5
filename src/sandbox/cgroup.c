#include "sandbox/cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "sandbox/cgroup_find.h"

#include "base/poison.h"

static const char tree_prefix[] = "docle.";
static const char supervisor_name[] = "supervisor";

/* --- small readers ------------------------------------------------------------------------- */

static ssize_t read_text(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);

    out[n > 0 ? n : 0] = '\0';
    return n;
}

/* The number after "key " in a flat keyed file, or the number itself when key is NULL. */
static uint64_t read_value(int fd, const char *key)
{
    char text[1024];
    const char *at = text;

    if (fd < 0 || read_text(fd, text, sizeof(text)) <= 0)
        return 0;
    if (key) {
        size_t length = strlen(key);

        for (at = text; at; at = strchr(at, '\n')) {
            if (*at == '\n')
                at++;
            if (strncmp(at, key, length) == 0 && at[length] == ' ')
                break;
        }
        if (!at)
            return 0;
        at += length + 1;
    }
    return strtoull(at, NULL, 10);
}

static int write_number(int dir_fd, const char *file, uint64_t value, struct dc_err *err)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return dc_write_file_at(dir_fd, file, text, err);
}

static int open_file(int dir_fd, const char *name, int flags)
{
    return dir_fd < 0 ? -1 : openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* Lists who is in a group. KERNEL v1: an open cgroup.procs keeps what it showed for a second, so it
 * is opened anew each time. */
static ssize_t read_members(int dir_fd, char *out, size_t size)
{
    DC_AUTO(dc_close) int fd = open_file(dir_fd, "cgroup.procs", O_RDONLY);

    return fd < 0 ? -1 : read_text(fd, out, size);
}

/* --- killing and removing ------------------------------------------------------------------- */

static void kill_members(int dir_fd)
{
    char text[16384];
    char *at = text;

    if (read_members(dir_fd, text, sizeof(text)) <= 0)
        return;
    while (*at) {
        long pid = strtol(at, &at, 10);

        if (pid > 1)
            (void)kill((pid_t)pid, SIGKILL);
        while (*at && !isdigit((unsigned char)*at))
            at++;
    }
}

/* Kills what is in the group and removes it; waits up to about a second for it to be empty. */
static void remove_group(int parent_fd, const char *name)
{
    DC_AUTO(dc_close) int dir = openat(parent_fd, name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct dc_err ignored;

    if (dir < 0)
        return;
    for (int tries = 0; tries < 200; tries++) {
        if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == EACCES ||
            errno == EPERM)
            return; /* gone, or not ours to remove: waiting changes nothing */
        if (dc_write_file_at(dir, "cgroup.kill", "1", &ignored) < 0)
            kill_members(dir);
        (void)poll(NULL, 0, 5);
    }
}

static void remove_subtree(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        dc_close(fd);
        return;
    }
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            remove_group(dirfd(dir), entry->d_name);
    (void)closedir(dir);
    remove_group(parent_fd, name);
}

/* Removes trees of launchers that are no more. */
static void sweep(int parent_fd)
{
    int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        dc_close(fd);
        return;
    }
    while ((entry = readdir(dir))) {
        long pid;

        if (strncmp(entry->d_name, tree_prefix, sizeof(tree_prefix) - 1) != 0)
            continue;
        pid = strtol(entry->d_name + sizeof(tree_prefix) - 1, NULL, 10);
        if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            remove_subtree(parent_fd, entry->d_name);
    }
    (void)closedir(dir);
}

/* --- the tree -------------------------------------------------------------------------------- */

static void move_members(char *members, int to_fd)
{
    struct dc_err ignored;

    for (char *at = members; *at;) {
        unsigned long pid = strtoul(at, &at, 10);

        if (pid)
            dc_ignore(write_number(to_fd, "cgroup.procs", pid, &ignored));
        while (*at && !isdigit((unsigned char)*at))
            at++;
    }
}

/* Moves every process of the group into a child group, so that controllers may be handed down.
 * Looks again until it is empty: what forks meanwhile leaves a child behind. */
static void vacate(int group_fd)
{
    enum { TRIES = 16 };
    DC_AUTO(dc_close) int child = -1;
    char members[16384];

    for (int i = 0; i < TRIES && read_members(group_fd, members, sizeof(members)) > 0; i++) {
        if (child < 0 && mkdirat(group_fd, supervisor_name, 0755) < 0 && errno != EEXIST)
            return;
        if (child < 0)
            child = openat(group_fd, supervisor_name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (child < 0)
            return;
        move_members(members, child);
    }
}

/* Enables the controllers we use in the group's children; each alone, so that one that is missing
 * does not take the others with it. */
static void hand_down(int group_fd)
{
    static const char *const wanted[] = {"+memory", "+pids", "+cpu"};
    struct dc_err ignored;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        dc_ignore(dc_write_file_at(group_fd, "cgroup.subtree_control", wanted[i], &ignored));
}

static bool controllers_have(int group_fd, const char *name)
{
    char text[256];
    char padded[260];
    char wanted[32];
    struct dc_err ignored;

    if (dc_read_file_at(group_fd, "cgroup.controllers", text, sizeof(text), &ignored) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(padded, sizeof(padded), " %s ", text);
    (void)snprintf(wanted, sizeof(wanted), " %s ", name);
    return strstr(padded, wanted) != NULL;
}

static bool is_root_group(int group_fd)
{
    return faccessat(group_fd, "cgroup.type", F_OK, 0) < 0;
}

/* Opens the group that shall hold ours; a launcher that was started again sits in "supervisor". */
static int open_parent(const struct cgroup_place *place)
{
    char dir[sizeof(place->dir)];
    char *slash;

    (void)snprintf(dir, sizeof(dir), "%s", place->dir);
    slash = strrchr(dir, '/');
    if (slash && slash != dir && strcmp(slash + 1, supervisor_name) == 0)
        *slash = '\0';
    return open(dir, O_DIRECTORY | O_CLOEXEC | O_RDONLY);
}

static void tree_open_part(struct cgroup_tree *tree, size_t part, const struct cgroup_place *place)
{
    int parent = open_parent(place);

    if (parent < 0)
        return;
    tree->parent_fds[part] = parent;
    sweep(parent);
    if (tree->version == 2) {
        if (!is_root_group(parent))
            vacate(parent);
        hand_down(parent);
    }
    if (mkdirat(parent, tree->name, 0755) < 0 && errno != EEXIST)
        return;
    tree->base_fds[part] = openat(parent, tree->name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    tree->has[part] = tree->base_fds[part] >= 0;
}

int cgroup_tree_open(struct cgroup_tree *tree, struct dc_err *err)
{
    struct cgroup_place places[CG_PARTS];

    *tree = (struct cgroup_tree){0};
    for (size_t i = 0; i < CG_PARTS; i++)
        tree->base_fds[i] = tree->parent_fds[i] = -1;
    (void)snprintf(tree->name, sizeof(tree->name), "%s%d", tree_prefix, (int)getpid());
    if (cgroup_find(places, &tree->version, err) < 0)
        return dc_context(err, "find control groups");
    for (size_t i = 0; i < CG_PARTS; i++)
        if (places[i].found && (tree->version == 1 || i == CG_UNIFIED))
            tree_open_part(tree, i, &places[i]);
    if (tree->version == 2 && tree->has[CG_UNIFIED]) {
        int base = tree->base_fds[CG_UNIFIED];

        hand_down(base);
        tree->has[CG_MEMORY] = controllers_have(base, "memory");
        tree->has[CG_PIDS] = controllers_have(base, "pids");
        tree->has[CG_CPU] = tree->has[CG_CPUACCT] = controllers_have(base, "cpu");
    }
    return 0;
}

void cgroup_tree_close(struct cgroup_tree *tree)
{
    for (size_t i = 0; i < CG_PARTS; i++) {
        if (tree->parent_fds[i] >= 0 && tree->base_fds[i] >= 0)
            remove_subtree(tree->parent_fds[i], tree->name);
        dc_close_clear(&tree->base_fds[i]);
        dc_close_clear(&tree->parent_fds[i]);
    }
}

bool cgroup_tree_complete(const struct cgroup_tree *tree)
{
    return tree->has[CG_MEMORY] && tree->has[CG_PIDS] && tree->has[CG_CPUACCT] && tree->has[CG_CPU];
}

/* --- leaves ---------------------------------------------------------------------------------- */

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
            remove_group(leaf->tree->base_fds[i], leaf->name);
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

    leaf->cpu_fd = v2 ? open_file(all, "cpu.stat", O_RDONLY)
                      : open_file(leaf->dir_fds[CG_CPUACCT], "cpuacct.usage", O_RDONLY);
    leaf->peak_fd = v2 ? open_file(memory, "memory.peak", O_RDONLY)
                       : open_file(memory, "memory.max_usage_in_bytes", O_RDWR);
    leaf->oom_fd = open_file(memory, v2 ? "memory.events" : "memory.oom_control", O_RDONLY);
    leaf->pids_fd = open_file(pids, "pids.events", O_RDONLY);
    leaf->events_fd = open_file(all, "cgroup.events", O_RDONLY);
    leaf->kill_fd = open_file(all, "cgroup.kill", O_WRONLY);
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
        leaf->procs_fds[i] = open_file(leaf->dir_fds[i], "cgroup.procs", O_RDWR);
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
    int result = write_number(dir_fd, file, value, err);

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
    if (write_number(dir, "memory.limit_in_bytes", bytes, err) < 0 ||
        write_if_there(dir, "memory.memsw.limit_in_bytes", bytes, err) < 0)
        return -err->code;
    if (leaf->memory_max == 0)
        dc_ignore(write_number(dir, "memory.swappiness", 0, &ignored));
    return 0;
}

static int limit_memory_v2(const struct cgroup_leaf *leaf, uint64_t bytes, struct dc_err *err)
{
    int dir = leaf->dir_fds[CG_UNIFIED];

    if (write_number(dir, "memory.max", bytes, err) < 0)
        return -err->code;
    if (leaf->memory_max == 0 && (write_if_there(dir, "memory.swap.max", 0, err) < 0 ||
                                  write_number(dir, "memory.oom.group", 1, err) < 0))
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

        if (write_number(dir, "pids.max", pids_max, err) < 0)
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
        dc_ignore(write_number(leaf->dir_fds[CG_MEMORY], "memory.kmem.tcp.limit_in_bytes",
                               SOCKET_BYTES_MAX, &absent));
}

static void read_counters(const struct cgroup_leaf *leaf, struct cgroup_usage *usage)
{
    bool v2 = leaf->tree->version == 2;

    usage->cpu_ns =
        v2 ? read_value(leaf->cpu_fd, "usage_usec") * 1000 : read_value(leaf->cpu_fd, NULL);
    usage->peak_bytes = read_value(leaf->peak_fd, NULL);
    usage->oom_kills = read_value(leaf->oom_fd, "oom_kill");
    usage->pids_hits = read_value(leaf->pids_fd, "max");
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
        if (read_value(leaf->events_fd, "frozen") == 1)
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

    if (read_members(leaf->dir_fds[CG_PIDS], text, sizeof(text)) < 0)
        return false;
    for (char *at = text; *at;) {
        unsigned long pid = strtoul(at, &at, 10);
        struct dc_err err;

        if (pid && write_number(leaf->dir_fds[CG_CPU], "cgroup.procs", pid, &err) < 0)
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
    if (write_number(leaf->dir_fds[CG_CPU], "cpu.cfs_quota_us", quota_us, err) < 0)
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
        return read_value(leaf->events_fd, "populated") != 0;
    for (size_t i = 0; i < CG_PARTS; i++)
        if (leaf->procs_fds[i] >= 0 && read_members(leaf->dir_fds[i], text, sizeof(text)) > 0)
            return true;
    return false;
}

/* KERNEL v1: the group stays, and with it the cache of files that the run was first to read. The
 * next run's peak would begin there. Groups that few runs left anything in are not worth the time.
 */
static void drop_leftovers_v1(const struct cgroup_leaf *leaf)
{
    enum { LEFTOVERS_MAX = 2 << 20 };
    int dir = leaf->dir_fds[CG_MEMORY];
    struct dc_err ignored;
    DC_AUTO(dc_close) int usage_fd = open_file(dir, "memory.usage_in_bytes", O_RDONLY);

    if (usage_fd >= 0 && read_value(usage_fd, NULL) > LEFTOVERS_MAX)
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
