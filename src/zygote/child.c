#include "zygote/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "proto/job.h"
#include "proto/link.h"
#include "sandbox/seal.h"

#include "base/poison.h"

enum {
    OPEN_FILES_MAX = 1024,
    INODES_BASE = 1024,
    INODES_PER_MB = 256,
};

/* The run's file system has a size of its own, and memfds are charged to its memory; this bounds
 * what a sparse file pretends to be. Above both limits at their largest, so that those answer
 * first. */
#define FILE_MAX_BYTES (UINT64_C(4) << 30)

/* The socket to the launcher of a child that has been told to prepare; -1 in others. */
static int preparing_fd = -1;

static bool without(const struct child_plan *plan, enum seal_without what)
{
    return seal_is_without(plan->config.without, what);
}

/* --- sealing --------------------------------------------------------------------------------- */

/* SECURITY: before anything is allocated, so that the run pays for what it dirties. The opener of
 * the descriptors is the launcher, whose rights count (cgroups(7)). */
static int join_cgroups(const struct child_plan *plan, struct dc_err *err)
{
    for (uint32_t i = 0; i < plan->spawn.cgroup_count; i++)
        if (write(plan->cgroup_fds[i], "0", 1) != 1)
            return dc_fail_errno(err, "join control group %u", i);
    return 0;
}

/* As root of S: everything made here is owned by S, so the run never has a capability over it. */
static int enter_namespaces(const struct child_plan *plan, struct dc_err *err)
{
    uint64_t disk_bytes = (uint64_t)plan->spawn.disk_mb << 20;
    uint32_t inodes = INODES_BASE + INODES_PER_MB * plan->spawn.disk_mb;
    int spaces = CLONE_NEWNS | CLONE_NEWUTS;

    if (!without(plan, WITHOUT_NETNS) && setns(plan->netns_fd, CLONE_NEWNET) < 0)
        return dc_fail_errno(err, "enter the network namespace");
    if (!without(plan, WITHOUT_IPCNS))
        spaces |= CLONE_NEWIPC;
    if (!without(plan, WITHOUT_CGROUPNS))
        spaces |= CLONE_NEWCGROUP;
    if (unshare(spaces) < 0)
        return dc_fail_errno(err, "unshare namespaces");
    if (without(plan, WITHOUT_DISK))
        disk_bytes = inodes = 0; /* tmpfs takes it for no limit */
    if (seal_mounts(disk_bytes, inodes, plan->spawn.uid, err) < 0)
        return -err->code;
    if (without(plan, WITHOUT_MOUNTS) &&
        (umount2("/tmp", MNT_DETACH) < 0 || umount2("/dev/shm", MNT_DETACH) < 0 ||
         umount2("/proc", MNT_DETACH) < 0))
        return dc_fail_errno(err, "uncover what all runs share");
    return 0;
}

static int drop_rights(const struct child_plan *plan, struct dc_err *err)
{
    struct seal_rlimits limits = {
        .file_bytes = FILE_MAX_BYTES,
        .open_files = OPEN_FILES_MAX,
    };

    if (!without(plan, WITHOUT_USERNS) && seal_identity(plan->spawn.uid, err) < 0)
        return -err->code;
    if (!without(plan, WITHOUT_RLIMITS) && seal_rlimits(&limits, err) < 0)
        return -err->code;
    if (!without(plan, WITHOUT_CAPS) && seal_capabilities(err) < 0)
        return -err->code;
    return 0;
}

/* Last: from here on only what the filters let through works. */
static int apply_filters(const struct child_plan *plan, struct dc_err *err)
{
    if (!without(plan, WITHOUT_LANDLOCK) && plan->config.landlock && seal_landlock(err) < 0)
        return -err->code;
    if (without(plan, WITHOUT_SECCOMP))
        return 0;
    if (seal_seccomp(plan->filter, plan->filter_bytes, err) < 0)
        return -err->code;
    return plan->config.without ? 0 : seal_selftest(err);
}

static int open_place(const char *path, int *ret_fd, struct dc_err *err)
{
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*ret_fd < 0)
        return dc_fail_errno(err, "open '%s'", path);
    return 0;
}

/* ret_fds: what CHILD_READY hands over. The launcher's init mounts packages through the mount
 * namespace, until the job is given; the descriptor is closed before. */
static int seal(const struct child_plan *plan, int ret_fds[static CHILD_READY_FDS],
                struct dc_err *err)
{
    const struct zygote_hooks *hooks = plan->hooks;
    int keep[1 + CHILD_READY_FDS] = {plan->socket_fd, -1, -1};

