#include "sandbox/seccomp_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/io.h"
#include "sandbox/seccomp_program.h"

#include "base/poison.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const allowed[] = {
    "accept",
    "accept4",
    "access",
    "alarm",
    "arch_prctl",
    "bind",
    "brk",
    "capget",
    "chdir",
    "chmod",
    "chown",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "close_range",
    "connect",
    "copy_file_range",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd",
    "eventfd2",
    "execve",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fork",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futimesat",
    "getcpu",
    "getcwd",
    "getdents",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpeername",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "getsockname",
    "getsockopt",
    "gettid",
    "gettimeofday",
    "getuid",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "kill",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "lchown",
    "lgetxattr",
    "link",
    "linkat",
    "listen",
    "listxattr",
    "llistxattr",
    "lseek",
    "lstat",
    "madvise",
    "membarrier",
    "mincore",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mlock",
    "mlock2",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    "nanosleep",
    "newfstatat",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "pread64",
    "preadv",
    "preadv2",
    "pselect6",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "rename",
    "renameat",
    "renameat2",
    "restart_syscall",
    "rmdir",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_tgsigqueueinfo",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_setaffinity",
    "sched_yield",
    "select",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "set_tid_address",
    "setitimer",
    "setpgid",
    "setpriority",
    "setsid",
    "shutdown",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync_file_range",
    "sysinfo",
    "tgkill",
    "time",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    "times",
    "tkill",
    "truncate",
    "umask",
    "uname",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    "vfork",
    "wait4",
    "waitid",
    "write",
    "writev",
};

/* Exist, but not for a run: programs print a clear error. All else answers ENOSYS. */
static const char *const refused[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "capset",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "fanotify_mark",
    "finit_module",
    "fremovexattr",
    "fsetxattr",
    "get_mempolicy",
    "init_module",
    "ioperm",
    "iopl",
    "ioprio_set",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lremovexattr",
    "lsetxattr",
    "mbind",
    "migrate_pages",
    "mlockall",
    "mount",
    "move_pages",
    "name_to_handle_at",
    "open_by_handle_at",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "reboot",
    "removexattr",
    "request_key",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "seccomp",
    "set_mempolicy",
    "setdomainname",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setgroups",
    "sethostname",
    "setns",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setrlimit",
    "settimeofday",
    "setuid",
    "setxattr",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "vhangup",
};

/* Calls that are looked into. A clause lets the call through when all its conditions hold; without
 * such a clause the call answers the errno. Only the low 32 bits of an argument are compared: the
 * kernel takes an int (or unsigned int) in every one of these places. */
#define IS(index, number)                                                                          \
    {                                                                                              \
        {                                                                                          \
            .arg = (index), .mask = 0xffffffff, .value = (uint32_t)(number)                        \
        }                                                                                          \
    }

static const struct seccomp_clause clone_clauses[] = {
    /* 0x80 (a time namespace) lies in the exit-signal byte of the legacy call. CLONE_PARENT would
     * make children of our zygote, which nobody waits for: they would fill the slot's process limit
     * for whoever gets it next (k29_clone_parent.py). */
    {{{.arg = 0,
       .mask = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
               CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_PARENT | 0x80,
       .value = 0}}},
};

/* Huge pages come from a pool of the host's and are not charged to a memory limit. */
static const struct seccomp_clause no_huge_mmap[] = {
    {{{.arg = 3, .mask = MAP_HUGETLB, .value = 0}}},
};

static const struct seccomp_clause no_huge_memfd[] = {
    {{{.arg = 1, .mask = MFD_HUGETLB, .value = 0}}},
};

static const struct seccomp_clause own_process[] = {{IS(0, 0)}};

static const struct seccomp_clause personality_clauses[] = {{IS(0, 0)}, {IS(0, 0xffffffff)}};

#define FUTEX(op)                                                                                  \
    {                                                                                              \
        {                                                                                          \
            {                                                                                      \
                .arg = 1, .mask = (uint32_t)FUTEX_CMD_MASK, .value = (op)                          \
            }                                                                                      \
        }                                                                                          \
    }
static const struct seccomp_clause futex_clauses[] = {
    FUTEX(FUTEX_WAIT),        FUTEX(FUTEX_WAKE),    FUTEX(FUTEX_WAIT_BITSET),
    FUTEX(FUTEX_WAKE_BITSET), FUTEX(FUTEX_REQUEUE), FUTEX(FUTEX_CMP_REQUEUE),
    FUTEX(FUTEX_WAKE_OP),
};

