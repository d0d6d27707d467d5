/*
 * The launcher's one state and what its parts call of each other. Single-threaded: an epoll loop
 * (loop.c) hands events to the part that owns the descriptor; every part may change a slot's state
 * only through the functions below.
 *
 *   server_link.c  what the API process asks and is told      (untrusted: strict)
 *   pool.c         which run gets which slot; spares
 *   slot.c         life of a slot and its scrubbing
 *   run_start.c    a run inside a slot: from the fork until it has its job
 *   run.c          what happens to it: exit, limits, deadlines, trouble
 *   run_end.c      what it used, its outcome and artifacts
 *   zygotes.c      fork servers: start, retire, replace, fall back to plain starts
 *   warm.c         those with packages
 *   prepared.c     spares with packages
 */
#ifndef DOCLE_LAUNCHER_LAUNCHER_H
#define DOCLE_LAUNCHER_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "launcher/nursery.h"
#include "launcher/options.h"
#include "proto/launch.h"
#include "proto/link.h"
#include "proto/spawn.h"
#include "sandbox/cgroup.h"

/* Seccomp programs of our own processes, see confine.h. */
struct confine_filters {
    int launcher_fd;
    int nursery_fd; /* zygotes and runs inherit it */
    int init_fd;
};

enum watch_kind {
    WATCH_SERVER = 1,
    WATCH_NURSERY,
    WATCH_ZYGOTE, /* index: zygote */
    WATCH_INIT,   /* index: slot */
    WATCH_CHILD,  /* index: slot */
    WATCH_OOM,    /* index: slot */
    WATCH_DEATH,  /* index: slot; pidfd of its init */
};

enum {
    ZYGOTES_MAX = 2 * (DC_RUNTIMES_MAX + DC_WARM_MAX),
    DEFAULT_DISK_MB = DC_MEMORY_DEFAULT_MB / 4,
    WARM_FAILURES_MAX = 3, /* then a set is left alone until it is named again */
};

enum zygote_state { ZYGOTE_NONE, ZYGOTE_STARTING, ZYGOTE_SERVING, ZYGOTE_RETIRING };

struct zygote_link {
    enum zygote_state state;
    uint32_t runtime;
    uint32_t warm; /* index + 1 of its set of packages; 0: none */
    uint8_t layer[DC_LAYER_ID_BYTES];
    uint32_t resident_mb;
    int64_t used_ns; /* of a set: the last run */
    bool plain;
    int control_fd;
    int pidfd; /* -1 until it told */
    int64_t started_ns;
    uint64_t forks;
    uint32_t children; /* not yet reported as ended */
};

/* A set of packages that is kept imported. */
struct warm_set {
    struct launch_warm wish;
    int64_t used_ns;   /* when it was named, or a run had it */
    uint32_t spare_mb; /* of its spare, when that is ready */
    int names_fd;      /* owned; -1: there is no such set */
    uint32_t failures;
    int64_t retry_ns;
};

/* A run that the server asked for and that has not ended. */
struct run {
    struct launch_run request;
    int fds[LAUNCH_RUN_FDS_MAX]; /* owned */
    int64_t submitted_ns;
    int64_t started_ns; /* the job was handed over; 0: not yet */
    int64_t ended_ns;
    int64_t next_look_ns;         /* when the limits on CPU time and rate are looked at again */
    bool warm;                    /* served by a spare */
    bool stopped;                 /* we ended it; verdict says why */
    enum launch_end_kind verdict; /* meaningful when stopped */
    bool prepared;                /* waits for its network alone */
    bool settled;                 /* ended is filled */
    struct launch_ended ended;
};

enum slot_state {
    SLOT_EMPTY,      /* nothing made */
    SLOT_MAKING,     /* its init was asked for */
    SLOT_FREE,       /* pristine, nobody inside */
    SLOT_SPAWNING,   /* a child is being sealed, for a run or as a spare */
    SLOT_PREPARING,  /* a sealed child imports packages */
    SLOT_SPARE,      /* a sealed child waits for a job */
    SLOT_MOUNTING,   /* as SLOT_SPARE, with a run: init mounts its packages */
    SLOT_RUNNING,    /* user code may run */
    SLOT_ENDING,     /* the main process ended or is being killed; waiting for all to be gone */
    SLOT_COLLECTING, /* artifacts are read */
    SLOT_SCRUBBING,  /* init cleans up and looks for traces */
    SLOT_DYING,      /* init was killed; waiting for its end */
};

