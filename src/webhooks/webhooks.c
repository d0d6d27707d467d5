/*
 * Which addresses may be reached is asked for each connection with the address that it is made to,
 * so a name that means something else a moment later gains nothing. Redirections are answers as
 * any, answers are read up to a bound and dropped, and nobody is shown them.
 */
#include "webhooks/webhooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "net/task.h"
#include "runs/await.h"
#include "webhooks/message.h"
#include "webhooks/url.h"

#include "base/poison.h"

enum {
    AT_ONCE = 8,
    CONNECT_MS = 5000,
    TOTAL_MS = 10000,
    LEASE_S = 60, /* longer than an attempt and what is written around it */
    GIVE_UP_S = 3 * 24 * 3600,
    REST_MAX_S = 300,
    ANSWER_MAX_BYTES = 64 * 1024,
    STOP_POLL_MS = 5,
};

static const int64_t waits_s[] = {5, 30, 60, 300, 900, 1800, 3600};

struct webhooks {
    struct host_exceptions exceptions;
    bool plain;
    uv_loop_t *loop;
    struct store_worker *worker;
    struct outbound *outbound;
    unsigned active;
    struct await_flag wake;
    bool stopping;
};

/* One attempt. */
struct delivery {
    struct webhooks *webhooks;
    struct store_webhook_times times;
    struct store_webhook_event event;
    struct store_webhook webhook;
    struct webhook_url url;
    bool delivered;
};

static struct store_webhook_times times_now(void)
{
    return (struct store_webhook_times){
        .now = dc_wall_now(),
        .lease_ns = LEASE_S * DC_NS_PER_S,
        .waits_s = waits_s,
        .wait_count = sizeof(waits_s) / sizeof(waits_s[0]),
        .give_up_ns = GIVE_UP_S * DC_NS_PER_S,
        .rest_max_s = REST_MAX_S,
    };
}

int webhooks_open(const struct webhooks_options *options, struct webhooks **ret_webhooks,
                  struct dc_err *err)
{
    DC_AUTO(dc_free) struct webhooks *webhooks = calloc(1, sizeof(*webhooks));

    if (!webhooks)
        return dc_fail(err, DC_KERNEL, ENOMEM, "webhooks");
    webhooks->plain = options->plain;
    if (host_exceptions_parse(options->private_hosts ? options->private_hosts : "",
                              &webhooks->exceptions, err) < 0)
        return dc_context(err, "webhooks.private");
    *ret_webhooks = dc_take(webhooks);
    return 0;
}

void webhooks_attach(struct webhooks *webhooks, uv_loop_t *loop, struct store_worker *worker,
                     struct outbound *outbound)
{
    webhooks->loop = loop;
    webhooks->worker = worker;
    webhooks->outbound = outbound;
}

void webhooks_free(struct webhooks *webhooks)
{
    free(webhooks);
}

int webhooks_check_url(const struct webhooks *webhooks, const char *url, struct dc_err *err)
{
    struct webhook_url parts;

    return webhook_url_read(url, webhooks->plain, &parts, err);
}

/* ---- one attempt ---- */

static bool may_reach(const void *context, const struct sockaddr *address)
{
    const struct delivery *delivery = context;

    return webhook_url_allows(&delivery->url, &delivery->webhooks->exceptions, address);
}

static int send_event(struct delivery *delivery, int *ret_status, struct dc_err *err)
{
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    char signature[WEBHOOK_SIGNATURE_SIZE];
    struct outbound_request request = {
        .method = "POST",
        .url = delivery->webhook.url,
        .fields = {{"Content-Type", "application/json"},
                   {"Docle-Event-Id", delivery->event.id},
                   {"Docle-Signature", signature}},
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
        .response_max = ANSWER_MAX_BYTES,
        .allow = may_reach,
        .allow_context = delivery,
    };

    /* The operator may have changed what is allowed since it was set. */
    if (webhook_url_read(delivery->webhook.url, delivery->webhooks->plain, &delivery->url, err) < 0)
        return dc_context(err, "the URL");
    dc_buf_init(&body, WEBHOOK_BODY_MAX_BYTES);
    webhook_print_body(&delivery->event, &body);
    if (body.failed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "a webhook");
    webhook_sign(&delivery->webhook, dc_wall_now() / DC_NS_PER_S, dc_buf_str(&body), body.length,
                 signature);
    request.body = dc_buf_str(&body);
    request.body_length = body.length;
    if (outbound_http(delivery->webhooks->outbound, &request, &response, err) < 0)
        return -err->code;
    *ret_status = response.status;
    return 0;
}

