/*
 * Stripe-Signature: "t=SECONDS,v1=HEX[,v1=HEX…]", where HEX is HMAC-SHA256 of "SECONDS.BODY" under
 * the endpoint's secret, "whsec_" included. While a secret is rolled there is a v1 for each. Other
 * schemes are passed over. Source: https://docs.stripe.com/webhooks#verify-manually.
 */
#ifndef DOCLE_BILLING_SIGNATURE_H
#define DOCLE_BILLING_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_SECRETS = 3, SIGNATURE_TOLERANCE_S = 300, SIGNATURE_HEADER_MAX_BYTES = 4096 };

/* Is the body signed with one of the secrets (NULL: none), at most the tolerance away from now_s,
 * before or after? header may be NULL. Time does not tell how much of a signature was right. */
bool signature_valid(const char *header, const char *body, size_t length,
                     const char *const secrets[static SIGNATURE_SECRETS], int64_t now_s);

#endif
