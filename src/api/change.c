#include "api/change.h"

#include <string.h>

#include "api/app_internal.h"
#include "net/http_server.h"
#include "runs/await.h"
#include "store/audit.h"

#include "base/poison.h"

enum { ANSWER_MAX_BYTES = 1024 };

static bool settle(struct call *call, int result, const struct dc_err *err, const char *not_found)
{
    struct call_error error = {.message = err->text};

    if (result == 0)
        return true;
    if (err->code == DC_NOT_FOUND) {
        error.status = 404;
        error.error = not_found;
        error.code = "not_found";
        error.message = "There is none of that id here.";
    } else if (err->code == DC_CONFLICT) {
        error.status = 409;
        error.error = "Conflict";
        error.code = "conflict";
    } else if (err->code == DC_DENIED) {
        error.status = 403;
        error.error = "Forbidden";
        error.code = "forbidden";
    } else {
        call_fail_err(call, err, "a change could not be made");
        return false;
    }
    call_fail(call, &error);
    return false;
}

bool change_run(struct call *call,
                int (*run)(struct store_conn *conn, void *arg, struct dc_err *err), void *arg,
                const char *not_found)
{
    struct dc_err err = {0};

    return settle(call, await_store(call->app->worker, AWAIT_WRITE, run, arg, &err), &err,
                  not_found);
}

bool change_read(struct call *call,
                 int (*run)(struct store_conn *conn, void *arg, struct dc_err *err), void *arg,
                 const char *not_found)
{
    struct dc_err err = {0};

    return settle(call, await_store(call->app->worker, AWAIT_READ, run, arg, &err), &err,
                  not_found);
}

int change_audit(const struct call *call, struct store_conn *conn, const char *project_id,
                 const char *action, const char *target, struct dc_err *err)
{
    char client[HTTP_ADDRESS_SIZE];

    http_exchange_client(call->http, client);
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = project_id,
                                                 .user_id = call->session->user.id,
                                                 .actor = call->session->user.email,
                                                 .action = action,
                                                 .target = target,
                                                 .address = client,
                                                 .at = call->begun_ns},
                           err);
}

void change_reply(struct call *call, const char *text)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"message\":");
    (void)dc_buf_json_string(&body, text, strlen(text));
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}
