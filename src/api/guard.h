/*
 * May this key do this, from there, now; and what a client is told of its rate. Everything that is
 * judged in memory before a route runs. API process, loop thread, in tasks.
 */
#ifndef DOCLE_API_GUARD_H
#define DOCLE_API_GUARD_H

#include "api/call.h"

/* Scope, origin, address, suspension and rate of a key that is known and has not expired. Fills who
 * asks. False: has answered 403 or 429. */
bool guard_key(struct call *call, const struct store_key *key);

/* The same for somebody who has signed in: is the project, whose id is filled in, suspended? Fills
 * its plan and rules. False: has answered. */
bool guard_session(struct call *call);

/* The rate of an address on routes that are open to anybody, and of wrong keys. This machine's own
 * addresses are free of it. False: has answered 429. */
bool guard_open(struct call *call);

/* The rate of an end user. False: *ret_failure is the answer; its texts are of the call's arena. */
bool guard_user(struct call *call, const char *user_id, struct call_error *ret_failure);

/* The runs of an address without key and session. False: has answered 429. */
bool guard_anonymous(struct call *call);

/* The rate of somebody who shares programs. False: has answered 429. */
bool guard_shares(struct call *call);

/* Is this a browser's question whether a page may send a request? By the Fetch standard: OPTIONS
 * with the method that it would have. */
bool guard_is_preflight(const struct call *call);

/* Answers a browser's question whether a page may send a request. Any key's domains count, since
 * the question carries no key. */
void guard_preflight(struct call *call);

#endif
