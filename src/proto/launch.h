/*
 * Messages between the API process (or `docle run`) and the launcher. Fixed-size bodies of numbers;
 * everything else travels as descriptors. The launcher range-checks every field and never looks
 * into what the descriptors hold. All integers are host order: both ends are the same machine.
 *
 * Conversation: launcher sends HELLO once it can serve. The server sends RUN; the launcher answers
 * STARTED, then exactly one ENDED; a RUN it cannot start gets ENDED alone (end kind SANDBOX_ERROR).
 * CANCEL may come at any time after RUN and is ignored for unknown runs. The server never has more
 * than hello.slots runs in flight. SHUTDOWN asks the launcher to kill what is left and exit;
 * closing the link means the same.
 */
#ifndef DOCLE_PROTO_LAUNCH_H
#define DOCLE_PROTO_LAUNCH_H

#include <stdint.h>

#include "base/limits.h"

enum launch_type {
    LAUNCH_HELLO = 1, /* L→S  struct launch_hello, 0 fds */
    LAUNCH_RUN,       /* S→L  struct launch_run, LAUNCH_RUN_FDS fds */
    LAUNCH_CANCEL,    /* S→L  struct launch_cancel, 0 fds */
    LAUNCH_STARTED,   /* L→S  struct launch_started, 0 fds */
    LAUNCH_ENDED,     /* L→S  struct launch_ended, 0 fds */
    LAUNCH_STATS,     /* L→S  struct launch_stats, 0 fds; at most once a second, when changed */
    LAUNCH_SHUTDOWN,  /* S→L  no body, 0 fds */
    LAUNCH_FATAL,     /* L→S  struct dc_err, 0 fds: cannot serve; the link closes after it */
    LAUNCH_WARM,      /* S→L  struct launch_warm, 1 fd: sealed memfd, for the zygote alone */
};

/* Isolation levels, weakest first: see docs/internals/isolation.md. */
enum launch_level { LEVEL_LIMITED, LEVEL_STANDARD, LEVEL_FULL };

enum launch_start { START_ZYGOTE, START_PLAIN };

struct launch_runtime {
    char name[16];    /* "python", "node" */
    char version[16]; /* "3.11.2", "20.20.2" */
    uint8_t start;    /* enum launch_start */
    uint8_t reserved[7];
};

struct launch_hello {
    uint32_t slots; /* runs that may be in flight */
    uint8_t level;  /* enum launch_level in force */
    uint8_t cgroup_version;
    uint8_t rootless;
    uint8_t runtime_count;
    struct launch_runtime runtimes[DC_RUNTIMES_MAX]; /* a RUN names one by its index */
};

/* Descriptors of a RUN, in this order. */
enum launch_run_fd {
    RUN_FD_JOB,       /* sealed memfd, see job.h; read by the sealed run only */
    RUN_FD_STDIN,     /* readable; a sealed memfd, a pipe or /dev/null */
    RUN_FD_STDOUT,    /* writable, blocking */
    RUN_FD_STDERR,    /* writable, blocking */
    RUN_FD_ARTIFACTS, /* writable: receives the artifact stream of artifact.h; /dev/null for none */
    LAUNCH_RUN_FDS,
    /* With RUN_HAS_NETWORK one more: the end of a session's channel, see egress.h; for the init. */
    RUN_FD_NETWORK = LAUNCH_RUN_FDS,
    LAUNCH_RUN_FDS_MAX
};

enum launch_run_flags {
    RUN_WANTS_ARTIFACTS = 1u << 0,
    RUN_HAS_NETWORK = 1u << 1, /* the slot's namespace gets sockets that lead to docle-egress */
};

/* What the network namespace of a run gets; all zero without RUN_HAS_NETWORK. */
struct launch_network {
    uint16_t port_count; /* from 1 */
    uint16_t address_count;
    uint16_t ports[DC_NET_PORTS_MAX];         /* to listen on, each once */
    uint32_t addresses[DC_NET_ADDRESSES_MAX]; /* IPv4, host order: to be local besides those that
                                                 stand for names */
};

struct launch_run {
    uint64_t run; /* chosen by the server, unique while in flight */
    uint32_t runtime;
    uint32_t flags; /* enum launch_run_flags */
    uint32_t timeout_ms;
    uint32_t cpu_ms; /* 0: no limit on CPU time but the wall clock */
    uint32_t memory_mb;
    uint32_t disk_mb;
    uint32_t processes;
    uint32_t cpus_centi; /* hundredths of a core */
    /* Packages to mount read-only, by their folder's name in hex below the launcher's --layers; all
     * zero: none. */
    uint8_t layer[DC_LAYER_ID_BYTES];
    /* On whose behalf: spares with packages are for one owner alone. All zero: gets none of them.
     */
    uint8_t owner[DC_OWNER_BYTES];
    struct launch_network network;
};

/* Keep the packages of a layer imported: in a zygote, for sets below DC_WARM_MAX, within the number
 * that the launcher's --warm allows; the descriptor holds the names of what to import, one a line.
 * Or, for sets from DC_WARM_MAX on, within --prepared, in a sealed spare for runs of one owner; the
 * descriptor holds a job whose arguments are the names. A set that is named again is replaced. */
struct launch_warm {
    uint32_t set;
    uint32_t runtime;
    uint32_t disk_mb; /* of the spare; 0 for a zygote */
    uint32_t reserved;
    uint8_t layer[DC_LAYER_ID_BYTES];
    uint8_t owner[DC_OWNER_BYTES]; /* of the spare; all zero for a zygote */
};

struct launch_cancel {
    uint64_t run;
};

struct launch_started {
    uint64_t run;
    uint8_t warm; /* served by a spare that was sealed ahead */
    uint8_t reserved[7];
};

enum launch_end_kind {
    END_EXITED,    /* status: exit code */
    END_SIGNALLED, /* status: signal number, not sent by us */
    END_TIMEOUT,   /* wall clock */
    END_CPU,       /* cpu_ms used up */
    END_MEMORY,    /* killed for memory */
    END_CANCELLED,
    END_SANDBOX_ERROR, /* ours; text says what */
};

/* Limits that the run met, whatever way it ended. */
enum launch_hit_flags {
    HIT_MEMORY = 1u << 0,
    HIT_PROCESSES = 1u << 1,
    HIT_DISK = 1u << 2, /* the file system was full at the end, or files did not fit */
};

struct launch_ended {
    uint64_t run;
    uint32_t kind; /* enum launch_end_kind */
    int32_t status;
    uint32_t hits; /* enum launch_hit_flags */
    uint32_t reserved;
    uint64_t cpu_ns;
    uint64_t peak_bytes;
    uint64_t wall_ns; /* from the start of user code to its end */
    char text[120];   /* NUL-terminated; for the log, only with END_SANDBOX_ERROR */
};

struct launch_stats {
    uint64_t zygote_forks[DC_RUNTIMES_MAX];
    uint64_t warm_starts;
    uint64_t cold_starts;
    uint64_t plain_starts;
    uint64_t slots_rebuilt;
    uint64_t zygote_restarts;
    uint32_t slots_busy;
    uint32_t spares[DC_RUNTIMES_MAX];
    uint32_t reserved;
};

#endif
