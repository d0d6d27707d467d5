#include "api/call.h"

#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/routes.h"
#include "base/clock.h"
#include "net/http_server.h"

#include "base/poison.h"

enum {
    HEAD_FIELDS_MAX = CALL_FIELDS_MAX + CALL_ADDED_MAX + 4,
    NAME_MAX_BYTES = 64,
    EXTRA_MAX_BYTES = 64
};

/* ---- the request ---- */

const char *call_header(const struct call *call, const char *name)
{
    char lower[NAME_MAX_BYTES];
    size_t i = 0;

    for (; name[i] && i < sizeof(lower) - 1; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
    lower[i] = '\0';
    return http_head_field(http_exchange_head(call->http), lower);
}

/* A proxy on this machine speaks for others and says so. */
static bool is_local(const struct call *call)
{
    return http_exchange_peer_is_loopback(call->http) && !call_header(call, "X-Forwarded-For") &&
           !call_header(call, "Forwarded") && !call_header(call, "X-Real-Ip");
}

/* Splits the target. False without memory. */
static bool read_target(struct call *call, const char *target)
{
    char *copy = dc_arena_copy(&call->arena, target, strlen(target));
    char *question = copy ? strchr(copy, '?') : NULL;

    if (!copy)
        return false;
    if (question)
        *question = '\0';
    call->path = copy;
    call->query = question ? question + 1 : "";
    return true;
}

/* ---- answers ---- */

/* The fields of an answer in net's form. */
static void fill_fields(const struct call *call, const struct call_head *head,
                        struct http_answer_field fields[static HEAD_FIELDS_MAX])
{
    size_t count = 0;

    fields[count++] =
        (struct http_answer_field){"Content-Type", head->type ? head->type : "application/json"};
    fields[count++] =
        (struct http_answer_field){"Cache-Control", head->cache ? head->cache : "no-store"};
    fields[count++] = (struct http_answer_field){"X-Request-Id", call->request_id};
    for (size_t i = 0; i < CALL_FIELDS_MAX && head->fields[i].name; i++)
        fields[count++] = (struct http_answer_field){head->fields[i].name, head->fields[i].value};
    for (size_t i = 0; i < call->added_count; i++)
        fields[count++] = (struct http_answer_field){call->added[i].name, call->added[i].value};
    fields[count] = (struct http_answer_field){NULL, NULL};
}

void call_add_field(struct call *call, const char *name, const char *value)
{
    if (value && call->added_count < CALL_ADDED_MAX)
        call->added[call->added_count++] = (struct call_field){name, value};
}

void call_client(const struct call *call, struct http_address *ret_address)
{
    char text[HTTP_ADDRESS_SIZE];

    http_exchange_client(call->http, text);
    (void)http_address_parse(text, strlen(text), ret_address); /* printed by the same module */
}

void call_reply(struct call *call, const struct call_head *head, struct dc_buf *body)
{
    struct http_answer_field fields[HEAD_FIELDS_MAX];

    if (body->failed && head->status != 500) {
        call_fail(call, &(struct call_error){.status = 500,
                                             .error = "Internal error",
                                             .code = "internal_error",
                                             .message = "The answer did not fit into memory; try "
                                                        "again later."});
        return;
    }
    fill_fields(call, head, fields);
    call->status = head->status;
    http_answer(call->http, &(struct http_answer){head->status, fields}, body);
}

void call_stream_begin(struct call *call, bool replayed)
{
    struct call_head head = {.type = "text/event-stream; charset=utf-8",
                             .fields = {{"X-Accel-Buffering", "no"}}};
    struct http_answer_field fields[HEAD_FIELDS_MAX];

    if (replayed)
        head.fields[1] = (struct call_field){"Idempotent-Replayed", "true"};
    fill_fields(call, &head, fields);
    call->status = 200;
    http_stream_begin(call->http, &(struct http_answer){200, fields});
}

bool call_stream_begun(const struct call *call)
{
    return call->status != 0;
}

void call_stream_write(struct call *call, const char *bytes, size_t length)
{
    http_stream_write(call->http, bytes, length);
}

bool call_stream_gone(const struct call *call)
{
    return http_exchange_gone(call->http);
}

void call_stream_end(struct call *call)
{
    http_stream_end(call->http);
}

void call_on_gone(struct call *call, void (*gone)(void *arg), void *arg)
{
    http_exchange_on_gone(call->http, gone, arg);
}

/* ---- the server ---- */

unsigned call_connections(const struct call *call)
{
    return http_server_connections(call->app->http);
}

/* Refused for its form, before it had a route. */
static void answer_refusal(struct call *call, const struct http_refusal *refusal)
{
    uint32_t max = call->app->options.body_max_bytes;
    bool megabytes = max % (1024 * 1024) == 0;
    char extra[EXTRA_MAX_BYTES] = "";

    if (refusal->status == 413)
        (void)snprintf(extra, sizeof(extra), ",\"max_size\":\"%u%s\"",
                       megabytes ? max / (1024 * 1024) : max, megabytes ? "MB" : " bytes");
    call_fail(call, &(struct call_error){.status = refusal->status,
                                         .error = refusal->error,
                                         .code = refusal->code,
                                         .message = refusal->message,
                                         .extra = extra,
                                         .retry_after_s =
                                             refusal->status == 503 || refusal->status == 429});
    routes_count_refused(call);
}

static void handle(struct http_exchange *exchange, void *context)
{
    const struct http_refusal *refusal = http_exchange_refusal(exchange);
    const struct http_head *head = http_exchange_head(exchange);
    struct call call = {.app = context, .http = exchange, .begun_ns = dc_wall_now()};
    char request_id[DC_UUID_SIZE];

    dc_uuid7(call.begun_ns, request_id);
    call.request_id = request_id;
    call.method = head->method;
    call.body = http_exchange_body(exchange, &call.body_length);
    if (refusal) {
        answer_refusal(&call, refusal);
    } else if (!read_target(&call, head->target)) {
        call_fail_err(&call, &(struct dc_err){.code = DC_KERNEL, .text = "no memory"},
                      "a request could not be read");
    } else {
        call.loopback = is_local(&call);
        routes_dispatch(&call);
    }
    dc_arena_release(&call.arena);
}

int call_server_listen(struct app *app, struct dc_err *err)
{
    const struct http_options options = {
        .host = app->options.listen_host,
        .port = app->options.listen_port,
        .body_max_bytes = app->options.body_max_bytes,
        .connections_max = app->options.connections_max,
        .trusted_proxies = app->options.trusted_proxies,
        .handle = handle,
        .context = app,
    };

    return http_server_open(&app->loop, &options, &app->http, err);
}

int call_server_start(struct app *app, struct dc_err *err)
{
    return http_server_start(app->http, err);
}

void call_server_stop(struct app *app)
{
    http_server_stop(app->http);
}

void call_server_close(struct app *app)
{
    http_server_close(app->http);
}

void call_server_free(struct app *app)
{
    http_server_free(app->http);
    app->http = NULL;
}

uint16_t app_port(const struct app *app)
{
    return http_server_port(app->http);
}
