/* Usage as events of a Billing Meter: POST /v1/billing/meter_events. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "billing/billing_internal.h"
#include "billing/form.h"

#include "base/poison.h"

/* Stripe refuses an identifier that it has; it has no code for that in v1. */
static bool has_it_already(const struct stripe_answer *answer)
{
    const char *said = stripe_text(answer->body, "error.message");

    return answer->status == 400 && said && strstr(said, "already exists with identifier");
}

/* Answers to an idempotency key are kept for a day, failures too: after one the next attempt needs
 * another key, and the identifier alone keeps it from counting twice. */
static void judge(const struct stripe_answer *answer, int result, struct sink_verdict *verdict)
{
    *verdict = (struct sink_verdict){.state = STORE_METER_SENDING};
    if (result == 0 || has_it_already(answer))
        verdict->state = STORE_METER_ACKED;
    else if (answer->status >= 500)
        verdict->next_key = true;
    else if (answer->status == 401 || answer->status == 403)
        verdict->denied = true;
    else if (answer->status >= 400 && answer->status != 409 && answer->status != 429)
        verdict->state = STORE_METER_DEAD;
}

void sink_stripe_send(struct billing *billing, const struct store_meter_event *event,
                      struct sink_verdict *ret_verdict, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    char key[DC_UUID_SIZE + 24];
    char value[24];
    int result;

    if (!*event->customer) {
        (void)dc_fail(err, DC_BUG, 0, "the project has no customer at Stripe");
        *ret_verdict = (struct sink_verdict){.state = STORE_METER_DEAD};
        return;
    }
    dc_buf_init(&form, FORM_MAX_BYTES);
    (void)snprintf(value, sizeof(value), "%" PRId64, event->value);
    form_add(&form, "event_name", billing->options.meters[event->meter]);
    form_add(&form, "identifier", event->id);
    form_add_number(&form, "timestamp", event->at / DC_NS_PER_S);
    form_add(&form, "payload[stripe_customer_id]", event->customer);
    form_add(&form, "payload[value]", value);
    (void)snprintf(key, sizeof(key), event->key_number ? "%s-%" PRId64 : "%s", event->id,
                   event->key_number);
    result =
        stripe_call(&billing->stripe, "POST", "/v1/billing/meter_events", &form, key, &answer, err);
    judge(&answer, result, ret_verdict);
}
