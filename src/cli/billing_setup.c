#include "cli/billing_setup.h"

#include <string.h>

#include "base/poison.h"

/* Indices of the choices of billing. */
enum { MODE_AUTO, MODE_OFF, MODE_STRIPE, MODE_CLOUDEVENTS };

enum billing_mode billing_setup_mode(const struct config *config)
{
    switch (config_number(config, CONFIG_BILLING)) {
    case MODE_STRIPE:
        return BILLING_STRIPE;
    case MODE_CLOUDEVENTS:
        return BILLING_CLOUDEVENTS;
    case MODE_AUTO:
        return *config_text(config, CONFIG_BILLING_STRIPE_KEY) ? BILLING_STRIPE : BILLING_OFF;
    default:
        return BILLING_OFF;
    }
}

static int check_stripe(const struct billing_options *options, struct dc_err *err)
{
    const char *key = options->token ? options->token : "";

    if (strncmp(key, "sk_", 3) != 0 && strncmp(key, "rk_", 3) != 0)
        return dc_fail(err, DC_INVALID, 0,
                       "billing is stripe: STRIPE_SECRET_KEY must be a key that begins with "
                       "sk_ or rk_");
    for (int i = 0; i < STORE_METERS; i++)
        if (options->prices[i] && !stripe_id_valid(options->prices[i]))
            return dc_fail(err, DC_INVALID, 0, "'%.60s' is no price of Stripe's",
                           options->prices[i]);
    return 0;
}

int billing_setup_read(const struct config *config, struct billing_options *ret_options,
                       struct dc_err *err)
{
    struct billing_options options = {
        .mode = billing_setup_mode(config),
        .webhook_secrets = {config_text_or_null(config, CONFIG_BILLING_WEBHOOK_SECRET),
                            config_text_or_null(config, CONFIG_BILLING_WEBHOOK_SECRET_OLD),
                            config_text_or_null(config, CONFIG_BILLING_METER_SECRET)},
        .prices = {config_text_or_null(config, CONFIG_BILLING_PRICE_ID),
                   config_text_or_null(config, CONFIG_BILLING_CPU_PRICE_ID)},
        .meters = {"docle_runs", "docle_cpu_ms"},
        .app_url = config_text(config, CONFIG_APP_URL),
        .format = (enum billing_format)config_number(config, CONFIG_BILLING_EVENTS_FORMAT),
        .late = (enum billing_late)config_number(config, CONFIG_BILLING_LATE),
        .batch_s = config_number(config, CONFIG_BILLING_BATCH_SECONDS),
        .per_second = config_number(config, CONFIG_BILLING_PER_SECOND),
        .past_due_days = config_number(config, CONFIG_BILLING_PAST_DUE_DAYS),
        .instance = config_text(config, CONFIG_DATA_DIR),
    };

    if (options.mode == BILLING_CLOUDEVENTS) {
        options.url = config_text_or_null(config, CONFIG_BILLING_EVENTS_URL);
        options.token = config_text_or_null(config, CONFIG_BILLING_EVENTS_TOKEN);
        if (!options.url)
            return dc_fail(err, DC_INVALID, 0,
                           "billing is cloudevents: set billing.events_url to where usage is "
                           "to go");
    } else {
        options.url = config_text(config, CONFIG_BILLING_STRIPE_URL);
        options.token = config_text_or_null(config, CONFIG_BILLING_STRIPE_KEY);
    }
    *ret_options = options;
    return options.mode == BILLING_STRIPE ? check_stripe(&options, err) : 0;
}
