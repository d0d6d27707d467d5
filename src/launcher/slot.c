#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum { MAKE_TIMEOUT_S = 10, END_TIMEOUT_S = 5, SCRUB_TIMEOUT_S = 5, RETRY_MS = 200 };

static void set_state(struct slot *slot, enum slot_state state, int64_t timeout_ns)
{
    slot->state = state;
    slot->deadline_ns = timeout_ns ? dc_now() + timeout_ns : 0;
}

void slot_init(struct slot *slot, uint32_t index)
{
    *slot = (struct slot){.index = index,
                          .init_fd = -1,
                          .init_pidfd = -1,
                          .pidns_fd = -1,
                          .netns_fd = -1,
                          .child_fd = -1,
                          .workspace_fd = -1,
                          .mounts_fd = -1};
    cgroup_leaf_init(&slot->leaf);
}

/* --- making ---------------------------------------------------------------------------------- */

static int open_leaf(struct launcher *launcher, struct slot *slot, struct dc_err *err)
{
    char name[32];

    if (slot->leaf.tree)
        return 0;
    (void)snprintf(name, sizeof(name), "slot%u", slot->index);
    if (cgroup_leaf_open(&launcher->cgroups, name, &slot->leaf, err) < 0)
        return -err->code;
    if (!seal_is_without(launcher->options.without, WITHOUT_SOCKET_CAP))
        cgroup_leaf_cap_sockets(&slot->leaf);
    if (slot->leaf.oom_event_fd >= 0)
        return loop_watch(launcher, slot->leaf.oom_event_fd, WATCH_OOM, slot->index, err);
    return 0;
}

static int make(struct launcher *launcher, struct slot *slot, struct dc_err *err)
{
    struct nursery_slot body = {.index = slot->index};
    int ends[2];
    int result;

    if (open_leaf(launcher, slot, err) < 0 || link_pair(ends, err) < 0)
        return -err->code;
    result =
        link_send(launcher->nursery.link_fd, NURSERY_SLOT, &body, sizeof(body), &ends[1], 1, err);
    dc_close(ends[1]);
    slot->init_fd = ends[0];
    if (result == 0)
        result = loop_watch(launcher, slot->init_fd, WATCH_INIT, slot->index, err);
    return result;
}

static void begin_making(struct launcher *launcher, struct slot *slot)
{
    struct dc_err err;

    if (make(launcher, slot, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "cannot make slot %u", slot->index);
        dc_close_clear(&slot->init_fd);
        cgroup_leaf_close(&slot->leaf);
        set_state(slot, SLOT_EMPTY, RETRY_MS * DC_NS_PER_MS);
        return;
    }
    set_state(slot, SLOT_MAKING, MAKE_TIMEOUT_S * DC_NS_PER_S);
}

/* --- the end of what is inside --------------------------------------------------------------- */

void slot_kill_inside(struct launcher *launcher, struct slot *slot)
{
    /* A spare that is let go ends by itself when its socket closes; killing is for what runs. */
    dc_close_clear(&slot->child_fd);
    if (slot->leaf.tree && cgroup_leaf_kill(&slot->leaf)) {
        set_state(slot, SLOT_ENDING, END_TIMEOUT_S * DC_NS_PER_S);
        return;
    }
    slot->condemned = true; /* no cgroup.kill: the init takes everything with it */
    if (slot->init_pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, slot->init_pidfd, SIGKILL, NULL, 0);
    (void)launcher;
    set_state(slot, SLOT_ENDING, END_TIMEOUT_S * DC_NS_PER_S);
}

void slot_destroy(struct launcher *launcher, struct slot *slot)
{
    (void)launcher;
    if (slot->init_pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, slot->init_pidfd, SIGKILL, NULL, 0);
    dc_close_clear(&slot->init_fd);
    dc_close_clear(&slot->child_fd);
    dc_close_clear(&slot->workspace_fd);
    dc_close_clear(&slot->mounts_fd);
    slot->condemned = true;
    set_state(slot, SLOT_DYING, END_TIMEOUT_S * DC_NS_PER_S);
}

