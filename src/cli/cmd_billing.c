/* docle billing: what has to be at Stripe, what was told to the meter, and what that shows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/billing_ask.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "limits/money.h"

#include "base/poison.h"

#define HOUR_NS (INT64_C(3600) * DC_NS_PER_S)

enum { PAGE = 64, DAYS_MAX = 34 };

/* --- setup ----------------------------------------------------------------------------------- */

static const struct {
    const char *display;
    const char *variable;
    enum config_id price;
} shelf[STORE_METERS] = {
    {"Docle runs", "STRIPE_PRICE_ID", CONFIG_PRICE_RUN},
    {"Docle CPU milliseconds", "STRIPE_CPU_PRICE_ID", CONFIG_PRICE_CPU_MS},
};

/* Currencies without a smaller unit; Stripe counts them in whole ones. */
static bool has_no_cents(const char *currency)
{
    static const char list[] = " bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf ";
    char word[8];

    (void)snprintf(word, sizeof(word), " %.4s ", currency);
    return strstr(list, word) != NULL;
}

/* Millionths of the unit as a decimal number of its smallest part. */
static void print_amount(int64_t micros, const char *currency, char out[static MONEY_SIZE])
{
    (void)money_print(has_no_cents(currency) ? micros : micros * 100, out);
}

static int set_up_one(struct asking *asking, enum store_meter meter, struct meter_ids *ids,
                      struct dc_err *err)
{
    const char *currency = config_text(asking->config, CONFIG_PRICE_CURRENCY);
    const char *name = asking->options.meters[meter];
    struct price_wish wish = {.lookup_key = name,
                              .product = shelf[meter].display,
                              .currency = currency,
                              .meter_id = ids->id[meter]};
    char amount[MONEY_SIZE];
    char price[STORE_CUSTOMER_SIZE];
    bool meter_made = !*ids->id[meter];
    bool price_made;
    int64_t micros;

    if (!money_parse(config_text(asking->config, shelf[meter].price), &micros))
        return dc_fail(err, DC_INVALID, 0, "%s is no amount", config_keys[shelf[meter].price].name);
    if (!micros)
        return 0; /* not billed */
    print_amount(micros, currency, amount);
    wish.amount = amount;
    if (meter_made &&
        meters_create(&asking->stripe, name, shelf[meter].display, ids->id[meter], err) < 0)
        return -err->code;
    if (meters_ensure_price(&asking->stripe, &wish, price, &price_made, err) < 0)
        return -err->code;
    (void)dc_buf_printf(&asking->out, "# meter %s %s, price %s\n%s=%s\n", ids->id[meter],
                        meter_made ? "made" : "is there", price_made ? "made" : "is there",
                        shelf[meter].variable, price);
    return 0;
}

static int set_up(struct asking *asking, struct dc_err *err)
{
    struct meter_ids ids;

    if (meters_find(&asking->stripe, asking->options.meters, &ids, err) < 0)
        return -err->code;
    for (int i = 0; i < STORE_METERS; i++)
        if (set_up_one(asking, (enum store_meter)i, &ids, err) < 0)
            return -err->code;
    (void)dc_buf_printf(&asking->out, "# webhook endpoint: %s/api/stripe/webhook\n",
                        asking->options.app_url);
    return 0;
}

static int run_setup(struct cli_call *call, struct dc_err *err)
{
    struct asking asking = {.config = &call->config, .work = set_up};
    int result = billing_ask_parse(call, 0, NULL, NULL, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    return billing_ask(&asking, err);
}

const struct cli_command command_billing_setup = {
    .name = "billing setup",
    .summary = "Find or make at Stripe what usage is billed with, and print the prices' ids.",
    .detail =
        "Meters are found by their event names docle_runs and docle_cpu_ms, prices by look-up "
        "keys of the same names; what is missing is made, from price.run, price.cpu_ms and "
        "price.currency. A second time changes nothing.",
    .settings = BILLING_ASK_SETTINGS | CLI_SETTING(CONFIG_PRICE_RUN) |
                CLI_SETTING(CONFIG_PRICE_CPU_MS) | CLI_SETTING(CONFIG_PRICE_CURRENCY),
    .run = run_setup,
};

/* --- reconcile ------------------------------------------------------------------------------- */

static void print_hour(struct dc_buf *out, const struct store_meter_hour *hour, int64_t value,
                       enum meter_judgement judgement)
{
    char time[25];

    dc_format_iso8601(hour->hour, time);
    (void)dc_buf_printf(out, "%.13s  %s  %-6s %12" PRId64 " %12" PRId64 "  %s\n", time,
                        hour->project_id, store_meter_name(hour->meter),
                        hour->acked + hour->ambiguous + hour->open, value,
                        meters_judgement_name(judgement));
}

static int compare(struct asking *asking, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    struct store_meter_hour hours[PAGE];
    int64_t now = dc_wall_now();
    int64_t from = now - (int64_t) * (const uint32_t *)asking->context * 24 * HOUR_NS;
    struct meter_ids ids;
    int64_t skip = 0;
    int count;

    if (data_dir_open_store(asking->config, &conn, err) < 0 ||
        meters_find(&asking->stripe, asking->options.meters, &ids, err) < 0)
        return -err->code;
    (void)dc_buf_printf(&asking->out, "%-13s  %-36s  %-6s %12s %12s\n", "hour (UTC)", "project",
                        "meter", "told", "shown");
    do {
        if (store_meter_hours(conn, from, now, skip, PAGE, hours, &count, err) < 0)
            return -err->code;
        for (int i = 0; i < count; i++) {
            bool settled = billing_settled_at(hours[i].hour + HOUR_NS) <= now;
            enum meter_judgement judgement;
            int64_t value;

            if (meters_read_hour(&asking->stripe, &ids, &hours[i], &value, err) < 0)
                return -err->code;
            judgement = meters_judge(&hours[i], value, settled);
            asking->unequal |= judgement == METER_DRIFT;
            print_hour(&asking->out, &hours[i], value, judgement);
        }
        skip += count;
    } while (count == PAGE);
    return 0;
}

static int take_days(void *context, int option, const char *value, struct dc_err *err)
{
    (void)option;
    return cli_number(value, 1, DAYS_MAX, context, err);
}

static int run_reconcile(struct cli_call *call, struct dc_err *err)
{
    uint32_t days = 2;
    struct asking asking = {.config = &call->config, .work = compare, .context = &days};
    int result = billing_ask_parse(call, 0, take_days, &days, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    return billing_ask(&asking, err);
}

static const struct cli_option reconcile_options[] = {
    {"days", 0, "N", "How far back; default 2, at most 34."},
    {0},
};

const struct cli_command command_billing_reconcile = {
    .name = "billing reconcile",
    .summary = "Compare what was told to Stripe's meters with what they show, hour by hour.",
    .detail = "Changes nothing; the server resolves by itself, once an hour, what it was not sure "
              "of. Exit code 1 when an hour differs that is over for two hours.",
    .options = reconcile_options,
    .settings = BILLING_ASK_SETTINGS,
    .run = run_reconcile,
};