static int run_settle(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct delivery *delivery = arg;

    return store_webhook_settle(conn, &delivery->times, &delivery->event, delivery->delivered, err);
}

static void attempt(struct delivery *delivery)
{
    struct store_webhook_event *event = &delivery->event;
    struct dc_err err = {0};
    int status = 0;
    int sent = send_event(delivery, &status, &err);

    if (delivery->webhooks->stopping && sent < 0)
        return; /* our doing: the next start repeats it */
    event->status = status;
    *event->error = '\0';
    delivery->delivered = sent == 0 && status >= 200 && status < 300;
    if (sent < 0)
        (void)snprintf(event->error, sizeof(event->error), "%.190s", err.text);
    else if (!delivery->delivered)
        (void)snprintf(event->error, sizeof(event->error), "the receiver answered %d", status);
    delivery->times = times_now();
    if (await_store(delivery->webhooks->worker, AWAIT_WRITE, run_settle, delivery, &err) < 0)
        dc_log_err(DC_LOG_ERROR, event->id, &err, "a webhook's attempt could not be recorded");
}

static void deliver(void *arg)
{
    struct delivery *delivery = arg;
    struct webhooks *webhooks = delivery->webhooks;

    attempt(delivery);
    dc_wipe(&delivery->webhook, sizeof(delivery->webhook));
    free(delivery);
    webhooks->active--;
    await_flag_set(&webhooks->wake); /* its receiver, or another one, may have more */
}

/* ---- looking ---- */

static int run_due(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_webhook_due(conn, dc_wall_now(), arg, err);
}

static int run_claim(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct delivery *delivery = arg;

    delivery->times = times_now();
    return store_webhook_claim(conn, &delivery->times, &delivery->event, &delivery->webhook, err);
}

static int run_hurry(struct store_conn *conn, void *arg, struct dc_err *err)
{
    (void)arg;
    return store_webhooks_hurry(conn, dc_wall_now(), err);
}

/* False: nothing is due, or cannot be had now. */
static bool begin_one(struct webhooks *webhooks)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    struct dc_err err;

    if (!delivery)
        return false;
    delivery->webhooks = webhooks;
    if (await_store(webhooks->worker, AWAIT_WRITE, run_claim, delivery, &err) < 0) {
        if (err.code != DC_NOT_FOUND)
            dc_log_err(DC_LOG_ERROR, NULL, &err, "webhooks could not be read");
        free(delivery);
        return false;
    }
    webhooks->active++;
    if (task_start(webhooks->loop, deliver, delivery, &err) == 0)
        return true;
    webhooks->active--;
    free(delivery); /* it is due again when its lease ends */
    return false;
}

static void look(struct webhooks *webhooks)
{
    struct dc_err err;
    bool due = false;

    if (await_store(webhooks->worker, AWAIT_READ, run_due, &due, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "webhooks could not be read");
    while (due && !webhooks->stopping && webhooks->active < AT_ONCE && begin_one(webhooks))
        ;
}

void webhooks_run(void *arg)
{
    struct webhooks *webhooks = arg;
    struct dc_err err;

    if (await_store(webhooks->worker, AWAIT_WRITE, run_hurry, NULL, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "webhooks could not be read");
    while (!webhooks->stopping) {
        look(webhooks);
        if (!webhooks->stopping)
            await_flag_wait(&webhooks->wake);
    }
    while (webhooks->active)
        task_sleep(STOP_POLL_MS);
}

void webhooks_tick(struct webhooks *webhooks)
{
    await_flag_set(&webhooks->wake);
}

void webhooks_stop(struct webhooks *webhooks)
{
    webhooks->stopping = true;
    await_flag_set(&webhooks->wake);
}
