#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "proto/link.h"
#include "proto/spawn.h"
#include "zygote/child.h"
#include "zygote/zygote.h"

#include "base/poison.h"

struct living {
    uint32_t slot;
    pid_t pid;
    int pidfd;
};

/* One a process. In a child it stays as it was at the fork and is not used any more. */
struct zygote {
    const struct zygote_hooks *hooks;
    struct fd_list inherited;
    struct prefault prefault;
    struct zygote_config config;
    void *filter;
    size_t filter_bytes;
    size_t living_count;
    struct living living[DC_SLOTS_MAX];
};

/* Set in the training child only: where zygote_finish reports to. */
static int training_fd = -1;

_Noreturn void zygote_finish(int exit_code)
{
    if (training_fd >= 0) {
        struct dc_err err;

        if (prefault_report(training_fd, &err) < 0)
            _exit(1);
    }
    _exit(exit_code);
}

static uint32_t count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    uint32_t count = 0;

    if (!dir)
        return 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

static uint32_t resident_mb(void)
{
    char text[128];
    unsigned long pages = 0;
    struct dc_err ignored;

    if (dc_read_file_at(AT_FDCWD, "/proc/self/statm", text, sizeof(text), &ignored) == 0)
        (void)sscanf(text, "%*u %lu", &pages);
    return (uint32_t)(pages * (unsigned long)sysconf(_SC_PAGESIZE) >> 20);
}

/* --- configuration --------------------------------------------------------------------------- */

/* Keeps a private copy of the seccomp program; the launcher's memfd is closed again. */
static int load_filter(struct zygote *zygote, int fd, struct dc_err *err)
{
    struct stat stat;
    size_t length;

    if (fstat(fd, &stat) < 0 || stat.st_size <= 0 || stat.st_size > 1 << 20)
        return dc_fail_errno(err, "seccomp program of no good size");
    zygote->filter = malloc((size_t)stat.st_size);
    if (!zygote->filter)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp program");
    if (lseek(fd, 0, SEEK_SET) < 0 ||
        dc_read_full(fd, zygote->filter, (size_t)stat.st_size, &length, err) < 0)
        return dc_context(err, "seccomp program");
    zygote->filter_bytes = length;
    return 0;
}

static int receive_config(struct zygote *zygote, struct dc_err *err)
{
    struct link_message message;
    int result;

    if (link_receive(ZYGOTE_CONTROL_FD, &message, err) < 0)
        return dc_context(err, "zygote configuration");
    if (message.header.type != ZYGOTE_CONFIG ||
        !link_message_is(&message, sizeof(zygote->config), 1)) {
        link_message_release(&message);
        return dc_fail(err, DC_BUG, 0, "message %u instead of the configuration",
                       message.header.type);
    }
    memcpy(&zygote->config, message.body, sizeof(zygote->config));
    result = load_filter(zygote, message.fds[0], err);
    link_message_release(&message);
    return result;
}

static int report_ready(struct zygote *zygote, const char *problem, struct dc_err *err)
{
    uint32_t own_threads = zygote->hooks->own_threads;
    struct zygote_ready ready = {.threads = count_threads(),
                                 .own_threads = own_threads ? own_threads : 1,
                                 .learned_pages = (uint32_t)zygote->prefault.pages,
                                 .written_pages = (uint32_t)zygote->prefault.written_pages,
                                 .resident_mb = resident_mb()};

    (void)snprintf(ready.problem, sizeof(ready.problem), "%s", problem);
    return link_send(ZYGOTE_CONTROL_FD, ZYGOTE_READY, &ready, sizeof(ready), NULL, 0, err);
}

/* --- training -------------------------------------------------------------------------------- */

static pid_t fork_with_hooks(const struct zygote_hooks *hooks)
{
    pid_t pid;

    if (hooks->before_fork)
        hooks->before_fork(hooks->context);
    pid = fork();
    if (pid != 0 && hooks->after_fork_parent)
        hooks->after_fork_parent(hooks->context);
    return pid;
}

