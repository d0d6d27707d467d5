#include "egress/confine.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "sandbox/seal.h"
#include "sandbox/seccomp_program.h"

#include "base/poison.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int drop_capabilities(struct dc_err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};

    if (syscall(SYS_capset, &header, none) < 0)
        return dc_fail_errno(err, "capset");
    return 0;
}

int confine_become(uid_t uid, struct dc_err *err)
{
    pid_t parent = getppid();

    if (uid && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0))
        return dc_fail_errno(err, "become group %u", uid);
    /* The bounding set wants a right that goes with the id. */
    for (unsigned long cap = 0; uid && cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
            return dc_fail_errno(err, "drop capability %lu", cap);
    if (uid && setresuid(uid, uid, uid) < 0)
        return dc_fail_errno(err, "become user %u", uid);
    if (drop_capabilities(err) < 0)
        return -err->code;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return dc_fail_errno(err, "process rights");
    /* A change of ids has cleared what the parent had set. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return dc_fail_errno(err, "PDEATHSIG");
    if (getppid() != parent)
        return dc_fail(err, DC_NOT_FOUND, 0, "the keeper has gone");
    return 0;
}

/* Where resolv.conf leads to: its folder, since the file is replaced when it changes. */
static void folder_of_settings(char out[static PATH_MAX])
{
    char *slash;

    if (!realpath("/etc/resolv.conf", out))
        memcpy(out, "/etc/", sizeof("/etc/"));
    slash = strrchr(out, '/');
    if (slash && slash != out)
        *slash = '\0';
}

static int seal_paths(struct dc_err *err)
{
    char settings[PATH_MAX];
    const struct seal_grant grants[] = {
        {"/etc/resolv.conf", SEAL_GRANT_READ},   {"/etc/hosts", SEAL_GRANT_READ},
        {"/etc/nsswitch.conf", SEAL_GRANT_READ}, {"/etc/host.conf", SEAL_GRANT_READ},
        {"/etc/svc.conf", SEAL_GRANT_READ},      {"/etc/services", SEAL_GRANT_READ},
        {"/etc/localtime", SEAL_GRANT_READ},     {settings, SEAL_GRANT_READ},
        {"/dev/urandom", SEAL_GRANT_READ},       {"/dev/null", SEAL_GRANT_USE},
    };
    int abi;

    if (seal_landlock_abi(&abi, err) < 0)
        return -err->code;
    if (!abi) {
        dc_log(DC_LOG_WARN, "this kernel has no Landlock: the relay can read what its user can");
        return 0;
    }
    folder_of_settings(settings);
    return seal_landlock_grants(grants, COUNT(grants), err);
}

/* All else answers ENOSYS. */
static const int allowed[] = {
    SYS_accept4,
    SYS_bind,
    SYS_brk,
    SYS_clock_getres,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_close,
    SYS_connect,
    SYS_dup,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_exit,
    SYS_exit_group,
    SYS_fcntl,
    SYS_fstat,
    SYS_futex,
    SYS_getcwd,
    SYS_getegid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getpeername,
    SYS_getpid,
    SYS_getppid,
    SYS_getrandom,
    SYS_getrusage,
    SYS_getsockname,
    SYS_getsockopt,
    SYS_gettid,
    SYS_gettimeofday,
    SYS_getuid,
    SYS_ioctl,
    SYS_lseek,
    SYS_madvise,
    SYS_mmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_munmap,
    SYS_nanosleep,
    SYS_newfstatat,
    SYS_openat,
    SYS_pipe2,
    SYS_ppoll,
    SYS_pread64,
    SYS_prlimit64,
    SYS_read,
    SYS_readlinkat,
    SYS_readv,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_restart_syscall,
    SYS_rseq,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_sendmmsg,
    SYS_sendmsg,
    SYS_sendto,
    SYS_setsockopt,
    SYS_shutdown,
    SYS_sigaltstack,
    SYS_statx,
    SYS_sysinfo,
    SYS_uname,
    SYS_write,
    SYS_writev,
#ifdef SYS_epoll_wait /* of older architectures */
    SYS_access,
    SYS_epoll_wait,
    SYS_open,
    SYS_poll,
    SYS_readlink,
    SYS_select,
    SYS_stat,
    SYS_time,
#endif
};

static const struct seccomp_clause socket_clauses[] = {
    {{{.arg = 0, .mask = 0xffffffff, .value = AF_INET},
      {.arg = 1, .mask = 0xf, .value = SOCK_STREAM}}},
    {{{.arg = 0, .mask = 0xffffffff, .value = AF_INET},
      {.arg = 1, .mask = 0xf, .value = SOCK_DGRAM}}},
    {{{.arg = 0, .mask = 0xffffffff, .value = AF_INET6},
      {.arg = 1, .mask = 0xf, .value = SOCK_STREAM}}},
    {{{.arg = 0, .mask = 0xffffffff, .value = AF_INET6},
      {.arg = 1, .mask = 0xf, .value = SOCK_DGRAM}}},
};

static const struct seccomp_check socket_check = {EAFNOSUPPORT, COUNT(socket_clauses),
                                                  socket_clauses};

static int seal_calls(struct dc_err *err)
{
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();
    const struct seccomp_rule sockets = {SYS_socket, SECCOMP_RULE_CHECK, 0, &socket_check};
    const void *code;
    size_t bytes;

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp filter");
    for (size_t i = 0; i < COUNT(allowed); i++)
        if (seccomp_program_add(
                program, &(struct seccomp_rule){allowed[i], SECCOMP_RULE_ALLOW, 0, NULL}, err) < 0)
            return -err->code;
    if (seccomp_program_add(program, &sockets, err) < 0 ||
        seccomp_program_finish(program, SECCOMP_DEFAULT_ENOSYS, &code, &bytes, err) < 0)
        return -err->code;
    return seal_seccomp(code, bytes, err);
}

/* Tries what must fail now. */
static int check_sealed(struct dc_err *err)
{
    if (syscall(SYS_unshare, 0) == 0 || errno != ENOSYS)
        return dc_fail(err, DC_BUG, errno, "self-test: unshare was not refused");
    if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT)
        return dc_fail(err, DC_BUG, errno, "self-test: a Unix socket was not refused");
    return 0;
}

int confine_seal(struct dc_err *err)
{
    if (seal_paths(err) < 0 || seal_calls(err) < 0)
        return -err->code;
    return check_sealed(err);
}
