/*
 * Package layers: read-only folders of the API process's making that runs get mounted.
 *
 * How it works: the folder that holds all layers becomes a detached mount (layers_open: read-only,
 * no set-user-id, no devices), which the nursery attaches where only it and the slots' inits see
 * it: in a small tmpfs over its own, otherwise unused /workspace. Zygotes take that off again, so
 * no run ever sees another one's packages. For a run with packages, the init of its slot, root of
 * S, mounts that one layer in the run's mount namespace, while the run is sealed and has no job
 * yet. It works for spares, fresh forks and plain starts alike.
 *
 * What a run gets is an overlay of the layer over an empty folder, for /proc/self/mountinfo would
 * show where on the host a mere bind mount comes from. KERNEL 5.11: where root of S may not mount
 * an overlay, it is a bind mount.
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "launcher/nursery.h"

#include "base/poison.h"

/* Below the nursery's working directory, and as seen after it has entered the sealed root. */
#define PLACE "/workspace"
static const char place_before[] = "rootfs" PLACE;
static const char layers_before[] = "rootfs" PLACE "/layers";
static const char layers_dir[] = PLACE "/layers";

enum { SLOT_PLACE_MAX = sizeof(PLACE) + 16 };

static const unsigned long mount_flags = MS_RDONLY | MS_NOSUID | MS_NODEV;

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
    if (mount("layers", place_before, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "size=64k,mode=0700") < 0 ||
        mkdir(layers_before, 0700) < 0)
        return dc_fail_errno(err, "make a place for package layers");
    return attach(fd, layers_before, err);
}

int layers_hide(struct dc_err *err)
{
    /* EINVAL: nothing is mounted there, there are no layers. */
    if (umount2(PLACE, MNT_DETACH) < 0 && errno != EINVAL)
        return dc_fail_errno(err, "hide the package layers");
    return 0;
}

static void name_slot_place(uint32_t slot, char ret_path[static SLOT_PLACE_MAX])
{
    (void)snprintf(ret_path, SLOT_PLACE_MAX, "%s/slot%u", PLACE, slot);
}

int layers_prepare_slot(const struct nursery_plan *plan, uint32_t slot, struct dc_err *err)
{
    char path[SLOT_PLACE_MAX];

    name_slot_place(slot, path);
    if (plan->options->layers && mkdir(path, 0700) < 0 && errno != EEXIST)
        return dc_fail_errno(err, "make '%s'", path);
    return 0;
}

/* An overlay of the folder where we are over the sealed root's empty /tmp: all that its options
 * show. */
static bool mount_overlay(const char *target)
{
    return mount("packages", target, "overlay", mount_flags, "lowerdir=.:/tmp") == 0;
}

/* Turns the layer's folder into a detached mount, by way of a place that no other slot uses. */
static int make_mount(int dir, uint32_t slot, int *ret_fd, struct dc_err *err)
{
    char path[SLOT_PLACE_MAX];
    int result;

    name_slot_place(slot, path);
    if (fchdir(dir) < 0)
        return dc_fail_errno(err, "enter the layer");
    if (!mount_overlay(path))
        return clone_mount(dir, ret_fd, err);
    *ret_fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    result = *ret_fd < 0 ? dc_fail_errno(err, "open_tree") : 0;
    if (umount2(path, MNT_DETACH) < 0 && result == 0)
        result = dc_fail_errno(err, "unmount '%s'", path);
    return result;
}

static int give_here(int dir, uint32_t slot, int mounts_fd, const char *target, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = -1;

    if (make_mount(dir, slot, &fd, err) < 0)
        return -err->code;
    if (setns(mounts_fd, CLONE_NEWNS) < 0)
        return dc_fail_errno(err, "enter the run's mount namespace");
    return attach(fd, target, err);
}

static int give_by_child(int dir, uint32_t slot, int mounts_fd, const char *target,
                         struct dc_err *err)
{
    struct dc_err theirs;
    size_t length = 0;
    int ends[2];
    pid_t pid;
    int result;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return dc_fail_errno(err, "pipe");
    pid = fork();
    if (pid == 0) { /* it does not come back from the run's mount namespace */
        theirs = (struct dc_err){0};
        dc_ignore(give_here(dir, slot, mounts_fd, target, &theirs)); /* the reader hears of it */
        dc_ignore(dc_write_all(ends[1], &theirs, sizeof(theirs), err));
        _exit(0);
    }
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

/* ret_fd: the layer's folder; ret_target: where the runtime looks for packages. */
static int open_layer(const struct nursery_plan *plan, uint32_t runtime,
                      const uint8_t id[static DC_LAYER_ID_BYTES], int *ret_fd,
                      const char **ret_target, struct dc_err *err)
{
    char hex[2 * DC_LAYER_ID_BYTES + 1];
    char path[sizeof(layers_dir) + sizeof(hex) + 8];

    if (!plan->options->layers || runtime >= plan->options->runtime_count)
        return dc_fail(err, DC_INVALID, 0, "there are no package layers");
    *ret_target = plan->options->runtimes[runtime].packages_dir;
    if (!*ret_target)
        return dc_fail(err, DC_INVALID, 0, "the sealed root has no place for packages");
    dc_hex(id, DC_LAYER_ID_BYTES, hex);
    (void)snprintf(path, sizeof(path), "%s/%s/tree", layers_dir, hex);
    *ret_fd = open_directory(path, RESOLVE_NO_SYMLINKS, err);
    if (*ret_fd < 0)
        return dc_context(err, "layer %s", hex);
    return 0;
}

int layers_give(const struct nursery_plan *plan, uint32_t slot, const struct init_mount *wish,
                int mounts_fd, struct dc_err *err)
{
    DC_AUTO(dc_close) int dir = -1;
    const char *target;

    if (open_layer(plan, wish->runtime, wish->layer, &dir, &target, err) < 0)
        return -err->code;
    return give_by_child(dir, slot, mounts_fd, target, err);
}

int layers_take(const struct nursery_plan *plan, const struct nursery_zygote *wish,
                struct dc_err *err)
{
    DC_AUTO(dc_close) int dir = -1;
    DC_AUTO(dc_close) int fd = -1;
    const char *target;

    if (open_layer(plan, wish->runtime, wish->layer, &dir, &target, err) < 0)
        return -err->code;
    if (fchdir(dir) < 0)
        return dc_fail_errno(err, "enter the layer");
    if (!mount_overlay(target) && (clone_mount(dir, &fd, err) < 0 || attach(fd, target, err) < 0))
        return -err->code;
    if (chdir("/") < 0)
        return dc_fail_errno(err, "leave the layer");
    return 0;
}
