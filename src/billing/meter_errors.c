/*
 * Errors that a meter finds after it has taken usage. They come as thin events: what arrives names
 * an event alone, and what it says is read by the API's second version. Source: V2/Core/Events.d.ts
 * of the npm package stripe 23. An event has samples of what went wrong, not all of it; the rest
 * shows as drift in the next comparison.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "billing/form.h"
#include "store/incidents.h"
#include "store/meter_retry.h"

#include "base/poison.h"

#define PATH "/v2/core/events"

enum { TYPES_MAX = 32, SAMPLES_MAX = 200, PAGES_MAX = 50 };

static const char *const types[] = {"v1.billing.meter.error_report_triggered",
                                    "v1.billing.meter.no_meter_found"};

bool meter_errors_concern(const char *type)
{
    return strcmp(type, types[0]) == 0 || strcmp(type, types[1]) == 0;
}

/* ---- what one says ---- */

struct report {
    const json_t *body; /* borrowed */
    int64_t errors;     /* as Stripe counts */
    int marked;
    char detail[STORE_INCIDENT_DETAIL_SIZE];
};

/* The sample's usage is not counted: it is dead, whatever we were answered. */
static int mark(struct store_conn *conn, struct report *report, const char *code,
                const json_t *sample, struct dc_err *err)
{
    const char *id = stripe_text(sample, "request.identifier");
    const char *said = stripe_text(sample, "error_message");
    char message[STORE_METER_MESSAGE_SIZE];
    bool known;

    if (!id || !dc_uuid_valid(id))
        return 0; /* of another program that uses the meter */
    (void)snprintf(message, sizeof(message), "%.60s: %.120s", code, said ? said : "");
    if (store_meter_reject(conn, id, message, dc_wall_now(), &known, err) < 0)
        return -err->code;
    report->marked += known;
    return 0;
}

static int run_report(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct report *report = arg;
    const json_t *kinds = stripe_member(report->body, "data.reason.error_types");
    size_t count = json_array_size(kinds);
    const char *first = NULL;

    report->marked = 0; /* this may run twice */
    for (size_t i = 0; i < count && i < TYPES_MAX; i++) {
        const json_t *kind = json_array_get(kinds, i);
        const json_t *samples = stripe_member(kind, "sample_errors");
        const char *code = stripe_text(kind, "code");

        first = first ? first : code;
        for (size_t k = 0; k < json_array_size(samples) && k < SAMPLES_MAX; k++)
            if (mark(conn, report, code ? code : "error", json_array_get(samples, k), err) < 0)
                return -err->code;
    }
    (void)snprintf(report->detail, sizeof(report->detail),
                   "Stripe's meter could not count %" PRId64
                   " of the usage events it took (%.60s); "
                   "%d of them are known and marked as dead.",
                   report->errors, first ? first : "no code", report->marked);
    return store_incident_raise(conn, STORE_INCIDENT_METER_ERROR, report->detail, dc_wall_now(),
                                err);
}

int meter_errors_take(struct billing *billing, const char *event_id, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    struct report report = {0};
    char path[PATH_MAX_BYTES];
    const char *type;

    (void)snprintf(path, sizeof(path), PATH "/%s", event_id);
    if (stripe_call(&billing->stripe, "GET", path, NULL, NULL, &answer, err) < 0)
        return -err->code;
    type = stripe_text(answer.body, "type");
    if (!type || !meter_errors_concern(type))
        return dc_fail(err, DC_INVALID, 0, "the event %s is about something else", event_id);
    report.body = answer.body;
    report.errors = stripe_number(answer.body, "data.reason.error_count");
    if (await_store(billing->worker, AWAIT_WRITE, run_report, &report, err) < 0)
        return -err->code;
    dc_log(DC_LOG_ERROR, "%s (%s)", report.detail, event_id);
    return 0;
}

/* ---- what no webhook told ---- */

/* One page; path: the first, then where the answer says the next is, "" at the end. */
static int list_page(struct billing *billing, const struct dc_buf *form, char *path, size_t size,
                     struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    const json_t *data;
    const char *next;

    if (stripe_call(&billing->stripe, "GET", path, form, NULL, &answer, err) < 0)
        return -err->code;
    data = stripe_member(answer.body, "data");
    for (size_t i = 0; i < json_array_size(data); i++)
        if (hints_keep(billing, json_array_get(data, i), err) < 0 && err->code != DC_INVALID)
            return -err->code;
    next = stripe_text(answer.body, "next_page_url");
    if (next && strncmp(next, PATH "?", strlen(PATH "?")) != 0)
        return dc_fail(err, DC_INVALID, 0, "Stripe's next page is elsewhere");
    return (size_t)snprintf(path, size, "%s", next ? next : "") < size
               ? 0
               : dc_fail(err, DC_LIMIT, 0, "the address of Stripe's next page is too long");
}

int meter_errors_catch_up(struct billing *billing, int64_t since, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    char path[1024] = PATH;
    char moment[25];

    dc_buf_init(&form, FORM_MAX_BYTES);
    dc_format_iso8601(since, moment);
    form_add(&form, "created[gte]", moment);
    form_add(&form, "limit", "100");
    form_add(&form, "types[0]", types[0]);
    form_add(&form, "types[1]", types[1]);
    for (int pages = 0; *path && pages < PAGES_MAX; pages++)
        if (list_page(billing, pages ? NULL : &form, path, sizeof(path), err) < 0)
            return -err->code;
    return 0;
}
