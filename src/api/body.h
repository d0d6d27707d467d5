/* Small JSON bodies: an object with a few members. Hostile. API process. */
#ifndef DOCLE_API_BODY_H
#define DOCLE_API_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "api/call.h"

enum { BODY_SMALL_MAX_BYTES = 64 * 1024 };

struct body {
    json_t *root; /* an object */
    struct problems problems;
};

void body_release(struct body *body); /* accepts a zeroed one */

static inline void body_release_auto(struct body *body)
{
    body_release(body);
}

/* False: has answered 400, 413 or 415. An empty body is an empty object. */
bool body_read(struct call *call, struct body *ret_body);

/* A member that is a string without NUL, borrowed; NULL when it is absent, or, with a problem
 * added, something else. */
const char *body_text(struct body *body, const char *name);

/* Answers the problems, if any; then true. */
bool body_fail(struct call *call, struct body *body);

#endif
