#include "launcher/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "sandbox/seal.h"
#include "sandbox/seccomp_service.h"
#include "sandbox/try_calls.h"

#include "base/poison.h"

static void probe(const struct options *options, const char *who)
{
    if (options->probe)
        try_calls(who);
}

/* --- filters --------------------------------------------------------------------------------- */

int confine_open(struct confine_filters *ret_filters, struct dc_err *err)
{
    *ret_filters = (struct confine_filters){-1, -1, -1};
    if (seccomp_service_launcher(&ret_filters->launcher_fd, err) < 0 ||
        seccomp_service_nursery(&ret_filters->nursery_fd, err) < 0 ||
        seccomp_service_init(&ret_filters->init_fd, err) < 0) {
        confine_close(ret_filters);
        return -err->code;
    }
    return 0;
}

void confine_close(struct confine_filters *filters)
{
    dc_close_clear(&filters->launcher_fd);
    dc_close_clear(&filters->nursery_fd);
    dc_close_clear(&filters->init_fd);
}

static int by_value(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

int confine_fds(const int *keep, size_t count, struct dc_err *err)
{
    enum { KEEP_MAX = 16 };
    int sorted[KEEP_MAX];
    unsigned next = STDERR_FILENO + 1;

    if (count > KEEP_MAX)
        return dc_fail(err, DC_BUG, 0, "%zu descriptors to keep", count);
    memcpy(sorted, keep, count * sizeof(sorted[0]));
    qsort(sorted, count, sizeof(sorted[0]), by_value);
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] < (int)next)
            continue;
        if ((unsigned)sorted[i] > next && close_range(next, (unsigned)sorted[i] - 1, 0) < 0)
            return dc_fail_errno(err, "close_range");
        next = (unsigned)sorted[i] + 1;
    }
    if (close_range(next, ~0u, 0) < 0)
        return dc_fail_errno(err, "close_range");
    return 0;
}

static int load(const struct options *options, int filter_fd, struct dc_err *err)
{
    if (seal_is_without(options->without, WITHOUT_OWN_SECCOMP))
        return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return dc_fail_errno(err, "no_new_privs");
    return seal_seccomp_fd(filter_fd, err);
}

/* A call that is refused must be; unshare(0) does nothing where it is not. */
static int check_unshare(const struct options *options, struct dc_err *err)
{
    if (seal_is_without(options->without, WITHOUT_OWN_SECCOMP))
        return 0;
    if (syscall(SYS_unshare, 0) == 0 || errno != EPERM)
        return dc_fail(err, DC_BUG, errno, "self-test: unshare was not refused");
    return 0;
}

static int confine_files(const struct launcher *launcher, const int *trees, struct dc_err *err)
{
    if (!launcher->landlock || seal_is_without(launcher->options.without, WITHOUT_OWN_LANDLOCK))
        return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return dc_fail_errno(err, "no_new_privs");
    if (seal_landlock_trees(trees, CG_PARTS, err) < 0)
        return -err->code;
    if (open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 || errno != EACCES)
        return dc_fail(err, DC_BUG, errno, "self-test: the root folder was not refused");
    return 0;
}

/* --- processes ------------------------------------------------------------------------------- */

int confine_launcher(const struct launcher *launcher, struct dc_err *err)
{
    if (confine_files(launcher, launcher->cgroups.base_fds, err) < 0 ||
        load(&launcher->options, launcher->filters.launcher_fd, err) < 0 ||
        check_unshare(&launcher->options, err) < 0)
        return dc_context(err, "confine the launcher");
    probe(&launcher->options, "launcher");
    return 0;
}

/* It has to remove groups below a folder that may be closed even to its owner. */
static int keep_sweeping_rights(bool rootless, struct dc_err *err)
{
    const uint32_t rights = rootless ? 0 : 1u << CAP_KILL | 1u << CAP_DAC_OVERRIDE;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct kept[2] = {{.effective = rights, .permitted = rights}};

    if (syscall(SYS_capset, &header, kept) < 0)
        return dc_fail_errno(err, "capset");
    return 0;
}

int confine_sweeper(const struct launcher *launcher, struct dc_err *err)
{
    if (keep_sweeping_rights(launcher->rootless, err) < 0 ||
        confine_files(launcher, launcher->cgroups.parent_fds, err) < 0 ||
        load(&launcher->options, launcher->filters.launcher_fd, err) < 0 ||
        check_unshare(&launcher->options, err) < 0)
        return dc_context(err, "confine the sweeper");
    probe(&launcher->options, "sweeper");
    return 0;
}

/* Runs inherit it, so it is off as well when a test switches the filter of runs off. */
int confine_nursery(const struct nursery_plan *plan, struct dc_err *err)
{
    const struct options *options = plan->options;

    if (seal_is_without(options->without, WITHOUT_SECCOMP) ||
        seal_is_without(options->without, WITHOUT_OWN_SECCOMP)) {
        probe(options, "nursery");
        return 0;
    }
    if (load(options, plan->filters->nursery_fd, err) < 0)
        return dc_context(err, "confine the nursery");
    if (syscall(SYS_process_vm_readv, getpid(), NULL, 0UL, NULL, 0UL, 0UL) == 0 || errno != EPERM)
        return dc_fail(err, DC_BUG, errno, "self-test: process_vm_readv was not refused");
    probe(options, "nursery");
    return 0;
}

int confine_init(const struct nursery_plan *plan, struct dc_err *err)
{
    if (load(plan->options, plan->filters->init_fd, err) < 0 ||
        check_unshare(plan->options, err) < 0)
        return dc_context(err, "confine the slot's init");
    probe(plan->options, "init");
    return 0;
}
