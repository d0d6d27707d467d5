#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "sandbox/cgroup_find.h"
#include "sandbox/seal.h"

#include "base/poison.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* --- the report ------------------------------------------------------------------------------ */

static struct probe_line *add_line(struct probe_report *report, const char *name,
                                   enum probe_state state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static struct probe_line *add_line(struct probe_report *report, const char *name,
                                   enum probe_state state, const char *format, ...)
{
    struct probe_line *line = &report->lines[report->count];
    va_list args;

    if (report->count + 1 < PROBE_LINES_MAX)
        report->count++;
    line->name = name;
    line->state = state;
    line->remedy[0] = '\0';
    va_start(args, format);
    (void)vsnprintf(line->found, sizeof(line->found), format, args);
    va_end(args);
    return line;
}

static void set_remedy(struct probe_line *line, const char *text)
{
    (void)snprintf(line->remedy, sizeof(line->remedy), "%s", text);
}

const char *probe_level_name(enum probe_level level)
{
    switch (level) {
    case PROBE_LIMITED:
        return "limited";
    case PROBE_STANDARD:
        return "standard";
    case PROBE_FULL:
        return "full";
    case PROBE_NONE:
        break;
    }
    return "none";
}

/* --- small facts ----------------------------------------------------------------------------- */

static bool has_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    const uint32_t wanted = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID;

    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & wanted) == wanted;
}

static void probe_kernel(struct probe_report *report)
{
    struct utsname name;

    if (uname(&name) == 0)
        add_line(report, "kernel", PROBE_OK, "Linux %.60s %.20s, %s", name.release, name.machine,
                 report->rootless ? "rootless" : "root");
}

static void probe_seccomp(struct probe_report *report)
{
    static const uint32_t actions[] = {SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS,
                                       SECCOMP_RET_ALLOW};

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]) == 0)
            continue;
        set_remedy(
            add_line(report, "seccomp", PROBE_MISSING, "no filter actions: %s", strerror(errno)),
            "a kernel with CONFIG_SECCOMP_FILTER (4.14 or newer); in a container, one whose "
            "own filter allows seccomp(2)");
        return;
    }
    add_line(report, "seccomp", PROBE_OK, "filters with errno and kill_process");
}

/* True: there is some. */
static bool probe_landlock(struct probe_report *report)
{
    struct dc_err err;
    int abi;

    if (seal_landlock_abi(&abi, &err) < 0) {
        set_remedy(add_line(report, "landlock", PROBE_MISSING, "refused: %s", strerror(err.errnum)),
                   "a filter around docle (a container's, say) that allows the landlock_* calls; "
                   "one that has to forbid them must answer ENOSYS");
        return false;
    }
    if (abi > 0) {
        add_line(report, "landlock", PROBE_OK, "ABI %d", abi);
        return true;
    }
    set_remedy(add_line(report, "landlock", PROBE_WEAK, "not in this kernel's list of LSMs"),
               "Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and landlock at the front of "
               "the boot parameter lsm= (see /sys/kernel/security/lsm); without it the level is "
               "'standard'");
    return false;
}

static void probe_calls(struct probe_report *report)
{
    DC_AUTO(dc_close) int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0)
        add_line(report, "pidfd", PROBE_OK, "pidfd_open, pidfd_send_signal");
    else
        set_remedy(add_line(report, "pidfd", PROBE_MISSING, "%s", strerror(errno)),
                   "Linux 5.3 or newer; in a container, a filter that allows pidfd_open");
    if (syscall(SYS_close_range, 1 << 20, ~0u, 0) == 0)
        add_line(report, "close_range", PROBE_OK, "there");
    else
        set_remedy(add_line(report, "close_range", PROBE_MISSING, "%s", strerror(errno)),
                   "Linux 5.9 or newer");
    if (page != MAP_FAILED && madvise(page, 4096, MADV_POPULATE_READ) == 0)
        add_line(report, "prefault", PROBE_OK, "MADV_POPULATE");
    else
        set_remedy(add_line(report, "prefault", PROBE_WEAK, "no MADV_POPULATE; runs start slower"),
                   "Linux 5.14 or newer");
    if (page != MAP_FAILED)
        (void)munmap(page, 4096);
}

/* --- control groups -------------------------------------------------------------------------- */

static const char *const controller_names[] = {
    [CG_MEMORY] = "memory", [CG_PIDS] = "pids", [CG_CPUACCT] = "cpuacct", [CG_CPU] = "cpu"};

