/*
 * Usage as CloudEvents 1.0 in structured JSON (OpenMeter and others), or as Lago's events. The
 * receiver drops what it has by its id (with the source; Lago: transaction_id).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "billing/billing_internal.h"

#include "base/poison.h"

enum { EVENT_MAX_BYTES = 4096, TIMEOUT_MS = 30000, HEADER_MAX_BYTES = 1024 };

static void print_name(struct dc_buf *out, const struct billing *billing,
                       const struct store_meter_event *event)
{
    const char *name = billing->options.meters[event->meter];

    (void)dc_buf_json_string(out, name, strlen(name));
}

static void print_cloudevent(struct dc_buf *out, const struct billing *billing,
                             const struct store_meter_event *event)
{
    char time[25];

    dc_format_iso8601(event->at, time);
    (void)dc_buf_printf(
        out, "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"docle\",\"type\":", event->id);
    print_name(out, billing, event);
    (void)dc_buf_printf(out,
                        ",\"subject\":\"%s\",\"time\":\"%s\",\"datacontenttype\":"
                        "\"application/json\",\"data\":{\"value\":%" PRId64 "}}",
                        event->project_id, time, event->value);
}

static void print_lago(struct dc_buf *out, const struct billing *billing,
                       const struct store_meter_event *event)
{
    (void)dc_buf_printf(out,
                        "{\"event\":{\"transaction_id\":\"%s\",\"external_subscription_id\":"
                        "\"%s\",\"timestamp\":%" PRId64 ",\"code\":",
                        event->id, event->project_id, event->at / DC_NS_PER_S);
    print_name(out, billing, event);
    (void)dc_buf_printf(out, ",\"properties\":{\"value\":%" PRId64 "}}}", event->value);
}

static bool has_it_already(const struct outbound_response *answer)
{
    return answer->status == 409 ||
           (answer->status == 422 && strstr(dc_buf_str(&answer->body), "value_already_exist"));
}

static void judge(const struct outbound_response *answer, int result, struct sink_verdict *verdict,
                  struct dc_err *err)
{
    *verdict = (struct sink_verdict){.state = STORE_METER_SENDING};
    if (result < 0)
        return;
    if ((answer->status >= 200 && answer->status < 300) || has_it_already(answer)) {
        verdict->state = STORE_METER_ACKED;
        return;
    }
    (void)dc_fail(err, DC_INVALID, 0, "the receiver answered %d: %.120s", answer->status,
                  dc_buf_str(&answer->body));
    verdict->denied = answer->status == 401 || answer->status == 403;
    if (answer->status >= 400 && answer->status < 500 && !verdict->denied &&
        answer->status != 408 && answer->status != 429)
        verdict->state = STORE_METER_DEAD;
}

void sink_events_send(struct billing *billing, const struct store_meter_event *event,
                      struct sink_verdict *ret_verdict, struct dc_err *err)
{
    bool lago = billing->options.format == BILLING_FORMAT_LAGO;
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    char authorization[HEADER_MAX_BYTES];
    struct outbound_request request = {
        .method = "POST",
        .url = billing->options.url,
        .fields = {{"Content-Type",
                    lago ? "application/json" : "application/cloudevents+json; charset=utf-8"},
                   {"User-Agent", "docle/" DOCLE_VERSION}},
        .total_ms = TIMEOUT_MS,
    };
    int result;

    dc_buf_init(&body, EVENT_MAX_BYTES);
    if (lago)
        print_lago(&body, billing, event);
    else
        print_cloudevent(&body, billing, event);
    request.body = dc_buf_str(&body);
    request.body_length = body.length;
    if (billing->options.token) {
        (void)snprintf(authorization, sizeof(authorization), "Bearer %s", billing->options.token);
        request.fields[2] = (struct outbound_field){"Authorization", authorization};
    }
    result = body.failed ? dc_fail(err, DC_KERNEL, 0, "no memory")
                         : outbound_http(billing->outbound, &request, &response, err);
    judge(&response, result, ret_verdict, err);
}
