/*
 * One of our own processes at the other end of a link: started through the keeper, listened to, and
 * started again when it dies or talks nonsense, after a back-off of 0.1 to 10 s. What it says is
 * its owner's affair, but for how it comes up and its last words. All on the loop's thread; never
 * blocks. Server and CLI.
 *
 * Lifecycle: embedded in the owner's struct; service_link_open starts the process; a message of the
 * owner's calls service_link_ready; service_link_close, whose callback may free the owner.
 */
#ifndef DOCLE_RUNS_SERVICE_LINK_H
#define DOCLE_RUNS_SERVICE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "proto/link.h"
#include "runs/launcher_keeper.h"

struct service_message {
    uint8_t type;
    /* False: out of the protocol, the process is replaced. May close or replace it itself. */
    bool (*take)(void *owner, const struct link_message *message);
};

/* Static. */
struct service_kind {
    const char *name; /* in logs: "the launcher" */
    int (*start)(struct launcher_keeper *keeper, int link_fd, struct dc_err *err);
    const struct service_message *messages; /* ended by a NULL take */
    uint8_t fatal_type;       /* of the message with its last words, a struct dc_err */
    unsigned messages_a_turn; /* of the loop */
    /* It is gone and a restart is due. What was asked of it has to be given up. */
    void (*down)(void *owner, const char *why);
};

enum service_state {
    SERVICE_STARTING,
    SERVICE_READY,
    SERVICE_DOWN, /* died or could not serve; a restart is due */
    SERVICE_CLOSED,
};

struct service_link {
    /* To read. */
    enum service_state state;
    int fd;              /* to send on while READY; -1: none */
    bool has_fatal;      /* why it could not serve, until it does */
    struct dc_err fatal; /* its own words, or ours when it cannot be started */
    uint64_t starts;
    uint64_t deaths;

    /* The module's. */
    const struct service_kind *kind;
    void *owner;
    uv_loop_t *loop;
    struct launcher_keeper *keeper;
    uv_poll_t *poll;
    uv_timer_t backoff;
    uint64_t ready_at_ms;
    uint32_t backoff_ms;
    void (*closed)(void *owner);
};

/* keeper: borrowed. Cannot fail: what is wrong comes as `down`, which may be called by it. */
void service_link_open(struct service_link *link, const struct service_kind *kind, void *owner,
                       uv_loop_t *loop, struct launcher_keeper *keeper);

/* It has said that it serves. */
void service_link_ready(struct service_link *link);

/* Takes the process for lost: the link closes, which ends it, and `down` is called. Nothing when it
 * is down already. why: a text that may live in the link. */
void service_link_replace(struct service_link *link, const char *why);

/* Starts none any more; `down` is not called. closed: when nothing refers to the link any more. */
void service_link_close(struct service_link *link, void (*closed)(void *owner));

#endif
