/*
 * Webhooks of projects: events leave the store for the URLs that users gave. At least once, each
 * attempt noted before it is made, one at a time for each receiver, few at once for all. On the
 * loop's thread, in tasks. API process; docs/internals/webhooks.md.
 *
 * Lifecycle: webhooks_open; webhooks_run in a task of its own; webhooks_stop, after which it
 * returns once nothing is under way; webhooks_free.
 */
#ifndef DOCLE_WEBHOOKS_WEBHOOKS_H
#define DOCLE_WEBHOOKS_WEBHOOKS_H

#include <uv.h>

#include "base/error.h"
#include "outbound/outbound.h"
#include "store/worker.h"

struct webhooks;

struct webhooks_options {
    const char *private_hosts; /* reachable though not public, as network.private; NULL: none */
    bool plain;                /* http too */
};

/* DC_INVALID: private_hosts. Borrows nothing of the options. */
DC_MUST int webhooks_open(const struct webhooks_options *options, struct webhooks **ret_webhooks,
                          struct dc_err *err);
void webhooks_attach(struct webhooks *webhooks, uv_loop_t *loop, struct store_worker *worker,
                     struct outbound *outbound);
void webhooks_free(struct webhooks *webhooks); /* accepts NULL */

void webhooks_run(void *webhooks);             /* in a task */
void webhooks_tick(struct webhooks *webhooks); /* now and then: looks for what is due */
void webhooks_stop(struct webhooks *webhooks);

/* Could this be a webhook's URL? DC_INVALID: the text says why not, for who sent it. */
DC_MUST int webhooks_check_url(const struct webhooks *webhooks, const char *url,
                               struct dc_err *err);

#endif
