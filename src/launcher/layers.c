/*
 * Package layers: read-only folders of the API process's making that runs get mounted.
 *
 * How it works: the folder that holds all layers becomes a detached mount (layers_open: read-only,
 * no set-user-id, no devices), which the nursery attaches where only it and the slots' inits see
 * it: over its own, otherwise unused /workspace. Zygotes take it off again, so no run ever sees
 * another one's packages. For a run with packages, the init of its slot, root of S, takes a copy of
 * the mount of that one layer and attaches it in the run's mount namespace, while the run is sealed
 * and has no job yet. It works for spares, fresh forks and plain starts alike.
 *
 * SECURITY: the folder is the API process's, which counts as hostile: it may put links and device
 * files there. Names below it are ours (hex digits, then "tree"), links are not followed, and what
 * is mounted can be no more than a part of that one file system, read-only, without devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "launcher/nursery.h"

#include "base/poison.h"

/* Below the nursery's working directory, and as seen after it has entered the sealed root. */
static const char place_before[] = "rootfs/workspace";
static const char place[] = "/workspace";

/* Opens a directory without following a link on the last step. */
static int open_directory(const char *path, uint64_t resolve, struct dc_err *err)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
                           .resolve = resolve};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

    if (fd < 0)
        return dc_fail_errno(err, "open '%s'", path);
    return fd;
}

static int clone_mount(int fd, int *ret_fd, struct dc_err *err)
{
    *ret_fd =
        (int)syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (*ret_fd < 0)
        return dc_fail_errno(err, "open_tree");
    return 0;
}

int layers_open(const char *path, int *ret_fd, struct dc_err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    DC_AUTO(dc_close) int dir = open_directory(path, 0, err);
    DC_AUTO(dc_close) int fd = -1;

    if (dir < 0)
        return dc_context(err, "package layers");
    if (clone_mount(dir, &fd, err) < 0)
        return dc_context(err, "package layers");
    if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return dc_fail_errno(err, "package layers: make the mount read-only");
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

static int attach(int fd, const char *target, struct dc_err *err)
{
    if (syscall(SYS_move_mount, fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return dc_fail_errno(err, "mount packages at '%s'", target);
    return 0;
}

int layers_mount(const struct nursery_plan *plan, struct dc_err *err)
{
    DC_AUTO(dc_close) int own = -1;
    int fd = plan->layers_fd;

    if (!plan->options->layers)
        return 0;
    if (fd < 0) {
        if (layers_open(plan->options->layers, &own, err) < 0)
            return -err->code;
        fd = own;
    }
    return attach(fd, place_before, err);
}

int layers_hide(struct dc_err *err)
{
    /* EINVAL: nothing is mounted there, there are no layers. */
    if (umount2(place, MNT_DETACH) < 0 && errno != EINVAL)
        return dc_fail_errno(err, "hide the package layers");
    return 0;
}

/* In a process of its own: it does not come back from the run's mount namespace. */
_Noreturn static void give(int layer_fd, int mounts_fd, const char *target, int error_fd)
{
    struct dc_err err = {0};

    if (setns(mounts_fd, CLONE_NEWNS) < 0)
        dc_ignore(dc_fail_errno(&err, "enter the run's mount namespace"));
    else
        dc_ignore(attach(layer_fd, target, &err));
    dc_ignore(dc_write_all(error_fd, &err, sizeof(err), &err)); /* else the reader sees the end */
    _exit(0);
}

static int give_by_child(int layer_fd, int mounts_fd, const char *target, struct dc_err *err)
{
    struct dc_err theirs;
    size_t length = 0;
    int ends[2];
    pid_t pid;
    int result;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return dc_fail_errno(err, "pipe");
    pid = fork();
    if (pid == 0)
        give(layer_fd, mounts_fd, target, ends[1]);
    dc_close(ends[1]);
    result = pid < 0 ? dc_fail_errno(err, "fork") : 0;
    if (result == 0)
        result = dc_read_full(ends[0], &theirs, sizeof(theirs), &length, err);
    dc_close(ends[0]);
    if (result == 0 && length != sizeof(theirs))
        return dc_fail(err, DC_BUG, 0, "mounting packages ended without a word");
    if (result == 0 && theirs.code) {
        *err = theirs;
        return -err->code;
    }
    return result;
}

/* ret_fd: a detached mount of the layer; ret_target: where the runtime looks for packages. */
static int open_layer(const struct nursery_plan *plan, uint32_t runtime,
                      const uint8_t id[static DC_LAYER_ID_BYTES], int *ret_fd,
                      const char **ret_target, struct dc_err *err)
{
    char hex[2 * DC_LAYER_ID_BYTES + 1];
    char path[sizeof(place) + sizeof(hex) + 8];
    DC_AUTO(dc_close) int dir = -1;

    if (!plan->options->layers || runtime >= plan->options->runtime_count)
        return dc_fail(err, DC_INVALID, 0, "there are no package layers");
    *ret_target = plan->options->runtimes[runtime].packages_dir;
    if (!*ret_target)
        return dc_fail(err, DC_INVALID, 0, "the sealed root has no place for packages");
    dc_hex(id, DC_LAYER_ID_BYTES, hex);
    (void)snprintf(path, sizeof(path), "%s/%s/tree", place, hex);
    dir = open_directory(path, RESOLVE_NO_SYMLINKS, err);
    if (dir < 0 || clone_mount(dir, ret_fd, err) < 0)
        return dc_context(err, "layer %s", hex);
    return 0;
}

int layers_give(const struct nursery_plan *plan, const struct init_mount *wish, int mounts_fd,
                struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = -1;
    const char *target;

    if (open_layer(plan, wish->runtime, wish->layer, &fd, &target, err) < 0)
        return -err->code;
    return give_by_child(fd, mounts_fd, target, err);
}

int layers_take(const struct nursery_plan *plan, const struct nursery_zygote *wish,
                struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = -1;
    const char *target;

    if (open_layer(plan, wish->runtime, wish->layer, &fd, &target, err) < 0)
        return -err->code;
    return attach(fd, target, err);
}