/* The group that ours go into: our own, or its parent when a launcher moved us (cgroup_tree.c). */
static void parent_group(const struct cgroup_place *place, char *out, size_t size)
{
    char *slash;

    (void)snprintf(out, size, "%s", place->dir);
    slash = strrchr(out, '/');
    if (slash && slash != out && strcmp(slash + 1, "supervisor") == 0)
        *slash = '\0';
}

/* 0, or why no group can be made in dir. */
static int try_group(const char *dir)
{
    char path[600];
    int result;

    (void)snprintf(path, sizeof(path), "%s/docle-probe.%d", dir, (int)getpid());
    result = mkdir(path, 0755) < 0 ? errno : 0;
    if (result == 0)
        (void)rmdir(path);
    return result;
}

static bool file_has_word(const char *dir, const char *file, const char *word)
{
    char path[600];
    char text[512];
    char padded[520];
    char wanted[40];
    struct dc_err ignored;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    if (dc_read_file_at(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(padded, sizeof(padded), " %s ", text);
    (void)snprintf(wanted, sizeof(wanted), " %s ", word);
    return strstr(padded, wanted) != NULL;
}

/* Can the controller be handed down in this v2 group? */
static int try_controller(const char *dir, const char *name)
{
    char path[600];

    if (!file_has_word(dir, "cgroup.controllers", name))
        return ENODEV;
    (void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
    if (access(path, W_OK) < 0)
        return errno;
    return try_group(dir);
}

static const char *group_remedy(const struct probe_report *report, enum cgroup_part part, int error)
{
    if (report->cgroup_version == 2)
        return report->rootless
                   ? "start it in a group that is yours: systemd-run --user --scope -p "
                     "Delegate=yes docle serve; for all controllers the host needs Delegate=cpu "
                     "memory pids in user@.service"
                   : "start it by the unit packaging/systemd/docle.service (Delegate=yes), or in a "
                     "container whose cgroup file system is writable";
    if (error == EACCES || error == EPERM || error == EROFS)
        return "as root: for c in memory pids cpu cpuacct unified; do d=/sys/fs/cgroup/$c/docle; "
               "mkdir -p $d; chown -R USER $d; echo PID >$d/cgroup.procs; done (PID: the shell "
               "that starts docle); in a container: mount /sys/fs/cgroup writable";
    return part == CG_MEMORY ? "boot with cgroup_enable=memory swapaccount=1, or mount the memory "
                               "hierarchy"
                             : "mount the hierarchy below /sys/fs/cgroup (package cgroupfs-mount, "
                               "or systemd)";
}

static bool probe_controller(struct probe_report *report, const struct cgroup_place *places,
                             enum cgroup_part part)
{
    static const char *const titles[] = {[CG_MEMORY] = "cgroup memory",
                                         [CG_PIDS] = "cgroup pids",
                                         [CG_CPUACCT] = "cgroup cpuacct",
                                         [CG_CPU] = "cgroup cpu"};
    bool v2 = report->cgroup_version == 2;
    const struct cgroup_place *place = &places[v2 ? CG_UNIFIED : part];
    char dir[sizeof(place->dir)];
    int error;

    if (!place->found)
        error = ENODEV;
    else {
        parent_group(place, dir, sizeof(dir));
        error = v2 ? try_controller(dir, controller_names[part]) : try_group(dir);
    }
    if (error == 0) {
        add_line(report, titles[part], PROBE_OK, "v%d, writable at %.120s", report->cgroup_version,
                 dir);
        return true;
    }
    set_remedy(add_line(report, titles[part], PROBE_WEAK, "v%d: %s", report->cgroup_version,
                        error == ENODEV ? "no such controller here" : strerror(error)),
               group_remedy(report, part, error));
    return false;
}

static void probe_kill(struct probe_report *report, const struct cgroup_place *places)
{
    char dir[sizeof(places->dir)];

    if (places[CG_UNIFIED].found) {
        parent_group(&places[CG_UNIFIED], dir, sizeof(dir));
        if (try_group(dir) == 0) {
            add_line(report, "cgroup kill", PROBE_OK, "unified tree at %.120s", dir);
            return;
        }
    }
    set_remedy(add_line(report, "cgroup kill", PROBE_WEAK,
                        "no writable unified tree; runs are ended through their pid namespace"),
               "mount cgroup2, also beside v1 controllers (Linux 5.14 or newer)");
}

/* True when memory, processes and CPU can all be limited. */
static bool probe_groups(struct probe_report *report)
{
    struct cgroup_place places[CG_PARTS];
    struct dc_err err;
    bool all = true;

    if (cgroup_find(places, &report->cgroup_version, &err) < 0) {
        set_remedy(
            add_line(report, "cgroup", PROBE_WEAK, "%.100s: %s", err.text, strerror(err.errnum)),
            "mount /proc and the cgroup file systems");
        return false;
    }
    for (unsigned part = CG_MEMORY; part <= CG_CPU; part++) {
        if (part == CG_CPUACCT && report->cgroup_version == 2)
            continue;
        all &= probe_controller(report, places, (enum cgroup_part)part);
    }
    probe_kill(report, places);
    return all;
}

/* --- namespaces ------------------------------------------------------------------------------ */

enum step {
    STEP_USER, /* the maps included */
    STEP_MOUNT,
    STEP_TMPFS,
    STEP_OVERLAY,
    STEP_NET,
    STEP_REST, /* ipc, uts, cgroup */
    STEP_PID,
    STEP_PROC,
    STEPS
};

/* What the child found: errno of each step, -1 where it did not get so far. Shared memory. */
struct findings {
    int errors[STEPS];
};

static int try_overlay(void)
{
    if (mkdir("/tmp/a", 0755) < 0 || mkdir("/tmp/b", 0755) < 0)
        return errno;
    return mount("probe", "/tmp/a", "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV,
                 "lowerdir=/tmp/a:/tmp/b") < 0
               ? errno
               : 0;
}

static void try_pid_namespace(struct findings *findings)
{
    pid_t pid;

    findings->errors[STEP_PID] = unshare(CLONE_NEWPID) < 0 ? errno : 0;
    if (findings->errors[STEP_PID])
        return;
    pid = fork();
    if (pid == 0) {
        findings->errors[STEP_PROC] =
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ? errno : 0;
        _exit(0);
    }
    if (pid < 0)
        findings->errors[STEP_PID] = errno;
    else
        (void)waitpid(pid, NULL, 0);
}

/* In the child, root of a new user namespace. */
static void try_namespaces(struct findings *findings)
{
    int *errors = findings->errors;

    errors[STEP_MOUNT] =
        unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? errno
                                                                                          : 0;
    if (errors[STEP_MOUNT] == 0)
        errors[STEP_TMPFS] =
            mount("probe", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") < 0 ? errno : 0;
    if (errors[STEP_TMPFS] == 0)
        errors[STEP_OVERLAY] = try_overlay();
    errors[STEP_NET] = unshare(CLONE_NEWNET) < 0 ? errno : 0;
    errors[STEP_REST] = unshare(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0 ? errno : 0;
    if (errors[STEP_MOUNT] == 0)
        try_pid_namespace(findings);
}

static int write_maps(pid_t pid, bool rootless, uint32_t uid_base)
{
    char path[32];
    char map[64];
    DC_AUTO(dc_close) int dir = -1;
    struct dc_err err;

    (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    dir = open(path, O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno;
    (void)snprintf(map, sizeof(map), "0 %u %u", rootless ? getegid() : uid_base,
                   rootless ? 1u : 64u);
    if ((rootless && dc_write_file_at(dir, "setgroups", "deny", &err) < 0) ||
        dc_write_file_at(dir, "gid_map", map, &err) < 0)
        return err.errnum;
    (void)snprintf(map, sizeof(map), "0 %u %u", rootless ? geteuid() : uid_base,
                   rootless ? 1u : 64u);
    return dc_write_file_at(dir, "uid_map", map, &err) < 0 ? err.errnum : 0;
}

_Noreturn static void namespace_child(struct findings *findings, int ready_fd, int go_fd)
{
    char byte = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    findings->errors[STEP_USER] = unshare(CLONE_NEWUSER) < 0 ? errno : 0;
    if (write(ready_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
        _exit(1); /* the maps could not be written */
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        findings->errors[STEP_USER] = errno;
    else
        try_namespaces(findings);
    _exit(0);
}

static void collect_findings(struct findings *findings, bool rootless, uint32_t uid_base)
{
    int up[2];
    int down[2];
    char byte = 0;
    pid_t pid;

    if (pipe2(up, O_CLOEXEC) < 0)
        return;
    if (pipe2(down, O_CLOEXEC) < 0) {
        dc_close(up[0]);
        dc_close(up[1]);
        return;
    }
    pid = fork();
    if (pid == 0) {
        dc_close(down[1]); /* so that the end of the parent is seen */
        namespace_child(findings, up[1], down[0]);
    }
    dc_close(up[1]);
    dc_close(down[0]);
    if (pid > 0 && read(up[0], &byte, 1) == 1 && findings->errors[STEP_USER] == 0) {
        findings->errors[STEP_USER] = write_maps(pid, rootless, uid_base);
        if (findings->errors[STEP_USER] == 0)
            (void)!write(down[1], &byte, 1);
    }
    dc_close(up[0]);
    dc_close(down[1]);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

static const struct {
    enum step step;
    const char *name;
    const char *fine;
    enum probe_state otherwise;
    const char *remedy;
} steps[] = {
    {STEP_USER, "user namespaces", "unshare and id maps", PROBE_MISSING,
     "sysctl kernel.unprivileged_userns_clone=1 (Debian), user.max_user_namespaces above 0; where "
     "AppArmor restricts them (Ubuntu 23.10 or newer), a profile with `userns,` for "
     "docle-launcher; in a container, one that allows unshare(2)"},
    {STEP_MOUNT, "mount namespaces", "there", PROBE_MISSING,
     "sysctl user.max_mnt_namespaces above 0; in a container, an AppArmor profile that allows "
     "mount"},
    {STEP_TMPFS, "tmpfs", "mountable in a user namespace", PROBE_MISSING,
     "in a container, an AppArmor profile that allows mount"},
    {STEP_OVERLAY, "overlay", "mountable in a user namespace", PROBE_WEAK,
     "Linux 5.11 or newer with the overlay module (modprobe overlay); without it a bind mount "
     "serves, which shows the sealed root's host path"},
    {STEP_NET, "network namespaces", "there", PROBE_MISSING,
     "a kernel with CONFIG_NET_NS; sysctl user.max_net_namespaces above 0"},
    {STEP_REST, "ipc, uts, cgroup namespaces", "there", PROBE_MISSING,
     "a kernel with CONFIG_IPC_NS, CONFIG_UTS_NS and cgroup namespaces (4.6 or newer)"},
    {STEP_PID, "pid namespaces", "there", PROBE_MISSING,
     "a kernel with CONFIG_PID_NS; sysctl user.max_pid_namespaces above 0"},
    {STEP_PROC, "proc", "mountable in user and pid namespaces", PROBE_MISSING,
     "the container masks parts of /proc: start it with /proc unmasked (Docker, Podman: "
     "--security-opt systempaths=unconfined)"},
};

/* True when all that sealing needs is there. */
static bool probe_namespaces(struct probe_report *report, uint32_t uid_base)
{
    struct findings *findings =
        mmap(NULL, sizeof(*findings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool all = true;

    if (findings == MAP_FAILED)
        return false;
    for (size_t i = 0; i < STEPS; i++)
        findings->errors[i] = -1;
    collect_findings(findings, report->rootless, uid_base);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int error = findings->errors[steps[i].step];

        if (error == 0) {
            add_line(report, steps[i].name, PROBE_OK, "%s", steps[i].fine);
            continue;
        }
        all &= steps[i].otherwise != PROBE_MISSING;
        set_remedy(add_line(report, steps[i].name, steps[i].otherwise, "%s",
                            error < 0 ? "not tried: see above" : strerror(error)),
                   error < 0 ? "" : steps[i].remedy);
    }
    (void)munmap(findings, sizeof(*findings));
    return all;
}

static bool any_missing(const struct probe_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->lines[i].state == PROBE_MISSING)
            return true;
    return false;
}

void probe_host(uint32_t uid_base, struct probe_report *ret_report)
{
    bool groups;
    bool namespaces;
    bool landlock;

    *ret_report = (struct probe_report){.rootless = !has_capabilities()};
    probe_kernel(ret_report);
    groups = probe_groups(ret_report);
    namespaces = probe_namespaces(ret_report, uid_base);
    probe_seccomp(ret_report);
    landlock = probe_landlock(ret_report);
    probe_calls(ret_report);
    if (!namespaces || any_missing(ret_report))
        ret_report->level = PROBE_NONE;
    else if (!groups)
        ret_report->level = PROBE_LIMITED;
    else
        ret_report->level = landlock ? PROBE_FULL : PROBE_STANDARD;
}
