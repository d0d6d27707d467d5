/* How docle-egress gives its rights up. Internal to src/egress. */
#ifndef DOCLE_EGRESS_CONFINE_H
#define DOCLE_EGRESS_CONFINE_H

#include <sys/types.h>

#include "base/error.h"

/* Becomes uid (and the group of the same number) when it is not 0, drops every capability, ends
 * with its parent. */
DC_MUST int confine_become(uid_t uid, struct dc_err *err);

/* Landlock: nothing but reading the resolver's settings. seccomp: sockets, memory, the loop. After
 * that the process opens no other file, starts nothing and traces nobody. Call when the resolver
 * has been opened; no thread may exist. */
DC_MUST int confine_seal(struct dc_err *err);

#endif
