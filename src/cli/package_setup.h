/* Packages from the settings' side: where layers are, where packages come from, and whose the files
 * shall be. CLI processes. */
#ifndef DOCLE_CLI_PACKAGE_SETUP_H
#define DOCLE_CLI_PACKAGE_SETUP_H

#include "base/error.h"
#include "cli/config.h"
#include "cli/launch.h"
#include "packages/packages.h"

enum { PACKAGE_PATH_MAX = 2304 };

struct package_setup {
    bool enabled; /* the settings say so */
    char dir[PACKAGE_PATH_MAX];
    struct package_sources sources;
    struct packages_options options; /* for packages_open; dir NULL when not enabled */
};

/* Reads what there is to read while the process still may, and tells the launcher's plan where the
 * layers will be. plan: as from launch_plan, before the keeper is started. */
DC_MUST int package_setup_read(const struct config *config, struct launch_plan *plan,
                               struct package_setup *setup, struct dc_err *err);
void package_setup_release(struct package_setup *setup); /* accepts a zeroed one */

/* For a server that sees its data folder under another name. */
void package_setup_move(struct package_setup *setup, const char *data_dir);

/* For a command, after its keeper was started: makes the data folder. As root, files are made from
 * here on as the user that a server would be, until package_setup_leave. One thread. */
DC_MUST int package_setup_enter(const struct config *config, struct package_setup *setup,
                                struct dc_err *err);
void package_setup_leave(void);

#endif
