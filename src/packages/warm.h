/*
 * The operator's warm list: sets of packages that are installed before anybody asks.
 * "python: numpy pandas; node: lodash @scope/name@^1" — sets separated by semicolons, each with its
 * language, then specifications separated by blanks. Server and CLI.
 */
#ifndef DOCLE_PACKAGES_WARM_H
#define DOCLE_PACKAGES_WARM_H

#include "packages/packages.h"

enum { PACKAGE_WARM_MAX = 32 };

struct package_warm_set {
    enum run_lang lang;
    struct package_wish wish;
};

struct package_warm {
    size_t count;
    struct package_warm_set *sets; /* owned */
};

/* -DC_INVALID: says what is wrong. Release in any case; zero-initialised before. */
DC_MUST int package_warm_parse(const char *text, struct package_warm *warm, struct dc_err *err);
void package_warm_release(struct package_warm *warm);

static inline void package_warm_release_auto(struct package_warm *warm)
{
    package_warm_release(warm);
}

/* In a task: installs one set unless it is there and fresh. share: as for a project of its own. */
DC_MUST int package_warm_up(struct packages *packages, const struct package_warm_set *set,
                            struct package_failure *failure, struct layer *ret_layer,
                            struct dc_err *err);

#endif