    if (!without(plan, WITHOUT_CGROUP) && join_cgroups(plan, err) < 0)
        return -err->code;
    prefault_apply(plan->prefault);
    if (hooks->after_fork_child)
        hooks->after_fork_child(hooks->context);
    if (seal_process_state(err) < 0 || enter_namespaces(plan, err) < 0)
        return -err->code;
    if (chdir("/workspace") < 0)
        return dc_fail_errno(err, "enter the workspace");
    if (open_place(".", &ret_fds[READY_FD_WORKSPACE], err) < 0 ||
        open_place("/proc/self/ns/mnt", &ret_fds[READY_FD_MOUNTS], err) < 0)
        return -err->code;
    memcpy(&keep[1], ret_fds, CHILD_READY_FDS * sizeof(keep[1]));
    if (!without(plan, WITHOUT_FD_SCRUB) &&
        fd_list_scrub(plan->inherited, keep, 1 + CHILD_READY_FDS, err) < 0)
        return -err->code;
    if (drop_rights(plan, err) < 0 || apply_filters(plan, err) < 0)
        return -err->code;
    if (hooks->remake && hooks->remake(hooks->context) < 0)
        return dc_fail(err, DC_BUG, 0, "the runtime's event loop could not be made anew");
    if (!without(plan, WITHOUT_RESEED) && hooks->reseed && hooks->reseed(hooks->context) < 0)
        return dc_fail(err, DC_BUG, 0, "the runtime could not be reseeded");
    return 0;
}

/* --- the job --------------------------------------------------------------------------------- */

/* Makes the directories above path, then the file. Nothing but these files is there yet, so no link
 * of anyone's can be followed. */
static int write_file(const struct job_file *file, struct dc_err *err)
{
    char path[DC_PATH_MAX_BYTES + 1];
    DC_AUTO(dc_close) int fd = -1;

    if (!job_path_valid(file->path, file->path_length))
        return dc_fail(err, DC_INVALID, 0, "bad path in the job");
    memcpy(path, file->path, file->path_length);
    path[file->path_length] = '\0';
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return dc_fail_errno(err, "make directory '%s'", path);
        *slash = '/';
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return dc_fail_errno(err, "make file '%s'", path);
    if (dc_write_all(fd, file->content, file->content_length, err) < 0)
        return dc_context(err, "file '%s'", path);
    return 0;
}

struct counts {
    size_t args;
    size_t env;
    size_t text_bytes; /* of all strings, with their NULs */
};

/* Walks the job; with run NULL it only counts. Strings are copied into text. */
static int walk_job(const char *job, size_t length, struct counts *counts, struct zygote_run *run,
                    char *text, struct dc_err *err)
{
    size_t at = 0;
    struct job_record record;
    struct job_file file;
    int more;

    *counts = (struct counts){0};
    while ((more = job_next(job, length, &at, &record, err)) > 0) {
        char *copy = run ? text + counts->text_bytes : NULL;

        switch (record.kind) {
        case JOB_ENTRYPOINT:
        case JOB_ARG:
        case JOB_ENV:
            if (copy) {
                memcpy(copy, record.bytes, record.length);
                copy[record.length] = '\0';
            }
            counts->text_bytes += record.length + 1;
            if (record.kind == JOB_ARG && run)
                run->args[counts->args] = copy;
            if (record.kind == JOB_ENV && run)
                run->env[counts->env] = copy;
            if (record.kind == JOB_ENTRYPOINT && run)
                run->entrypoint = copy;
            counts->args += record.kind == JOB_ARG;
            counts->env += record.kind == JOB_ENV;
            break;
        case JOB_FILE:
            if (run && (job_file_split(&record, &file, err) < 0 || write_file(&file, err) < 0))
                return -err->code;
            break;
        case JOB_FLAGS:
            if (run && record.length == sizeof(run->flags))
                memcpy(&run->flags, record.bytes, sizeof(run->flags));
            break;
        case JOB_ARTIFACT:
        case JOB_END:
            break;
        }
    }
    return more;
}

static int prepare(const char *job, size_t length, struct zygote_run *run, struct dc_err *err)
{
    struct counts counts;
    char *text;

    if (walk_job(job, length, &counts, NULL, NULL, err) < 0)
        return -err->code;
    text = malloc(counts.text_bytes + 1);
    run->args = calloc(counts.args + 1, sizeof(char *));
    run->env = calloc(counts.env + 1, sizeof(char *));
    if (!text || !run->args || !run->env)
        return dc_fail(err, DC_KERNEL, ENOMEM, "job strings");
    if (walk_job(job, length, &counts, run, text, err) < 0)
        return -err->code;
    run->argc = counts.args;
    run->envc = counts.env;
    if (!run->entrypoint)
        return dc_fail(err, DC_INVALID, 0, "job without an entry point");
    return 0;
}

