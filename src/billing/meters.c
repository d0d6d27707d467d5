#include "billing/meters.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "billing/form.h"

#include "base/poison.h"

enum { FORM_BYTES = 4096, PATH_BYTES = 256, PAGES_MAX = 20, HOUR_S = 3600 };

static int copy_id(char *out, const json_t *object, const char *path, struct dc_err *err)
{
    const char *id = stripe_text(object, path);

    if (!stripe_id_valid(id))
        return dc_fail(err, DC_BUG, 0, "Stripe's answer has no %s", path);
    (void)snprintf(out, STORE_CUSTOMER_SIZE, "%s", id);
    return 0;
}

/* ---- meters ---- */

static void take_meters(const json_t *data, const char *const names[static STORE_METERS],
                        struct meter_ids *ids)
{
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *meter = json_array_get(data, i);
        const char *name = stripe_text(meter, "event_name");
        const char *id = stripe_text(meter, "id");

        for (int j = 0; j < STORE_METERS; j++)
            if (name && names[j] && strcmp(name, names[j]) == 0 && stripe_id_valid(id))
                (void)snprintf(ids->id[j], sizeof(ids->id[j]), "%s", id);
    }
}

int meters_find(const struct stripe *stripe, const char *const names[static STORE_METERS],
                struct meter_ids *ret_ids, struct dc_err *err)
{
    char after[STORE_CUSTOMER_SIZE] = "";

    *ret_ids = (struct meter_ids){0};
    for (int page = 0; page < PAGES_MAX; page++) {
        DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
        DC_AUTO(dc_buf_release) struct dc_buf form = {0};
        const json_t *data;

        dc_buf_init(&form, FORM_BYTES);
        form_add(&form, "limit", "100");
        form_add(&form, "status", "active");
        if (*after)
            form_add(&form, "starting_after", after);
        if (stripe_call(stripe, "GET", "/v1/billing/meters", &form, NULL, &answer, err) < 0)
            return -err->code;
        data = stripe_member(answer.body, "data");
        take_meters(data, names, ret_ids);
        if (!json_is_true(stripe_member(answer.body, "has_more")) || !json_array_size(data))
            return 0;
        if (copy_id(after, json_array_get(data, json_array_size(data) - 1), "id", err) < 0)
            return -err->code;
    }
    return 0;
}

int meters_create(const struct stripe *stripe, const char *name, const char *display, char *ret_id,
                  struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};

    dc_buf_init(&form, FORM_BYTES);
    form_add(&form, "display_name", display);
    form_add(&form, "event_name", name);
    form_add(&form, "default_aggregation[formula]", "sum");
    form_add(&form, "customer_mapping[type]", "by_id");
    form_add(&form, "customer_mapping[event_payload_key]", "stripe_customer_id");
    form_add(&form, "value_settings[event_payload_key]", "value");
    if (stripe_call(stripe, "POST", "/v1/billing/meters", &form, NULL, &answer, err) < 0)
        return -err->code;
    return copy_id(ret_id, answer.body, "id", err);
}

/* ---- prices ---- */

static int check_price(const json_t *price, const struct price_wish *wish, char *ret_id,
                       struct dc_err *err)
{
    const char *amount = stripe_text(price, "unit_amount_decimal");
    const char *currency = stripe_text(price, "currency");
    const char *meter = stripe_text(price, "recurring.meter");

    if (!amount || strcmp(amount, wish->amount) != 0 || !currency ||
        strcmp(currency, wish->currency) != 0 || !meter || strcmp(meter, wish->meter_id) != 0)
        return dc_fail(err, DC_CONFLICT, 0,
                       "the price %s at Stripe is %.20s %.8s: prices do not change there; archive "
                       "it and drop its look-up key, then set up again",
                       wish->lookup_key, amount ? amount : "?", currency ? currency : "?");
    return copy_id(ret_id, price, "id", err);
}

static int create_price(const struct stripe *stripe, const struct price_wish *wish, char *ret_id,
                        struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};

    dc_buf_init(&form, FORM_BYTES);
    form_add(&form, "currency", wish->currency);
    form_add(&form, "unit_amount_decimal", wish->amount);
    form_add(&form, "lookup_key", wish->lookup_key);
    form_add(&form, "product_data[name]", wish->product);
    form_add(&form, "recurring[interval]", "month");
    form_add(&form, "recurring[usage_type]", "metered");
    form_add(&form, "recurring[meter]", wish->meter_id);
    if (stripe_call(stripe, "POST", "/v1/prices", &form, NULL, &answer, err) < 0)
        return -err->code;
    return copy_id(ret_id, answer.body, "id", err);
}

int meters_ensure_price(const struct stripe *stripe, const struct price_wish *wish, char *ret_id,
                        bool *ret_made, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    const json_t *price;

    dc_buf_init(&form, FORM_BYTES);
    form_add(&form, "lookup_keys[0]", wish->lookup_key);
    if (stripe_call(stripe, "GET", "/v1/prices", &form, NULL, &answer, err) < 0)
        return -err->code;
    price = stripe_member(answer.body, "data.0");
    *ret_made = !price;
    return price ? check_price(price, wish, ret_id, err) : create_price(stripe, wish, ret_id, err);
}

/* ---- what a meter shows ---- */

int meters_read_hour(const struct stripe *stripe, const struct meter_ids *ids,
                     const struct store_meter_hour *hour, int64_t *ret_value, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    char path[PATH_BYTES];
    const json_t *data;
    double sum = 0;

    if (!*ids->id[hour->meter] || !*hour->customer)
        return dc_fail(err, DC_NOT_FOUND, 0, "no meter at Stripe for %s of project %s",
                       store_meter_name(hour->meter), hour->project_id);
    dc_buf_init(&form, FORM_BYTES);
    form_add(&form, "customer", hour->customer);
    form_add_number(&form, "start_time", hour->hour / DC_NS_PER_S);
    form_add_number(&form, "end_time", hour->hour / DC_NS_PER_S + HOUR_S);
    (void)snprintf(path, sizeof(path), "/v1/billing/meters/%s/event_summaries",
                   ids->id[hour->meter]);
    if (stripe_call(stripe, "GET", path, &form, NULL, &answer, err) < 0)
        return -err->code;
    data = stripe_member(answer.body, "data");
    for (size_t i = 0; i < json_array_size(data); i++)
        sum += json_number_value(stripe_member(json_array_get(data, i), "aggregated_value"));
    /* JSON has one kind of number there; below 2^53 it is whole and exact. */
    if (!(sum >= 0 && sum < 9007199254740992.0) || sum != floor(sum))
        return dc_fail(err, DC_INVALID, 0, "Stripe's sum of an hour is no count");
    *ret_value = (int64_t)sum;
    return 0;
}

enum meter_judgement meters_judge(const struct store_meter_hour *hour, int64_t value, bool settled)
{
    if (hour->open)
        return METER_UNDER_WAY;
    if (hour->ambiguous && value == hour->acked + hour->ambiguous)
        return METER_RECEIVED;
    if (!settled)
        return value == hour->acked && !hour->ambiguous ? METER_EQUAL : METER_UNDER_WAY;
    if (value != hour->acked)
        return METER_DRIFT;
    return hour->ambiguous ? METER_MISSING : METER_EQUAL;
}

const char *meters_judgement_name(enum meter_judgement judgement)
{
    static const char *const names[] = {"equal", "under way", "received", "missing", "DRIFT"};

    return names[judgement];
}
