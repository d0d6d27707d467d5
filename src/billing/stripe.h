/*
 * Stripe's API: one call, with the retry rule of its own clients (`RequestSender.js` of the npm
 * package stripe 23): what Stripe-Should-Retry says, else no answer, 409 and 500 and up; at most
 * two more times, after 0.5 s and more; one idempotency key for all of them. API process and CLI,
 * in tasks. A call suspends its task.
 */
#ifndef DOCLE_BILLING_STRIPE_H
#define DOCLE_BILLING_STRIPE_H

#include <jansson.h>

#include "base/uuid.h"
#include "outbound/outbound.h"

#define STRIPE_VERSION "2026-10-28.endive"
#define STRIPE_URL "https://api.stripe.com"

struct stripe {
    struct outbound *outbound; /* borrowed */
    const char *url;           /* without a slash at the end */
    const char *key;           /* sk_… or rk_… */
    const bool *stopping;      /* no further try once it is set; NULL: never */
    int retries;               /* after the first try */
};

struct stripe_answer {
    int status;   /* 0: none came, and what Stripe did is not known */
    json_t *body; /* NULL: none, or no JSON object */
};

void stripe_answer_release(struct stripe_answer *answer);

static inline void stripe_answer_release_auto(struct stripe_answer *answer)
{
    stripe_answer_release(answer);
}

/* method: "GET" or "DELETE" with form as query, or "POST". form may be NULL. key: of the POST, NULL
 * makes one. 0 for status 200; otherwise err has Stripe's own words: DC_NOT_FOUND 404, DC_DENIED
 * 401 and 403, DC_BUSY 409 and 429, DC_INVALID other 4xx, DC_KERNEL 5xx and no answer. answer:
 * zeroed. */
DC_MUST int stripe_call(const struct stripe *stripe, const char *method, const char *path,
                        const struct dc_buf *form, const char *key, struct stripe_answer *answer,
                        struct dc_err *err);

/* Members by path, such as "items.data.0.price"; NULL or 0 where there is none of that type. */
const json_t *stripe_member(const json_t *object, const char *path);
const char *stripe_text(const json_t *object, const char *path);
int64_t stripe_number(const json_t *object, const char *path);
int64_t stripe_moment(const json_t *object, const char *path); /* seconds as wall nanoseconds */

/* Is text an id such as may stand in a URL: letters, digits and _, 1 to 66? */
bool stripe_id_valid(const char *text);

#endif
