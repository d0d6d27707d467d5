#include "runs/launcher_keeper.h"

#include <errno.h>
#include <fcntl.h>
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

enum keeper_type { KEEPER_LAUNCH = 1 /* one descriptor: the launcher's end of its link */ };

/* Between fork and exec: only what a just forked, single-threaded process may do. */
static _Noreturn void become_launcher(const char *path, char **argv, int link_fd, pid_t keeper)
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
    (void)execv(path, argv);
    dc_ignore(dc_fail(&err, DC_KERNEL, errno, "start '%s'", path)); /* filled to be logged */
    dc_log_err(DC_LOG_ERROR, NULL, &err, "the launcher cannot be started");
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

static void reap_if_gone(pid_t *pid)
{
    int status;

    if (*pid <= 0 || waitpid(*pid, &status, WNOHANG) != *pid)
        return;
    *pid = -1;
    if (WIFSIGNALED(status))
        dc_log(DC_LOG_ERROR, "the launcher was ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        dc_log(DC_LOG_ERROR, "the launcher exited with %d", WEXITSTATUS(status));
}

/* Waits for a message or for the launcher's end. SIGCHLD is blocked but here, so none is missed. */
static bool wait_for_message(int fd, pid_t *child)
{
    struct pollfd poll = {.fd = fd, .events = POLLIN};
    sigset_t open;

    (void)sigemptyset(&open);
    for (;;) {
        int n = ppoll(&poll, 1, NULL, &open);

        reap_if_gone(child);
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

static _Noreturn void serve(int fd, const char *path, char **argv)
{
    struct link_message message;
    struct dc_err err;
    pid_t self = getpid();
    pid_t child = -1;

    while (wait_for_message(fd, &child)) {
        if (link_receive(fd, &message, &err) < 0)
            break; /* the server is gone */
        if (message.header.type != KEEPER_LAUNCH || !link_message_is(&message, 0, 1))
            break;
        end_child(&child);
        child = fork();
        if (child == 0)
            become_launcher(path, argv, message.fds[0], self);
        if (child < 0)
            dc_log(DC_LOG_ERROR, "fork for the launcher: %s", strerror(errno));
        link_message_release(&message);
    }
    /* The launcher sees its link close, kills what runs and leaves; give it the time for that. */
    for (int i = 0; i < 500 && child > 0; i++) {
        struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

        reap_if_gone(&child);
        (void)nanosleep(&pause, NULL);
    }
    end_child(&child);
    _exit(0);
}

/* The child keeps the standard streams and its link. */
static _Noreturn void keep(int fd, const char *path, char **argv)
{
    struct sigaction wake = {.sa_handler = on_child};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t blocked;

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
    serve(LAUNCHER_LINK_FD, path, argv);
}

int launcher_keeper_start(const struct launcher_options *options,
                          struct launcher_keeper *ret_keeper, struct dc_err *err)
{
    char found[1024];
    const char *path = options->path;
    DC_AUTO(dc_free) char **argv = NULL;
    int ends[2];
    pid_t pid;

    if (!path && launcher_find(found, sizeof(found), err) < 0)
        return -err->code;
    if (!path)
        path = found;
    if (access(path, X_OK) < 0)
        return dc_fail(err, dc_code_from_errno(errno), errno, "launcher '%s'", path);
    if (launcher_argv(options, &argv, err) < 0 || link_pair(ends, err) < 0)
        return -err->code;
    pid = fork();
    if (pid == 0)
        keep(ends[1], path, argv);
    dc_close(ends[1]);
    if (pid < 0) {
        dc_close(ends[0]);
        return dc_fail_errno(err, "fork the launcher's keeper");
    }
    *ret_keeper = (struct launcher_keeper){.fd = ends[0], .pid = pid};
    return 0;
}

int launcher_keeper_launch(struct launcher_keeper *keeper, int link_fd, struct dc_err *err)
{
    if (link_send(keeper->fd, KEEPER_LAUNCH, NULL, 0, &link_fd, 1, err) < 0)
        return dc_context(err, "launcher's keeper");
    return 0;
}

void launcher_keeper_release(struct launcher_keeper *keeper)
{
    if (!keeper || keeper->fd < 0)
        return;
    dc_close_clear(&keeper->fd);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