static void bury(struct launcher *launcher, struct slot *slot)
{
    dc_close_clear(&slot->init_fd);
    dc_close_clear(&slot->init_pidfd);
    dc_close_clear(&slot->pidns_fd);
    dc_close_clear(&slot->netns_fd);
    dc_close_clear(&slot->workspace_fd);
    dc_close_clear(&slot->mounts_fd);
    cgroup_leaf_close(&slot->leaf);
    slot->child_alive = false; /* it ended with the init */
    slot->condemned = false;
    launcher->stats.slots_rebuilt++;
    set_state(slot, SLOT_EMPTY, 0);
}

void slot_scrub(struct launcher *launcher, struct slot *slot)
{
    struct dc_err err;

    dc_close_clear(&slot->child_fd);
    dc_close_clear(&slot->workspace_fd); /* the run's file system goes with its last holder */
    dc_close_clear(&slot->mounts_fd);
    if (slot->condemned || slot->init_fd < 0 ||
        link_send(slot->init_fd, INIT_SCRUB, NULL, 0, NULL, 0, &err) < 0) {
        slot_destroy(launcher, slot);
        return;
    }
    set_state(slot, SLOT_SCRUBBING, SCRUB_TIMEOUT_S * DC_NS_PER_S);
}

static void scrubbed(struct launcher *launcher, struct slot *slot, bool clean)
{
    struct dc_err err;

    if (!clean && !seal_is_without(launcher->options.without, WITHOUT_SCRUB)) {
        slot_destroy(launcher, slot);
        return;
    }
    if (cgroup_leaf_renew(&slot->leaf, &err) < 0) {
        dc_log_err(DC_LOG_WARN, NULL, &err, "slot %u", slot->index);
        slot_destroy(launcher, slot);
        return;
    }
    set_state(slot, SLOT_FREE, 0);
}

/* Ends the run that is inside, if there is one, and the slot. */
static void give_up(struct launcher *launcher, struct slot *slot, const struct dc_err *err)
{
    if (slot->has_run) {
        run_trouble(launcher, slot, err);
        run_finish(launcher, slot);
    }
    slot_destroy(launcher, slot);
}

/* --- events ---------------------------------------------------------------------------------- */

static bool ready(struct launcher *launcher, struct slot *slot, struct link_message *message)
{
    struct dc_err err;

    if (slot->state != SLOT_MAKING || !link_message_is(message, 0, INIT_READY_FDS))
        return false;
    slot->pidns_fd = link_message_take_fd(message, INIT_FD_PIDNS);
    slot->netns_fd = link_message_take_fd(message, INIT_FD_NETNS);
    slot->init_pidfd = link_message_take_fd(message, INIT_FD_PIDFD);
    if (loop_watch(launcher, slot->init_pidfd, WATCH_DEATH, slot->index, &err) < 0)
        return false;
    set_state(slot, SLOT_FREE, 0);
    return true;
}

void slot_on_init(struct launcher *launcher, struct slot *slot)
{
    struct link_message message;
    struct dc_err err;
    bool good = false;

    if (slot->init_fd < 0)
        return;
    if (link_receive(slot->init_fd, &message, &err) < 0) {
        dc_close_clear(&slot->init_fd);
        slot->condemned = true;
        if (slot->state == SLOT_MAKING)
            set_state(slot, SLOT_DYING, END_TIMEOUT_S * DC_NS_PER_S);
        return;
    }
    if (message.header.type == INIT_READY) {
        good = ready(launcher, slot, &message);
    } else if (message.header.type == INIT_SCRUBBED && slot->state == SLOT_SCRUBBING &&
               link_message_is(&message, sizeof(struct init_scrubbed), 0)) {
        scrubbed(launcher, slot, ((const struct init_scrubbed *)message.body)->clean);
        good = true;
    } else if (message.header.type == INIT_MOUNTED &&
               link_message_is(&message, sizeof(struct dc_err), 0)) {
        run_on_mounted(launcher, slot, &message);
        good = true;
    } else if (message.header.type == INIT_NETWORKED && slot->networking &&
               link_message_is(&message, sizeof(struct dc_err), 0)) {
        memcpy(&err, message.body, sizeof(err));
        run_on_networked(launcher, slot, &err);
        good = true;
    } else if (message.header.type == INIT_COLLECTED && slot->state == SLOT_COLLECTING) {
        run_finish(launcher, slot);
        slot_scrub(launcher, slot);
        good = true;
    }
    link_message_release(&message);
    if (!good) {
        (void)dc_fail(&err, DC_BUG, 0, "message %u of the slot's init in state %d",
                      message.header.type, (int)slot->state);
        dc_log_err(DC_LOG_WARN, NULL, &err, "slot %u", slot->index);
        give_up(launcher, slot, &err);
    }
}

