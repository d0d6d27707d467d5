#include "sandbox/try_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

#include "base/poison.h"

#ifdef DOCLE_TEST_HOOKS
static long try_unshare(void)
{
    return syscall(SYS_unshare, 0);
}

static long try_execve(void)
{
    char *none[] = {NULL};

    return execve("/nonexistent/program", none, none);
}

static long try_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(0);
    if (pid > 0)
        (void)waitpid((pid_t)pid, NULL, 0);
    return pid;
}

static long try_socket(int family)
{
    DC_AUTO(dc_close) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd;
}

static long try_socket_inet(void)
{
    return try_socket(AF_INET);
}

static long try_socket_unix(void)
{
    return try_socket(AF_UNIX);
}

static long try_executable_memory(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -1;
    return munmap(page, 4096);
}

static long try_open(void)
{
    DC_AUTO(dc_close) int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd;
}

static long try_process_memory(void)
{
    return syscall(SYS_process_vm_readv, getpid(), NULL, 0UL, NULL, 0UL, 0UL);
}

static long try_kcmp(void)
{
    return syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0UL, 0UL);
}

static long try_kill(void)
{
    return kill(getppid(), 0);
}

void try_calls(const char *who)
{
    static const struct {
        const char *name;
        long (*call)(void);
    } calls[] = {
        {"unshare", try_unshare},  {"execve", try_execve},
        {"fork", try_fork},        {"socket", try_socket_inet},
        {"unix", try_socket_unix}, {"executable", try_executable_memory},
        {"open", try_open},        {"memory", try_process_memory},
        {"kcmp", try_kcmp},        {"kill", try_kill},
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        long result = calls[i].call();

        (void)dprintf(STDERR_FILENO, "probe %s %s=%s\n", who, calls[i].name,
                      result < 0 ? strerrorname_np(errno) : "ok");
    }
}
#else
void try_calls(const char *who)
{
    (void)who;
}
#endif
