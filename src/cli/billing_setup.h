/* Billing by the operator's settings. CLI and server. */
#ifndef DOCLE_CLI_BILLING_SETUP_H
#define DOCLE_CLI_BILLING_SETUP_H

#include "billing/billing.h"
#include "cli/config.h"

/* Needs the secrets: by auto, Stripe's key decides. */
enum billing_mode billing_setup_mode(const struct config *config);

/* DC_INVALID says which setting is missing or wrong. Strings are config's. */
DC_MUST int billing_setup_read(const struct config *config, struct billing_options *ret_options,
                               struct dc_err *err);

#endif
