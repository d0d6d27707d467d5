/*
 * docle-launcher: the privileged half of Docle.
 *
 * How it works: `docle serve` (or `docle run`) starts this program by fork and exec and speaks to
 * it over one SOCK_SEQPACKET link in numbers and descriptors only. It links libc, libseccomp and
 * libcap, has one thread, and never looks at code, JSON, SQL or a path of a caller. It owns the
 * control groups, makes the service namespaces (nursery.c), lends slots to runs (pool.c, slot.c,
 * run_start.c, run.c) and watches the zygotes (zygotes.c). When the link closes it kills everything
 * and leaves; when it dies the nursery dies with it (PDEATHSIG), and with the nursery, pid 1 of the
 * service namespace, every zygote, slot and run. Control groups that a killed launcher left are
 * swept at the next start.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/confine.h"
#include "launcher/launcher.h"
#include "sandbox/seal.h"
#include "sandbox/seccomp_policy.h"

#include "base/poison.h"

enum { SERVICE_PIDS_MAX = 4096, OPEN_FILES_MAX = 32768 };

/* Rootless is for who has not the rights to use ids of the host; never a fallback. */
static int find_rights(struct launcher *launcher, struct dc_err *err)
{
    const uint32_t needed = 1u << CAP_SETUID | 1u << CAP_SYS_ADMIN;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return dc_fail_errno(err, "capget");
    launcher->rootless = (data[0].effective & needed) != needed;
    return 0;
}

