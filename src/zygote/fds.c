#include "zygote/fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "zygote/zygote.h"

#include "base/poison.h"

int fd_list_read(struct fd_list *list, struct dc_err *err)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    list->count = 0;
    if (!dir)
        return dc_fail_errno(err, "open /proc/self/fd");
    while ((entry = readdir(dir))) {
        int fd = (int)strtol(entry->d_name, NULL, 10);

        if (entry->d_name[0] == '.' || fd <= STDERR_FILENO || fd == dirfd(dir) ||
            fd == ZYGOTE_CONTROL_FD)
            continue;
        if (list->count == FD_LIST_MAX) {
            (void)closedir(dir);
            return dc_fail(err, DC_LIMIT, 0, "more than %d descriptors open", FD_LIST_MAX);
        }
        list->fds[list->count++] = fd;
    }
    (void)closedir(dir);
    return 0;
}

static bool contains(const int *fds, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] == fd)
            return true;
    return false;
}

/* Closes [from, to] but the kept ones. */
static int close_between(int from, int to, const int *keep, size_t keep_count,
                         const struct fd_list *list, struct dc_err *err)
{
    int start = from;

    for (int fd = from; fd <= to; fd++) {
        if (!contains(keep, keep_count, fd) && !contains(list->fds, list->count, fd))
            continue;
        if (fd > start && close_range((unsigned)start, (unsigned)fd - 1, 0) < 0)
            return dc_fail_errno(err, "close_range");
        start = fd + 1;
    }
    if (close_range((unsigned)start, ~0u, 0) < 0)
        return dc_fail_errno(err, "close_range");
    return 0;
}

int fd_list_scrub(const struct fd_list *list, const int *keep, size_t keep_count,
                  struct dc_err *err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int top = STDERR_FILENO;

    if (null < 0)
        return dc_fail_errno(err, "open /dev/null");
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (null != fd && dup2(null, fd) < 0)
            return dc_fail_errno(err, "dup2 to %d", fd);
    for (size_t i = 0; i < list->count; i++) {
        int fd = list->fds[i];

        top = fd > top ? fd : top;
        if (fd != null && !contains(keep, keep_count, fd) && dup3(null, fd, O_CLOEXEC) < 0)
            return dc_fail_errno(err, "dup3 to %d", fd);
    }
    for (size_t i = 0; i < keep_count; i++)
        top = keep[i] > top ? keep[i] : top;
    return close_between(STDERR_FILENO + 1, top, keep, keep_count, list, err);
}