struct slot {
    uint32_t index;
    enum slot_state state;
    int64_t deadline_ns; /* of this state; 0: none */
    struct cgroup_leaf leaf;
    int init_fd; /* control link of the init */
    int init_pidfd;
    int pidns_fd;
    int netns_fd;
    uint32_t zygote; /* index; valid while child_alive */
    uint32_t runtime;
    uint32_t set;            /* index + 1 of the set of packages that it is a spare of; 0: none */
    int64_t watched_ns;      /* of such a spare: when its CPU time was looked at */
    uint64_t watched_cpu_ns; /* what it had used when it was ready */
    uint32_t disk_mb;
    int child_fd;     /* socket to the child, until the job is handed over */
    int workspace_fd; /* the run's file system */
    int mounts_fd;    /* its mount namespace, until the job is handed over */
    bool child_alive; /* its zygote has not reported the end */
    int32_t child_status;
    uint64_t child_cpu_ns;
    uint64_t child_peak_bytes;
    bool has_run;
    bool oom_seen;
    bool condemned;  /* do not lend again: make a new one */
    bool networking; /* its init makes the sockets of a run that may use the network */
    struct run run;
};

struct launcher {
    struct options options;
    struct cgroup_tree cgroups;
    struct cgroup_leaf service_leaf; /* nursery, inits, zygotes */
    struct nursery nursery;
    bool rootless;
    bool landlock;
    enum launch_level level;
    int epoll_fd;
    int run_filter_fd;
    int zygote_filter_fd;
    int rest_filter_fd; /* what a zygote's forks load on top; see seccomp_policy.h */
    struct confine_filters filters;
    int root_fd;       /* of the sealed root's generation, locked shared */
    int sweeper_fd;    /* closing it, also by dying, sets the sweeper to work */
    pid_t sweeper_pid; /* 0: none was started */
    bool announced;    /* HELLO was sent */
    bool leaving;
    size_t zygote_count;
    struct zygote_link zygotes[ZYGOTES_MAX];
    struct warm_set warm[DC_WARM_ALL];
    uint32_t zygote_failures[DC_RUNTIMES_MAX]; /* in a row */
    int64_t zygote_retry_ns[DC_RUNTIMES_MAX];
    size_t slot_count;
    struct slot *slots;
    size_t pending_count; /* runs without a slot, in order */
    struct run *pending;
    size_t running_count; /* runs in flight, pending ones included */
    struct launch_stats stats;
    struct launch_stats stats_sent;
    int64_t stats_sent_ns;
    uint32_t cores;
};

/* loop.c */
DC_MUST int loop_watch(struct launcher *launcher, int fd, enum watch_kind kind, uint32_t index,
                       struct dc_err *err);
DC_MUST int loop_run(struct launcher *launcher, struct dc_err *err);
/* What is due, then what comes within wait_max_ms. */
DC_MUST int loop_turn(struct launcher *launcher, int wait_max_ms, struct dc_err *err);

/* server_link.c */
DC_MUST int server_link_read(struct launcher *launcher, struct dc_err *err);
void server_link_hello(struct launcher *launcher);
void server_link_started(struct launcher *launcher, const struct run *run, bool warm);
void server_link_ended(struct launcher *launcher, const struct launch_ended *ended);
void server_link_stats(struct launcher *launcher, int64_t now);
void server_link_fatal(struct launcher *launcher, const struct dc_err *err);

/* pool.c */
void pool_submit(struct launcher *launcher, const struct run *run); /* takes run's fds */
bool pool_cancel(struct launcher *launcher, uint64_t run);
void pool_pump(struct launcher *launcher);

/* slot.c */
void slot_init(struct slot *slot, uint32_t index);
void slot_tend(struct launcher *launcher, struct slot *slot, int64_t now); /* timers, next steps */
void slot_on_init(struct launcher *launcher, struct slot *slot);
void slot_on_death(struct launcher *launcher, struct slot *slot);
void slot_scrub(struct launcher *launcher, struct slot *slot);   /* nobody is inside any more */
void slot_destroy(struct launcher *launcher, struct slot *slot); /* kills the init */
void slot_kill_inside(struct launcher *launcher, struct slot *slot);

