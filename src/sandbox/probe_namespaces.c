#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "sandbox/probe_internal.h"

#include "base/poison.h"

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

bool probe_namespaces(struct probe_report *report, uint32_t uid_base)
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
            probe_add(report, steps[i].name, PROBE_OK, "%s", steps[i].fine);
            continue;
        }
        all &= steps[i].otherwise != PROBE_MISSING;
        probe_remedy(probe_add(report, steps[i].name, steps[i].otherwise, "%s",
                               error < 0 ? "not tried: see above" : strerror(error)),
                     error < 0 ? "" : steps[i].remedy);
    }
    (void)munmap(findings, sizeof(*findings));
    return all;
}
