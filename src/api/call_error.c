/* Errors as clients see them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/page.h"
#include "base/log.h"

#include "base/poison.h"

enum { ERROR_MAX_BYTES = 64 * 1024, STORAGE_RETRY_S = 5 };

static void print_member(struct dc_buf *out, const char *name, const char *text)
{
    (void)dc_buf_printf(out, "\"%s\":", name);
    (void)dc_buf_json_string(out, text, strlen(text));
    (void)dc_buf_byte(out, ',');
}

static void print_end(const struct call *call, const char *extra, struct dc_buf *out)
{
    (void)dc_buf_printf(out, "\"requestId\":\"%s\"%s}", call->request_id, extra ? extra : "");
}

bool call_print_error(const struct call *call, const struct call_error *error, struct dc_buf *out)
{
    (void)dc_buf_byte(out, '{');
    print_member(out, "error", error->error);
    print_member(out, "code", error->code);
    print_member(out, "message", error->message);
    print_end(call, error->extra, out);
    return !out->failed;
}

/* For somebody who has opened an address in a browser. */
static void fail_page(struct call *call, const struct call_error *error,
                      const struct call_field fields[static 2])
{
    page_reply(call, &(struct page){.status = error->status,
                                    .title = error->error,
                                    .text = error->message,
                                    .fields = {fields[0], fields[1]}});
}

void call_fail(struct call *call, const struct call_error *error)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;
    struct call_head head = {.status = error->status};
    char seconds[16];
    size_t fields = 0;

    dc_buf_init(&body, ERROR_MAX_BYTES);
    if (error->retry_after_s) {
        (void)snprintf(seconds, sizeof(seconds), "%u", error->retry_after_s);
        head.fields[fields++] = (struct call_field){"Retry-After", seconds};
    }
    if (error->field.name)
        head.fields[fields++] = error->field;
    if (page_is_wanted(call) && page_is_place(call)) {
        fail_page(call, error, head.fields);
        return;
    }
    (void)call_print_error(call, error, &body);
    call_reply(call, &head, &body);
}

void call_fail_problems(struct call *call, const struct problems *problems)
{
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, ERROR_MAX_BYTES);
    (void)dc_buf_byte(&body, '{');
    (void)problems_print(problems, &body);
    (void)dc_buf_byte(&body, ',');
    print_end(call, NULL, &body);
    call_reply(call, &(struct call_head){.status = 400}, &body);
}

static bool is_storage(const struct dc_err *err)
{
    return err->code == DC_BUSY ||
           (err->code == DC_KERNEL && (err->errnum == ENOSPC || err->errnum == EIO ||
                                       err->errnum == EDQUOT || err->errnum == EROFS));
}

void call_fail_err(struct call *call, const struct dc_err *err, const char *what)
{
    if (err->code == DC_INVALID || err->code == DC_LIMIT) {
        call_fail(call, &(struct call_error){.status = 400,
                                             .error = "Invalid request",
                                             .code = "invalid_request",
                                             .message = err->text});
        return;
    }
    dc_log_err(DC_LOG_ERROR, call->request_id, err, "%s", what);
    if (is_storage(err)) {
        call_fail(call, &(struct call_error){
                            .status = 503,
                            .error = "Storage unavailable",
                            .code = "storage_unavailable",
                            .message = "The server cannot store results now. Nothing was billed; "
                                       "try again later, and tell its operator if it goes on.",
                            .retry_after_s = STORAGE_RETRY_S});
        return;
    }
    call_fail(call, &(struct call_error){
                        .status = 500,
                        .error = "Internal error",
                        .code = "internal_error",
                        .message = "The server failed. Try again, and give its operator the "
                                   "requestId if it goes on."});
}
