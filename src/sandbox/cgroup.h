/*
 * Control groups: one tree of ours below the group that the launcher was started in, one leaf a
 * slot. The same interface over cgroup v2 and over v1 controllers (with or without an empty v2 tree
 * beside them, whose cgroup.kill works on such hosts too). Launcher and doctor only.
 *
 * Lifecycle: cgroup_tree_open → cgroup_leaf_open per slot → per run: cgroup_leaf_begin, join by the
 * run itself through the descriptors of cgroup_leaf_join_fds, cgroup_leaf_read, cgroup_leaf_kill →
 * cgroup_leaf_close → cgroup_tree_close (removes what was made).
 */
#ifndef DOCLE_SANDBOX_CGROUP_H
#define DOCLE_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum cgroup_part {
    CG_MEMORY,
    CG_PIDS,
    CG_CPUACCT,
    CG_CPU,
    CG_UNIFIED, /* v2 host: everything; v1 host: cgroup.kill and cgroup.events only */
    CG_PARTS
};

struct cgroup_tree {
    int version; /* 1 or 2 */
    bool has[CG_PARTS];
    int base_fds[CG_PARTS]; /* our directory in each hierarchy, -1 if none */
    int parent_fds[CG_PARTS];
    char name[64]; /* of our directory */
};

struct cgroup_usage {
    uint64_t cpu_ns; /* since cgroup_leaf_begin */
    uint64_t peak_bytes;
    uint64_t oom_kills; /* since cgroup_leaf_begin */
    uint64_t pids_hits; /* forks refused since cgroup_leaf_begin */
};

struct cgroup_leaf {
    const struct cgroup_tree *tree;
    char name[32];
    int dir_fds[CG_PARTS];
    int procs_fds[CG_PARTS];
    int cpu_fd;          /* cpuacct.usage or cpu.stat */
    int peak_fd;         /* memory.max_usage_in_bytes or memory.peak */
    int oom_fd;          /* memory.oom_control or memory.events */
    int pids_fd;         /* pids.events */
    int events_fd;       /* cgroup.events, or -1 */
    int kill_fd;         /* cgroup.kill, or -1 */
    int oom_event_fd;    /* v1: becomes readable when the leaf runs out of memory; else -1 */
    uint64_t memory_max; /* as last written; 0 never */
    uint32_t pids_max;
    bool throttled;
    struct cgroup_usage baseline;
};

/* Makes our directory below the launcher's own group and sweeps leftovers of launchers that died.
 * Missing controllers are not an error here: look at tree->has. May move the processes of the
 * launcher's own group into a child group (v2: inner groups hold no processes). */
DC_MUST int cgroup_tree_open(struct cgroup_tree *tree, struct dc_err *err);
void cgroup_tree_close(struct cgroup_tree *tree);

/* True when memory, process and CPU control are all there. */
bool cgroup_tree_complete(const struct cgroup_tree *tree);

DC_MUST int cgroup_leaf_open(const struct cgroup_tree *tree, const char *name,
                             struct cgroup_leaf *ret_leaf, struct dc_err *err);
/* Kills what is inside, removes the leaf. Accepts a leaf that was never opened if zeroed by
 * cgroup_leaf_init. */
void cgroup_leaf_init(struct cgroup_leaf *leaf);
void cgroup_leaf_close(struct cgroup_leaf *leaf);

/* Descriptors (borrowed) to write "0" to in order to join; returns how many. The cpu hierarchy of
 * v1 is left out: joining it is dear, see cgroup_leaf_throttle. */
size_t cgroup_leaf_join_fds(const struct cgroup_leaf *leaf, int fds[static CG_PARTS]);

/* Puts pid into the leaf. */
DC_MUST int cgroup_leaf_add(const struct cgroup_leaf *leaf, int pid, struct dc_err *err);

/* Sets the limits; memory in bytes, swap is always off. Cheap when nothing changes. */
DC_MUST int cgroup_leaf_limit(struct cgroup_leaf *leaf, uint64_t memory_max, uint32_t pids_max,
                              struct dc_err *err);

/* KERNEL v1: bounds what TCP and UDP hold in their buffers, on top of the memory limit. SECURITY:
 * v1 counts it nowhere else, so without this a run fills what the whole host has for its
 * connections (m14_tcp_buffers.py, m14_udp_buffers.py). v2 charges it to memory. Once after
 * opening. */
void cgroup_leaf_cap_sockets(const struct cgroup_leaf *leaf);

/* Starts measuring: peak is reset where the kernel can, counters get a new baseline. */
DC_MUST int cgroup_leaf_begin(struct cgroup_leaf *leaf, struct dc_err *err);
DC_MUST int cgroup_leaf_read(const struct cgroup_leaf *leaf, struct cgroup_usage *ret_usage,
                             struct dc_err *err);

/* Caps the CPU rate, in hundredths of a core. On v1 this moves the processes that are alive, which
 * may not succeed at once: call again while leaf->throttled is false. Blocks for 20 ms at most. */
DC_MUST int cgroup_leaf_throttle(struct cgroup_leaf *leaf, uint32_t cpus_centi, struct dc_err *err);

/* Kills every process of the leaf at once; false when the host cannot (then kill the slot's init).
 */
bool cgroup_leaf_kill(const struct cgroup_leaf *leaf);
bool cgroup_leaf_populated(const struct cgroup_leaf *leaf);

/* After a run: makes the leaf as new. On v2 it is made again, since peaks cannot be reset. */
DC_MUST int cgroup_leaf_renew(struct cgroup_leaf *leaf, struct dc_err *err);

#endif
