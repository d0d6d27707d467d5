#include "packages/use.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"

#include "base/poison.h"

enum { SETTLED_S = 60 }; /* a place changes hands only when it was not used for so long */

static bool same(const struct package_use *one, const struct package_use *other)
{
    return one->used_ns && one->disk_mb == other->disk_mb &&
           memcmp(one->owner, other->owner, sizeof(one->owner)) == 0 &&
           memcmp(one->layer, other->layer, sizeof(one->layer)) == 0;
}

/* Its own entry, else a free one, else that of the longest unused. */
static struct package_use *find(struct package_uses *uses, const struct package_use *use)
{
    struct package_use *oldest = &uses->list[0];

    for (size_t i = 0; i < PACKAGE_USES_MAX; i++) {
        if (same(&uses->list[i], use))
            return &uses->list[i];
        if (uses->list[i].used_ns < oldest->used_ns)
            oldest = &uses->list[i];
    }
    *oldest = *use;
    oldest->used_ns = 0;
    oldest->times = 0;
    oldest->place = 0;
    return oldest;
}

static struct package_use *holder(struct package_uses *uses, uint32_t place)
{
    for (size_t i = 0; i < PACKAGE_USES_MAX; i++)
        if (uses->list[i].used_ns && uses->list[i].place == place)
            return &uses->list[i];
    return NULL;
}

/* Returns index + 1, or 0: all are in use. */
static uint32_t take_place(struct package_uses *uses, int64_t now_ns)
{
    struct package_use *oldest = NULL;
    uint32_t place;

    for (place = 1; place <= uses->places_max; place++) {
        struct package_use *one = holder(uses, place);

        if (!one)
            return place;
        if (!oldest || one->used_ns < oldest->used_ns)
            oldest = one;
    }
    if (!oldest || now_ns - oldest->used_ns < SETTLED_S * DC_NS_PER_S)
        return 0;
    place = oldest->place;
    oldest->place = 0;
    oldest->times = 0;
    return place;
}

bool package_uses_note(struct package_uses *uses, const struct package_use *use, int64_t now_ns,
                       uint32_t *ret_place)
{
    struct package_use *one = find(uses, use);

    if (!one->times || now_ns - one->begun_ns >= PACKAGE_USE_WINDOW_S * DC_NS_PER_S) {
        one->times = 0;
        one->begun_ns = now_ns;
    }
    one->times++;
    one->used_ns = now_ns;
    if (one->place || one->times < PACKAGE_USE_TIMES)
        return false;
    one->place = take_place(uses, now_ns);
    *ret_place = one->place - 1;
    return one->place != 0;
}

bool package_uses_expire(struct package_uses *uses, int64_t now_ns, uint32_t *ret_place)
{
    for (size_t i = 0; i < PACKAGE_USES_MAX; i++) {
        struct package_use *one = &uses->list[i];

        if (!one->place || now_ns - one->used_ns < PACKAGE_USE_WINDOW_S * DC_NS_PER_S)
            continue;
        *ret_place = one->place - 1;
        one->place = 0;
        one->times = 0;
        return true;
    }
    return false;
}
