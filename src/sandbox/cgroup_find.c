#include "sandbox/cgroup_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#include "base/poison.h"

static const char *const part_names[CG_PARTS] = {
    [CG_MEMORY] = "memory", [CG_PIDS] = "pids", [CG_CPUACCT] = "cpuacct", [CG_CPU] = "cpu"};

struct file_lines {
    FILE *file;
    char *line;
    size_t size;
};

static void file_lines_release(struct file_lines *lines)
{
    free(lines->line);
    if (lines->file)
        (void)fclose(lines->file);
}

static inline void file_lines_release_auto(struct file_lines *lines)
{
    file_lines_release(lines);
}

static bool next_line(struct file_lines *lines)
{
    ssize_t n = getline(&lines->line, &lines->size, lines->file);

    if (n <= 0)
        return false;
    if (lines->line[n - 1] == '\n')
        lines->line[n - 1] = '\0';
    return true;
}

/* Is word one of the comma-separated words of list? */
static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; at; at = strchr(at, ',')) {
        if (*at == ',')
            at++;
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

bool cgroup_parse_membership(char *line, char **ret_controllers, char **ret_path)
{
    char *first = strchr(line, ':');
    char *second = first ? strchr(first + 1, ':') : NULL;

    if (!second)
        return false;
    *second = '\0';
    *ret_controllers = first + 1;
    *ret_path = second + 1;
    return **ret_path == '/';
}

bool cgroup_parse_mount(char *line, char **ret_root, char **ret_target, char **ret_type,
                        char **ret_options)
{
    /* id parent major:minor root target options … - type source super-options; see proc(5) */
    char *dash = strstr(line, " - ");
    char *save = NULL;
    char *fields[5];
    char *tail[3];

    if (!dash)
        return false;
    *dash = '\0';
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strtok_r(i ? NULL : line, " ", &save);
        if (!fields[i])
            return false;
    }
    for (size_t i = 0; i < 3; i++) {
        tail[i] = strtok_r(i ? NULL : dash + 3, " ", &save);
        if (!tail[i])
            return false;
    }
    *ret_root = fields[3];
    *ret_target = fields[4];
    *ret_type = tail[0];
    *ret_options = tail[2];
    return true;
}

struct mounted {
    char root[256];
    char target[256];
};

static int find_mounts(struct mounted mounts[static CG_PARTS], struct dc_err *err)
{
    DC_AUTO(file_lines_release)
    struct file_lines lines = {.file = fopen("/proc/self/mountinfo", "re")};
    char *root;
    char *target;
    char *type;
    char *options;

    if (!lines.file)
        return dc_fail_errno(err, "open /proc/self/mountinfo");
    while (next_line(&lines)) {
        if (!cgroup_parse_mount(lines.line, &root, &target, &type, &options))
            continue;
        for (size_t i = 0; i < CG_PARTS; i++) {
            bool wanted = i == CG_UNIFIED
                              ? strcmp(type, "cgroup2") == 0
                              : strcmp(type, "cgroup") == 0 && list_has(options, part_names[i]);

            if (!wanted || mounts[i].target[0])
                continue;
            (void)snprintf(mounts[i].root, sizeof(mounts[i].root), "%s", root);
            (void)snprintf(mounts[i].target, sizeof(mounts[i].target), "%s", target);
        }
    }
    return 0;
}

/* Joins mount and membership: the part of path below the mount's root. */
static void place_set(struct cgroup_place *place, const struct mounted *mount, const char *path)
{
    size_t root_length = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    const char *below = strncmp(path, mount->root, root_length) == 0 ? path + root_length : "";
    int n = snprintf(place->dir, sizeof(place->dir), "%s%s", mount->target, below);
    size_t length;

    place->found = n > 0 && (size_t)n < sizeof(place->dir);
    length = strlen(place->dir);
    if (length > 1 && place->dir[length - 1] == '/')
        place->dir[length - 1] = '\0';
}

static bool unified_has_memory(const char *dir)
{
    char path[600];
    char text[256] = "";

    (void)snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
    {
        DC_AUTO(file_lines_release) struct file_lines lines = {.file = fopen(path, "re")};

        if (!lines.file || !next_line(&lines))
            return false;
        (void)snprintf(text, sizeof(text), " %s ", lines.line);
    }
    return strstr(text, " memory ") != NULL;
}

int cgroup_find(struct cgroup_place places[static CG_PARTS], int *ret_version, struct dc_err *err)
{
    struct mounted mounts[CG_PARTS] = {0};
    DC_AUTO(file_lines_release)
    struct file_lines lines = {.file = fopen("/proc/self/cgroup", "re")};
    char *controllers;
    char *path;

    memset(places, 0, sizeof(*places) * CG_PARTS);
    if (!lines.file)
        return dc_fail_errno(err, "open /proc/self/cgroup");
    if (find_mounts(mounts, err) < 0)
        return -err->code;
    while (next_line(&lines)) {
        if (!cgroup_parse_membership(lines.line, &controllers, &path))
            continue;
        for (size_t i = 0; i < CG_PARTS; i++) {
            bool here =
                i == CG_UNIFIED ? controllers[0] == '\0' : list_has(controllers, part_names[i]);

            if (here && mounts[i].target[0])
                place_set(&places[i], &mounts[i], path);
        }
    }
    *ret_version = places[CG_UNIFIED].found && unified_has_memory(places[CG_UNIFIED].dir) ? 2 : 1;
    return 0;
}
