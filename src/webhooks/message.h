/*
 * What a webhook's request says, and its signature:
 *
 *   Docle-Signature: t=SECONDS,v1=HEX[,v1=HEX]
 *
 * HEX is HMAC-SHA256 of "SECONDS.BODY" under the whole secret, "dw_" included; while a secret is
 * rolled there is one for each. The same event has the same body in every attempt. Pure.
 */
#ifndef DOCLE_WEBHOOKS_MESSAGE_H
#define DOCLE_WEBHOOKS_MESSAGE_H

#include "base/buf.h"
#include "store/webhooks.h"

enum { WEBHOOK_BODY_MAX_BYTES = 8192, WEBHOOK_SIGNATURE_SIZE = 192 };

/* A failed append stays in the buffer. */
void webhook_print_body(const struct store_webhook_event *event, struct dc_buf *out);

void webhook_sign(const struct store_webhook *webhook, int64_t now_s, const char *body,
                  size_t length, char ret_header[static WEBHOOK_SIGNATURE_SIZE]);

/* "dw_" and 64 hexadecimal digits, random. */
void webhook_secret_make(char ret_secret[static STORE_WEBHOOK_SECRET_SIZE]);

#endif
