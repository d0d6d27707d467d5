/*
 * The launcher's whole state machine with everybody around it played by a test: server, nursery,
 * inits, zygotes, children, control groups (plain files of the shape of v2), process handles
 * (eventfds) and the clock. The links are real, so that framing and descriptors are the product's.
 *
 * The program is linked with the wrappers of launcher_world_wrap, see meson.build. One world at a
 * time. world_turn checks after each turn what must hold whatever the peers say:
 *
 *  - a run that was taken gets one ENDED and at most one STARTED, others get none;
 *  - a job goes to one child, once, and never to a slot that was not scrubbed since its last job;
 *  - the launcher's own count of runs is true.
 */
#ifndef DOCLE_TESTS_LAUNCHER_WORLD_H
#define DOCLE_TESTS_LAUNCHER_WORLD_H

#include "launcher/launcher.h"

enum { WORLD_SLOTS = 2, WORLD_RUNTIMES = 2, WORLD_ALL_SLOTS = 4, WORLD_RUNS = 16 };

struct world_slot {
    int init_fd;  /* our end of the init's link */
    int death_fd; /* readable: the init has ended */
    int child_fd; /* our end of the child's socket */
    bool spawned; /* the child owes READY */
    bool scrub;   /* the init owes SCRUBBED */
    bool collect; /* the init owes COLLECTED */
    bool mount;   /* the init owes MOUNTED */
    bool network; /* the init owes NETWORKED */
    bool made;    /* the init owes READY */
    bool used;    /* a job went in and no clean SCRUBBED came out */
    uint32_t zygote;
    bool owed;    /* the zygote owes EXITED */
    bool killed;  /* what was inside was killed */
    int files_fd; /* the folder that plays the control group */
    int kill_fd;
};

struct world_zygote {
    int fd; /* our end; -1: none */
    bool fresh;
};

struct world_run {
    bool asked;
    bool started;
    bool delivered;
};

struct world {
    struct launcher launcher;
    int server_fd;
    int nursery_fd;
    size_t in_flight;
    size_t hellos;
    size_t ended;
    size_t delivered;
    bool broken;         /* the launcher ends the link for what was sent, or an error of its own */
    struct dc_err error; /* meaningful when broken */
    struct launch_ended last;      /* the last that came */
    void (*around_turn)(bool now); /* called before (true) and after each turn; may be NULL */
    struct world_slot slots[WORLD_ALL_SLOTS];
    struct world_zygote zygotes[ZYGOTES_MAX];
    struct world_run runs[WORLD_RUNS];
};

void world_prepare(void); /* opens what is kept until the process ends; repeatable */
void world_open(struct world *world);
void world_close(struct world *world); /* everything, and the launcher's own descriptors */

/* One turn of the launcher's loop, then takes what it said. False once it leaves. */
bool world_turn(struct world *world);

/* All peers do what they owe. */
void world_behave(struct world *world);

void world_advance(int64_t ns); /* the clock */

/* A packet as it is: a header may lie. count descriptors are of /dev/null. */
void world_send_raw(int fd, const void *bytes, size_t length, size_t count);

/* RUN with good fields but for what change does. id: below WORLD_RUNS, else it goes unwatched. */
void world_send_run(struct world *world, const struct launch_run *request);

void world_send(int fd, uint8_t type, const void *body, size_t length, size_t fd_count);
void world_init_ready(struct world *world, size_t slot);
void world_init_scrubbed(struct world *world, size_t slot, bool clean);
void world_init_mounted(struct world *world, size_t slot, enum dc_code code);
void world_init_networked(struct world *world, size_t slot, enum dc_code code);
void world_child_ready(struct world *world, size_t slot);
void world_zygote_ready(struct world *world, size_t zygote, const char *problem);
void world_zygote_exited(struct world *world, size_t zygote, uint32_t slot, int32_t status);

/* What the control group of a slot says. */
void world_set_usage(struct world *world, size_t slot, uint64_t cpu_us, unsigned ooms,
                     unsigned refused_forks);
void world_set_populated(struct world *world, size_t slot, bool populated);

#endif
