/* Where the cgroup hierarchies are mounted and which group we are in. Launcher and doctor only. */
#ifndef DOCLE_SANDBOX_CGROUP_FIND_H
#define DOCLE_SANDBOX_CGROUP_FIND_H

#include "sandbox/cgroup.h"

struct cgroup_place {
    bool found;
    char dir[512]; /* absolute directory of our own group in this hierarchy */
};

/* Fills a place for every part and *ret_version: 2 when the memory controller is in the unified
 * hierarchy, else 1. */
DC_MUST int cgroup_find(struct cgroup_place places[static CG_PARTS], int *ret_version,
                        struct dc_err *err);

/* Parsers behind it, for tests: one line of /proc/self/cgroup and of /proc/self/mountinfo.
 * They return false for lines that are not of interest. Outputs point into the line, which is cut
 * into pieces. */
bool cgroup_parse_membership(char *line, char **ret_controllers, char **ret_path);
bool cgroup_parse_mount(char *line, char **ret_root, char **ret_target, char **ret_type,
                        char **ret_options);

#endif
