#include "fault.h"
#include "fault_wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "fault_internal.h"
#include "fault_real.h"

/* Here the names mean the calls themselves. */
#undef malloc
#undef calloc
#undef realloc
#undef reallocarray
#undef strdup
#undef read
#undef write
#undef pthread_create

static atomic_int armed_kind;
static atomic_long countdown; /* calls until the fault; 0 or less: fired */
static atomic_bool fires_on;
static atomic_bool fired;
static atomic_bool paused;
static atomic_long blocks;
static atomic_long calls[FAULT_KINDS];

void fault_arm(enum fault_kind kind, long nth, bool on)
{
    atomic_store(&countdown, nth);
    atomic_store(&fires_on, on);
    atomic_store(&fired, false);
    atomic_store(&armed_kind, (int)kind);
}

bool fault_disarm(void)
{
    atomic_store(&armed_kind, FAULT_NONE);
    return atomic_load(&fired);
}

bool fault_hits(enum fault_kind kind)
{
    long left;

    if (atomic_load(&paused))
        return false;
    atomic_fetch_add(&calls[kind], 1);
    if (atomic_load(&armed_kind) != (int)kind)
        return false;
    left = atomic_fetch_sub(&countdown, 1);
    if (left != 1 && !(left < 1 && atomic_load(&fires_on)))
        return false;
    atomic_store(&fired, true);
    return true;
}

void fault_pause(bool on)
{
    atomic_store(&paused, on);
}

void fault_count_block(long change)
{
    atomic_fetch_add(&blocks, change);
}

/* DOCLE_FAULT=memory:12 arms the program from its start; DOCLE_FAULT_COUNT=FILE receives how many
 * calls of each kind there were, and whether the fault came to pass. */
static const char *const kind_names[FAULT_KINDS] = {
    [FAULT_MEMORY] = "memory",
    [FAULT_SYSTEM] = "system",
    [FAULT_INTERRUPT] = "interrupt",
    [FAULT_SHORT] = "short",
};

__attribute__((constructor)) static void arm_from_environment(void)
{
    const char *text = getenv("DOCLE_FAULT");
    const char *colon = text ? strchr(text, ':') : NULL;

    for (int kind = 1; colon && kind < FAULT_KINDS; kind++) {
        if (strncmp(text, kind_names[kind], (size_t)(colon - text)) == 0)
            fault_arm((enum fault_kind)kind, strtol(colon + 1, NULL, 10), false);
    }
}

__attribute__((destructor)) static void report_counts(void)
{
    const char *name = getenv("DOCLE_FAULT_COUNT");
    bool hit = fault_disarm();
    FILE *file = name ? fopen(name, "w") : NULL;

    if (!file)
        return;
    for (int kind = 1; kind < FAULT_KINDS; kind++)
        (void)fprintf(file, "%s %ld\n", kind_names[kind], atomic_load(&calls[kind]));
    (void)fprintf(file, "fired %d\n", hit);
    (void)fclose(file);
}

static void *counted(void *block)
{
    fault_count_block(block != NULL);
    return block;
}

static bool no_memory(void)
{
    if (!fault_hits(FAULT_MEMORY))
        return false;
    errno = ENOMEM;
    return true;
}

WRAP(void *, malloc, size_t size)
{
    return no_memory() ? NULL : counted(__real_malloc(size));
}

WRAP(void *, calloc, size_t count, size_t size)
{
    return no_memory() ? NULL : counted(__real_calloc(count, size));
}

WRAP(void *, realloc, void *old, size_t size)
{
    void *block = no_memory() ? NULL : __real_realloc(old, size);

    fault_count_block(!old && block);
    return block;
}

WRAP(void *, reallocarray, void *old, size_t count, size_t size)
{
    void *block = no_memory() ? NULL : __real_reallocarray(old, count, size);

    fault_count_block(!old && block);
    return block;
}

WRAP(char *, strdup, const char *text)
{
    return no_memory() ? NULL : counted(__real_strdup(text));
}

WRAP(void, free, void *block)
{
    fault_count_block(block ? -1 : 0);
    __real_free(block);
}

WRAP(int, open64, const char *path, int flags, unsigned mode)
{
    return fails(EMFILE) ? -1 : __real_open64(path, flags, mode);
}

WRAP(int, openat64, int folder, const char *path, int flags, unsigned mode)
{
    return fails(EMFILE) ? -1 : __real_openat64(folder, path, flags, mode);
}

