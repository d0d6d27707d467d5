/* POST /api/run, answered whole or as a stream. */
#include <string.h>
#include <strings.h>

#include "api/app_internal.h"
#include "api/routes.h"
#include "api/run_flow.h"
#include "api/run_stream.h"

#include "base/poison.h"

static void reply_result(struct run_flow *flow)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;
    struct call_head head = {.status = run_flow_status(flow)};

    dc_buf_init(&body, run_result_print_max(&flow->result));
    (void)run_result_print(&flow->result, &body);
    if (flow->replayed)
        head.fields[0] = (struct call_field){"Idempotent-Replayed", "true"};
    call_reply(flow->call, &head, &body);
}

/* One media range of an Accept header: is it the type of event streams, and wanted? */
static bool is_event_stream(const char *range, size_t length)
{
    static const char type[] = "text/event-stream";
    size_t start = 0;

    while (start < length && (range[start] == ' ' || range[start] == '\t'))
        start++;
    range += start;
    length -= start;
    if (length < sizeof(type) - 1 || strncasecmp(range, type, sizeof(type) - 1) != 0)
        return false;
    range += sizeof(type) - 1;
    length -= sizeof(type) - 1;
    /* "q=0" and "q=0.000" refuse; parameters other than q do not matter. */
    for (size_t i = 0; i + 2 < length; i++)
        if ((range[i] == 'q' || range[i] == 'Q') && range[i + 1] == '=')
            return strcspn(range + i + 2, "123456789,") < length - i - 2;
    return true;
}

static bool wants_stream(const struct run_flow *flow)
{
    const char *accept = call_header(flow->call, "Accept");

    if (flow->request.stream)
        return true;
    while (accept && *accept) {
        size_t length = strcspn(accept, ",");

        if (is_event_stream(accept, length))
            return true;
        accept += length + (accept[length] == ',');
    }
    return false;
}

void route_run_create(struct call *call)
{
    DC_AUTO(run_flow_release) struct run_flow flow;

    run_flow_init(&flow, call);
    if (!run_flow_read(&flow))
        return;
    if (wants_stream(&flow)) {
        run_stream(&flow);
        return;
    }
    run_flow_run(&flow);
    if (flow.has_result)
        reply_result(&flow);
    else
        run_flow_fail(&flow);
}
