/*
 * Who asks: keys in memory, refreshed the moment any process has changed them. API process, loop
 * thread, in tasks.
 */
#ifndef DOCLE_API_AUTH_H
#define DOCLE_API_AUTH_H

#include <stdbool.h>

#include "api/call.h"
#include "base/error.h"

struct route;

/* May the caller take this route? Fills key_id or session, and project_id. False: has answered 401,
 * 403 (or an error), the route is not to run. */
bool auth_admit(struct call *call, const struct route *route);

/* What the Authorization header holds, without its scheme; NULL for nothing. */
const char *auth_credentials(const struct call *call);

/* 401: no session, or one that is not good. */
void auth_refuse_session(struct call *call, bool given);

/* Does the call carry the operator's metrics token? */
bool auth_is_metrics_token(const struct call *call);

/* Loads keys when the store has changed since the last time. At start, and before each decision. */
DC_MUST int auth_refresh(struct app *app, struct dc_err *err);

/* Once a second: notices a change whose mark was lost, and records last uses in one write. */
void auth_upkeep(struct app *app);

#endif
