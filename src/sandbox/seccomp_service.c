#include "sandbox/seccomp_service.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "sandbox/seccomp_program.h"

#include "base/poison.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Memory, time, signals, links and files: what launcher and init share. */
static const char *const common[] = {
    "brk",          "clock_gettime",  "clock_nanosleep",
    "close",        "exit",           "exit_group",
    "fcntl",        "fstat",          "futex",
    "getdents64",   "getpid",         "getrandom",
    "gettid",       "gettimeofday",   "lseek",
    "madvise",      "mremap",         "munmap",
    "nanosleep",    "newfstatat",     "openat",
    "poll",         "ppoll",          "pread64",
    "read",         "recvmsg",        "restart_syscall",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sendmsg",      "tgkill",         "time",
    "wait4",        "write",          "writev",
};

static const char *const launcher[] = {
    "epoll_ctl", "epoll_pwait", "epoll_wait",        "eventfd2", "faccessat", "fstatfs",
    "kill",      "mkdirat",     "pidfd_send_signal", "pwrite64", "unlinkat",
};

static const char *const init[] = {
    /* itself */
    "bind",
    "close_range",
    "listen",
    "move_mount",
    "open_tree",
    "openat2",
    "pidfd_open",
    "pipe2",
    /* in a fork that mounts packages */
    "fchdir",
    "mount",
    "umount2",
    /* in a fork, which becomes the run's user to read its files */
    "capset",
    "set_robust_list",
    "setgroups",
    "setresgid",
    "setresuid",
};

/* Nobody below the nursery needs these: neither sealing nor an interpreter nor a run. */
static const char *const denied[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "fanotify_mark",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "migrate_pages",
    "modify_ldt",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "perf_event_open",
    "pidfd_getfd",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "userfaultfd",
    "uselib",
    "ustat",
    "vhangup",
};

#define IS(index, number)                                                                          \
    {                                                                                              \
        {                                                                                          \
            {                                                                                      \
                .arg = (index), .mask = 0xffffffff, .value = (uint32_t)(number)                    \
            }                                                                                      \
        }                                                                                          \
    }

static const struct seccomp_clause not_executable[] = {
    {{{.arg = 2, .mask = PROT_EXEC, .value = 0}}},
};
static const struct seccomp_clause unix_only[] = {IS(0, AF_UNIX)};
static const struct seccomp_clause internet_only[] = {IS(0, AF_INET), IS(0, AF_INET6)};
static const struct seccomp_clause loopback_calls[] = {IS(1, SIOCGIFFLAGS), IS(1, SIOCSIFFLAGS),
                                                       IS(1, SIOCSIFADDR), IS(1, SIOCSIFNETMASK)};
static const struct seccomp_clause plain_fork[] = {
    {{{.arg = 0,
       .mask = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
               CLONE_NEWNET | CLONE_NEWCGROUP | 0x80,
       .value = 0}}},
};
static const struct seccomp_clause user_namespace[] = {IS(0, CLONE_NEWUSER)};
static const struct seccomp_clause mount_namespace[] = {IS(1, CLONE_NEWNS)};
static const struct seccomp_clause set_filter[] = {IS(0, SECCOMP_SET_MODE_FILTER)};
static const struct seccomp_clause sealing[] = {
    IS(0, PR_SET_DUMPABLE),   IS(0, PR_CAPBSET_DROP),     IS(0, PR_CAP_AMBIENT),
    IS(0, PR_SET_SECUREBITS), IS(0, PR_SET_NO_NEW_PRIVS),
};

struct checked {
    const char *name;
    struct seccomp_check check;
};

static const struct checked launcher_checked[] = {
    {"mmap", {EPERM, COUNT(not_executable), not_executable}},
    {"mprotect", {EPERM, COUNT(not_executable), not_executable}},
    {"socketpair", {EPERM, COUNT(unix_only), unix_only}},
};

static const struct checked init_checked[] = {
    {"clone", {EPERM, COUNT(plain_fork), plain_fork}},
    {"ioctl", {EPERM, COUNT(loopback_calls), loopback_calls}},
    {"mmap", {EPERM, COUNT(not_executable), not_executable}},
    {"mprotect", {EPERM, COUNT(not_executable), not_executable}},
    {"prctl", {EPERM, COUNT(sealing), sealing}},
    {"seccomp", {EPERM, COUNT(set_filter), set_filter}},
    {"setns", {EPERM, COUNT(mount_namespace), mount_namespace}},
    {"socket", {EPERM, COUNT(internet_only), internet_only}},
    {"unshare", {EPERM, COUNT(user_namespace), user_namespace}},
};

/* A name that this architecture or libseccomp does not know falls to the default. */
static int add(struct seccomp_program *program, const char *name, struct seccomp_rule rule,
               struct dc_err *err)
{
    rule.nr = seccomp_syscall_resolve_name(name);
    return rule.nr < 0 ? 0 : seccomp_program_add(program, &rule, err);
}

static int add_names(struct seccomp_program *program, const char *const *names, size_t count,
                     const struct seccomp_rule *rule, struct dc_err *err)
{
    for (size_t i = 0; i < count; i++)
        if (add(program, names[i], *rule, err) < 0)
            return -err->code;
    return 0;
}

static int allow_list(const char *const *names, size_t count, const struct checked *checked,
                      size_t checked_count, int *ret_fd, struct dc_err *err)
{
    static const struct seccomp_rule allow = {.kind = SECCOMP_RULE_ALLOW};
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp program");
    if (add_names(program, common, COUNT(common), &allow, err) < 0 ||
        add_names(program, names, count, &allow, err) < 0)
        return -err->code;
    for (size_t i = 0; i < checked_count; i++) {
        struct seccomp_rule rule = {.kind = SECCOMP_RULE_CHECK, .check = &checked[i].check};

        if (add(program, checked[i].name, rule, err) < 0)
            return -err->code;
    }
    return seccomp_program_export(program, SECCOMP_DEFAULT_EPERM, ret_fd, err);
}

int seccomp_service_launcher(int *ret_fd, struct dc_err *err)
{
    return allow_list(launcher, COUNT(launcher), launcher_checked, COUNT(launcher_checked), ret_fd,
                      err);
}

int seccomp_service_init(int *ret_fd, struct dc_err *err)
{
    return allow_list(init, COUNT(init), init_checked, COUNT(init_checked), ret_fd, err);
}

int seccomp_service_nursery(int *ret_fd, struct dc_err *err)
{
    static const struct seccomp_rule deny = {.kind = SECCOMP_RULE_ERRNO, .errnum = EPERM};
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp program");
    if (add_names(program, denied, COUNT(denied), &deny, err) < 0)
        return -err->code;
    return seccomp_program_export(program, SECCOMP_DEFAULT_ALLOW, ret_fd, err);
}
