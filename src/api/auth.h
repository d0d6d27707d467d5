/*
 * Who asks: keys in memory, refreshed the moment any process has changed them. API process, loop
 * thread, in tasks.
 */
#ifndef DOCLE_API_AUTH_H
#define DOCLE_API_AUTH_H

#include <stdbool.h>

#include "api/call.h"
#include "base/error.h"

/* Fills who asks from the Authorization header, and sees to it that the key may do this, from here
 * and now (guard.h). False: has answered, the route is not to run. */
bool auth_check(struct call *call);

/* Does the call carry the operator's metrics token? */
bool auth_is_metrics_token(const struct call *call);

/* Loads keys when the store has changed since the last time. At start, and before each decision. */
DC_MUST int auth_refresh(struct app *app, struct dc_err *err);

/* Once a second: notices a change whose mark was lost, and records last uses in one write. */
void auth_upkeep(struct app *app);

#endif
