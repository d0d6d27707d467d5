/*
 * One control group as a directory: its files, its members, its end. For the files of cgroup.h
 * alone. A descriptor of -1 stands for a group that this host does not have.
 */
#ifndef DOCLE_SANDBOX_CGROUP_GROUP_H
#define DOCLE_SANDBOX_CGROUP_GROUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The number after "key " in an open, flat keyed file, or the number that is the file when key is
 * NULL. 0 when it cannot be read. */
uint64_t group_value(int fd, const char *key);

DC_MUST int group_write(int dir_fd, const char *file, uint64_t value, struct dc_err *err);

/* openat(), closed on exec, no links followed; -1 with errno. */
int group_open_file(int dir_fd, const char *name, int flags);

/* The process ids in the group, a line each, as far as out holds them. KERNEL v1: an open
 * cgroup.procs keeps what it showed for a second, so it is opened anew each time. Bytes read, or
 * -1. */
ssize_t group_members(int dir_fd, char *out, size_t size);

/* Kills what is in the group and removes it; waits up to about a second for it to be empty. */
void group_remove(int parent_fd, const char *name);

#endif
