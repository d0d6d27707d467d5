#include "runs/launcher_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "proto/link.h"

#include "base/poison.h"

/* Each with one descriptor: the program's end of its link. */
enum keeper_type { KEEPER_LAUNCH = 1, KEEPER_RELAY };

/* What the keeper can start. */
struct program {
    const char *name; /* for the log */
    const char *path; /* NULL: not this one */
    char **argv;
    pid_t child; /* -1: none */
};

enum { LAUNCHER, RELAY, PROGRAMS };
enum { PATH_BYTES = 1024 };

/* Between fork and exec: only what a just forked, single-threaded process may do. */
static _Noreturn void become_program(const struct program *program, int link_fd, pid_t keeper)
{
    struct dc_err err;
    sigset_t none;

    /* Default dispositions: what is ignored here would be ignored in every run. */
    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(126); /* it died before the line above */
    if (link_fd == LAUNCHER_LINK_FD)
        (void)fcntl(link_fd, F_SETFD, 0);
    else if (dup2(link_fd, LAUNCHER_LINK_FD) < 0)
        _exit(126);
    (void)syscall(SYS_close_range, LAUNCHER_LINK_FD + 1, ~0u, 0u);
    (void)execv(program->path, program->argv);
    dc_ignore(dc_fail(&err, DC_KERNEL, errno, "start '%s'", program->path)); /* to be logged */
    dc_log_err(DC_LOG_ERROR, NULL, &err, "the %s cannot be started", program->name);
    _exit(127);
}

static void end_child(pid_t *pid)
{
    if (*pid <= 0)
        return;
    (void)kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = -1;
}