/* Reads the job's memfd into memory of its own, so that no run keeps an open file of the server. */
static int load_job(int fd, struct zygote_run *run, struct dc_err *err)
{
    struct stat stat;
    void *job;
    int result;

    if (fstat(fd, &stat) < 0 || stat.st_size <= 0)
        return dc_fail_errno(err, "job of no size");
    job = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (job == MAP_FAILED)
        return dc_fail_errno(err, "map the job");
    result = prepare(job, (size_t)stat.st_size, run, err);
    (void)munmap(job, (size_t)stat.st_size);
    return result;
}

static int take_stdio(struct link_message *message, struct dc_err *err)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (dup2(message->fds[JOB_FD_STDIN + fd], fd) < 0)
            return dc_fail_errno(err, "standard stream %d", fd);
    return 0;
}

/* A full disk while writing the caller's own files is the caller's: said on his standard error. */
_Noreturn static void end_for_lack_of_space(void)
{
    static const char text[] = "docle: the program's files do not fit into the disk limit; raise "
                               "policy.diskMB or send fewer bytes\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)ignored;
    _exit(1);
}

/* What packages write when they are imported would be missing from the run. It goes to a file that
 * resume() looks at. */
static int catch_output(struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = memfd_create("output", MFD_CLOEXEC);

    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        return dc_fail_errno(err, "catch the output of imports");
    return 0;
}

static int begin_preparing(int socket_fd, struct link_message *message, struct zygote_run *run,
                           struct dc_err *err)
{
    int result;

    if (!link_message_is(message, 0, 1))
        return dc_fail(err, DC_BUG, 0, "malformed order to prepare");
    *run = (struct zygote_run){.preparing = true};
    result = load_job(message->fds[0], run, err);
    link_message_release(message);
    preparing_fd = socket_fd;
    return result == 0 ? catch_output(err) : result;
}

static int await_job(int socket_fd, struct zygote_run *run, struct dc_err *err)
{
    struct link_message message;
    struct child_job body;
    int result;

    if (link_receive(socket_fd, &message, err) < 0)
        _exit(0); /* a spare that is not wanted any more */
    if (message.header.type == CHILD_PREPARE && preparing_fd < 0)
        return begin_preparing(socket_fd, &message, run, err);
    if (message.header.type != CHILD_JOB || !link_message_is(&message, sizeof(body), CHILD_JOB_FDS))
        return dc_fail(err, DC_BUG, 0, "unexpected message %u", message.header.type);
    memcpy(&body, message.body, sizeof(body));
    *run = (struct zygote_run){.memory_mb = body.memory_mb};
    if (take_stdio(&message, err) < 0)
        return -err->code;
    result = load_job(message.fds[JOB_FD_JOB], run, err);
    link_message_release(&message);
    if (result < 0 && (err->errnum == ENOSPC || err->errnum == EFBIG))
        end_for_lack_of_space();
    return result;
}

_Noreturn static void tell_failure(int socket_fd, const struct dc_err *err)
{
    struct dc_err ignored;

    dc_ignore(link_send(socket_fd, CHILD_FAILED, err, sizeof(*err), NULL, 0, &ignored));
    _exit(125);
}

int zygote_resume(struct zygote_run *ret_run, struct dc_err *err)
{
    struct stat said;

    if (preparing_fd < 0)
        return dc_fail(err, DC_BUG, 0, "there was nothing to prepare");
    if (fstat(STDOUT_FILENO, &said) < 0 || said.st_size > 0)
        _exit(1);
    if (link_send(preparing_fd, CHILD_PREPARED, NULL, 0, NULL, 0, err) < 0 ||
        await_job(preparing_fd, ret_run, err) < 0)
        tell_failure(preparing_fd, err);
    dc_close_clear(&preparing_fd);
    return 0;
}

void child_become_run(const struct child_plan *plan, struct zygote_run *ret_run)
{
    struct dc_err err = {0};
    int fds[CHILD_READY_FDS] = {-1, -1};
    int result = seal(plan, fds, &err);

    if (result == 0)
        result = link_send(plan->socket_fd, CHILD_READY, NULL, 0, fds, CHILD_READY_FDS, &err);
    for (size_t i = 0; i < CHILD_READY_FDS; i++)
        dc_close(fds[i]);
    if (result == 0)
        result = await_job(plan->socket_fd, ret_run, &err);
    if (result < 0)
        tell_failure(plan->socket_fd, &err);
    if (!ret_run->preparing)
        dc_close(plan->socket_fd);
}
