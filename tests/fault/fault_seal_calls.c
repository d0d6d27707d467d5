/* The system calls by which a run is sealed, through fault.c. The errno of each is one that the
 * self-test at the end of sealing does not take for "refused as it should be". */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_wrap.h"

WRAP(int, mount, const char *from, const char *to, const char *type, unsigned long flags,
     const void *data)
{
    return fails(ENOMEM) ? -1 : __real_mount(from, to, type, flags, data);
}

WRAP(int, mkdir, const char *path, mode_t mode)
{
    return fails(ENOMEM) ? -1 : __real_mkdir(path, mode);
}

WRAP(int, chown, const char *path, uid_t uid, gid_t gid)
{
    return fails(EPERM) ? -1 : __real_chown(path, uid, gid);
}

WRAP(int, chmod, const char *path, mode_t mode)
{
    return fails(EPERM) ? -1 : __real_chmod(path, mode);
}

WRAP(int, chdir, const char *path)
{
    return fails(ENOMEM) ? -1 : __real_chdir(path);
}

WRAP(pid_t, setsid, void)
{
    return fails(EPERM) ? -1 : __real_setsid();
}

WRAP(int, sigprocmask, int how, const sigset_t *set, sigset_t *old)
{
    return fails(EINVAL) ? -1 : __real_sigprocmask(how, set, old);
}

WRAP(int, setns, int fd, int kind)
{
    return fails(ENOMEM) ? -1 : __real_setns(fd, kind);
}

WRAP(int, unshare, int flags)
{
    return fails(ENOSPC) ? -1 : __real_unshare(flags);
}

WRAP(int, setgroups, size_t count, const gid_t *groups)
{
    return fails(ENOMEM) ? -1 : __real_setgroups(count, groups);
}

WRAP(int, setresgid, gid_t real, gid_t effective, gid_t saved)
{
    return fails(EAGAIN) ? -1 : __real_setresgid(real, effective, saved);
}

WRAP(int, setresuid, uid_t real, uid_t effective, uid_t saved)
{
    return fails(EAGAIN) ? -1 : __real_setresuid(real, effective, saved);
}

WRAP(int, setuid, uid_t uid)
{
    return fails(EAGAIN) ? -1 : __real_setuid(uid);
}

WRAP(int, setrlimit64, int resource, const struct rlimit64 *limits)
{
    return fails(EPERM) ? -1 : __real_setrlimit64(resource, limits);
}

WRAP(int, prctl, int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return fails(EPERM) ? -1 : __real_prctl(option, a, b, c, d);
}

WRAP(long, syscall, long number, long a, long b, long c, long d, long e, long f)
{
    return fails(EPERM) ? -1 : __real_syscall(number, a, b, c, d, e, f);
}

WRAP(int, dup2, int from, int to)
{
    return fails(EMFILE) ? -1 : __real_dup2(from, to);
}

WRAP(int, dup3, int from, int to, int flags)
{
    return fails(EMFILE) ? -1 : __real_dup3(from, to, flags);
}

WRAP(int, close_range, unsigned first, unsigned last, int flags)
{
    return fails(ENOMEM) ? -1 : __real_close_range(first, last, flags);
}

WRAP(int, socket, int family, int type, int protocol)
{
    return fails(EMFILE) ? -1 : __real_socket(family, type, protocol);
}
