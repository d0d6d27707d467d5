/*
 * Messages inside the privileged half: launcher ↔ nursery (pid 1 of the service namespace), ↔ slot
 * init, ↔ zygote, ↔ a child of a zygote that is not yet running user code. Framing: link.h.
 *
 * What a child sends is believed only until user code may run in it, that is until SPAWN_JOB is
 * sent: after that its socket is only watched for its end. Exit statuses come from the zygote that
 * waits for the child, figures from the cgroup.
 */
#ifndef DOCLE_PROTO_SPAWN_H
#define DOCLE_PROTO_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "proto/launch.h"

enum spawn_type {
    /* launcher → nursery */
    NURSERY_GO = 32, /* no body: the id maps are written */
    NURSERY_SLOT,    /* struct nursery_slot, fds: init's end of its control link */
    NURSERY_ZYGOTE,  /* struct nursery_zygote, fds: the zygote's control link; with a layer also the
                        names of what it imports */
    /* nursery → launcher */
    NURSERY_READY, /* no body: the sealed root is mounted */

    /* init → launcher */
    INIT_READY,     /* no body, fds: enum init_ready_fd */
    INIT_SCRUBBED,  /* struct init_scrubbed */
    INIT_COLLECTED, /* no body: the artifact stream is complete */
    INIT_MOUNTED,   /* struct dc_err; code DC_OK: the layer is mounted */
    INIT_NETWORKED, /* struct dc_err; code DC_OK: the sockets are made and sent off */
    /* launcher → init */
    INIT_SCRUB,   /* no body */
    INIT_COLLECT, /* struct init_collect, fds: enum init_collect_fd */
    INIT_MOUNT,   /* struct init_mount, fds: the mount namespace of a sealed child without a job */
    INIT_NETWORK, /* struct launch_network, fds: the channel; once, before a run */

    /* launcher → zygote */
    ZYGOTE_CONFIG, /* struct zygote_config, fds: the seccomp program of the runs */
    ZYGOTE_SPAWN,  /* struct zygote_spawn, fds: enum zygote_spawn_fd, then cgroup_count cgroup.procs
                    */
    /* zygote → launcher */
    ZYGOTE_BORN,   /* no body, fds: its pidfd; before the exec of the interpreter */
    ZYGOTE_READY,  /* struct zygote_ready */
    ZYGOTE_EXITED, /* struct zygote_exited */

    /* child → launcher, on the socket of its own */
    CHILD_READY,    /* no body, fds: enum child_ready_fd */
    CHILD_FAILED,   /* struct dc_err: gave up, ours */
    CHILD_PREPARED, /* no body: what CHILD_PREPARE named is imported */
    /* launcher → child */
    CHILD_JOB,     /* struct child_job, fds: enum child_job_fd */
    CHILD_PREPARE, /* no body, fds: a job whose arguments are to be imported. SECURITY: code of
                      packages runs from here on, and the child's socket is within its reach */
};

struct nursery_slot {
    uint32_t index;
};

struct nursery_zygote {
    uint32_t runtime; /* index into the launcher's own list, which the nursery has by fork */
    uint32_t plain;   /* 1: children exec the interpreter instead of being forks of it */
    uint8_t layer[DC_LAYER_ID_BYTES]; /* packages mounted in it; all zero: none */
};

enum init_ready_fd { INIT_FD_PIDNS, INIT_FD_NETNS, INIT_FD_PIDFD, INIT_READY_FDS };

struct init_scrubbed {
    uint8_t clean; /* 0: the network namespace shows traces; make a new slot */
    uint8_t reserved[7];
};

struct init_collect {
    uint32_t uid; /* of S: whose rights to read with; 0 where there is one id only */
    uint32_t reserved;
};

enum init_collect_fd { COLLECT_FD_WORKSPACE, COLLECT_FD_JOB, COLLECT_FD_OUT, INIT_COLLECT_FDS };

