#include "sandbox/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"

#include "base/poison.h"

int seal_process_state(struct dc_err *err)
{
    sigset_t none;

    (void)sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return dc_fail_errno(err, "clear the signal mask");
    if (setsid() < 0)
        return dc_fail_errno(err, "setsid");
    (void)umask(022);
    return 0;
}

/* Makes dir/name and binds it over target. All three share one tmpfs, so there is one budget. */
static int bind_part(const char *from, const char *target, uid_t uid, mode_t mode,
                     struct dc_err *err)
{
    if (mkdir(from, 0700) < 0 || chown(from, uid, uid) < 0 || chmod(from, mode) < 0)
        return dc_fail_errno(err, "make '%s'", from);
    if (mount(from, target, NULL, MS_BIND, NULL) < 0)
        return dc_fail_errno(err, "bind '%s' to '%s'", from, target);
    return 0;
}

int seal_mounts(uint64_t disk_bytes, uint32_t inodes_max, uid_t uid, struct dc_err *err)
{
    char options[96];

    (void)snprintf(options, sizeof(options), "size=%llu,nr_inodes=%u,mode=0755",
                   (unsigned long long)disk_bytes, inodes_max);
    if (mount("tmpfs", "/workspace", "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return dc_fail_errno(err, "mount tmpfs (%s)", options);
    if (bind_part("/workspace/tmp", "/tmp", uid, 01777, err) < 0 ||
        bind_part("/workspace/shm", "/dev/shm", uid, 01777, err) < 0 ||
        bind_part("/workspace/work", "/workspace", uid, 0755, err) < 0)
        return -err->code;
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "subset=pid,hidepid=invisible") < 0)
        return dc_fail_errno(err, "mount /proc");
    return 0;
}

static int write_map(const char *path, const char *text, struct dc_err *err)
{
    return dc_write_file_at(AT_FDCWD, path, text, err);
}

int seal_identity(uid_t uid, struct dc_err *err)
{
    char map[48];

    if (uid != 0 &&
        (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
        return dc_fail_errno(err, "become uid %u", uid);
    /* The change of ids made us undumpable, which would put /proc/self out of our own reach. */
    if (prctl(PR_SET_DUMPABLE, 1) < 0)
        return dc_fail_errno(err, "PR_SET_DUMPABLE");
    if (unshare(CLONE_NEWUSER) < 0)
        return dc_fail_errno(err, "unshare the user namespace");
    (void)snprintf(map, sizeof(map), "%d %u 1", SEAL_UID, uid);
    if (write_map("/proc/self/setgroups", "deny", err) < 0 ||
        write_map("/proc/self/gid_map", map, err) < 0 ||
        write_map("/proc/self/uid_map", map, err) < 0)
        return dc_context(err, "map the run's user");
    return 0;
}

static int limit(int resource, uint64_t value, struct dc_err *err)
{
    struct rlimit limits = {value, value};

    if (setrlimit((__rlimit_resource_t)resource, &limits) < 0)
        return dc_fail_errno(err, "rlimit %d", resource);
    return 0;
}

int seal_rlimits(const struct seal_rlimits *limits, struct dc_err *err)
{
    const struct {
        int resource;
        uint64_t value;
    } all[] = {
        {RLIMIT_NOFILE, limits->open_files},
        {RLIMIT_FSIZE, limits->file_bytes},
        {RLIMIT_STACK, 8u << 20},
        {RLIMIT_MEMLOCK, 64u << 10},
        {RLIMIT_MSGQUEUE, 0},
        {RLIMIT_RTPRIO, 0},
        {RLIMIT_NICE, 0},
        {RLIMIT_SIGPENDING, 256},
        /* 1, not 0: a core_pattern that is a pipe ignores 0 but honours 1 (core(5)). */
        {RLIMIT_CORE, 1},
        {RLIMIT_CPU, limits->cpu_seconds ? limits->cpu_seconds : RLIM_INFINITY},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (limit(all[i].resource, all[i].value, err) < 0)
            return -err->code;
    return 0;
}

int seal_capabilities(struct dc_err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                               SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                               SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

    for (unsigned long cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap) == 0)
            continue;
        if (errno == EINVAL)
            break; /* past the last capability that this kernel knows */
        return dc_fail_errno(err, "drop capability %lu", cap);
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return dc_fail_errno(err, "clear ambient capabilities");
    if (prctl(PR_SET_SECUREBITS, bits) < 0)
        return dc_fail_errno(err, "lock securebits");
    if (syscall(SYS_capset, &header, none) < 0)
        return dc_fail_errno(err, "capset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return dc_fail_errno(err, "no_new_privs");
    return 0;
}

int seal_seccomp(const void *program, size_t bytes, struct dc_err *err)
{
    struct sock_fprog filter = {
        .len = (unsigned short)(bytes / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)(uintptr_t)program,
    };

    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
        return dc_fail_errno(err, "load the seccomp filter");
    return 0;
}

int seal_seccomp_fd(int fd, struct dc_err *err)
{
    static char program[1 << 16]; /* BPF_MAXINSNS instructions at most are used */
    ssize_t n = pread(fd, program, sizeof(program), 0);

    if (n <= 0)
        return dc_fail_errno(err, "read the seccomp program");
    return seal_seccomp(program, (size_t)n, err);
}

int seal_selftest(struct dc_err *err)
{
    int fd;

    if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
        return dc_fail(err, DC_BUG, errno, "self-test: unshare was not refused");
    if (syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != ENOSYS)
        return dc_fail(err, DC_BUG, errno, "self-test: io_uring was not refused");
    fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (fd >= 0 || errno != EAFNOSUPPORT)
        return dc_fail(err, DC_BUG, errno, "self-test: vsock was not refused");
    if (setuid(0) == 0 || errno != EPERM)
        return dc_fail(err, DC_BUG, errno, "self-test: setuid was not refused");
    return 0;
}