WRAP(ssize_t, read, int fd, void *bytes, size_t length)
{
    return fails(EIO) || interrupted() ? -1 : __real_read(fd, bytes, shortened(length));
}

WRAP(ssize_t, write, int fd, const void *bytes, size_t length)
{
    return fails(ENOSPC) || interrupted() ? -1 : __real_write(fd, bytes, shortened(length));
}

WRAP(ssize_t, pread64, int fd, void *bytes, size_t length, off_t at)
{
    return fails(EIO) ? -1 : __real_pread64(fd, bytes, length, at);
}

WRAP(ssize_t, pwrite64, int fd, const void *bytes, size_t length, off_t at)
{
    return fails(ENOSPC) ? -1 : __real_pwrite64(fd, bytes, length, at);
}

WRAP(int, fstat64, int fd, struct stat64 *st)
{
    return fails(EIO) ? -1 : __real_fstat64(fd, st);
}

WRAP(int, fchmod, int fd, mode_t mode)
{
    return fails(EPERM) ? -1 : __real_fchmod(fd, mode);
}

/* Unlocking cannot fail for a descriptor that holds the lock. */
WRAP(int, flock, int fd, int operation)
{
    if (operation != LOCK_UN && (fails(ENOLCK) || interrupted()))
        return -1;
    return __real_flock(fd, operation);
}

WRAP(int, fcntl64, int fd, int command, long argument)
{
    return fails(EPERM) ? -1 : __real_fcntl64(fd, command, argument);
}

WRAP(off_t, lseek64, int fd, off_t at, int from)
{
    return fails(EIO) ? -1 : __real_lseek64(fd, at, from);
}

WRAP(int, memfd_create, const char *name, unsigned flags)
{
    return fails(EMFILE) ? -1 : __real_memfd_create(name, flags);
}

WRAP(ssize_t, recvmsg, int fd, struct msghdr *message, int flags)
{
    return fails(EIO) || interrupted() ? -1 : __real_recvmsg(fd, message, flags);
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags)
{
    return fails(ENOBUFS) || interrupted() ? -1 : __real_sendmsg(fd, message, flags);
}

WRAP(int, epoll_ctl, int epoll, int operation, int fd, struct epoll_event *event)
{
    return fails(ENOSPC) ? -1 : __real_epoll_ctl(epoll, operation, fd, event);
}

WRAP(int, eventfd, unsigned count, int flags)
{
    return fails(EMFILE) ? -1 : __real_eventfd(count, flags);
}

WRAP(int, mkdirat, int folder, const char *path, mode_t mode)
{
    return fails(ENOSPC) ? -1 : __real_mkdirat(folder, path, mode);
}

WRAP(int, fstatfs64, int fd, struct statfs64 *ret_stat)
{
    return fails(EIO) ? -1 : __real_fstatfs64(fd, ret_stat);
}

WRAP(int, pipe2, int *fds, int flags)
{
    return fails(EMFILE) ? -1 : __real_pipe2(fds, flags);
}

WRAP(int, socketpair, int domain, int type, int protocol, int *fds)
{
    return fails(EMFILE) ? -1 : __real_socketpair(domain, type, protocol, fds);
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
     void *arg)
{
    return fails(EAGAIN) ? EAGAIN : __real_pthread_create(thread, attr, start, arg);
}

long fault_blocks(void)
{
    return atomic_load(&blocks);
}

long fault_calls(enum fault_kind kind)
{
    return atomic_load(&calls[kind]);
}

/* For fault_real.h. */
void *fault_real_malloc(size_t size)
{
    return counted(__real_malloc(size));
}

void *fault_real_calloc(size_t count, size_t size)
{
    return counted(__real_calloc(count, size));
}

void *fault_real_realloc(void *old, size_t size)
{
    void *block = __real_realloc(old, size);

    fault_count_block(!old && block);
    return block;
}

void *fault_real_reallocarray(void *old, size_t count, size_t size)
{
    void *block = __real_reallocarray(old, count, size);

    fault_count_block(!old && block);
    return block;
}

char *fault_real_strdup(const char *text)
{
    return counted(__real_strdup(text));
}

ssize_t fault_real_read(int fd, void *bytes, size_t length)
{
    return __real_read(fd, bytes, length);
}

ssize_t fault_real_write(int fd, const void *bytes, size_t length)
{
    return __real_write(fd, bytes, length);
}

int fault_real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                              void *arg)
{
    return __real_pthread_create(thread, attr, start, arg);
}