/* The init has ended: by our wish, or somebody killed it. Everything in its namespace is dead. */
void slot_on_death(struct launcher *launcher, struct slot *slot)
{
    struct dc_err err;

    if (slot->init_pidfd < 0)
        return;
    dc_close_clear(&slot->init_pidfd);
    dc_close_clear(&slot->init_fd);
    slot->condemned = true;
    if (slot->state == SLOT_DYING) {
        bury(launcher, slot);
        return;
    }
    if (slot->has_run && !slot->run.stopped) {
        (void)dc_fail(&err, DC_BUG, 0, "the slot's init died");
        run_trouble(launcher, slot, &err);
    }
    if (slot->state == SLOT_FREE || slot->state == SLOT_SCRUBBING)
        bury(launcher, slot);
    else if (slot->state != SLOT_ENDING)
        slot_kill_inside(launcher, slot);
}

static void ending_tend(struct launcher *launcher, struct slot *slot)
{
    if (slot->child_alive)
        return;
    if (slot->leaf.tree && cgroup_leaf_populated(&slot->leaf)) {
        (void)cgroup_leaf_kill(&slot->leaf);
        return;
    }
    if (slot->condemned && slot->init_pidfd >= 0 && slot->leaf.kill_fd < 0)
        return; /* without cgroup.kill: wait for the init's end */
    run_all_gone(launcher, slot);
}

static void overdue(struct launcher *launcher, struct slot *slot)
{
    struct dc_err err;

    dc_log(DC_LOG_WARN, "slot %u: overdue in state %d", slot->index, (int)slot->state);
    if (slot->state == SLOT_PREPARING) { /* that is its packages' doing */
        prepared_failed(launcher, slot, "its packages are not imported in time");
        slot_kill_inside(launcher, slot);
        return;
    }
    (void)dc_fail(&err, DC_TIMEOUT, 0, "overdue in state %d", (int)slot->state);
    switch (slot->state) {
    case SLOT_ENDING:
    case SLOT_DYING:
        /* Its zygote does not report, or the kernel does not let go. */
        slot->child_alive = false;
        if (slot->has_run) {
            run_trouble(launcher, slot, &err);
            run_finish(launcher, slot);
        }
        if (slot->state == SLOT_DYING)
            bury(launcher, slot);
        else
            slot_destroy(launcher, slot);
        break;
    case SLOT_COLLECTING:
        run_finish(launcher, slot); /* the stream ends short, which its reader notices */
        slot_destroy(launcher, slot);
        break;
    case SLOT_EMPTY:
    case SLOT_MAKING:
    case SLOT_FREE:
    case SLOT_SPAWNING:
    case SLOT_PREPARING:
    case SLOT_SPARE:
    case SLOT_MOUNTING:
    case SLOT_RUNNING:
    case SLOT_SCRUBBING:
        give_up(launcher, slot, &err);
        break;
    }
}

void slot_tend(struct launcher *launcher, struct slot *slot, int64_t now)
{
    switch (slot->state) {
    case SLOT_EMPTY:
        if (now >= slot->deadline_ns)
            begin_making(launcher, slot);
        return;
    case SLOT_RUNNING:
        run_watch_limits(launcher, slot, now);
        return;
    case SLOT_ENDING:
        ending_tend(launcher, slot);
        break;
    case SLOT_SPARE:
        prepared_tend(launcher, slot, now);
        return;
    case SLOT_PREPARING:
    case SLOT_MAKING:
    case SLOT_FREE:
    case SLOT_SPAWNING:
    case SLOT_MOUNTING:
    case SLOT_COLLECTING:
    case SLOT_SCRUBBING:
    case SLOT_DYING:
        break;
    }
    if (slot->deadline_ns && now >= slot->deadline_ns)
        overdue(launcher, slot);
}