/* run_start.c */
DC_MUST int run_spawn(struct launcher *launcher, struct slot *slot, struct zygote_link *zygote,
                      uint32_t disk_mb, struct dc_err *err);
void run_attach(struct launcher *launcher, struct slot *slot, struct run *run); /* takes its fds */
void run_on_mounted(struct launcher *launcher, struct slot *slot,
                    const struct link_message *message);
void run_on_networked(struct launcher *launcher, struct slot *slot, const struct dc_err *theirs);
void run_deliver(struct launcher *launcher, struct slot *slot, bool warm);
/* For a spare whose packages are imported. Fails when it does not take its job: then the run is as
 * it was, not started. */
DC_MUST int run_start_prepared(struct launcher *launcher, struct slot *slot, struct dc_err *err);

/* run.c */
void run_stop(struct launcher *launcher, struct slot *slot, enum launch_end_kind verdict);
void run_trouble(struct launcher *launcher, struct slot *slot, const struct dc_err *err);
void run_on_child(struct launcher *launcher, struct slot *slot);
void run_on_oom(struct launcher *launcher, struct slot *slot);
void run_on_exit(struct launcher *launcher, struct slot *slot, const struct zygote_exited *exited);
void run_watch_limits(struct launcher *launcher, struct slot *slot, int64_t now);

/* run_end.c */
void run_all_gone(struct launcher *launcher, struct slot *slot); /* nothing of it is alive */
void run_finish(struct launcher *launcher, struct slot *slot);   /* tells the server */
void run_release(struct run *run);

/* zygotes.c */
void zygotes_tend(struct launcher *launcher, int64_t now);
void zygotes_on_message(struct launcher *launcher, uint32_t index);
struct zygote_link *zygotes_serving(struct launcher *launcher, uint32_t runtime); /* or NULL */
bool zygotes_settled(const struct launcher *launcher);

/* warm.c */
/* The one that has the run's packages imported, or NULL. */
struct zygote_link *zygotes_with_layer(struct launcher *launcher, const struct launch_run *request);
/* Takes names_fd. */
void zygotes_warm(struct launcher *launcher, const struct launch_warm *wish, int names_fd);
/* Is a zygote to be started for this set? replace: although one serves. */
bool warm_wanted(const struct launcher *launcher, uint32_t set, bool replace, int64_t now);
/* Why it cannot serve, or NULL. */
const char *warm_refusal(struct launcher *launcher, const struct zygote_link *zygote,
                         const struct zygote_ready *ready);
void warm_ready(struct launcher *launcher, struct zygote_link *zygote);
void warm_failed(struct launcher *launcher, const struct zygote_link *zygote);
/* The longest unused zygotes and spares with packages give way until the rest fits; `young`, a
 * set's index + 1, as the last. */
void warm_keep_memory(struct launcher *launcher, uint32_t young);

/* prepared.c */
/* The run goes to a spare that has its packages imported: true, and it is taken. */
bool prepared_place(struct launcher *launcher, struct run *run);
/* Lets the spare of a set go, index + 1. */
void prepared_drop(struct launcher *launcher, uint32_t set);
void prepared_refill(struct launcher *launcher); /* when nothing else is due */
/* What its child says from the time on that it is sealed. */
void prepared_on_sealed(struct launcher *launcher, struct slot *slot);
void prepared_on_mounted(struct launcher *launcher, struct slot *slot, const struct dc_err *theirs);
void prepared_on_child(struct launcher *launcher, struct slot *slot);
/* It ended, or must: another one is made later, if it does not happen too often. */
void prepared_failed(struct launcher *launcher, struct slot *slot, const char *why);
void prepared_tend(struct launcher *launcher, struct slot *slot, int64_t now);
/* A spare whose packages were imported after it was sealed: nothing that it says is believed. */
static inline bool slot_is_prepared(const struct slot *slot)
{
    return slot->set > DC_WARM_MAX;
}

#endif
