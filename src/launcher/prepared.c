/*
 * Spares with packages: a sealed child that has the packages of a set imported and waits for its
 * job. A set below DC_WARM_MAX is the operator's, and its spare a fork of the zygote that has them
 * imported. The others are the server's choice, from use, and belong to one owner: their spare is a
 * fork of the plain zygote, is sealed as any other, gets the layer mounted, and only then imports.
 *
 * SECURITY: so code of packages that nobody vouched for runs where runs do, never in a process that
 * forks for others: no capability, a user namespace of its own, under seccomp, in a control group
 * with limits. It serves one run, or none. Its socket is within its reach, so nothing that it says
 * is believed but that it is ready, once; what it is like when it says so is read from the control
 * group. How a run ends is told by the zygote that waits for it, as always. A child that does not
 * take its job costs the run nothing but another start. tests/escape/test_prepared.py.
 */
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum {
    PREPARE_TIMEOUT_S = 20,
    IDLE_S = 300, /* without a run of the set */
    RETRY_S = 5,
    WATCH_MS = 500,
    IDLE_CPU_MS = 300, /* that waiting may take */
};

static struct warm_set *set_of(struct launcher *launcher, const struct slot *slot)
{
    return &launcher->warm[slot->set - 1];
}

static bool waits(const struct slot *slot, uint32_t set)
{
    return slot->set == set && !slot->has_run &&
           (slot->state == SLOT_SPAWNING || slot->state == SLOT_PREPARING ||
            slot->state == SLOT_SPARE);
}

static struct slot *find(struct launcher *launcher, uint32_t set)
{
    for (size_t i = 0; i < launcher->slot_count; i++)
        if (waits(&launcher->slots[i], set))
            return &launcher->slots[i];
    return NULL;
}

void prepared_drop(struct launcher *launcher, uint32_t set)
{
    struct slot *slot = find(launcher, set);

    if (slot)
        slot_kill_inside(launcher, slot);
}

void prepared_failed(struct launcher *launcher, struct slot *slot, const char *why)
{
    struct warm_set *set = set_of(launcher, slot);

    set->failures++;
    set->retry_ns = dc_now() + RETRY_S * DC_NS_PER_S;
    dc_log(DC_LOG_INFO, "spare with packages of set %u: %s%s", slot->set - 1, why,
           set->failures < WARM_FAILURES_MAX ? "" : "; there is none any more");
}

static void give_up(struct launcher *launcher, struct slot *slot, const char *why)
{
    prepared_failed(launcher, slot, why);
    slot->condemned = true;
    slot_kill_inside(launcher, slot);
}

/* --- lending --------------------------------------------------------------------------------- */

static bool matches(const struct warm_set *set, const struct launch_run *request)
{
    return set->names_fd >= 0 && set->wish.runtime == request->runtime &&
           memcmp(set->wish.layer, request->layer, sizeof(request->layer)) == 0 &&
           memcmp(set->wish.owner, request->owner, sizeof(request->owner)) == 0;
}

/* A network is made in the run's namespace when it has got its slot: packages that nobody vouched
 * for could be in its way there. Imports have been paid for with the default memory. */
static bool serves(const struct slot *slot, const struct launch_run *request)
{
    if (slot->disk_mb != request->disk_mb)
        return false;
    return !slot_is_prepared(slot) ||
           (slot->state == SLOT_SPARE && !(request->flags & RUN_HAS_NETWORK) &&
            request->memory_mb >= DC_MEMORY_DEFAULT_MB);
}

static bool lend(struct launcher *launcher, struct slot *slot, struct run *run)
{
    struct dc_err err;

    run_attach(launcher, slot, run);
    if (!slot_is_prepared(slot)) {
        if (slot->state == SLOT_SPARE)
            run_deliver(launcher, slot, true);
        return true;
    }
    if (run_start_prepared(launcher, slot, &err) == 0) {
        set_of(launcher, slot)->failures = 0;
        return true;
    }
    slot->has_run = false; /* run still has all that is its */
    give_up(launcher, slot, err.text);
    return false;
}

bool prepared_place(struct launcher *launcher, struct run *run)
{
    static const uint8_t none[DC_LAYER_ID_BYTES];
    const struct launch_run *request = &run->request;

    if (memcmp(request->layer, none, sizeof(none)) == 0)
        return false;
    for (uint32_t i = 0; i < DC_WARM_ALL; i++) {
        struct warm_set *set = &launcher->warm[i];
        struct launch_run anybodys = *request;
        struct slot *slot;

        if (i < DC_WARM_MAX)
            memset(anybodys.owner, 0, sizeof(anybodys.owner));
        if (!matches(set, &anybodys))
            continue;
        set->used_ns = dc_now();
        slot = find(launcher, i + 1);
        if (slot && serves(slot, request) && lend(launcher, slot, run))
            return true;
    }
    return false;
}

/* --- making ---------------------------------------------------------------------------------- */

static struct zygote_link *parent_of(struct launcher *launcher, uint32_t set)
{
    const struct warm_set *warm = &launcher->warm[set];
    struct launch_run request = {.runtime = warm->wish.runtime};

    if (set >= DC_WARM_MAX)
        return zygotes_serving(launcher, warm->wish.runtime);
    memcpy(request.layer, warm->wish.layer, sizeof(request.layer));
    return zygotes_with_layer(launcher, &request);
}

