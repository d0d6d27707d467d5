/* Where a project is told of what happens to it. Secrets are shown once, when they are made. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/change.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/io.h"
#include "store/webhooks.h"
#include "webhooks/message.h"

#include "base/poison.h"

enum { ANSWER_MAX_BYTES = 64 * 1024, OVERLAP_S = 24 * 3600 };

static const char not_found[] = "Webhook not found";

struct webhook_change {
    const struct call *call;
    const char *url;
    char secret[STORE_WEBHOOK_SECRET_SIZE]; /* a new one */
    bool made;
    bool absent; /* the project has none */
    struct store_webhook webhook;
    struct store_webhook_event last;
    bool has_last;
    int64_t pending;
    char event_id[DC_UUID_SIZE];
};

static void wipe(struct webhook_change *change)
{
    dc_wipe(change->secret, sizeof(change->secret));
    dc_wipe(&change->webhook, sizeof(change->webhook));
}

/* ---- reading ---- */

static int read_all(struct store_conn *conn, struct webhook_change *change, struct dc_err *err)
{
    const char *project = change->call->project_id;
    int found;

    if (store_webhook_get(conn, project, &change->webhook, err) < 0)
        return -err->code;
    found = store_webhook_last(conn, project, &change->last, &change->pending, err);
    change->has_last = found == 0;
    return found == -DC_NOT_FOUND ? 0 : found;
}

static int run_get(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct webhook_change *change = arg;
    int found = read_all(conn, change, err);

    change->absent = found == -DC_NOT_FOUND;
    return change->absent ? 0 : found;
}

static void print_last(const struct store_webhook_event *last, struct dc_buf *out)
{
    (void)dc_buf_byte(out, '{');
    print_member_text(out, "event_id", last->id);
    print_member_text(out, "type", last->type);
    print_member_text(out, "state", last->state);
    if (*last->error)
        print_member_text(out, "error", last->error);
    else
        (void)dc_buf_text(out, "\"error\":null,");
    print_member_time(out, "created_at", last->at);
    print_member_time(out, "tried_at", last->tried_at);
    print_member_time(out, "next_attempt_at", last->settled_at ? 0 : last->due_at);
    (void)dc_buf_printf(out, "\"attempts\":%" PRId64 ",\"status\":", last->attempts);
    (void)(last->status ? dc_buf_printf(out, "%d}", last->status) : dc_buf_text(out, "null}"));
}

static void reply(struct call *call, const struct webhook_change *change)
{
    const struct store_webhook *webhook = &change->webhook;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"webhook\":{");
    print_member_text(&body, "url", webhook->url);
    print_member_time(&body, "created_at", webhook->created_at);
    print_member_time(&body, "secret_created_at", webhook->secret_at);
    print_member_time(&body, "old_secret_until",
                      webhook->old_until > call->begun_ns ? webhook->old_until : 0);
    (void)dc_buf_printf(&body, "\"pending\":%" PRId64 ",\"last_delivery\":", change->pending);
    if (change->has_last)
        print_last(&change->last, &body);
    else
        (void)dc_buf_text(&body, "null");
    (void)dc_buf_byte(&body, '}');
    if (change->made) {
        (void)dc_buf_text(&body, ",\"secret\":");
        (void)dc_buf_json_string(&body, change->secret, strlen(change->secret));
    }
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
    if (body.data)
        dc_wipe(body.data, body.length);
}

static void reply_absent(struct call *call)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"webhook\":null}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_webhook_get(struct call *call)
{
    struct webhook_change change = {.call = call};

    if (change_read(call, run_get, &change, not_found)) {
        if (change.absent)
            reply_absent(call);
        else
            reply(call, &change);
    }
    wipe(&change);
}

/* ---- changes ---- */

/* The host alone: a path may be as good as a secret. */
static void name_target(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");

    host = host ? host + 3 : url;
    (void)snprintf(out, size, "%.*s", (int)strcspn(host, "/?"), host);
}

static int run_put(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct webhook_change *change = arg;
    const struct call *call = change->call;
    char target[256];

    name_target(change->url, target, sizeof(target));
    if (store_webhook_put(conn, call->project_id, change->url, change->secret, call->begun_ns,
                          &change->made, err) < 0 ||
        change_audit(call, conn, call->project_id,
                     change->made ? "webhook.create" : "webhook.change", target, err) < 0)
        return -err->code;
    return read_all(conn, change, err);
}

void route_webhook_put(struct call *call)
{
    DC_AUTO(body_release) struct body body = {0};
    struct webhook_change change = {.call = call};
    struct dc_err err;

    if (!body_read(call, &body))
        return;
    change.url = body_text(&body, "url");
    if (!change.url && !body.problems.total)
        problems_add(&body.problems, PROBLEM_MISSING, "url", "say where events are to go");
    else if (change.url && webhooks_check_url(call->app->webhooks, change.url, &err) < 0)
        problems_add(&body.problems, PROBLEM_VALUE, "url", "%s", err.text);
    if (body_fail(call, &body))
        return;
    webhook_secret_make(change.secret);
    if (change_run(call, run_put, &change, not_found))
        reply(call, &change);
    wipe(&change);
}

static int run_delete(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct webhook_change *change = arg;
    const struct call *call = change->call;

    if (store_webhook_delete(conn, call->project_id, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "webhook.delete", "webhook", err);
}

void route_webhook_delete(struct call *call)
{
    struct webhook_change change = {.call = call};

    if (change_run(call, run_delete, &change, not_found))
        change_reply(call, "The webhook is deleted");
}

static int run_roll(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct webhook_change *change = arg;
    const struct call *call = change->call;

    if (store_webhook_roll(conn, call->project_id, change->secret, call->begun_ns,
                           call->begun_ns + OVERLAP_S * DC_NS_PER_S, err) < 0 ||
        change_audit(call, conn, call->project_id, "webhook.roll", "webhook", err) < 0)
        return -err->code;
    return read_all(conn, change, err);
}

void route_webhook_roll(struct call *call)
{
    struct webhook_change change = {.call = call, .made = true};

    webhook_secret_make(change.secret);
    if (change_run(call, run_roll, &change, not_found))
        reply(call, &change);
    wipe(&change);
}

static int run_test(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct webhook_change *change = arg;
    const struct call *call = change->call;

    if (store_webhook_test(conn, call->project_id, call->begun_ns, change->event_id, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "webhook.test", "webhook", err);
}

void route_webhook_test(struct call *call)
{
    struct webhook_change change = {.call = call};
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_run(call, run_test, &change, not_found))
        return;
    webhooks_tick(call->app->webhooks);
    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_printf(&body, "{\"event_id\":\"%s\"}", change.event_id);
    call_reply(call, &(struct call_head){.status = 200}, &body);
}
