/* docle billing status: how metering stands, and what an operator has to look at. */
#include <inttypes.h>

#include "base/clock.h"
#include "cli/billing_ask.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "store/cancels.h"
#include "store/incidents.h"
#include "store/leases.h"

#include "base/poison.h"

static void print_sum(const struct store_meter_state_sum *sum, struct dc_buf *out)
{
    char time[25];

    dc_format_iso8601(sum->oldest_at, time);
    (void)dc_buf_printf(out, "runs waiting  %" PRId64 "\n", sum->pending_runs);
    for (int i = 0; i < STORE_METER_STATES; i++)
        (void)dc_buf_printf(out, "%-13s %" PRId64 "\n",
                            store_meter_state_name((enum store_meter_state)i), sum->events[i]);
    (void)dc_buf_printf(out, "oldest        %s\n", sum->oldest_at ? time : "-");
}

static int print_cancels(struct store_conn *conn, struct dc_buf *out, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_cancel *cancels = NULL;
    size_t count;

    if (store_cancels_list(conn, &cancels, &count, err) < 0)
        return -err->code;
    (void)dc_buf_printf(out, "to cancel     %zu\n", count);
    for (size_t i = 0; i < count; i++) {
        char time[25];

        dc_format_iso8601(cancels[i].requested_at, time);
        (void)dc_buf_printf(out, "  %s of deleted project %s since %s, %" PRId64 " attempts%s%s\n",
                            cancels[i].subscription, cancels[i].project_id, time,
                            cancels[i].attempts, *cancels[i].message ? ": " : "",
                            cancels[i].message);
    }
    return 0;
}

static int print_incidents(struct store_conn *conn, struct dc_buf *out, struct dc_err *err)
{
    struct store_incident incidents[STORE_INCIDENTS];
    int count;

    if (store_incidents_open(conn, incidents, &count, err) < 0)
        return -err->code;
    (void)dc_buf_printf(out, "incidents     %d\n", count);
    for (int i = 0; i < count; i++) {
        char time[25];

        dc_format_iso8601(incidents[i].opened_at, time);
        (void)dc_buf_printf(out, "  %s since %s: %s\n", store_incident_name(incidents[i].kind),
                            time, incidents[i].detail);
    }
    return 0;
}

static int print_sender(struct store_conn *conn, struct dc_buf *out, struct dc_err *err)
{
    char holder[STORE_HOLDER_SIZE];
    int64_t expires_at;
    char time[25];

    if (store_lease_show(conn, "billing", holder, &expires_at, err) < 0)
        return -err->code;
    dc_format_iso8601(expires_at, time);
    (void)dc_buf_printf(out, *holder ? "sender        %s until %s\n" : "sender        -\n", holder,
                        time);
    return 0;
}

static int print_status(const struct config *config, struct dc_buf *out, struct dc_err *err)
{
    static const char *const modes[] = {"off", "stripe", "cloudevents"};
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    struct store_meter_state_sum sum;
    struct billing_options options;

    if (billing_setup_read(config, &options, err) < 0 ||
        data_dir_open_store(config, &conn, err) < 0 || store_meter_sum(conn, NULL, &sum, err) < 0)
        return -err->code;
    (void)dc_buf_printf(out, "mode          %s\n", modes[options.mode]);
    print_sum(&sum, out);
    if (print_sender(conn, out, err) < 0 || print_cancels(conn, out, err) < 0)
        return -err->code;
    return print_incidents(conn, out, err);
}

static int run_status(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    int result = billing_ask_parse(call, 0, NULL, NULL, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (print_status(&call->config, &out, err) < 0)
        return -err->code;
    return cli_output(&out, err);
}

const struct cli_command command_billing_status = {
    .name = "billing status",
    .summary = "What was told to the meter, what waits, and what it would not take.",
    .detail = "Besides: which server tells the meter, subscriptions of deleted projects that have "
              "not ended at Stripe yet, and open incidents.",
    .settings = BILLING_ASK_SETTINGS,
    .run = run_status,
};
