#include "sandbox/cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "sandbox/cgroup_find.h"
#include "sandbox/cgroup_group.h"

#include "base/poison.h"

static const char tree_prefix[] = "docle.";
static const char supervisor_name[] = "supervisor";

static void remove_subtree(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        dc_close(fd);
        return;
    }
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            group_remove(dirfd(dir), entry->d_name);
    (void)closedir(dir);
    group_remove(parent_fd, name);
}

/* Removes trees of launchers that are no more. */
static void sweep(int parent_fd)
{
    int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        dc_close(fd);
        return;
    }
    while ((entry = readdir(dir))) {
        long pid;

        if (strncmp(entry->d_name, tree_prefix, sizeof(tree_prefix) - 1) != 0)
            continue;
        pid = strtol(entry->d_name + sizeof(tree_prefix) - 1, NULL, 10);
        if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            remove_subtree(parent_fd, entry->d_name);
    }
    (void)closedir(dir);
}

static void move_members(char *members, int to_fd)
{
    struct dc_err ignored;

    for (char *at = members; *at;) {
        unsigned long pid = strtoul(at, &at, 10);

        if (pid)
            dc_ignore(group_write(to_fd, "cgroup.procs", pid, &ignored));
        while (*at && !isdigit((unsigned char)*at))
            at++;
    }
}

/* Moves every process of the group into a child group, so that controllers may be handed down.
 * Looks again until it is empty: what forks meanwhile leaves a child behind. */
static void vacate(int group_fd)
{
    enum { TRIES = 16 };
    DC_AUTO(dc_close) int child = -1;
    char members[16384];

    for (int i = 0; i < TRIES && group_members(group_fd, members, sizeof(members)) > 0; i++) {
        if (child < 0 && mkdirat(group_fd, supervisor_name, 0755) < 0 && errno != EEXIST)
            return;
        if (child < 0)
            child = openat(group_fd, supervisor_name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (child < 0)
            return;
        move_members(members, child);
    }
}

/* Enables the controllers we use in the group's children; each alone, so that one that is missing
 * does not take the others with it. */
static void hand_down(int group_fd)
{
    static const char *const wanted[] = {"+memory", "+pids", "+cpu"};
    struct dc_err ignored;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        dc_ignore(dc_write_file_at(group_fd, "cgroup.subtree_control", wanted[i], &ignored));
}

static bool controllers_have(int group_fd, const char *name)
{
    char text[256];
    char padded[260];
    char wanted[32];
    struct dc_err ignored;

    if (dc_read_file_at(group_fd, "cgroup.controllers", text, sizeof(text), &ignored) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(padded, sizeof(padded), " %s ", text);
    (void)snprintf(wanted, sizeof(wanted), " %s ", name);
    return strstr(padded, wanted) != NULL;
}

static bool is_root_group(int group_fd)
{
    return faccessat(group_fd, "cgroup.type", F_OK, 0) < 0;
}

/* Opens the group that shall hold ours; a launcher that was started again sits in "supervisor". */
static int open_parent(const struct cgroup_place *place)
{
    char dir[sizeof(place->dir)];
    char *slash;

    (void)snprintf(dir, sizeof(dir), "%s", place->dir);
    slash = strrchr(dir, '/');
    if (slash && slash != dir && strcmp(slash + 1, supervisor_name) == 0)
        *slash = '\0';
    return open(dir, O_DIRECTORY | O_CLOEXEC | O_RDONLY);
}

static void tree_open_part(struct cgroup_tree *tree, size_t part, const struct cgroup_place *place)
{
    int parent = open_parent(place);

    if (parent < 0)
        return;
    tree->parent_fds[part] = parent;
    sweep(parent);
    if (tree->version == 2) {
        if (!is_root_group(parent))
            vacate(parent);
        hand_down(parent);
    }
    if (mkdirat(parent, tree->name, 0755) < 0 && errno != EEXIST)
        return;
    tree->base_fds[part] = openat(parent, tree->name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    tree->has[part] = tree->base_fds[part] >= 0;
}

int cgroup_tree_open(struct cgroup_tree *tree, struct dc_err *err)
{
    struct cgroup_place places[CG_PARTS];

    *tree = (struct cgroup_tree){0};
    for (size_t i = 0; i < CG_PARTS; i++)
        tree->base_fds[i] = tree->parent_fds[i] = -1;
    (void)snprintf(tree->name, sizeof(tree->name), "%s%d", tree_prefix, (int)getpid());
    if (cgroup_find(places, &tree->version, err) < 0)
        return dc_context(err, "find control groups");
    for (size_t i = 0; i < CG_PARTS; i++)
        if (places[i].found && (tree->version == 1 || i == CG_UNIFIED))
            tree_open_part(tree, i, &places[i]);
    if (tree->version == 2 && tree->has[CG_UNIFIED]) {
        int base = tree->base_fds[CG_UNIFIED];

        hand_down(base);
        tree->has[CG_MEMORY] = controllers_have(base, "memory");
        tree->has[CG_PIDS] = controllers_have(base, "pids");
        tree->has[CG_CPU] = tree->has[CG_CPUACCT] = controllers_have(base, "cpu");
    }
    return 0;
}

void cgroup_tree_close(struct cgroup_tree *tree)
{
    for (size_t i = 0; i < CG_PARTS; i++) {
        if (tree->parent_fds[i] >= 0 && tree->base_fds[i] >= 0)
            remove_subtree(tree->parent_fds[i], tree->name);
        dc_close_clear(&tree->base_fds[i]);
        dc_close_clear(&tree->parent_fds[i]);
    }
}

bool cgroup_tree_complete(const struct cgroup_tree *tree)
{
    return tree->has[CG_MEMORY] && tree->has[CG_PIDS] && tree->has[CG_CPUACCT] && tree->has[CG_CPU];
}
