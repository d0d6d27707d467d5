/*
 * Webhooks: kept when they come, answered at once, acted on after. An event is only a hint which
 * object to read again, so that forged contents, repetitions and a wrong order change nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_internal.h"
#include "billing/form.h"

#include "base/poison.h"

/* Stripe delivers for three days; what was handled is remembered for longer than it is listed. */
#define MISSED_NS (INT64_C(3) * 24 * 3600 * DC_NS_PER_S)
#define KEPT_NS (INT64_C(40) * 24 * 3600 * DC_NS_PER_S)

enum { PAGES_MAX = 50 };
enum { BACKOFF_FIRST_S = 2, BACKOFF_MAX_S = 3600, ATTEMPTS_MAX = 40 };

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- receiving ---- */

struct adding {
    char id[STORE_CUSTOMER_SIZE];
    char type[STORE_STRIPE_TYPE_SIZE];
    char object_id[STORE_CUSTOMER_SIZE];
    bool new;
};

static int run_add(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct adding *adding = arg;

    return store_stripe_event_add(conn, adding->id, adding->type, adding->object_id, dc_wall_now(),
                                  &adding->new, err);
}

/* Which object to read; NULL: none, the event is not one that we act on. */
static const char *hinted(const json_t *event, const char *type)
{
    if (starts(type, "customer.subscription.") || starts(type, "invoice."))
        return stripe_text(event, "data.object.id");
    if (starts(type, "checkout.session."))
        return stripe_text(event, "data.object.subscription");
    if (meter_errors_concern(type))
        return stripe_text(event, "id"); /* a thin event: it is the object */
    return NULL;
}

static int read_event(const json_t *event, struct adding *adding, struct dc_err *err)
{
    const char *id = stripe_text(event, "id");
    const char *type = stripe_text(event, "type");
    const char *object_id = type ? hinted(event, type) : NULL;

    if (!stripe_id_valid(id) || !type || strlen(type) >= sizeof(adding->type))
        return dc_fail(err, DC_INVALID, 0, "the body is no event of Stripe's");
    if (object_id && stripe_id_valid(object_id)) {
        (void)snprintf(adding->id, sizeof(adding->id), "%s", id);
        (void)snprintf(adding->type, sizeof(adding->type), "%s", type);
        (void)snprintf(adding->object_id, sizeof(adding->object_id), "%s", object_id);
    }
    return 0;
}

int hints_keep(struct billing *billing, const json_t *event, struct dc_err *err)
{
    struct adding adding = {0};

    if (read_event(event, &adding, err) < 0)
        return -err->code;
    if (!*adding.object_id)
        return 0;
    if (await_store(billing->worker, AWAIT_WRITE, run_add, &adding, err) < 0)
        return -err->code;
    if (adding.new)
        await_flag_set(&billing->hints_due);
    return 0;
}

int billing_webhook(struct billing *billing, const char *signature, const char *body, size_t length,
                    bool *ret_valid, struct dc_err *err)
{
    json_t *event;
    int result;

    *ret_valid = signature_valid(signature, body, length, billing->options.webhook_secrets,
                                 dc_wall_now() / DC_NS_PER_S);
    if (!*ret_valid) {
        billing->bad_signatures++;
        return 0;
    }
    event = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    result = hints_keep(billing, event, err);
    json_decref(event);
    return result;
}

/* ---- what did not arrive ---- */

static int run_purge(struct store_conn *conn, void *arg, struct dc_err *err)
{
    (void)arg;
    return store_stripe_events_purge(conn, dc_wall_now() - KEPT_NS, err);
}