static void reap_if_gone(struct program *program)
{
    int status;

    if (program->child <= 0 || waitpid(program->child, &status, WNOHANG) != program->child)
        return;
    program->child = -1;
    if (WIFSIGNALED(status))
        dc_log(DC_LOG_ERROR, "the %s was ended by signal %d", program->name, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        dc_log(DC_LOG_ERROR, "the %s exited with %d", program->name, WEXITSTATUS(status));
}

/* Waits for a message or for a child's end. SIGCHLD is blocked but here, so none is missed. */
static bool wait_for_message(int fd, struct program programs[static PROGRAMS])
{
    struct pollfd poll = {.fd = fd, .events = POLLIN};
    sigset_t open;

    (void)sigemptyset(&open);
    for (;;) {
        int n = ppoll(&poll, 1, NULL, &open);

        for (size_t i = 0; i < PROGRAMS; i++)
            reap_if_gone(&programs[i]);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

static void on_child(int signal_number)
{
    (void)signal_number; /* only there to wake ppoll */
}

static void start(struct program *program, int link_fd, pid_t self)
{
    end_child(&program->child);
    /* Not fork(): where libuv was in use before the keeper's own start (docle run --repo), its
     * handler would make signal pipes anew, closing what had their numbers: the link. */
    program->child = _Fork();
    if (program->child == 0)
        become_program(program, link_fd, self);
    if (program->child < 0)
        dc_log(DC_LOG_ERROR, "fork for the %s: %s", program->name, strerror(errno));
}

/* They see their links close, end what runs and leave; give them the time for that. */
static void let_go(struct program programs[static PROGRAMS])
{
    for (int i = 0; i < 500 && (programs[LAUNCHER].child > 0 || programs[RELAY].child > 0); i++) {
        struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

        for (size_t k = 0; k < PROGRAMS; k++)
            reap_if_gone(&programs[k]);
        (void)nanosleep(&pause, NULL);
    }
    for (size_t i = 0; i < PROGRAMS; i++)
        end_child(&programs[i].child);
}

static _Noreturn void serve(int fd, struct program programs[static PROGRAMS])
{
    struct link_message message;
    struct dc_err err;
    pid_t self = getpid();

    while (wait_for_message(fd, programs)) {
        size_t which;

        if (link_receive(fd, &message, &err) < 0)
            break; /* the server is gone */
        which = message.header.type == KEEPER_RELAY ? RELAY : LAUNCHER;
        if ((message.header.type != KEEPER_LAUNCH && message.header.type != KEEPER_RELAY) ||
            !link_message_is(&message, 0, 1) || !programs[which].path)
            break;
        start(&programs[which], message.fds[0], self);
        link_message_release(&message);
    }
    let_go(programs);
    _exit(0);
}

/* What the launcher makes use of as root: it writes the id map of a namespace, mounts detached,
 * lifts a limit on descriptors, makes control groups of others' folders, ends processes of other
 * ids; and the relay becomes a user of its own. Capabilities inside the service namespaces are not
 * of this set. */
static const uint64_t kept_rights = UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_KILL |
                                    UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_SETUID |
                                    UINT64_C(1) << CAP_SETPCAP | UINT64_C(1) << CAP_SYS_ADMIN |
                                    UINT64_C(1) << CAP_SYS_RESOURCE;

/* SECURITY: all that can be taken from it beforehand. What it starts inherits a filter or Landlock
 * rules of its, and needs to fork, mount and change its id, so there is neither here. */
static int give_up_rights(struct dc_err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return dc_fail_errno(err, "capget");
    for (unsigned long cap = 0; cap < 64 && data[0].effective & 1u << CAP_SETPCAP; cap++)
        if (!(kept_rights >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
            return dc_fail_errno(err, "drop capability %lu", cap);
    for (size_t i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(kept_rights >> 32 * i);
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        return dc_fail_errno(err, "capset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return dc_fail_errno(err, "process state");
    return 0;
}

/* The child keeps the standard streams and its link. */
static _Noreturn void keep(int fd, struct program programs[static PROGRAMS])
{
    struct sigaction wake = {.sa_handler = on_child};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t blocked;
    struct dc_err err;

    /* A terminal's Ctrl-C is for the server, which lets its runs end first; so is a service
     * manager's TERM, should it reach every process. */
    (void)setsid();
    (void)sigaction(SIGTERM, &ignore, NULL);
    (void)sigaction(SIGHUP, &ignore, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGCHLD, &wake, NULL);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
    if (fd != LAUNCHER_LINK_FD) {
        if (dup2(fd, LAUNCHER_LINK_FD) < 0)
            _exit(126);
        (void)fcntl(LAUNCHER_LINK_FD, F_SETFD, FD_CLOEXEC);
    }
    (void)syscall(SYS_close_range, LAUNCHER_LINK_FD + 1, ~0u, 0u);
    (void)prctl(PR_SET_NAME, "docle-keeper");
    if (give_up_rights(&err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "docle-keeper");
        _exit(1); /* the server finds its link closed, and ends */
    }
    serve(LAUNCHER_LINK_FD, programs);
}

/* *path stays, or is found. */
static int check_program(const char **path, char found[static PATH_BYTES],
                         int (*find)(char *ret_path, size_t size, struct dc_err *err),
                         struct dc_err *err)
{
    if (!*path && find(found, PATH_BYTES, err) < 0)
        return -err->code;
    if (!*path)
        *path = found;
    if (access(*path, X_OK) < 0)
        return dc_fail(err, dc_code_from_errno(errno), errno, "program '%s'", *path);
    return 0;
}

int launcher_keeper_start(const struct launcher_options *options,
                          struct launcher_keeper *ret_keeper, struct dc_err *err)
{
    char found[PROGRAMS][PATH_BYTES];
    struct program programs[PROGRAMS] = {
        [LAUNCHER] = {"launcher", options->path, NULL, -1},
        [RELAY] = {"relay", options->relay_path, NULL, -1},
    };
    DC_AUTO(dc_free) char **launcher = NULL;
    DC_AUTO(dc_free) char **relay = NULL;
    int ends[2];
    pid_t pid;

    if (check_program(&programs[LAUNCHER].path, found[LAUNCHER], launcher_find, err) < 0 ||
        launcher_argv(options, &launcher, err) < 0)
        return -err->code;
    if (!options->network)
        programs[RELAY].path = NULL;
    else if (check_program(&programs[RELAY].path, found[RELAY], relay_find, err) < 0 ||
             relay_argv(options, &relay, err) < 0)
        return -err->code;
    programs[LAUNCHER].argv = launcher;
    programs[RELAY].argv = relay;
    if (link_pair(ends, err) < 0)
        return -err->code;
    pid = fork();
    if (pid == 0)
        keep(ends[1], programs);
    dc_close(ends[1]);
    if (pid < 0) {
        dc_close(ends[0]);
        return dc_fail_errno(err, "fork the launcher's keeper");
    }
    *ret_keeper = (struct launcher_keeper){.fd = ends[0], .pid = pid};
    return 0;
}

static int ask(struct launcher_keeper *keeper, enum keeper_type type, int link_fd,
               struct dc_err *err)
{
    if (link_send(keeper->fd, (uint8_t)type, NULL, 0, &link_fd, 1, err) < 0)
        return dc_context(err, "launcher's keeper");
    return 0;
}

int launcher_keeper_launch(struct launcher_keeper *keeper, int link_fd, struct dc_err *err)
{
    return ask(keeper, KEEPER_LAUNCH, link_fd, err);
}

int launcher_keeper_relay(struct launcher_keeper *keeper, int link_fd, struct dc_err *err)
{
    return ask(keeper, KEEPER_RELAY, link_fd, err);
}

void launcher_keeper_release(struct launcher_keeper *keeper)
{
    if (!keeper || keeper->fd < 0)
        return;
    dc_close_clear(&keeper->fd);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
