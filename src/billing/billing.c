#include "billing/billing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "billing/billing_internal.h"

#include "base/poison.h"

enum { TICK_MS = 1000, SERVER_RETRIES = 2 };

/* Two servers of one host have different folders; two of one folder cannot be. */
static void name_holder(struct billing *billing)
{
    char host[65] = "";

    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    (void)snprintf(billing->holder, sizeof(billing->holder), "%s:%s", host,
                   billing->options.instance ? billing->options.instance : "");
    billing->lease = (struct store_lease){.name = "billing", .holder = billing->holder};
}

int billing_open(const struct billing_options *options, struct billing **ret_billing,
                 struct dc_err *err)
{
    DC_AUTO(billing_free) struct billing *billing = calloc(1, sizeof(*billing));

    if (!billing)
        return dc_fail(err, DC_KERNEL, ENOMEM, "billing");
    billing->options = *options;
    name_holder(billing);
    *ret_billing = dc_take(billing);
    return 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct billing *billing = timer->data;

    await_flag_set(&billing->metering_due);
    await_flag_set(&billing->hints_due);
}

void billing_start(struct billing *billing, uv_loop_t *loop, struct store_worker *worker,
                   struct outbound *outbound)
{
    billing->worker = worker;
    billing->outbound = outbound;
    billing->stripe = (struct stripe){.outbound = outbound,
                                      .url = billing->options.url,
                                      .key = billing->options.token,
                                      .stopping = &billing->stopping,
                                      .retries = SERVER_RETRIES};
    (void)uv_timer_init(loop, &billing->timer); /* never fails, nor does the start */
    billing->timer.data = billing;
    billing->timer_open = true;
    (void)uv_timer_start(&billing->timer, on_tick, TICK_MS, TICK_MS);
}

void billing_stop(struct billing *billing)
{
    if (!billing || billing->stopping)
        return;
    billing->stopping = true;
    if (billing->timer_open)
        uv_close((uv_handle_t *)&billing->timer, NULL);
    await_flag_set(&billing->metering_due);
    await_flag_set(&billing->hints_due);
}

void billing_free(struct billing *billing)
{
    free(billing);
}

const struct billing_options *billing_options(const struct billing *billing)
{
    return &billing->options;
}

unsigned billing_meters(const struct billing *billing)
{
    unsigned meters = 0;

    for (unsigned i = 0; i < STORE_METERS; i++)
        if (billing->options.mode == BILLING_CLOUDEVENTS || billing->options.prices[i])
            meters |= 1u << i;
    return meters;
}

enum store_metering billing_metering(const struct billing *billing)
{
    if (!billing)
        return STORE_METERING_OFF;
    return billing->options.mode == BILLING_STRIPE ? STORE_METERING_SUBSCRIBED : STORE_METERING_ALL;
}
