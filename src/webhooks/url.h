/*
 * What may be a webhook's URL, by its text. A user's, hostile. Whether what the host leads to may
 * be reached is judged anew at each connection (webhooks.c); what is refused here would be refused
 * there, or is refused since two readers of it might not agree. Pure; API process.
 */
#ifndef DOCLE_WEBHOOKS_URL_H
#define DOCLE_WEBHOOKS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "egress/host_rule.h"

struct webhook_url {
    bool plain;                            /* http */
    char host[DC_HOST_NAME_MAX_BYTES + 1]; /* normalised, or an address, without brackets */
    uint16_t port;
};

/* DC_INVALID: the text says what to do, for who sent the URL. plain: whether http may be. */
DC_MUST int webhook_url_read(const char *text, bool plain, struct webhook_url *ret_url,
                             struct dc_err *err);

/* May this address be connected to, for that URL? What is not public may where the operator lists
 * it. */
bool webhook_url_allows(const struct webhook_url *url, const struct host_exceptions *exceptions,
                        const struct sockaddr *address);

#endif
