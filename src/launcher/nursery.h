/*
 * How it works: the nursery is pid 1 of the service pid namespace, root of the service user
 * namespace S and of nothing else. It mounts the sealed root for all that follows, makes slot inits
 * and starts zygotes on the launcher's word, and holds no state. When it dies (with the launcher,
 * by PDEATHSIG) everything inside dies with it.
 *
 *   launcher ──link──▶ nursery (S root, pid 1) ──clone──▶ slot init (pid 1 of its own, own net)
 *                                              └─clone──▶ zygote (exec of the interpreter)
 */
#ifndef DOCLE_LAUNCHER_NURSERY_H
#define DOCLE_LAUNCHER_NURSERY_H

#include <sys/types.h>

#include "base/error.h"
#include "launcher/options.h"
#include "proto/launch.h"
#include "proto/spawn.h"

struct nursery {
    pid_t pid;
    int link_fd; /* non-blocking */
};

struct confine_filters;

struct nursery_plan {
    const struct options *options;
    int root_fd;          /* directory of the sealed root's parts */
    int run_filter_fd;    /* seccomp program of runs; also for the artifact collector */
    int zygote_filter_fd; /* seccomp program of zygotes */
    const struct confine_filters *filters;
    int layers_fd; /* detached mount of the package layers; -1: none, or by path */
    bool rootless;
    uint32_t id_count; /* ids that S shall have */
};

/* Starts the nursery, writes its id maps and waits until the sealed root is mounted. */
DC_MUST int nursery_start(const struct nursery_plan *plan, struct nursery *ret_nursery,
                          struct dc_err *err);

/* Kills it, and by that everything inside, and waits for its end. */
void nursery_stop(struct nursery *nursery);

/* The body of a slot's init; never returns. link_fd: its control link. */
_Noreturn void slot_init_main(const struct nursery_plan *plan, uint32_t slot, int link_fd);

/* layers.c. Makes the detached, read-only mount of the package layers' directory. */
DC_MUST int layers_open(const char *path, int *ret_fd, struct dc_err *err);
/* In the nursery, before it enters the sealed root: puts the layers where its children, and nobody
 * who serves runs, can see them. */
DC_MUST int layers_mount(const struct nursery_plan *plan, struct dc_err *err);
/* In a zygote with packages, before they are hidden: mounts them where its runtime looks. */
DC_MUST int layers_take(const struct nursery_plan *plan, const struct nursery_zygote *wish,
                        struct dc_err *err);
/* In a zygote: it and its children shall not see them. */
DC_MUST int layers_hide(struct dc_err *err);
/* In a slot's init, before it confines itself: makes its place among the layers. */
DC_MUST int layers_prepare_slot(const struct nursery_plan *plan, uint32_t slot, struct dc_err *err);
/* In a slot's init: mounts one layer into the mount namespace of a run. */
DC_MUST int layers_give(const struct nursery_plan *plan, uint32_t slot,
                        const struct init_mount *wish, int mounts_fd, struct dc_err *err);

/* Makes the addresses and sockets of a run that may use the network, in the namespace that the
 * caller is in, and sends them to docle-egress over the channel. */
DC_MUST int slot_network(const struct launch_network *network, int channel_fd, struct dc_err *err);

/* The body of the artifact collector, in a process of its own; never returns. */
_Noreturn void collector_main(int workspace_fd, int job_fd, int out_fd, uid_t uid, int filter_fd);

#endif
