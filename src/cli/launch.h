/* From settings to a running launcher. CLI processes. */
#ifndef DOCLE_CLI_LAUNCH_H
#define DOCLE_CLI_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/config.h"
#include "cli/sealed_root.h"
#include "proto/launch.h"
#include "runs/engine.h"
#include "runs/launcher_keeper.h"
#include "runs/policy.h"

enum { LAUNCH_WITHOUT_MAX = 16 };

/* The words that struct launcher_options borrows. */
struct launch_plan {
    char layers[SEALED_ROOT_PATH_MAX]; /* of packages; see launch_with_packages */
    struct launcher_options options;
    char root[SEALED_ROOT_PATH_MAX];
    char spare_texts[2][32];
    const char *spares[3];
    char without_text[256];
    const char *without[LAUNCH_WITHOUT_MAX + 1];
};

enum launch_profile {
    LAUNCH_SERVER, /* as the settings say */
    LAUNCH_SINGLE, /* one slot, no spares, no relay unless it is asked for: `docle run` */
    LAUNCH_LOOK,   /* the same, and the sealed root is taken as it is: `docle doctor` */
};

/* Fills the plan; makes the sealed root when it is not current. */
DC_MUST int launch_plan(const struct config *config, enum launch_profile profile,
                        struct launch_plan *plan, struct dc_err *err);

/* What a run may do on the network by the settings. DC_INVALID names the key. any: `*` is allowed
 * whatever they say, for a run of the operator's own. */
DC_MUST int launch_network_limits(const struct config *config, bool any,
                                  struct run_network_limits *ret_limits, struct dc_err *err);

/* The engine's part of the same. */
void launch_engine_network(const struct config *config, struct engine_options *options);

/* Forks the launcher's keeper. quiet: what it and the launcher log is dropped, since standard error
 * belongs to somebody else; a launcher that cannot serve says so over its link. */
DC_MUST int launch_keeper(const struct launch_plan *plan, bool quiet,
                          struct launcher_keeper *ret_keeper, struct dc_err *err);

/* Starts a launcher, hears its HELLO and ends it again. Fails with the launcher's own words. */
DC_MUST int launch_probe(const struct launch_plan *plan, struct launch_hello *ret_hello,
                         struct dc_err *err);

/* The same for the relay, with the plan's options for it. */
DC_MUST int launch_probe_relay(const struct launch_plan *plan, struct dc_err *err);

#endif
