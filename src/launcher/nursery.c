#include "launcher/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/log.h"
#include "launcher/confine.h"
#include "proto/link.h"
#include "proto/spawn.h"
#include "sandbox/seal.h"
#include "zygote/zygote.h"

#include "base/poison.h"

static pid_t clone_process(int flags)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)(flags | SIGCHLD), 0, 0, 0, 0);
}

/* --- the sealed root ------------------------------------------------------------------------- */

/* Of test builds only: anybody may make files in "/". */
static int mount_writable_rootfs(struct dc_err *err)
{
    if (mount("layer", "empty", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 ||
        mkdir("empty/upper", 0755) < 0 || chmod("empty/upper", 0777) < 0 ||
        mkdir("empty/work", 0755) < 0 ||
        mount("root", "rootfs", "overlay", MS_NOSUID | MS_NODEV,
              "lowerdir=rootfs,upperdir=empty/upper,workdir=empty/work,userxattr") < 0)
        return dc_fail_errno(err, "mount a writable root");
    return 0;
}

/* Of test builds only: what the runs' own mounts hide. */
static int mount_shared_places(struct dc_err *err)
{
    if (mount("shared", "rootfs/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0 ||
        mount("shared", "rootfs/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
        return dc_fail_errno(err, "mount places for all runs");
    return 0;
}

/* An overlay of the copied root over an empty directory shows no host path inside: its options are
 * relative to our working directory. Where the kernel refuses it, a read-only bind does. */
static int mount_rootfs(uint32_t without, struct dc_err *err)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV;

    if (seal_is_without(without, WITHOUT_READONLY))
        return mount_writable_rootfs(err);
    if (!seal_is_without(without, WITHOUT_OVERLAY) &&
        mount("root", "rootfs", "overlay", flags, "lowerdir=rootfs:empty") == 0)
        return 0;
    if (mount("rootfs", "rootfs", NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, "rootfs", NULL, MS_BIND | MS_REMOUNT | flags, NULL) < 0)
        return dc_fail_errno(err, "mount the sealed root");
    return 0;
}

static int bind_device(const char *name, struct dc_err *err)
{
    char from[32];
    char to[40];
    int fd;

    (void)snprintf(from, sizeof(from), "/dev/%s", name);
    (void)snprintf(to, sizeof(to), "rootfs/dev/%s", name);
    fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
        return dc_fail_errno(err, "make '%s'", to);
    dc_close(fd);
    if (mount(from, to, NULL, MS_BIND, NULL) < 0)
        return dc_fail_errno(err, "bind '%s'", from);
    return 0;
}

static int mount_dev(struct dc_err *err)
{
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", "rootfs/dev/fd"},
                                           {"/proc/self/fd/0", "rootfs/dev/stdin"},
                                           {"/proc/self/fd/1", "rootfs/dev/stdout"},
                                           {"/proc/self/fd/2", "rootfs/dev/stderr"}};

    if (mount("dev", "rootfs/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0755") < 0)
        return dc_fail_errno(err, "mount /dev");
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        if (bind_device(devices[i], err) < 0)
            return -err->code;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (symlink(links[i][0], links[i][1]) < 0)
            return dc_fail_errno(err, "link '%s'", links[i][1]);
    if (mkdir("rootfs/dev/shm", 0755) < 0)
        return dc_fail_errno(err, "make /dev/shm");
    if (mount(NULL, "rootfs/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC,
              NULL) < 0)
        return dc_fail_errno(err, "make /dev read-only");
    return 0;
}

/* The working directory is the one that holds rootfs/ and empty/. Afterwards nothing of the host is
 * mounted in this namespace any more. */
static int enter_sealed_root(const struct nursery_plan *plan, struct dc_err *err)
{
    uint32_t without = plan->options->without;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return dc_fail_errno(err, "make mounts private");
    if (mount_rootfs(without, err) < 0 || mount_dev(err) < 0 || layers_mount(plan, err) < 0)
        return -err->code;
    if (seal_is_without(without, WITHOUT_MOUNTS) && mount_shared_places(err) < 0)
        return -err->code;
    if (mount("proc", "rootfs/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return dc_fail_errno(err, "mount /proc (in a container whose /proc is masked this is "
                                  "refused: start it with /proc unmasked)");
    if (chdir("rootfs") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return dc_fail_errno(err, "enter the sealed root");
    return 0;
}

/* --- children -------------------------------------------------------------------------------- */

static int become_service_root(const struct nursery_plan *plan, struct dc_err *err)
{
    if (!plan->rootless && setgroups(0, NULL) < 0)
        return dc_fail_errno(err, "drop supplementary groups");
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return dc_fail_errno(err, "become root of the service namespace");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return dc_fail_errno(err, "PDEATHSIG");
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return dc_fail_errno(err, "PR_SET_DUMPABLE");
    return 0;
}

/* Leaves fd alone of all that is above standard error, as number `as`. */
static int keep_only(int fd, int as, struct dc_err *err)
{
    if (fd != as && dup2(fd, as) < 0)
        return dc_fail_errno(err, "dup2");
    if (close_range((unsigned)as + 1, ~0u, 0) < 0 ||
        (as > STDERR_FILENO + 1 && close_range(STDERR_FILENO + 1, (unsigned)as - 1, 0) < 0))
        return dc_fail_errno(err, "close_range");
    return 0;
}

static int null_stdio(bool keep_stderr, struct dc_err *err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int last = keep_stderr ? STDOUT_FILENO : STDERR_FILENO;

    if (null < 0)
        return dc_fail_errno(err, "open /dev/null");
    for (int fd = 0; fd <= last; fd++)
        if (dup2(null, fd) < 0)
            return dc_fail_errno(err, "dup2");
    dc_close(null);
    return 0;
}

/* Serves forks that are already sealed and then exec the interpreter: for runtimes whose zygote
 * cannot serve. */
_Noreturn static void serve_plain(const struct runtime *runtime)
{
    static const struct zygote_hooks hooks = {.skip_training = true};
    char *argv[RUNTIME_ARGV_MAX + 3 + DC_ARGS_MAX];
    char program[DC_PATH_MAX_BYTES + sizeof("/workspace/")];
    char heap[48];
    struct zygote_run run;
    struct dc_err err;
    size_t count = 0;

    if (zygote_serve(&hooks, &run, &err) < 0)
        _exit(1);
    for (; runtime->plain_argv[count]; count++) {
        argv[count] = runtime->plain_argv[count];
        if (strstr(argv[count], "=@HEAP_MB@")) {
            (void)snprintf(heap, sizeof(heap), "%.*s=%u",
                           (int)(strchr(argv[count], '=') - argv[count]), argv[count],
                           run.memory_mb - run.memory_mb / 4);
            argv[count] = heap;
        }
    }
    /* By its full path, as a fork of a zygote sees it in its arguments. */
    (void)snprintf(program, sizeof(program), "/workspace/%s", run.entrypoint);
    argv[count++] = program;
    for (size_t i = 0; i < run.argc && i < DC_ARGS_MAX; i++)
        argv[count++] = run.args[i];
    argv[count] = NULL;
    (void)execve(argv[0], argv, run.env);
    _exit(127);
}

/* What launcher and nursery ignore is not for runs to inherit. */
static void default_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};

    for (int i = 1; i < SIGRTMAX; i++)
        (void)sigaction(i, &plain, NULL); /* fails for SIGKILL and SIGSTOP */
}

/* So that the launcher can kill a zygote that hangs. */
static int tell_born(struct dc_err *err)
{
    DC_AUTO(dc_close) int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (pidfd < 0)
        return dc_fail_errno(err, "pidfd_open");
    return link_send(ZYGOTE_CONTROL_FD, ZYGOTE_BORN, NULL, 0, &pidfd, 1, err);
}

/* With packages, the names of what to import come as the next descriptor. */
static int take_names(int *control_fd, int names_fd, struct dc_err *err)
{
    int control = fcntl(*control_fd, F_DUPFD_CLOEXEC, ZYGOTE_NAMES_FD + 1);
    int names = fcntl(names_fd, F_DUPFD_CLOEXEC, ZYGOTE_NAMES_FD + 1);

    if (control < 0 || names < 0 || dup2(names, ZYGOTE_NAMES_FD) < 0)
        return dc_fail_errno(err, "dup2");
    if (dup2(control, ZYGOTE_CONTROL_FD) < 0 || close_range(ZYGOTE_NAMES_FD + 1, ~0u, 0) < 0)
        return dc_fail_errno(err, "close_range");
    *control_fd = ZYGOTE_CONTROL_FD;
    return 0;
}

static int settle_descriptors(int control_fd, int names_fd, struct dc_err *err)
{
    if (names_fd >= 0)
        return take_names(&control_fd, names_fd, err);
    return keep_only(control_fd, ZYGOTE_CONTROL_FD, err);
}

static void zygote_main(const struct nursery_plan *plan, const struct nursery_zygote *wish,
                        int control_fd, int names_fd)
{
    static char *no_env[] = {NULL};
    static char names[] = ZYGOTE_NAMES_VARIABLE "=1";
    static char *names_env[] = {names, NULL};
    const struct runtime *runtime = &plan->options->runtimes[wish->runtime];
    struct dc_err err;

    default_signals();
    if ((names_fd >= 0 && layers_take(plan, wish, &err) < 0) || layers_hide(&err) < 0 ||
        sethostname("docle", 5) < 0 || null_stdio(plan->options->debug, &err) < 0 ||
        (!seal_is_without(plan->options->without, WITHOUT_ZYGOTE_FILTER) &&
         seal_seccomp_fd(plan->zygote_filter_fd, &err) < 0) ||
        settle_descriptors(control_fd, names_fd, &err) < 0 || tell_born(&err) < 0)
        _exit(1);
    if (wish->plain)
        serve_plain(runtime);
    (void)fcntl(ZYGOTE_CONTROL_FD, F_SETFD, 0);
    (void)execve(runtime->zygote_argv[0], runtime->zygote_argv, names_fd >= 0 ? names_env : no_env);
    _exit(127);
}

static void start_zygote(const struct nursery_plan *plan, const struct link_message *message)
{
    struct nursery_zygote body;
    int spaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

    if (!seal_is_without(plan->options->without, WITHOUT_SERVICE_NETNS))
        spaces |= CLONE_NEWNET;
    memcpy(&body, message->body, sizeof(body));
    if (body.runtime >= plan->options->runtime_count)
        return;
    if (clone_process(spaces) == 0) {
        zygote_main(plan, &body, message->fds[0],
                    message->header.fd_count > 1 ? message->fds[1] : -1);
        _exit(1);
    }
}

static void start_slot(const struct nursery_plan *plan, const struct link_message *message)
{
    struct nursery_slot body;

    memcpy(&body, message->body, sizeof(body));
    if (clone_process(CLONE_NEWPID | CLONE_NEWNET) == 0)
        slot_init_main(plan, body.index, message->fds[0]);
}

/* --- the nursery itself ---------------------------------------------------------------------- */

static int expect(int link_fd, uint8_t type, struct dc_err *err)
{
    struct link_message message;

    if (link_receive(link_fd, &message, err) < 0)
        return -err->code;
    link_message_release(&message);
    if (message.header.type != type)
        return dc_fail(err, DC_BUG, 0, "message %u instead of %u", message.header.type, type);
    return 0;
}

static void serve(const struct nursery_plan *plan, int link_fd)
{
    struct link_message message;
    struct dc_err err;

    while (link_receive(link_fd, &message, &err) == 0) {
        if (message.header.type == NURSERY_SLOT &&
            link_message_is(&message, sizeof(struct nursery_slot), 1))
            start_slot(plan, &message);
        else if (message.header.type == NURSERY_ZYGOTE &&
                 (link_message_is(&message, sizeof(struct nursery_zygote), 1) ||
                  link_message_is(&message, sizeof(struct nursery_zygote), 2)))
            start_zygote(plan, &message);
        link_message_release(&message);
    }
}

/* Of what was the launcher's, only what children need stays open. */
static int keep_own(const struct nursery_plan *plan, int link_fd, struct dc_err *err)
{
    const int keep[] = {link_fd, plan->run_filter_fd, plan->zygote_filter_fd,
                        plan->filters->nursery_fd, plan->filters->init_fd};

    return confine_fds(keep, sizeof(keep) / sizeof(keep[0]), err);
}

_Noreturn static void nursery_main(const struct nursery_plan *plan, int link_fd)
{
    struct dc_err err = {0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (expect(link_fd, NURSERY_GO, &err) < 0)
        _exit(1);
    /* Ignored SIGCHLD: the kernel reaps what we start. */
    if (become_service_root(plan, &err) == 0 && sigaction(SIGCHLD, &ignore, NULL) == 0 &&
        enter_sealed_root(plan, &err) == 0 && keep_own(plan, link_fd, &err) == 0 &&
        confine_nursery(plan, &err) == 0) {
        if (link_send(link_fd, NURSERY_READY, &err, sizeof(err), NULL, 0, &err) == 0)
            serve(plan, link_fd);
        _exit(0);
    }
    dc_ignore(link_send(link_fd, NURSERY_READY, &err, sizeof(err), NULL, 0, &err));
    _exit(1);
}

static int write_maps(const struct nursery_plan *plan, pid_t pid, struct dc_err *err)
{
    char path[32];
    char uid_map[64];
    char gid_map[64];
    DC_AUTO(dc_close) int dir = -1;
    unsigned uid_first = plan->rootless ? (unsigned)geteuid() : plan->options->uid_base;
    unsigned gid_first = plan->rootless ? (unsigned)getegid() : plan->options->uid_base;
    unsigned count = plan->rootless ? 1 : plan->id_count;

    (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    dir = open(path, O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return dc_fail_errno(err, "open '%s'", path);
    (void)snprintf(uid_map, sizeof(uid_map), "0 %u %u", uid_first, count);
    (void)snprintf(gid_map, sizeof(gid_map), "0 %u %u", gid_first, count);
    if ((plan->rootless && dc_write_file_at(dir, "setgroups", "deny", err) < 0) ||
        dc_write_file_at(dir, "gid_map", gid_map, err) < 0 ||
        dc_write_file_at(dir, "uid_map", uid_map, err) < 0)
        return dc_context(err, "id maps of the service namespace");
    return 0;
}

static int await_ready(int link_fd, struct dc_err *err)
{
    struct link_message message;
    struct dc_err theirs;

    if (link_receive(link_fd, &message, err) < 0)
        return dc_context(err, "the nursery did not start");
    link_message_release(&message);
    if (message.header.type != NURSERY_READY || message.header.length != sizeof(theirs))
        return dc_fail(err, DC_BUG, 0, "message %u from the nursery", message.header.type);
    memcpy(&theirs, message.body, sizeof(theirs));
    if (theirs.code) {
        *err = theirs;
        return -err->code;
    }
    return 0;
}

int nursery_start(const struct nursery_plan *plan, struct nursery *ret_nursery, struct dc_err *err)
{
    int spaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    int ends[2];
    pid_t pid;
    int result;

    if (!seal_is_without(plan->options->without, WITHOUT_SERVICE_NETNS))
        spaces |= CLONE_NEWNET;
    if (link_pair(ends, err) < 0)
        return -err->code;
    if (fchdir(plan->root_fd) < 0)
        return dc_fail_errno(err, "enter the sealed root's directory");
    /* The id maps of a process that is not dumpable belong to root: without root the child must be
     * born dumpable, until they are written. No run exists yet. */
    if (plan->rootless && prctl(PR_SET_DUMPABLE, 1) < 0)
        return dc_fail_errno(err, "PR_SET_DUMPABLE");
    pid = clone_process(spaces);
    if (pid == 0) {
        dc_close(ends[0]);
        nursery_main(plan, ends[1]);
    }
    dc_close(ends[1]);
    *ret_nursery = (struct nursery){pid, ends[0]};
    if (pid < 0) {
        dc_close_clear(&ret_nursery->link_fd);
        return dc_fail_errno(err, "make the service namespaces");
    }
    result = write_maps(plan, pid, err);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 && result == 0)
        result = dc_fail_errno(err, "PR_SET_DUMPABLE");
    if (result == 0)
        result = link_send(ends[0], NURSERY_GO, NULL, 0, NULL, 0, err);
    if (result == 0)
        result = await_ready(ends[0], err);
    if (result == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        result = dc_fail_errno(err, "O_NONBLOCK");
    if (result < 0)
        nursery_stop(ret_nursery);
    return result;
}

void nursery_stop(struct nursery *nursery)
{
    if (nursery->pid > 0) {
        (void)kill(nursery->pid, SIGKILL);
        (void)waitpid(nursery->pid, NULL, 0);
        nursery->pid = 0;
    }
    dc_close_clear(&nursery->link_fd);
}
