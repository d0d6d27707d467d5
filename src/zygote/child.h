/*
 * One run, from a fresh fork to the moment before user code: sealing, waiting for the job, writing
 * its files. Internal to src/zygote.
 */
#ifndef DOCLE_ZYGOTE_CHILD_H
#define DOCLE_ZYGOTE_CHILD_H

#include "base/limits.h"
#include "proto/spawn.h"
#include "sandbox/cgroup.h"
#include "zygote/fds.h"
#include "zygote/prefault.h"
#include "zygote/zygote.h"

struct child_plan {
    const struct zygote_hooks *hooks;
    const struct prefault *prefault;
    const struct fd_list *inherited; /* what the zygote had open before it served */
    const void *filter;              /* seccomp program */
    size_t filter_bytes;
    struct zygote_config config;
    struct zygote_spawn spawn;
    int pidns_fd; /* the fork already is in it */
    int netns_fd;
    int socket_fd;
    int cgroup_fds[CG_PARTS];
};

/* Seals the process, waits for the job and prepares it. Returns only when user code may run;
 * otherwise reports on the socket and ends the process. */
void child_become_run(const struct child_plan *plan, struct zygote_run *ret_run);

#endif
