/* The routes' view of HTTP, over src/net. */
#include "api/call.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/routes.h"
#include "base/clock.h"
#include "net/http_server.h"

#include "base/poison.h"

enum { FIELDS_MAX = CALL_FIELDS_MAX + 4, FIELD_NAME_MAX = 64 };

/* ---- the request ---- */

const char *call_header(const struct call *call, const char *name)
{
    char lower[FIELD_NAME_MAX] = "";

    for (size_t i = 0; name[i] && i < sizeof(lower) - 1; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    return http_head_field(http_exchange_head(call->http), lower);
}

/* Splits the target at the question mark. */
static bool read_target(struct call *call, const char *target)
{
    size_t path = strcspn(target, "?");

    call->path = dc_arena_copy(&call->arena, target, path);
    call->query = target[path] ? target + path + 1 : "";
    return call->path != NULL;
}

static void fail_refused(struct call *call, const struct http_refusal *refusal)
{
    struct call_error error = {.status = refusal->status,
                               .error = refusal->error,
                               .code = refusal->code,
                               .message = refusal->message};
    char extra[64];

    if (refusal->status == 413) {
        /* The original's member: a size in words. */
        (void)snprintf(extra, sizeof(extra), ",\"max_size\":\"%uMB\"",
                       call->app->options.body_max_bytes >> 20);
        error.extra = extra;
    }
    call_fail(call, &error);
}

static void answer(struct call *call)
{
    const struct http_refusal *refusal = http_exchange_refusal(call->http);
    const struct http_head *head = http_exchange_head(call->http);

    if (refusal) {
        call->method = head->method[0] ? head->method : "GET";
        call->path = call->query = "";
        fail_refused(call, refusal);
        return;
    }
    call->method = head->method;
    call->body = http_exchange_body(call->http, &call->body_length);
    call->loopback = http_exchange_peer_is_loopback(call->http) &&
                     !http_head_field(head, "x-forwarded-for") &&
                     !http_head_field(head, "forwarded");
    if (!read_target(call, head->target)) {
        call_fail_err(call, &(struct dc_err){.code = DC_KERNEL, .errnum = ENOMEM}, "no memory");
        return;
    }
    routes_dispatch(call);
}

static void handle(struct http_exchange *exchange, void *context)
{
    struct call call = {.app = context, .http = exchange, .begun_ns = dc_wall_now()};
    char request_id[DC_UUID_SIZE];

    dc_uuid7(call.begun_ns, request_id);
    call.request_id = request_id;
    answer(&call);
    dc_arena_release(&call.arena);
}

/* ---- the answer ---- */

static void fill_fields(const struct call *call, const struct call_head *head,
                        struct http_answer_field fields[static FIELDS_MAX])
{
    size_t count = 0;

    fields[count++] =
        (struct http_answer_field){"Content-Type", head->type ? head->type : "application/json"};
    fields[count++] =
        (struct http_answer_field){"Cache-Control", head->cache ? head->cache : "no-store"};
    fields[count++] = (struct http_answer_field){"X-Request-Id", call->request_id};
    for (size_t i = 0; i < CALL_FIELDS_MAX && head->fields[i].name; i++)
        fields[count++] = (struct http_answer_field){head->fields[i].name, head->fields[i].value};
    fields[count] = (struct http_answer_field){NULL, NULL};
}

void call_reply(struct call *call, const struct call_head *head, struct dc_buf *body)
{
    struct http_answer_field fields[FIELDS_MAX];
    struct http_answer answer = {.status = head->status, .fields = fields};

    call->status = head->status;
    fill_fields(call, head, fields);
    http_answer(call->http, &answer, body);
}

/* ---- streams ---- */

void call_stream_begin(struct call *call, bool replayed)
{
    const struct call_head head = {
        .status = 200,
        .type = "text/event-stream",
        .cache = "no-store",
        .fields = {{"X-Accel-Buffering", "no"}, {replayed ? "Idempotency-Replayed" : NULL, "true"}},
    };
    struct http_answer_field fields[FIELDS_MAX];
    struct http_answer answer = {.status = head.status, .fields = fields};

    call->status = head.status;
    fill_fields(call, &head, fields);
    http_stream_begin(call->http, &answer);
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

int call_server_listen(struct app *app, struct dc_err *err)
{
    const struct http_options options = {
        .host = app->options.listen_host,
        .port = app->options.listen_port,
        .body_max_bytes = app->options.body_max_bytes,
        .connections_max = app->options.connections_max,
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

unsigned call_connections(const struct call *call)
{
    return http_server_connections(call->app->http);
}

uint16_t app_port(const struct app *app)
{
    return http_server_port(app->http);
}
