#include "sandbox/cgroup_group.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"

#include "base/poison.h"

static ssize_t read_text(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);

    out[n > 0 ? n : 0] = '\0';
    return n;
}

uint64_t group_value(int fd, const char *key)
{
    char text[1024];
    const char *at = text;

    if (fd < 0 || read_text(fd, text, sizeof(text)) <= 0)
        return 0;
    if (key) {
        size_t length = strlen(key);

        for (at = text; at; at = strchr(at, '\n')) {
            if (*at == '\n')
                at++;
            if (strncmp(at, key, length) == 0 && at[length] == ' ')
                break;
        }
        if (!at)
            return 0;
        at += length + 1;
    }
    return strtoull(at, NULL, 10);
}

int group_write(int dir_fd, const char *file, uint64_t value, struct dc_err *err)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return dc_write_file_at(dir_fd, file, text, err);
}

int group_open_file(int dir_fd, const char *name, int flags)
{
    return dir_fd < 0 ? -1 : openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

ssize_t group_members(int dir_fd, char *out, size_t size)
{
    DC_AUTO(dc_close) int fd = group_open_file(dir_fd, "cgroup.procs", O_RDONLY);

    return fd < 0 ? -1 : read_text(fd, out, size);
}

static void kill_members(int dir_fd)
{
    char text[16384];
    char *at = text;

    if (group_members(dir_fd, text, sizeof(text)) <= 0)
        return;
    while (*at) {
        long pid = strtol(at, &at, 10);

        if (pid > 1)
            (void)kill((pid_t)pid, SIGKILL);
        while (*at && !isdigit((unsigned char)*at))
            at++;
    }
}

void group_remove(int parent_fd, const char *name)
{
    DC_AUTO(dc_close) int dir = openat(parent_fd, name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct dc_err ignored;

    if (dir < 0)
        return;
    for (int tries = 0; tries < 200; tries++) {
        if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == EACCES ||
            errno == EPERM)
            return; /* gone, or not ours to remove: waiting changes nothing */
        if (dc_write_file_at(dir, "cgroup.kill", "1", &ignored) < 0)
            kill_members(dir);
        (void)poll(NULL, 0, 5);
    }
}
