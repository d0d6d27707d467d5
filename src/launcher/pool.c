#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum { YOUNG_RUN_MS = 5 };

void pool_submit(struct launcher *launcher, const struct run *run)
{
    launcher->pending[launcher->pending_count++] = *run;
    launcher->running_count++;
}

static void drop_pending(struct launcher *launcher, size_t i)
{
    launcher->pending_count--;
    memmove(&launcher->pending[i], &launcher->pending[i + 1],
            (launcher->pending_count - i) * sizeof(launcher->pending[0]));
}

bool pool_cancel(struct launcher *launcher, uint64_t run)
{
    for (size_t i = 0; i < launcher->pending_count; i++) {
        struct launch_ended ended = {.run = run, .kind = END_CANCELLED};

        if (launcher->pending[i].request.run != run)
            continue;
        run_release(&launcher->pending[i]);
        drop_pending(launcher, i);
        launcher->running_count--;
        server_link_ended(launcher, &ended);
        return true;
    }
    for (size_t i = 0; i < launcher->slot_count; i++) {
        struct slot *slot = &launcher->slots[i];

        if (!slot->has_run || slot->run.request.run != run)
            continue;
        run_stop(launcher, slot, END_CANCELLED);
        return true;
    }
    return false;
}

/* A sealed or nearly sealed child of the right kind that nobody has yet; a sealed one first. */
static struct slot *find_child(struct launcher *launcher, const struct launch_run *request)
{
    struct slot *found = NULL;

    for (size_t i = 0; i < launcher->slot_count; i++) {
        struct slot *slot = &launcher->slots[i];

        if (slot->has_run || slot->set || slot->runtime != request->runtime ||
            slot->disk_mb != request->disk_mb)
            continue;
        if (slot->state == SLOT_SPARE)
            return slot;
        if (slot->state == SLOT_SPAWNING)
            found = slot;
    }
    return found;
}

static struct slot *find_state(struct launcher *launcher, enum slot_state state)
{
    for (size_t i = 0; i < launcher->slot_count; i++)
        if (launcher->slots[i].state == state && !launcher->slots[i].has_run)
            return &launcher->slots[i];
    return NULL;
}

static void place_failed(struct launcher *launcher, struct run *run, const struct dc_err *err)
{
    struct launch_ended ended = {.run = run->request.run, .kind = END_SANDBOX_ERROR};

    memcpy(ended.text, err->text, sizeof(ended.text) - 1);
    run_release(run);
    launcher->running_count--;
    server_link_ended(launcher, &ended);
}

/* Gives the run a slot; false when it has to wait. Takes the run when true. */
static bool place(struct launcher *launcher, struct run *run)
{
    struct zygote_link *zygote;
    struct slot *slot;
    struct dc_err err;

    if (prepared_place(launcher, run))
        return true;
    zygote = zygotes_with_layer(launcher, &run->request);
    slot = zygote ? NULL : find_child(launcher, &run->request);
    if (slot) {
        run_attach(launcher, slot, run);
        if (slot->state == SLOT_SPARE)
            run_deliver(launcher, slot, true);
        return true;
    }
    if (!zygote)
        zygote = zygotes_serving(launcher, run->request.runtime);
    if (!zygote)
        return false;
    slot = find_state(launcher, SLOT_FREE);
    if (!slot) {
        /* A spare of another kind gives way, unless one is already on its way out. */
        slot = find_state(launcher, SLOT_SPARE);
        if (slot && !find_state(launcher, SLOT_SCRUBBING) && !find_state(launcher, SLOT_ENDING))
            slot_kill_inside(launcher, slot);
        return false;
    }
    if (run_spawn(launcher, slot, zygote, run->request.disk_mb, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "cannot start a run");
        place_failed(launcher, run, &err);
        return true;
    }
    run_attach(launcher, slot, run);
    return true;
}

static uint32_t count_spares(const struct launcher *launcher, uint32_t runtime)
{
    uint32_t count = 0;

    for (size_t i = 0; i < launcher->slot_count; i++) {
        const struct slot *slot = &launcher->slots[i];

        count += (slot->state == SLOT_SPARE || slot->state == SLOT_SPAWNING) && !slot->has_run &&
                 !slot->set && slot->runtime == runtime && slot->disk_mb == DEFAULT_DISK_MB;
    }
    return count;
}

/* A run that has just begun is most likely short: making a spare beside it would take the
 * processor, and its zygote's attention, away from it. */
static bool young_run(const struct launcher *launcher)
{
    int64_t now = dc_now();

    for (size_t i = 0; i < launcher->slot_count; i++) {
        const struct slot *slot = &launcher->slots[i];

        if (slot->state == SLOT_RUNNING && now - slot->run.started_ns < YOUNG_RUN_MS * DC_NS_PER_MS)
            return true;
    }
    return false;
}

static void refill(struct launcher *launcher)
{
    bool wait = young_run(launcher);

    for (uint32_t i = 0; i < launcher->options.runtime_count; i++) {
        uint32_t wanted = launcher->options.runtimes[i].spares;
        uint32_t have = count_spares(launcher, i);

        if (wait && have)
            continue;
        while (have++ < wanted && zygotes_serving(launcher, i)) {
            struct slot *slot = find_state(launcher, SLOT_FREE);
            struct dc_err err;

            if (!slot)
                return;
            if (run_spawn(launcher, slot, zygotes_serving(launcher, i), DEFAULT_DISK_MB, &err) <
                0) {
                dc_log_err(DC_LOG_WARN, NULL, &err, "cannot make a spare");
                return;
            }
        }
    }
    if (!wait)
        prepared_refill(launcher);
}

void pool_pump(struct launcher *launcher)
{
    size_t i = 0;

    while (i < launcher->pending_count) {
        struct run run = launcher->pending[i];

        if (place(launcher, &run))
            drop_pending(launcher, i);
        else
            i++;
    }
    if (launcher->pending_count == 0)
        refill(launcher);
}