/* In the training child: the way of a run, less what needs a slot. */
static void become_training(struct zygote *zygote, int report_fd, struct zygote_run *ret_run)
{
    static char *none[] = {NULL};
    const struct zygote_hooks *hooks = zygote->hooks;
    struct dc_err err;
    int keep[] = {report_fd};

    if (hooks->after_fork_child)
        hooks->after_fork_child(hooks->context);
    if (fd_list_scrub(&zygote->inherited, keep, 1, &err) < 0 ||
        (hooks->remake && hooks->remake(hooks->context) < 0) ||
        (hooks->reseed && hooks->reseed(hooks->context) < 0))
        _exit(1);
    training_fd = report_fd;
    *ret_run = (struct zygote_run){.training = true, .entrypoint = "", .args = none, .env = none};
}

/* Returns 1 in the training child, 0 in the zygote once the child has ended. */
static int train(struct zygote *zygote, struct zygote_run *ret_run, struct dc_err *err)
{
    int ends[2];
    int status;
    int result;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return dc_fail_errno(err, "pipe");
    pid = fork_with_hooks(zygote->hooks);
    if (pid == 0) {
        dc_close(ends[0]);
        become_training(zygote, ends[1], ret_run);
        return 1;
    }
    dc_close(ends[1]);
    if (pid < 0) {
        dc_close(ends[0]);
        return dc_fail_errno(err, "fork the training child");
    }
    result = prefault_learn(&zygote->prefault, ends[0], err);
    dc_close(ends[0]);
    if (waitpid(pid, &status, 0) != pid)
        return dc_fail_errno(err, "wait for the training child");
    if (status != 0)
        return dc_fail(err, DC_BUG, 0, "the training run ended with status 0x%x", status);
    return result;
}

/* --- serving --------------------------------------------------------------------------------- */

static uint64_t timeval_ns(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_usec * 1000u;
}

static void reap(struct zygote *zygote, size_t i)
{
    struct living *one = &zygote->living[i];
    struct zygote_exited exited = {.slot = one->slot};
    struct rusage usage;
    struct dc_err err;

    if (wait4(one->pid, &exited.status, WNOHANG, &usage) != one->pid)
        return;
    exited.cpu_ns = timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
    exited.peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    dc_close(one->pidfd);
    *one = zygote->living[--zygote->living_count];
    if (link_send(ZYGOTE_CONTROL_FD, ZYGOTE_EXITED, &exited, sizeof(exited), NULL, 0, &err) < 0)
        _exit(0); /* the launcher is gone, and with it every run */
}

static void fill_plan(struct zygote *zygote, struct link_message *message, struct child_plan *plan)
{
    *plan = (struct child_plan){
        .hooks = zygote->hooks,
        .prefault = &zygote->prefault,
        .inherited = &zygote->inherited,
        .filter = zygote->filter,
        .filter_bytes = zygote->filter_bytes,
        .config = zygote->config,
        .pidns_fd = message->fds[SPAWN_FD_PIDNS],
        .netns_fd = message->fds[SPAWN_FD_NETNS],
        .socket_fd = message->fds[SPAWN_FD_SOCKET],
    };
    memcpy(&plan->spawn, message->body, sizeof(plan->spawn));
    for (size_t i = 0; i < CG_PARTS; i++)
        plan->cgroup_fds[i] =
            i < plan->spawn.cgroup_count ? message->fds[ZYGOTE_SPAWN_FDS + i] : -1;
}

static bool spawn_message_valid(const struct link_message *message)
{
    struct zygote_spawn spawn;

    if (message->header.type != ZYGOTE_SPAWN || message->header.length != sizeof(spawn))
        return false;
    memcpy(&spawn, message->body, sizeof(spawn));
    return spawn.cgroup_count <= CG_PARTS &&
           message->header.fd_count == ZYGOTE_SPAWN_FDS + spawn.cgroup_count;
}