static const struct seccomp_clause prctl_clauses[] = {
    {IS(0, PR_SET_NAME)},         {IS(0, PR_GET_NAME)},        {IS(0, PR_SET_PDEATHSIG)},
    {IS(0, PR_GET_PDEATHSIG)},    {IS(0, PR_GET_DUMPABLE)},    {IS(0, PR_SET_DUMPABLE)},
    {IS(0, PR_CAPBSET_READ)},     {IS(0, PR_GET_SECCOMP)},     {IS(0, PR_GET_NO_NEW_PRIVS)},
    {IS(0, PR_SET_NO_NEW_PRIVS)}, {IS(0, PR_SET_TIMERSLACK)},  {IS(0, PR_GET_TIMERSLACK)},
    {IS(0, PR_GET_THP_DISABLE)},  {IS(0, PR_SET_THP_DISABLE)}, {IS(0, 0x53564d41)}, /* PR_SET_VMA */
};

static const struct seccomp_clause ioctl_clauses[] = {
    {IS(1, TCGETS)},         {IS(1, FIONBIO)},       {IS(1, FIONREAD)},    {IS(1, TIOCGWINSZ)},
    {IS(1, FIOCLEX)},        {IS(1, FIONCLEX)},      {IS(1, FIOASYNC)},    {IS(1, TCSETS)},
    {IS(1, TCSETSW)},        {IS(1, TCSETSF)},       {IS(1, TIOCGPGRP)},   {IS(1, SIOCGIFCONF)},
    {IS(1, SIOCGIFNAME)},    {IS(1, SIOCGIFINDEX)},  {IS(1, SIOCGIFADDR)}, {IS(1, SIOCGIFFLAGS)},
    {IS(1, SIOCGIFNETMASK)}, {IS(1, SIOCGIFHWADDR)},
};

/* Protocols by number, as others (MPTCP, SCTP, UDP-Lite, L2TP) make the kernel load modules. ICMP
 * is let through for its answer, EACCES. */
enum { TYPE_MASK = 0xf, LEVEL_TCP = 6, OPTION_TCP_ULP = 31, OPTION_FLOWLABEL = 32 };
#define INET(family, type, protocol)                                                               \
    {                                                                                              \
        {                                                                                          \
            {.arg = 0, .mask = 0xffffffff, .value = (family)},                                     \
                {.arg = 1, .mask = TYPE_MASK, .value = (type)},                                    \
                {.arg = 2, .mask = 0xffffffff, .value = (protocol)},                               \
        }                                                                                          \
    }