static int own_process(const struct options *options, struct dc_err *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct rlimit files = {OPEN_FILES_MAX, OPEN_FILES_MAX};
    int link_fd = options->link_fd;

    (void)clearenv();
    (void)umask(022);
    if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* as many as the host lets us */
    }
    if ((link_fd > 3 && close_range(3, (unsigned)link_fd - 1, 0) < 0) ||
        close_range((unsigned)link_fd + 1, ~0u, 0) < 0)
        return dc_fail_errno(err, "close inherited descriptors");
    /* Ctrl-C reaches the whole terminal group; the server decides what it means. */
    if (sigaction(SIGINT, &ignore, NULL) < 0 || sigaction(SIGHUP, &ignore, NULL) < 0 ||
        sigaction(SIGPIPE, &ignore, NULL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return dc_fail_errno(err, "process state");
    if (fcntl(link_fd, F_SETFD, FD_CLOEXEC) < 0)
        return dc_fail_errno(err, "link descriptor %d", link_fd);
    return 0;
}

/* What this host lets us enforce; refuses below the operator's floor. */
static int find_level(struct launcher *launcher, struct dc_err *err)
{
    static const char *const names[] = {"limited", "standard", "full"};
    int abi;

    if (seal_landlock_abi(&abi, err) < 0)
        return -err->code;
    launcher->landlock = abi > 0;
    if (!cgroup_tree_complete(&launcher->cgroups))
        launcher->level = LEVEL_LIMITED;
    else
        launcher->level = launcher->landlock ? LEVEL_FULL : LEVEL_STANDARD;
    if (launcher->level < launcher->options.floor)
        return dc_fail(err, DC_DENIED, 0,
                       "this host reaches isolation level '%s', the floor is '%s': memory %s, pids "
                       "%s, cpu %s, Landlock %s. `docle doctor` says how to mend each",
                       names[launcher->level], names[launcher->options.floor],
                       launcher->cgroups.has[CG_MEMORY] ? "ok" : "MISSING",
                       launcher->cgroups.has[CG_PIDS] ? "ok" : "MISSING",
                       launcher->cgroups.has[CG_CPU] ? "ok" : "MISSING",
                       launcher->landlock ? "ok" : "MISSING");
    return 0;
}

static int allocate_slots(struct launcher *launcher, struct dc_err *err)
{
    const struct options *options = &launcher->options;

    launcher->slot_count = options->slots;
    for (size_t i = 0; i < options->runtime_count; i++)
        launcher->slot_count += options->runtimes[i].spares;
    launcher->slot_count += options->warm_sets + options->prepared_sets;
    if (launcher->slot_count > DC_SLOTS_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d slots and spares", DC_SLOTS_MAX);
    launcher->slots = calloc(launcher->slot_count, sizeof(launcher->slots[0]));
    launcher->pending = calloc(options->slots, sizeof(launcher->pending[0]));
    if (!launcher->slots || !launcher->pending)
        return dc_fail(err, DC_KERNEL, ENOMEM, "slots");
    for (size_t i = 0; i < launcher->slot_count; i++)
        slot_init(&launcher->slots[i], (uint32_t)i);
    return 0;
}

static int start_nursery(struct launcher *launcher, struct dc_err *err)
{
    int root_fd = open(launcher->options.root, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    struct nursery_plan plan = {
        .options = &launcher->options,
        .root_fd = root_fd,
        .run_filter_fd = launcher->run_filter_fd,
        .zygote_filter_fd = launcher->zygote_filter_fd,
        .filters = &launcher->filters,
        .layers_fd = -1,
        .rootless = launcher->rootless,
        .id_count = (uint32_t)launcher->slot_count + 1,
    };

    int result;

    launcher->root_fd = root_fd;
    if (root_fd < 0)
        return dc_fail(err, DC_NOT_FOUND, errno, "open the sealed root '%s'",
                       launcher->options.root);
    /* A refresh of the root keeps the generations that somebody holds so. */
    if (flock(root_fd, LOCK_SH | LOCK_NB) < 0)
        return dc_fail(err, DC_BUSY, errno, "the sealed root '%s' is being removed",
                       launcher->options.root);
    /* Without root the nursery, which may, does it by itself. */
    if (launcher->options.layers && !launcher->rootless &&
        layers_open(launcher->options.layers, &plan.layers_fd, err) < 0)
        return -err->code;
    result = nursery_start(&plan, &launcher->nursery, err);
    dc_close(plan.layers_fd);
    if (result < 0)
        return result;
    if (cgroup_leaf_limit(&launcher->service_leaf, UINT64_C(4) << 30, SERVICE_PIDS_MAX, err) < 0 ||
        cgroup_leaf_add(&launcher->service_leaf, launcher->nursery.pid, err) < 0)
        return dc_context(err, "service group");
    return loop_watch(launcher, launcher->nursery.link_fd, WATCH_NURSERY, 0, err);
}

/* The sweeper removes our control groups when the launcher has ended, however it ended: that takes
 * a right that the launcher gives up, since the top of a hierarchy may be closed even to its owner.
 * It has no input but the end of a pipe. */
_Noreturn static void sweeper_main(struct launcher *launcher, int end_fd)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct dc_err err;
    char byte;

    (void)sigaction(SIGTERM, &ignore, NULL);
    (void)prctl(PR_SET_NAME, "docle-sweeper");
    dc_close(launcher->options.link_fd);
    dc_close(launcher->nursery.link_fd);
    dc_close(launcher->root_fd);
    dc_close(launcher->epoll_fd);
    if (confine_sweeper(launcher, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "control groups are not swept at the end");
        _exit(1);
    }
    while (read(end_fd, &byte, 1) < 0 && errno == EINTR)
        ;
    cgroup_tree_close(&launcher->cgroups);
    _exit(0);
}

static int start_sweeper(struct launcher *launcher, struct dc_err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return dc_fail_errno(err, "pipe");
    launcher->sweeper_pid = fork();
    if (launcher->sweeper_pid == 0) {
        dc_close(ends[1]);
        sweeper_main(launcher, ends[0]);
    }
    dc_close(ends[0]);
    launcher->sweeper_fd = ends[1];
    if (launcher->sweeper_pid < 0)
        return dc_fail_errno(err, "fork the sweeper");
    return 0;
}

/* From here on root's rights serve one purpose: ending processes of other ids. What else is needed
 * (control groups) belongs to our own id. */
static int drop_capabilities(bool rootless, struct dc_err *err)
{
    const uint32_t rights = rootless ? 0 : 1u << CAP_KILL;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct kept[2] = {{.effective = rights, .permitted = rights}};

    for (unsigned long cap = 0; cap < 64 && !rootless; cap++)
        if (cap != CAP_KILL && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
            return dc_fail_errno(err, "drop capability %lu", cap);
    if (syscall(SYS_capset, &header, kept) < 0)
        return dc_fail_errno(err, "capset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return dc_fail_errno(err, "no_new_privs");
    return 0;
}

static int make_zygote_filters(struct launcher *launcher, struct dc_err *err)
{
    if (seccomp_policy_rest(&launcher->rest_filter_fd, err) < 0)
        return -err->code;
#ifdef DOCLE_TEST_HOOKS
    if (launcher->options.without & WITHOUT_SECCOMP)
        return seccomp_policy_no_ring(&launcher->zygote_filter_fd, err);
#endif
    return seccomp_policy_zygote(&launcher->zygote_filter_fd, err);
}

static int open_launcher(struct launcher *launcher, struct dc_err *err)
{
    const struct options *options = &launcher->options;

    if (find_rights(launcher, err) < 0)
        return -err->code;
    launcher->cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    launcher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (launcher->epoll_fd < 0)
        return dc_fail_errno(err, "epoll_create1");
    if (fcntl(options->link_fd, F_SETFL, O_NONBLOCK) < 0)
        return dc_fail_errno(err, "O_NONBLOCK");
    if (cgroup_tree_open(&launcher->cgroups, err) < 0 || find_level(launcher, err) < 0 ||
        cgroup_leaf_open(&launcher->cgroups, "service", &launcher->service_leaf, err) < 0 ||
        seccomp_policy_run(&launcher->run_filter_fd, err) < 0 ||
        make_zygote_filters(launcher, err) < 0 || confine_open(&launcher->filters, err) < 0 ||
        allocate_slots(launcher, err) < 0 || start_nursery(launcher, err) < 0 ||
        start_sweeper(launcher, err) < 0 || drop_capabilities(launcher->rootless, err) < 0)
        return -err->code;
    if (loop_watch(launcher, options->link_fd, WATCH_SERVER, 0, err) < 0)
        return -err->code;
    return confine_launcher(launcher, err);
}

static void close_launcher(struct launcher *launcher)
{
    nursery_stop(&launcher->nursery);
    for (size_t i = 0; i < launcher->slot_count && launcher->slots; i++) {
        struct slot *slot = &launcher->slots[i];

        cgroup_leaf_close(&slot->leaf);
        if (slot->has_run)
            run_release(&slot->run);
    }
    cgroup_leaf_close(&launcher->service_leaf);
    if (launcher->sweeper_pid > 0) {
        dc_close_clear(&launcher->sweeper_fd);
        (void)waitpid(launcher->sweeper_pid, NULL, 0);
    } else {
        cgroup_tree_close(&launcher->cgroups);
    }
    free(launcher->slots);
    free(launcher->pending);
    dc_close(launcher->epoll_fd);
    dc_close(launcher->run_filter_fd);
    dc_close(launcher->zygote_filter_fd);
    confine_close(&launcher->filters);
    dc_close(launcher->rest_filter_fd);
    dc_close(launcher->root_fd);
}

int main(int argc, char **argv)
{
    static struct launcher launcher = {
        .epoll_fd = -1,
        .run_filter_fd = -1,
        .zygote_filter_fd = -1,
        .filters = {-1, -1, -1},
        .rest_filter_fd = -1,
        .root_fd = -1,
        .sweeper_fd = -1,
        .nursery = {.link_fd = -1},
    };
    struct dc_err err;
    int result;

    for (size_t i = 0; i < DC_WARM_ALL; i++)
        launcher.warm[i].names_fd = -1;
    cgroup_leaf_init(&launcher.service_leaf);
    for (size_t i = 0; i < CG_PARTS; i++)
        launcher.cgroups.base_fds[i] = launcher.cgroups.parent_fds[i] = -1;
    result = options_read(&launcher.options, argc, argv, &err);
    dc_log_setup("docle-launcher", launcher.options.debug ? DC_LOG_DEBUG : DC_LOG_INFO);
    if (result == 0)
        result = own_process(&launcher.options, &err);
    if (result == 0)
        result = open_launcher(&launcher, &err);
    if (result == 0)
        result = loop_run(&launcher, &err);
    if (result < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "leaving");
        if (launcher.options.link_fd >= 0)
            server_link_fatal(&launcher, &err);
    }
    close_launcher(&launcher);
    return result < 0 ? 1 : 0;
}