/* What is switched off, for the escape tests of a test build; always 0 in a product build. */
enum seal_without {
    WITHOUT_SECCOMP = 1u << 0,
    WITHOUT_LANDLOCK = 1u << 1,
    WITHOUT_NETNS = 1u << 2,
    WITHOUT_PIDNS = 1u << 3,
    WITHOUT_MOUNTS = 1u << 4, /* /tmp, /dev/shm and /proc of the run's own */
    WITHOUT_USERNS = 1u << 5,
    WITHOUT_CAPS = 1u << 6,
    WITHOUT_FD_SCRUB = 1u << 7,
    WITHOUT_RESEED = 1u << 8,
    WITHOUT_RLIMITS = 1u << 9,
    WITHOUT_CGROUP = 1u << 10,
    WITHOUT_IPCNS = 1u << 11,
    WITHOUT_SCRUB = 1u << 12,
    WITHOUT_DISK = 1u << 13,     /* the sizes of the run's file system */
    WITHOUT_DEADLINE = 1u << 14, /* the end by time */
    WITHOUT_RATE = 1u << 15,     /* the cap on CPU rate */
    WITHOUT_CGROUPNS = 1u << 16,
    WITHOUT_INIT = 1u << 17,          /* a run is pid 1 of a namespace, not pid 2 of the slot's */
    WITHOUT_SERVICE_NETNS = 1u << 18, /* nursery and zygotes stay in the launcher's network */
    WITHOUT_ZYGOTE_FILTER = 1u << 19,
    WITHOUT_OVERLAY = 1u << 20, /* the root is a bind mount */
    WITHOUT_SOCKET_CAP = 1u << 22,
    WITHOUT_READONLY = 1u << 21,     /* the root has a layer that can be written to */
    WITHOUT_OWN_SECCOMP = 1u << 23,  /* of launcher, nursery and inits */
    WITHOUT_OWN_LANDLOCK = 1u << 24, /* of the launcher */
};

static inline bool seal_is_without(uint32_t without, enum seal_without what)
{
#ifdef DOCLE_TEST_HOOKS
    return (without & what) != 0;
#else
    (void)without;
    (void)what;
    return false;
#endif
}

struct zygote_config {
    uint8_t landlock; /* required: a child that cannot have it gives up */
    uint8_t reserved[3];
    uint32_t without; /* enum seal_without */
};

enum zygote_spawn_fd { SPAWN_FD_PIDNS, SPAWN_FD_NETNS, SPAWN_FD_SOCKET, ZYGOTE_SPAWN_FDS };

struct zygote_spawn {
    uint32_t slot;
    uint32_t uid; /* of S, for the run; 0 where S has one id only */
    uint32_t cgroup_count;
    uint32_t disk_mb;
};

struct zygote_ready {
    uint32_t threads;       /* of the zygote */
    uint32_t own_threads;   /* of these: those that the runtime has anyway and forks do without */
    uint32_t learned_pages; /* that children populate ahead */
    uint32_t written_pages; /* of those: that they write to, and so get copies of */
    uint32_t resident_mb;
    char problem[104]; /* not empty: cannot serve, and why */
};

struct zygote_exited {
    uint32_t slot;
    int32_t status;      /* of wait4 */
    uint64_t cpu_ns;     /* of the child and those it waited for */
    uint64_t peak_bytes; /* largest resident size among them */
};

struct init_mount {
    uint32_t runtime; /* whose place for packages */
    uint8_t layer[DC_LAYER_ID_BYTES];
};

enum child_ready_fd { READY_FD_WORKSPACE, READY_FD_MOUNTS, CHILD_READY_FDS };

enum child_job_fd { JOB_FD_JOB, JOB_FD_STDIN, JOB_FD_STDOUT, JOB_FD_STDERR, CHILD_JOB_FDS };

struct child_job {
    uint32_t memory_mb; /* of the policy: the runtime's own heap follows it */
    uint32_t reserved;
};

#endif
