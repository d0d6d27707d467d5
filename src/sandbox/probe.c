#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/auto.h"
#include "sandbox/probe_internal.h"
#include "sandbox/seal.h"

#include "base/poison.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* --- the report ------------------------------------------------------------------------------ */

struct probe_line *probe_add(struct probe_report *report, const char *name, enum probe_state state,
                             const char *format, ...)
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

void probe_remedy(struct probe_line *line, const char *text)
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
        probe_add(report, "kernel", PROBE_OK, "Linux %.60s %.20s, %s", name.release, name.machine,
                  report->rootless ? "rootless" : "root");
}

static void probe_seccomp(struct probe_report *report)
{
    static const uint32_t actions[] = {SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS,
                                       SECCOMP_RET_ALLOW};

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]) == 0)
            continue;
        probe_remedy(
            probe_add(report, "seccomp", PROBE_MISSING, "no filter actions: %s", strerror(errno)),
            "a kernel with CONFIG_SECCOMP_FILTER (4.14 or newer); in a container, one whose "
            "own filter allows seccomp(2)");
        return;
    }
    probe_add(report, "seccomp", PROBE_OK, "filters with errno and kill_process");
}

/* True: there is some. */
static bool probe_landlock(struct probe_report *report)
{
    struct dc_err err;
    int abi;

    if (seal_landlock_abi(&abi, &err) < 0) {
        probe_remedy(
            probe_add(report, "landlock", PROBE_MISSING, "refused: %s", strerror(err.errnum)),
            "a filter around docle (a container's, say) that allows the landlock_* calls; "
            "one that has to forbid them must answer ENOSYS");
        return false;
    }
    if (abi > 0) {
        probe_add(report, "landlock", PROBE_OK, "ABI %d", abi);
        return true;
    }
    probe_remedy(probe_add(report, "landlock", PROBE_WEAK, "not in this kernel's list of LSMs"),
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
        probe_add(report, "pidfd", PROBE_OK, "pidfd_open, pidfd_send_signal");
    else
        probe_remedy(probe_add(report, "pidfd", PROBE_MISSING, "%s", strerror(errno)),
                     "Linux 5.3 or newer; in a container, a filter that allows pidfd_open");
    if (syscall(SYS_close_range, 1 << 20, ~0u, 0) == 0)
        probe_add(report, "close_range", PROBE_OK, "there");
    else
        probe_remedy(probe_add(report, "close_range", PROBE_MISSING, "%s", strerror(errno)),
                     "Linux 5.9 or newer");
    if (page != MAP_FAILED && madvise(page, 4096, MADV_POPULATE_READ) == 0)
        probe_add(report, "prefault", PROBE_OK, "MADV_POPULATE");
    else
        probe_remedy(
            probe_add(report, "prefault", PROBE_WEAK, "no MADV_POPULATE; runs start slower"),
            "Linux 5.14 or newer");
    if (page != MAP_FAILED)
        (void)munmap(page, 4096);
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