static bool wanted(struct launcher *launcher, uint32_t set, int64_t now)
{
    const struct warm_set *warm = &launcher->warm[set];
    const struct runtime *runtime = &launcher->options.runtimes[warm->wish.runtime];

    return warm->names_fd >= 0 && warm->failures < WARM_FAILURES_MAX && now >= warm->retry_ns &&
           warm->used_ns && now - warm->used_ns < IDLE_S * DC_NS_PER_S &&
           runtime->public.start == START_ZYGOTE && runtime->packages_dir && runtime->spares &&
           !find(launcher, set + 1);
}

static struct slot *free_slot(struct launcher *launcher)
{
    for (size_t i = 0; i < launcher->slot_count; i++)
        if (launcher->slots[i].state == SLOT_FREE)
            return &launcher->slots[i];
    return NULL;
}

static int make(struct launcher *launcher, uint32_t set, struct dc_err *err)
{
    const struct warm_set *warm = &launcher->warm[set];
    struct zygote_link *parent = parent_of(launcher, set);
    uint32_t disk_mb = warm->wish.disk_mb ? warm->wish.disk_mb : (uint32_t)DEFAULT_DISK_MB;
    struct slot *slot = free_slot(launcher);

    if (!parent || !slot)
        return 0;
    if (run_spawn(launcher, slot, parent, disk_mb, err) < 0)
        return -err->code;
    slot->set = set + 1;
    return 0;
}

void prepared_refill(struct launcher *launcher)
{
    int64_t now = dc_now();
    struct dc_err err;

    for (uint32_t set = 0; set < DC_WARM_ALL; set++) {
        if (!wanted(launcher, set, now) || make(launcher, set, &err) == 0)
            continue;
        launcher->warm[set].retry_ns = now + RETRY_S * DC_NS_PER_S;
        dc_log_err(DC_LOG_WARN, NULL, &err, "cannot make a spare with packages");
    }
}

/* --- importing ------------------------------------------------------------------------------- */

void prepared_on_sealed(struct launcher *launcher, struct slot *slot)
{
    const struct warm_set *set = set_of(launcher, slot);
    struct init_mount body = {.runtime = slot->runtime};
    struct dc_err err;

    memcpy(body.layer, set->wish.layer, sizeof(body.layer));
    slot->state = SLOT_PREPARING;
    slot->deadline_ns = dc_now() + PREPARE_TIMEOUT_S * DC_NS_PER_S;
    if (link_send(slot->init_fd, INIT_MOUNT, &body, sizeof(body), &slot->mounts_fd, 1, &err) < 0)
        give_up(launcher, slot, err.text);
}

void prepared_on_mounted(struct launcher *launcher, struct slot *slot, const struct dc_err *theirs)
{
    struct dc_err err = *theirs;

    dc_close_clear(&slot->mounts_fd);
    if (err.code || cgroup_leaf_begin(&slot->leaf, &err) < 0 ||
        link_send(slot->child_fd, CHILD_PREPARE, NULL, 0, &set_of(launcher, slot)->names_fd, 1,
                  &err) < 0)
        give_up(launcher, slot, err.text);
}

static void on_ready(struct launcher *launcher, struct slot *slot)
{
    struct warm_set *set = set_of(launcher, slot);
    struct cgroup_usage usage = {0};
    struct dc_err err;

    if (slot->leaf.tree && cgroup_leaf_read(&slot->leaf, &usage, &err) < 0) {
        give_up(launcher, slot, err.text);
        return;
    }
    set->spare_mb = (uint32_t)(usage.peak_bytes >> 20);
    slot->watched_cpu_ns = usage.cpu_ns;
    slot->watched_ns = dc_now();
    slot->state = SLOT_SPARE;
    slot->deadline_ns = 0;
    dc_log(DC_LOG_DEBUG, "set %u has a spare: %u MB, %llu ms of CPU time", slot->set - 1,
           set->spare_mb, (unsigned long long)(usage.cpu_ns / DC_NS_PER_MS));
    warm_keep_memory(launcher, slot->set);
}

void prepared_on_child(struct launcher *launcher, struct slot *slot)
{
    struct link_message message;
    struct dc_err err;
    int result = link_receive(slot->child_fd, &message, &err);
    bool ready;

    if (result == -DC_BUSY)
        return;
    ready = result == 0 && slot->state == SLOT_PREPARING && slot->mounts_fd < 0 &&
            message.header.type == CHILD_PREPARED && link_message_is(&message, 0, 0);
    if (result == 0)
        link_message_release(&message);
    if (ready)
        on_ready(launcher, slot);
    else if (waits(slot, slot->set))
        give_up(launcher, slot, result < 0 ? "it ended" : "it said what it must not");
    else
        dc_close_clear(&slot->child_fd);
}

/* Nobody pays for what it does while it waits. */
void prepared_tend(struct launcher *launcher, struct slot *slot, int64_t now)
{
    struct cgroup_usage usage;
    struct dc_err err;

    if (!slot->set || slot->has_run)
        return;
    if (now - set_of(launcher, slot)->used_ns >= IDLE_S * DC_NS_PER_S) {
        slot_kill_inside(launcher, slot);
        return;
    }
    if (!slot_is_prepared(slot) || now - slot->watched_ns < WATCH_MS * DC_NS_PER_MS)
        return;
    slot->watched_ns = now;
    if (slot->leaf.tree && cgroup_leaf_read(&slot->leaf, &usage, &err) == 0 &&
        usage.cpu_ns > slot->watched_cpu_ns + IDLE_CPU_MS * (uint64_t)DC_NS_PER_MS)
        give_up(launcher, slot, "its packages do not rest");
}
