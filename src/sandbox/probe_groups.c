#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "sandbox/cgroup_find.h"
#include "sandbox/probe_internal.h"

#include "base/poison.h"

static const char *const controller_names[] = {
    [CG_MEMORY] = "memory", [CG_PIDS] = "pids", [CG_CPUACCT] = "cpuacct", [CG_CPU] = "cpu"};

/* The group that ours go into: our own, or its parent when a launcher moved us (cgroup_tree.c). */
static void parent_group(const struct cgroup_place *place, char *out, size_t size)
{
    char *slash;

    (void)snprintf(out, size, "%s", place->dir);
    slash = strrchr(out, '/');
    if (slash && slash != out && strcmp(slash + 1, "supervisor") == 0)
        *slash = '\0';
}

/* 0, or why no group can be made in dir. */
static int try_group(const char *dir)
{
    char path[600];
    int result;

    (void)snprintf(path, sizeof(path), "%s/docle-probe.%d", dir, (int)getpid());
    result = mkdir(path, 0755) < 0 ? errno : 0;
    if (result == 0)
        (void)rmdir(path);
    return result;
}

static bool file_has_word(const char *dir, const char *file, const char *word)
{
    char path[600];
    char text[512];
    char padded[520];
    char wanted[40];
    struct dc_err ignored;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    if (dc_read_file_at(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(padded, sizeof(padded), " %s ", text);
    (void)snprintf(wanted, sizeof(wanted), " %s ", word);
    return strstr(padded, wanted) != NULL;
}

/* Can the controller be handed down in this v2 group? */
static int try_controller(const char *dir, const char *name)
{
    char path[600];

    if (!file_has_word(dir, "cgroup.controllers", name))
        return ENODEV;
    (void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
    if (access(path, W_OK) < 0)
        return errno;
    return try_group(dir);
}

static const char *group_remedy(const struct probe_report *report, enum cgroup_part part, int error)
{
    if (report->cgroup_version == 2)
        return report->rootless
                   ? "start it in a group that is yours: systemd-run --user --scope -p "
                     "Delegate=yes docle serve; for all controllers the host needs Delegate=cpu "
                     "memory pids in user@.service"
                   : "start it by the unit packaging/systemd/docle.service (Delegate=yes), or in a "
                     "container whose cgroup file system is writable";
    if (error == EACCES || error == EPERM || error == EROFS)
        return "as root: for c in memory pids cpu cpuacct unified; do d=/sys/fs/cgroup/$c/docle; "
               "mkdir -p $d; chown -R USER $d; echo PID >$d/cgroup.procs; done (PID: the shell "
               "that starts docle); in a container: mount /sys/fs/cgroup writable";
    return part == CG_MEMORY ? "boot with cgroup_enable=memory swapaccount=1, or mount the memory "
                               "hierarchy"
                             : "mount the hierarchy below /sys/fs/cgroup (package cgroupfs-mount, "
                               "or systemd)";
}

static bool probe_controller(struct probe_report *report, const struct cgroup_place *places,
                             enum cgroup_part part)
{
    static const char *const titles[] = {[CG_MEMORY] = "cgroup memory",
                                         [CG_PIDS] = "cgroup pids",
                                         [CG_CPUACCT] = "cgroup cpuacct",
                                         [CG_CPU] = "cgroup cpu"};
    bool v2 = report->cgroup_version == 2;
    const struct cgroup_place *place = &places[v2 ? CG_UNIFIED : part];
    char dir[sizeof(place->dir)];
    int error;

    if (!place->found)
        error = ENODEV;
    else {
        parent_group(place, dir, sizeof(dir));
        error = v2 ? try_controller(dir, controller_names[part]) : try_group(dir);
    }
    if (error == 0) {
        probe_add(report, titles[part], PROBE_OK, "v%d, writable at %.120s", report->cgroup_version,
                  dir);
        return true;
    }
    probe_remedy(probe_add(report, titles[part], PROBE_WEAK, "v%d: %s", report->cgroup_version,
                           error == ENODEV ? "no such controller here" : strerror(error)),
                 group_remedy(report, part, error));
    return false;
}

static void probe_kill(struct probe_report *report, const struct cgroup_place *places)
{
    char dir[sizeof(places->dir)];

    if (places[CG_UNIFIED].found) {
        parent_group(&places[CG_UNIFIED], dir, sizeof(dir));
        if (try_group(dir) == 0) {
            probe_add(report, "cgroup kill", PROBE_OK, "unified tree at %.120s", dir);
            return;
        }
    }
    probe_remedy(probe_add(report, "cgroup kill", PROBE_WEAK,
                           "no writable unified tree; runs are ended through their pid namespace"),
                 "mount cgroup2, also beside v1 controllers (Linux 5.14 or newer)");
}

bool probe_groups(struct probe_report *report)
{
    struct cgroup_place places[CG_PARTS];
    struct dc_err err;
    bool all = true;

    if (cgroup_find(places, &report->cgroup_version, &err) < 0) {
        probe_remedy(
            probe_add(report, "cgroup", PROBE_WEAK, "%.100s: %s", err.text, strerror(err.errnum)),
            "mount /proc and the cgroup file systems");
        return false;
    }
    for (unsigned part = CG_MEMORY; part <= CG_CPU; part++) {
        if (part == CG_CPUACCT && report->cgroup_version == 2)
            continue;
        all &= probe_controller(report, places, (enum cgroup_part)part);
    }
    probe_kill(report, places);
    return all;
}