/* Children of this process are born in the slot's pid namespace from here on. */
static int enter_pidns(const struct zygote *zygote, const struct child_plan *plan)
{
    if (seal_is_without(zygote->config.without, WITHOUT_PIDNS))
        return 0;
    if (seal_is_without(zygote->config.without, WITHOUT_INIT)) {
        DC_AUTO(dc_close) int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

        return setns(own, CLONE_NEWPID) < 0 ? -1 : unshare(CLONE_NEWPID);
    }
    return setns(plan->pidns_fd, CLONE_NEWPID);
}

static void refuse_spawn(const struct child_plan *plan, const char *what)
{
    struct dc_err reason;
    struct dc_err err;

    (void)dc_fail_errno(&reason, "%s", what);
    dc_ignore(link_send(plan->socket_fd, CHILD_FAILED, &reason, sizeof(reason), NULL, 0, &err));
}

/* Returns true in the child. */
static bool spawn(struct zygote *zygote, struct link_message *message, struct child_plan *plan)
{
    struct living *one = &zygote->living[zygote->living_count];
    pid_t pid;

    fill_plan(zygote, message, plan);
    if (zygote->living_count == DC_SLOTS_MAX) {
        errno = EAGAIN;
        refuse_spawn(plan, "too many children");
        return false;
    }
    if (enter_pidns(zygote, plan) < 0) {
        refuse_spawn(plan, "enter the slot's pid namespace");
        return false;
    }
    pid = fork_with_hooks(zygote->hooks);
    if (pid == 0)
        return true;
    if (pid < 0) {
        refuse_spawn(plan, "fork");
        return false;
    }
    *one = (struct living){plan->spawn.slot, pid, (int)syscall(SYS_pidfd_open, pid, 0)};
    if (one->pidfd < 0)
        _exit(1); /* cannot watch it: the launcher starts afresh */
    zygote->living_count++;
    return false;
}

/* Waits for a message or an exit. Returns true in a child of a spawn. */
static bool serve_once(struct zygote *zygote, struct child_plan *plan)
{
    struct pollfd polled[DC_SLOTS_MAX + 1];
    struct link_message message;
    struct dc_err err;
    size_t count = zygote->living_count;
    bool child = false;

    polled[0] = (struct pollfd){ZYGOTE_CONTROL_FD, POLLIN, 0};
    for (size_t i = 0; i < count; i++)
        polled[i + 1] = (struct pollfd){zygote->living[i].pidfd, POLLIN, 0};
    if (poll(polled, count + 1, -1) < 0)
        return false;
    for (size_t i = count; i > 0; i--)
        if (polled[i].revents)
            reap(zygote, i - 1);
    if (!polled[0].revents)
        return false;
    if (link_receive(ZYGOTE_CONTROL_FD, &message, &err) < 0 || !spawn_message_valid(&message))
        _exit(0); /* the launcher closed the link: it wants us gone */
    child = spawn(zygote, &message, plan);
    if (!child)
        link_message_release(&message);
    return child;
}

int zygote_serve(const struct zygote_hooks *hooks, struct zygote_run *ret_run, struct dc_err *err)
{
    static struct zygote zygote;
    struct child_plan plan;
    int trained;

    zygote = (struct zygote){.hooks = hooks};
    if (receive_config(&zygote, err) < 0 || fd_list_read(&zygote.inherited, err) < 0)
        return -err->code;
    if (!hooks->skip_training) {
        trained = train(&zygote, ret_run, err);
        if (trained == 1)
            return 0;
        if (trained < 0) {
            dc_ignore(report_ready(&zygote, err->text, &(struct dc_err){0}));
            return trained;
        }
    }
    if (report_ready(&zygote, "", err) < 0)
        return -err->code;
    while (!serve_once(&zygote, &plan))
        ;
    child_become_run(&plan, ret_run);
    return 0;
}