/* One page of events since a moment, newest first, behind `after`; *ret_more: there are others. */
static int catch_up_page(struct billing *billing, int64_t since_s, char *after, bool *ret_more,
                         struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    const json_t *data;
    const char *last;

    dc_buf_init(&form, FORM_MAX_BYTES);
    form_add(&form, "limit", "100");
    form_add_number(&form, "created[gte]", since_s);
    if (*after)
        form_add(&form, "starting_after", after);
    if (stripe_call(&billing->stripe, "GET", "/v1/events", &form, NULL, &answer, err) < 0)
        return -err->code;
    data = stripe_member(answer.body, "data");
    for (size_t i = 0; i < json_array_size(data); i++)
        if (hints_keep(billing, json_array_get(data, i), err) < 0 && err->code != DC_INVALID)
            return -err->code;
    last = json_array_size(data)
               ? stripe_text(json_array_get(data, json_array_size(data) - 1), "id")
               : NULL;
    *ret_more = stripe_id_valid(last) && json_is_true(stripe_member(answer.body, "has_more"));
    (void)snprintf(after, STORE_CUSTOMER_SIZE, "%s", *ret_more ? last : "");
    return 0;
}

void billing_catch_up(struct billing *billing)
{
    int64_t since_s = (dc_wall_now() - MISSED_NS) / DC_NS_PER_S;
    char after[STORE_CUSTOMER_SIZE] = "";
    bool more = true;
    struct dc_err err;

    for (int page = 0; more && page < PAGES_MAX && !billing->stopping; page++) {
        if (catch_up_page(billing, since_s, after, &more, &err) < 0) {
            dc_log_err(DC_LOG_WARN, NULL, &err, "Stripe's events could not be listed");
            return;
        }
    }
    if (meter_errors_catch_up(billing, since_s * DC_NS_PER_S, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "Stripe's events about meters could not be listed");
    if (await_store(billing->worker, AWAIT_WRITE, run_purge, NULL, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "old webhooks could not be deleted");
}

/* ---- acting ---- */

struct next {
    struct store_stripe_event event;
    bool found;
    int64_t again_at; /* 0: handled */
};

static int run_next(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct next *next = arg;

    return store_stripe_event_next(conn, dc_wall_now(), &next->event, &next->found, err);
}

static int run_settle(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct next *next = arg;

    return store_stripe_event_settle(conn, next->event.id, dc_wall_now(), next->again_at, err);
}

static int act(struct billing *billing, const struct store_stripe_event *event, struct dc_err *err)
{
    if (starts(event->type, "invoice."))
        return refresh_invoice(billing, event->object_id,
                               strcmp(event->type, "invoice.payment_failed") == 0, err);
    if (meter_errors_concern(event->type))
        return meter_errors_take(billing, event->object_id, err);
    return refresh_subscription(billing, event->object_id, err);
}

static void handle(struct billing *billing, struct next *next)
{
    const struct store_stripe_event *event = &next->event;
    struct dc_err err;

    next->again_at = 0;
    if (act(billing, event, &err) < 0) {
        bool final =
            err.code == DC_NOT_FOUND || err.code == DC_INVALID || event->attempts >= ATTEMPTS_MAX;
        int64_t pause = (int64_t)BACKOFF_FIRST_S << (event->attempts < 10 ? event->attempts : 10);

        dc_log_err(final ? DC_LOG_ERROR : DC_LOG_WARN, NULL, &err, "%s of %s", event->type,
                   event->object_id);
        if (pause > BACKOFF_MAX_S)
            pause = BACKOFF_MAX_S;
        if (!final)
            next->again_at = dc_wall_now() + pause * DC_NS_PER_S;
    }
    billing_crash_point("before_hint_settled");
    if (await_store(billing->worker, AWAIT_WRITE, run_settle, next, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "a webhook could not be marked as handled");
}

static void handle_due(struct billing *billing)
{
    struct next next;
    struct dc_err err;

    do {
        next = (struct next){0};
        if (await_store(billing->worker, AWAIT_READ, run_next, &next, &err) < 0) {
            dc_log_err(DC_LOG_ERROR, NULL, &err, "webhooks could not be read");
            return;
        }
        if (next.found)
            handle(billing, &next);
    } while (next.found && !billing->stopping);
}

void billing_run_hints(struct billing *billing)
{
    while (!billing->stopping) {
        handle_due(billing);
        await_flag_wait(&billing->hints_due);
    }
}
