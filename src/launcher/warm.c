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

enum { RETRY_S = 2, FAILURES_MAX = 3 };

void zygotes_warm(struct launcher *launcher, const struct launch_warm *wish, int names_fd)
{
    struct warm_set *set = &launcher->warm[wish->set];

    dc_close_clear(&set->names_fd);
    *set = (struct warm_set){.wish = *wish, .names_fd = names_fd};
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

/* The longest unused give way until the rest fits; the newest as the last. */
static void keep_memory(struct launcher *launcher, const struct zygote_link *young)
{
    for (;;) {
        struct zygote_link *oldest = NULL;
        uint64_t total_mb = 0;

        for (size_t i = 0; i < ZYGOTES_MAX; i++) {
            struct zygote_link *zygote = &launcher->zygotes[i];

            if (zygote->state != ZYGOTE_SERVING || !zygote->warm)
                continue;
            total_mb += zygote->resident_mb;
            if (zygote != young && (!oldest || zygote->used_ns < oldest->used_ns))
                oldest = zygote;
        }
        if (total_mb <= launcher->options.warm_mb || !oldest)
            return;
        dc_log(DC_LOG_WARN, "packages of set %u give way: zygotes with packages take %llu MB of %u",
               oldest->warm - 1, (unsigned long long)total_mb, launcher->options.warm_mb);
        launcher->warm[oldest->warm - 1].failures = FAILURES_MAX; /* until it is named again */
        oldest->state = ZYGOTE_RETIRING;
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
    keep_memory(launcher, zygote);
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
