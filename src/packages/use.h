/*
 * Which sets of packages a project uses often: those that are worth spares with them imported.
 * Counts, nothing else; the caller acts on it. Server; the loop's thread.
 */
#ifndef DOCLE_PACKAGES_USE_H
#define DOCLE_PACKAGES_USE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

enum { PACKAGE_USES_MAX = 64, PACKAGE_USE_TIMES = 3, PACKAGE_USE_WINDOW_S = 600 };

struct package_use {
    uint8_t owner[DC_OWNER_BYTES];
    uint8_t layer[DC_LAYER_ID_BYTES];
    uint32_t disk_mb;
    uint32_t times;   /* within the window */
    int64_t begun_ns; /* of the window */
    int64_t used_ns;  /* 0: the place is free */
    uint32_t place;   /* index + 1 among those that have spares; 0: none */
};

/* Zero-initialised. */
struct package_uses {
    uint32_t places_max; /* at most DC_PREPARED_MAX; 0: nothing is ever worth it */
    struct package_use list[PACKAGE_USES_MAX];
};

/* One more run. True: it is worth spares from now on, and *ret_place is where to put them, in the
 * stead of what was there and has not been used for the longest. */
bool package_uses_note(struct package_uses *uses, const struct package_use *use, int64_t now_ns,
                       uint32_t *ret_place);

/* Frees a place whose packages have not been used within the window; false: there is none. */
bool package_uses_expire(struct package_uses *uses, int64_t now_ns, uint32_t *ret_place);

#endif
