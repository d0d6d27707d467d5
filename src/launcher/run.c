#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum {
    END_TIMEOUT_S = 5,
    LOOK_MS = 20,
    BURST_MS = 50, /* CPU time above the rate that nobody minds */
};

/* --- stopping -------------------------------------------------------------------------------- */

void run_stop(struct launcher *launcher, struct slot *slot, enum launch_end_kind verdict)
{
    if (slot->run.stopped || slot->state == SLOT_COLLECTING || slot->state == SLOT_ENDING)
        return;
    slot->run.stopped = true;
    slot->run.verdict = verdict;
    slot->run.ended_ns = dc_now();
    slot_kill_inside(launcher, slot);
}

void run_trouble(struct launcher *launcher, struct slot *slot, const struct dc_err *err)
{
    char text[sizeof(slot->run.ended.text)];

    dc_log_err(DC_LOG_ERROR, NULL, err, "slot %u: run failed", slot->index);
    (void)dc_err_describe(err, text, sizeof(text));
    memcpy(slot->run.ended.text, text, sizeof(text));
    slot->condemned = true;
    slot->run.stopped = true;
    slot->run.verdict = END_SANDBOX_ERROR;
    if (!slot->run.ended_ns)
        slot->run.ended_ns = dc_now();
    if (slot->state == SLOT_SPAWNING || slot->state == SLOT_SPARE || slot->state == SLOT_MOUNTING ||
        slot->state == SLOT_RUNNING)
        slot_kill_inside(launcher, slot);
}

/* --- events ---------------------------------------------------------------------------------- */

static void child_ready(struct launcher *launcher, struct slot *slot, struct link_message *message)
{
    slot->workspace_fd = link_message_take_fd(message, READY_FD_WORKSPACE);
    slot->mounts_fd = link_message_take_fd(message, READY_FD_MOUNTS);
    slot->deadline_ns = 0;
    if (slot->has_run)
        run_deliver(launcher, slot, false);
    else if (slot_is_prepared(slot))
        prepared_on_sealed(launcher, slot);
    else
        slot->state = SLOT_SPARE;
}

static void child_failed(struct launcher *launcher, struct slot *slot,
                         const struct link_message *message)
{
    struct dc_err err;

    memcpy(&err, message->body, sizeof(err));
    err.text[sizeof(err.text) - 1] = '\0';
    dc_ignore(dc_context(&err, "sealing"));
    if (slot->has_run) {
        run_trouble(launcher, slot, &err);
        return;
    }
    dc_log_err(DC_LOG_ERROR, NULL, &err, "slot %u: spare failed", slot->index);
    slot->condemned = true;
    slot_kill_inside(launcher, slot);
}

/* User code never holds this socket: the child closes it before. */
void run_on_child(struct launcher *launcher, struct slot *slot)
{
    struct link_message message;
    struct dc_err err;
    int result;

    if (slot->child_fd < 0)
        return;
    if (slot_is_prepared(slot) && slot->state != SLOT_SPAWNING) {
        prepared_on_child(launcher, slot);
        return;
    }
    result = link_receive(slot->child_fd, &message, &err);
    if (result == -DC_BUSY)
        return;
    if (result < 0) {
        dc_close_clear(&slot->child_fd);
        return;
    }
    if (message.header.type == CHILD_READY && slot->state == SLOT_SPAWNING &&
        link_message_is(&message, 0, CHILD_READY_FDS)) {
        child_ready(launcher, slot, &message);
    } else if (message.header.type == CHILD_FAILED &&
               link_message_is(&message, sizeof(struct dc_err), 0) &&
               (slot->state == SLOT_SPAWNING || slot->state == SLOT_RUNNING)) {
        child_failed(launcher, slot, &message);
    }
    link_message_release(&message);
}

/* KERNEL v1: an OOM kills one task; the rest of the run goes with it by our hand. */
void run_on_oom(struct launcher *launcher, struct slot *slot)
{
    struct cgroup_usage usage;
    struct dc_err err;
    uint64_t times;

    if (slot->leaf.oom_event_fd >= 0 &&
        read(slot->leaf.oom_event_fd, &times, sizeof(times)) == sizeof(times))
        slot->oom_seen = true;
    if (slot->state == SLOT_RUNNING && slot->oom_seen &&
        cgroup_leaf_read(&slot->leaf, &usage, &err) == 0 && usage.oom_kills > 0)
        run_stop(launcher, slot, END_MEMORY);
}

void run_on_exit(struct launcher *launcher, struct slot *slot, const struct zygote_exited *exited)
{
    run_on_child(launcher, slot); /* a reason that it gave comes before its end */
    slot->child_alive = false;
    slot->child_status = exited->status;
    slot->child_cpu_ns = exited->cpu_ns;
    slot->child_peak_bytes = exited->peak_bytes;
    switch (slot->state) {
    case SLOT_SPAWNING:
    case SLOT_PREPARING:
    case SLOT_SPARE:
    case SLOT_MOUNTING:
        if (slot->set && !slot->has_run)
            prepared_failed(launcher, slot, "it ended");
        if (slot->has_run && !slot->run.stopped) {
            struct dc_err err;

            (void)dc_fail(&err, DC_BUG, 0, "the child ended before its job, status 0x%x",
                          (unsigned)exited->status);
            run_trouble(launcher, slot, &err);
        }
        break;
    case SLOT_RUNNING:
        slot->run.ended_ns = dc_now();
        break;
    case SLOT_EMPTY:
    case SLOT_MAKING:
    case SLOT_FREE:
    case SLOT_ENDING:
    case SLOT_COLLECTING:
    case SLOT_SCRUBBING:
    case SLOT_DYING:
        return;
    }
    slot->state = SLOT_ENDING;
    slot->deadline_ns = dc_now() + END_TIMEOUT_S * DC_NS_PER_S;
}

void run_watch_limits(struct launcher *launcher, struct slot *slot, int64_t now)
{
    struct run *run = &slot->run;
    struct cgroup_usage usage;
    struct dc_err err;
    uint64_t fair_ns;
    uint32_t without = launcher->options.without;

    if (now >= slot->deadline_ns && !seal_is_without(without, WITHOUT_DEADLINE)) {
        run_stop(launcher, slot, END_TIMEOUT);
        return;
    }
    if (slot->oom_seen)
        run_on_oom(launcher, slot);
    if (slot->state != SLOT_RUNNING || now < run->next_look_ns ||
        cgroup_leaf_read(&slot->leaf, &usage, &err) < 0)
        return;
    run->next_look_ns = now + LOOK_MS * DC_NS_PER_MS;
    if (run->request.cpu_ms && usage.cpu_ns >= run->request.cpu_ms * (uint64_t)DC_NS_PER_MS) {
        run_stop(launcher, slot, END_CPU);
        return;
    }
    fair_ns =
        (uint64_t)(now - run->started_ns) / 100 * run->request.cpus_centi + BURST_MS * DC_NS_PER_MS;
    if (!slot->leaf.throttled && usage.cpu_ns > fair_ns &&
        !seal_is_without(without, WITHOUT_RATE) &&
        cgroup_leaf_throttle(&slot->leaf, run->request.cpus_centi, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "slot %u: cannot cap its CPU rate", slot->index);
}