static const struct seccomp_clause socket_clauses[] = {
    {IS(0, AF_UNIX)},
    INET(AF_INET, SOCK_STREAM, 0),
    INET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    INET(AF_INET, SOCK_DGRAM, 0),
    INET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    INET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
    INET(AF_INET6, SOCK_STREAM, 0),
    INET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    INET(AF_INET6, SOCK_DGRAM, 0),
    INET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    INET(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
    {{{.arg = 0, .mask = 0xffffffff, .value = AF_NETLINK},
      {.arg = 2, .mask = 0xffffffff, .value = NETLINK_ROUTE}}},
};

static const struct seccomp_clause unix_only[] = {{IS(0, AF_UNIX)}};

#define IS_NOT(index, number)                                                                      \
    {                                                                                              \
        .arg = (index), .mask = 0xffffffff, .value = (uint32_t)(number), .negate = true            \
    }

/* All but two pairs of level and option. Flow labels outlive their sockets, in one table for the
 * whole host, and would show to whoever gets the slot next (v17_flow_labels.py). */
static const struct seccomp_clause setsockopt_clauses[] = {
    {{IS_NOT(1, LEVEL_TCP), IS_NOT(1, IPPROTO_IPV6)}},
    {{IS_NOT(1, LEVEL_TCP), IS_NOT(2, OPTION_FLOWLABEL)}},
    {{IS_NOT(2, OPTION_TCP_ULP), IS_NOT(1, IPPROTO_IPV6)}},
    {{IS_NOT(2, OPTION_TCP_ULP), IS_NOT(2, OPTION_FLOWLABEL)}},
};

/* What runs read is in memory, so that none of them can keep the disk busy for all; reads past that
 * would not be (m25_direct_reads.py). */
static const struct seccomp_clause open_clauses[] = {
    {{{.arg = 1, .mask = O_DIRECT, .value = 0}}},
};

static const struct seccomp_clause openat_clauses[] = {
    {{{.arg = 2, .mask = O_DIRECT, .value = 0}}},
};

static const struct seccomp_clause fcntl_clauses[] = {
    {{IS_NOT(1, F_SETFL)}},
    {{{.arg = 2, .mask = O_DIRECT, .value = 0}}},
};

/* A hint, which is taken for done: dropping pages of the shared root from memory would slow all
 * others down, and tell who reads them again (m24_eviction.py). */
static const struct seccomp_clause fadvise_clauses[] = {
    {{IS_NOT(3, POSIX_FADV_DONTNEED)}},
};

static const struct {
    const char *name;
    struct seccomp_check check;
} checked[] = {
    {"clone", {EPERM, COUNT(clone_clauses), clone_clauses}},
    {"mmap", {EINVAL, COUNT(no_huge_mmap), no_huge_mmap}},
    {"memfd_create", {EINVAL, COUNT(no_huge_memfd), no_huge_memfd}},
    {"prlimit64", {EPERM, COUNT(own_process), own_process}},
    {"personality", {EPERM, COUNT(personality_clauses), personality_clauses}},
    {"futex", {ENOSYS, COUNT(futex_clauses), futex_clauses}},
    {"prctl", {EPERM, COUNT(prctl_clauses), prctl_clauses}},
    {"ioctl", {ENOTTY, COUNT(ioctl_clauses), ioctl_clauses}},
    {"socket", {EAFNOSUPPORT, COUNT(socket_clauses), socket_clauses}},
    {"socketpair", {EAFNOSUPPORT, COUNT(unix_only), unix_only}},
    {"open", {EINVAL, COUNT(open_clauses), open_clauses}},
    {"openat", {EINVAL, COUNT(openat_clauses), openat_clauses}},
    {"fcntl", {EINVAL, COUNT(fcntl_clauses), fcntl_clauses}},
    {"fadvise64", {0, COUNT(fadvise_clauses), fadvise_clauses}},
    {"setsockopt", {ENOPROTOOPT, COUNT(setsockopt_clauses), setsockopt_clauses}},
};

/* What sealing takes and a run may not, or not in this way (seal.c, child.c). */
static const char *const sealing[] = {
    "capset",    "mount",     "prctl", "seccomp", "setgroups",
    "setresgid", "setresuid", "setns", "unshare",
#ifdef DOCLE_TEST_HOOKS
    "umount2", /* to leave the mounts out (child.c) */
#endif
};

static bool is_sealing(const char *name)
{
    for (size_t i = 0; i < COUNT(sealing); i++)
        if (strcmp(sealing[i], name) == 0)
            return true;
    return false;
}

static int export(struct seccomp_program *program, enum seccomp_default otherwise, int *ret_fd,
                  struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t bytes;
    const void *code;

    if (fd < 0)
        return dc_fail_errno(err, "memfd_create");
    if (seccomp_program_finish(program, otherwise, &code, &bytes, err) < 0 ||
        dc_write_all(fd, code, bytes, err) < 0)
        return dc_context(err, "seccomp program");
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

enum part { PART_ALL, PART_ZYGOTE, PART_REST };

/* Adds the call under its number here; a name that this architecture or libseccomp does not know
 * falls to the default. */
static int add(struct seccomp_program *program, enum part part, const char *name,
               struct seccomp_rule rule, struct dc_err *err)
{
    bool seals = is_sealing(name);

    if (part == PART_REST && !seals)
        return 0;
    if (part == PART_ZYGOTE && seals)
        rule = (struct seccomp_rule){.kind = SECCOMP_RULE_ALLOW};
    rule.nr = seccomp_syscall_resolve_name(name);
    return rule.nr < 0 ? 0 : seccomp_program_add(program, &rule, err);
}

static int build(enum part part, int *ret_fd, struct dc_err *err)
{
    static const struct seccomp_rule allow = {.kind = SECCOMP_RULE_ALLOW};
    static const struct seccomp_rule refuse = {.kind = SECCOMP_RULE_ERRNO, .errnum = EPERM};
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp program");
    for (size_t i = 0; i < COUNT(allowed); i++)
        if (add(program, part, allowed[i], allow, err) < 0)
            return -err->code;
    for (size_t i = 0; i < COUNT(refused); i++)
        if (add(program, part, refused[i], refuse, err) < 0)
            return -err->code;
    for (size_t i = 0; i < COUNT(checked); i++) {
        struct seccomp_rule rule = {.kind = SECCOMP_RULE_CHECK, .check = &checked[i].check};

        if (add(program, part, checked[i].name, rule, err) < 0)
            return -err->code;
    }
    return export(program, part == PART_REST ? SECCOMP_DEFAULT_ALLOW : SECCOMP_DEFAULT_ENOSYS,
                  ret_fd, err);
}

int seccomp_policy_run(int *ret_fd, struct dc_err *err)
{
    return build(PART_ALL, ret_fd, err);
}

int seccomp_policy_zygote(int *ret_fd, struct dc_err *err)
{
    return build(PART_ZYGOTE, ret_fd, err);
}

int seccomp_policy_rest(int *ret_fd, struct dc_err *err)
{
    return build(PART_REST, ret_fd, err);
}

#ifdef DOCLE_TEST_HOOKS
int seccomp_policy_no_ring(int *ret_fd, struct dc_err *err)
{
    static const char *const names[] = {"io_uring_setup", "io_uring_enter", "io_uring_register"};
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp program");
    for (size_t i = 0; i < COUNT(names); i++) {
        struct seccomp_rule absent = {.kind = SECCOMP_RULE_ERRNO, .errnum = ENOSYS};

        if (add(program, PART_ALL, names[i], absent, err) < 0)
            return -err->code;
    }
    return export(program, SECCOMP_DEFAULT_ALLOW, ret_fd, err);
}
#endif
