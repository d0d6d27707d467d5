/*
 * How the launcher's own processes give up what they no longer need once they serve: system calls,
 * and files but for the control groups. Each has a self-test; a process whose confinement is not in
 * force does not serve. See SECURITY.md.
 */
#ifndef DOCLE_LAUNCHER_CONFINE_H
#define DOCLE_LAUNCHER_CONFINE_H

#include <stddef.h>

#include "launcher/launcher.h"
#include "launcher/nursery.h"

/* Makes the programs; the descriptors are the caller's. */
DC_MUST int confine_open(struct confine_filters *ret_filters, struct dc_err *err);
void confine_close(struct confine_filters *filters);

/* Closes all above standard error but these (any order; -1 is skipped). */
DC_MUST int confine_fds(const int *keep, size_t count, struct dc_err *err);

DC_MUST int confine_launcher(const struct launcher *launcher, struct dc_err *err);
DC_MUST int confine_sweeper(const struct launcher *launcher, struct dc_err *err);
DC_MUST int confine_nursery(const struct nursery_plan *plan, struct dc_err *err);
DC_MUST int confine_init(const struct nursery_plan *plan, struct dc_err *err);

#endif
