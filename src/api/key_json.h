/*
 * Keys as JSON: what a client says of one, checked, and what it is told. Shared by all routes that
 * make, change or list keys. API process.
 */
#ifndef DOCLE_API_KEY_JSON_H
#define DOCLE_API_KEY_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "runs/problems.h"
#include "store/keys.h"

enum { KEY_RATE_DEFAULT = 60 }; /* of keys made in the dashboard */

/*
 * Reads the members name, test, scopes, expiresAt, allowedDomains, allowedIps, rateLimitPerMinute,
 * maxConcurrentRuns, monthlyBudget and budgetStops of an object, all optional; null takes a limit
 * away. Other members are not looked at. What is wrong is added to problems, path "" for the
 * object. The texts of *ret_change live in arena. *ret_test may be NULL where that cannot be
 * changed. -DC_KERNEL: memory.
 */
DC_MUST int key_json_parse(const json_t *object, int64_t now, struct dc_arena *arena,
                           struct store_key_change *ret_change, bool *ret_test,
                           struct problems *problems, struct dc_err *err);

/* The same for a new key: what is not said is the dashboard's default. name and rules of *ret_made
 * are filled, project_id is the caller's to fill. */
DC_MUST int key_json_parse_new(const json_t *object, int64_t now, struct dc_arena *arena,
                               struct store_key_new *ret_made, struct problems *problems,
                               struct dc_err *err);

/* Appends an object: the original's members, both generations of them, and the rules. Never the
 * secret. */
void key_json_print(const struct store_key *key, int64_t now, struct dc_buf *out);

#endif
