#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "sandbox/seccomp_calls.h"

#include "base/poison.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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

static const struct seccomp_named checked[] = {
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

const struct seccomp_checked seccomp_checked = {checked, COUNT(checked)};
