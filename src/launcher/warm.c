/*
 * Zygotes with packages: for the sets on the operator's warm list, a fork server that has the
 * layer mounted and its modules imported, so that a run with just those packages is a fork of it.
 * Where there is none (yet, or it failed, or the memory is used up) a run gets its layer mounted
 * as any other; nothing depends on these.
 *
 * SECURITY: modules run code when they are imported, and they do so in a process that is root of S
 * (of the service namespaces, of nothing on the host). That is why only the operator decides which:
 * the launcher takes no more sets than its command line says.
 */
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum { RETRY_S = 2, FAILURES_MAX = WARM_FAILURES_MAX };

void zygotes_warm(struct launcher *launcher, const struct launch_warm *wish, int names_fd)
{
    struct warm_set *set = &launcher->warm[wish->set];

    prepared_drop(launcher, wish->set + 1);
    dc_close_clear(&set->names_fd);
    *set = (struct warm_set){.wish = *wish, .names_fd = names_fd, .used_ns = dc_now()};
}

struct zygote_link *zygotes_with_layer(struct launcher *launcher, const struct launch_run *request)
{
    static const uint8_t none[DC_LAYER_ID_BYTES];

    if (!launcher->options.warm_sets || memcmp(request->layer, none, sizeof(none)) == 0)
        return NULL;
    for (size_t i = 0; i < ZYGOTES_MAX; i++) {
        struct zygote_link *zygote = &launcher->zygotes[i];

        if (zygote->state == ZYGOTE_SERVING && zygote->warm &&
            zygote->runtime == request->runtime &&
            memcmp(zygote->layer, request->layer, sizeof(zygote->layer)) == 0)
            return zygote;
    }
    return NULL;
}

void warm_failed(struct launcher *launcher, const struct zygote_link *zygote)
{
    struct warm_set *set = &launcher->warm[zygote->warm - 1];

    set->retry_ns = dc_now() + RETRY_S * DC_NS_PER_S;
    if (++set->failures == FAILURES_MAX)
        dc_log(DC_LOG_ERROR,
               "packages of set %u are not kept imported: their zygote failed %d "
               "times; runs import them themselves",
               zygote->warm - 1, FAILURES_MAX);
}

/* What holds memory for packages: a zygote, or the spare of a set. */
struct holder {
    struct zygote_link *zygote;
    struct slot *slot;
    uint32_t set; /* index + 1 */
    uint32_t mb;
    int64_t used_ns;
};

static void weigh(const struct holder *one, uint32_t young, uint64_t *total_mb,
                  struct holder *oldest)
{
    *total_mb += one->mb;
    if (one->set != young && (!oldest->set || one->used_ns < oldest->used_ns))
        *oldest = *one;
}

/* Returns what all take, in MB. oldest->set stays 0 when there is none but the young one. */
static uint64_t look_over(struct launcher *launcher, uint32_t young, struct holder *oldest)
{
    uint64_t total_mb = 0;

    for (size_t i = 0; i < ZYGOTES_MAX; i++) {
        struct zygote_link *zygote = &launcher->zygotes[i];
        struct holder one = {zygote, NULL, zygote->warm, zygote->resident_mb, zygote->used_ns};

        if (zygote->state == ZYGOTE_SERVING && zygote->warm)
            weigh(&one, young, &total_mb, oldest);
    }
    for (size_t i = 0; i < launcher->slot_count; i++) {
        struct slot *slot = &launcher->slots[i];

        if (slot_is_prepared(slot) && slot->state == SLOT_SPARE && !slot->has_run) {
            const struct warm_set *set = &launcher->warm[slot->set - 1];
            struct holder one = {NULL, slot, slot->set, set->spare_mb, set->used_ns};

            weigh(&one, young, &total_mb, oldest);
        }
    }
    return total_mb;
}

void warm_keep_memory(struct launcher *launcher, uint32_t young)
{
    for (;;) {
        struct holder oldest = {0};
        uint64_t total_mb = look_over(launcher, young, &oldest);

        if (total_mb <= launcher->options.warm_mb || !oldest.set)
            return;
        dc_log(DC_LOG_INFO, "packages of set %u give way: imported packages take %llu MB of %u",
               oldest.set - 1, (unsigned long long)total_mb, launcher->options.warm_mb);
        if (oldest.slot) {
            launcher->warm[oldest.set - 1].used_ns = 0; /* until it is used again */
            slot_kill_inside(launcher, oldest.slot);
        } else {
            launcher->warm[oldest.set - 1].failures = FAILURES_MAX; /* until it is named again */
            oldest.zygote->state = ZYGOTE_RETIRING;
            prepared_drop(launcher, oldest.set);
        }
    }
}

const char *warm_refusal(struct launcher *launcher, const struct zygote_link *zygote,
                         const struct zygote_ready *ready)
{
    /* KERNEL: a fork has the calling thread alone; what others held stays locked in it. */
    if (ready->threads > ready->own_threads)
        return "the packages start threads when they are imported, which forks would miss";
    if (ready->resident_mb > launcher->options.warm_mb)
        return "the packages take more memory than packages.zygote_mb";
    (void)zygote;
    return NULL;
}

void warm_ready(struct launcher *launcher, struct zygote_link *zygote)
{
    launcher->warm[zygote->warm - 1].failures = 0;
    zygote->used_ns = dc_now();
    warm_keep_memory(launcher, zygote->warm);
}

static bool serves(const struct launcher *launcher, uint32_t set, bool starting)
{
    const struct launch_warm *wish = &launcher->warm[set].wish;

    for (size_t i = 0; i < ZYGOTES_MAX; i++) {
        const struct zygote_link *zygote = &launcher->zygotes[i];

        if (zygote->warm == set + 1 &&
            zygote->state == (starting ? ZYGOTE_STARTING : ZYGOTE_SERVING) &&
            memcmp(zygote->layer, wish->layer, sizeof(wish->layer)) == 0)
            return true;
    }
    return false;
}

bool warm_wanted(const struct launcher *launcher, uint32_t set, bool replace, int64_t now)
{
    const struct warm_set *warm = &launcher->warm[set];

    return warm->names_fd >= 0 && warm->failures < FAILURES_MAX && now >= warm->retry_ns &&
           launcher->options.runtimes[warm->wish.runtime].public.start == START_ZYGOTE &&
           launcher->options.runtimes[warm->wish.runtime].packages_dir &&
           !serves(launcher, set, true) && (replace || !serves(launcher, set, false));
}
