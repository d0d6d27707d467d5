/*
 * The artifact collector: after a run has ended and everything of it is dead, reads the files that
 * match the job's globs out of its workspace and writes them as the stream of proto/artifact.h.
 *
 * SECURITY: what the run left on its file system is hostile. The collector is a process of its own
 * with the run's uid, no capability and the run's seccomp filter; it opens relative to the
 * workspace only, follows no link, and the reader checks the stream again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "launcher/nursery.h"
#include "proto/artifact.h"
#include "proto/job.h"
#include "sandbox/seal.h"

#include "base/poison.h"

enum { DEPTH_MAX = 16, ENTRIES_MAX = 100000 };

struct collector {
    int out_fd;
    size_t glob_count;
    char globs[DC_ARTIFACT_GLOBS_MAX][DC_PATH_MAX_BYTES + 1];
    size_t entries;
    size_t files;
    size_t bytes;
    bool truncated;
    char path[DC_PATH_MAX_BYTES + 1];
};

static struct collector collector;

static void load_globs(int job_fd)
{
    struct stat stat;
    struct job_record record;
    struct dc_err err;
    size_t at = 0;
    const char *job;

    if (fstat(job_fd, &stat) < 0 || stat.st_size <= 0)
        return;
    job = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, job_fd, 0);
    if (job == MAP_FAILED)
        return;
    while (job_next(job, (size_t)stat.st_size, &at, &record, &err) > 0) {
        if (record.kind != JOB_ARTIFACT || record.length > DC_PATH_MAX_BYTES ||
            collector.glob_count == DC_ARTIFACT_GLOBS_MAX)
            continue;
        memcpy(collector.globs[collector.glob_count++], record.bytes, record.length);
    }
}

/* "*" stays within a directory; a glob with "**" matches across directories. */
static bool wanted(const char *path)
{
    for (size_t i = 0; i < collector.glob_count; i++) {
        const char *glob = collector.globs[i];
        int flags = FNM_PERIOD | (strstr(glob, "**") ? 0 : FNM_PATHNAME);

        if (fnmatch(glob, path, flags) == 0)
            return true;
    }
    return false;
}

static void send_head(size_t path_length, size_t content_length, uint16_t flags)
{
    struct artifact_head head = {(uint16_t)path_length, flags, (uint32_t)content_length};
    struct dc_err err;

    if (dc_write_all(collector.out_fd, &head, sizeof(head), &err) < 0)
        _exit(0); /* the reader has had enough */
}

static void send_file(int dir_fd, const char *name)
{
    DC_AUTO(dc_close) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat stat;
    size_t path_length = strlen(collector.path);
    char chunk[16384];
    size_t left;
    struct dc_err err;

    if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
        return;
    if (collector.files == DC_ARTIFACTS_MAX ||
        (uint64_t)stat.st_size > DC_ARTIFACTS_MAX_BYTES - collector.bytes) {
        collector.truncated = true;
        return;
    }
    collector.files++;
    collector.bytes += (size_t)stat.st_size;
    send_head(path_length, (size_t)stat.st_size, 0);
    if (dc_write_all(collector.out_fd, collector.path, path_length, &err) < 0)
        _exit(0);
    for (left = (size_t)stat.st_size; left;) {
        ssize_t n = read(fd, chunk, left < sizeof(chunk) ? left : sizeof(chunk));

        if (n <= 0 || dc_write_all(collector.out_fd, chunk, (size_t)n, &err) < 0)
            _exit(0); /* nobody writes any more, so this is an I/O error: the stream ends short */
        left -= (size_t)n;
    }
}

static void walk(int dir_fd, size_t path_length, unsigned depth)
{
    DIR *dir = fdopendir(dir_fd);

    if (!dir) {
        dc_close(dir_fd);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        size_t n = strlen(entry->d_name);
        size_t start = path_length ? path_length + 1 : 0;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (++collector.entries > ENTRIES_MAX || start + n > DC_PATH_MAX_BYTES) {
            collector.truncated = true;
            continue;
        }
        if (path_length)
            collector.path[path_length] = '/';
        memcpy(collector.path + start, entry->d_name, n + 1);
        if (entry->d_type == DT_DIR && depth < DEPTH_MAX) {
            int child =
                openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (child >= 0)
                walk(child, start + n, depth + 1);
        } else if (entry->d_type == DT_REG && wanted(collector.path)) {
            send_file(dirfd(dir), entry->d_name);
        }
        collector.path[path_length] = '\0';
    }
    (void)closedir(dir);
}

static int seal(uid_t uid, int filter_fd, struct dc_err *err)
{
    if (seal_identity(uid, err) < 0 || seal_capabilities(err) < 0)
        return -err->code;
    return seal_seccomp_fd(filter_fd, err);
}

_Noreturn void collector_main(int workspace_fd, int job_fd, int out_fd, uid_t uid, int filter_fd)
{
    struct dc_err err;

    collector.out_fd = out_fd;
    if (seal(uid, filter_fd, &err) < 0)
        _exit(1);
    load_globs(job_fd);
    walk(workspace_fd, 0, 0);
    if (collector.truncated)
        send_head(0, 0, ARTIFACT_TRUNCATED);
    _exit(0);
}
