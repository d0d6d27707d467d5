/* Everything that is kept of a person, and its end. */
#include <string.h>

#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/change.h"
#include "api/key_json.h"
#include "api/routes.h"
#include "api/session.h"
#include "store/audit.h"

#include "base/poison.h"

enum { EXPORT_MAX_BYTES = 16 << 20, EXPORT_PAGES_MAX = 50 };

struct export
{
    const struct call *call;
    struct dc_buf body;
};

static int print_projects(struct store_conn *conn, struct export *export, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_member *list = NULL;
    size_t count;

    if (store_members_list(conn, NULL, export->call->session->user.id, &list, &count, err) < 0)
        return -err->code;
    (void)dc_buf_text(&export->body, ",\"projects\":[");
    for (size_t i = 0; i < count; i++) {
        DC_AUTO(dc_free) struct store_key *keys = NULL;
        size_t key_count;

        if (store_keys_list(conn, list[i].project_id, &keys, &key_count, err) < 0)
            return -err->code;
        (void)dc_buf_text(&export->body, i ? ",{\"project\":" : "{\"project\":");
        print_membership(&list[i], &export->body);
        (void)dc_buf_text(&export->body, ",\"apiKeys\":[");
        for (size_t k = 0; k < key_count; k++) {
            (void)dc_buf_text(&export->body, k ? "," : "");
            key_json_print(&keys[k], export->call->begun_ns, &export->body);
        }
        (void)dc_buf_text(&export->body, "]}");
    }
    (void)dc_buf_byte(&export->body, ']');
    return 0;
}

static int print_audit(struct store_conn *conn, struct export *export, struct dc_err *err)
{
    char before[DC_UUID_SIZE] = "";
    const char *comma = "";

    (void)dc_buf_text(&export->body, ",\"audit\":[");
    for (int page = 0; page < EXPORT_PAGES_MAX; page++) {
        DC_AUTO(dc_free) struct store_audit_row *rows = NULL;
        size_t count;

        if (store_audit_list(conn, NULL, export->call->session->user.id, *before ? before : NULL,
                             STORE_AUDIT_MAX, &rows, &count, err) < 0)
            return -err->code;
        for (size_t i = 0; i < count; i++, comma = ",") {
            (void)dc_buf_printf(&export->body, "%s{", comma);
            print_member_text(&export->body, "action", rows[i].action);
            print_member_text(&export->body, "target", rows[i].target);
            print_member_time(&export->body, "at", rows[i].at);
            (void)dc_buf_printf(&export->body, "\"address\":\"%s\"}", rows[i].address);
        }
        if (count < STORE_AUDIT_MAX)
            break;
        memcpy(before, rows[count - 1].id, sizeof(before));
    }
    (void)dc_buf_byte(&export->body, ']');
    return 0;
}

static int print_sessions(struct store_conn *conn, struct export *export, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_session *list = NULL;
    size_t count;

    if (store_sessions_list(conn, export->call->session->user.id, export->call->begun_ns, &list,
                            &count, err) < 0)
        return -err->code;
    (void)dc_buf_text(&export->body, ",\"sessions\":[");
    for (size_t i = 0; i < count; i++) {
        (void)dc_buf_text(&export->body, i ? ",{" : "{");
        print_member_text(&export->body, "address", list[i].address);
        print_member_text(&export->body, "agent", list[i].agent);
        print_member_time(&export->body, "created_at", list[i].created_at);
        (void)dc_buf_printf(&export->body, "\"id\":\"%s\"}", list[i].id);
    }
    (void)dc_buf_byte(&export->body, ']');
    return 0;
}

static int run_export(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct export *export = arg;

    dc_buf_consume(&export->body, export->body.length);
    (void)dc_buf_text(&export->body, "{\"user\":");
    print_user(&export->call->session->user, &export->body);
    if (print_projects(conn, export, err) < 0 || print_sessions(conn, export, err) < 0 ||
        print_audit(conn, export, err) < 0)
        return -err->code;
    (void)dc_buf_byte(&export->body, '}');
    return 0;
}

void route_me_export(struct call *call)
{
    struct export export = {.call = call};

    dc_buf_init(&export.body, EXPORT_MAX_BYTES);
    if (change_read(call, run_export, &export, "not found"))
        call_reply(call,
                   &(struct call_head){
                       .status = 200,
                       .fields = {{"Content-Disposition", "attachment; filename=\"docle.json\""}}},
                   &export.body);
    dc_buf_release(&export.body);
}

/* --- deletion -------------------------------------------------------------------------------- */

static int run_delete(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;

    return accounts_delete_user(conn, &call->session->user, err);
}

/* The address has to be sent along: nobody deletes an account by a slip. */
void route_me_delete(struct call *call)
{
    DC_AUTO(body_release) struct body body = {0};
    DC_AUTO(dc_buf_release) struct dc_buf answer = {0};
    char cookie[SESSION_COOKIE_MAX];
    const char *email;

    if (!body_read(call, &body))
        return;
    email = body_text(&body, "email");
    if (!email || strcmp(email, call->session->user.email) != 0)
        problems_add(&body.problems, PROBLEM_VALUE, "email",
                     "must be the address of the account that is to be deleted");
    if (body_fail(call, &body) || !change_run(call, run_delete, call, "not found"))
        return;
    session_print_cookie(call, SESSION_COOKIE, NULL, 0, cookie);
    dc_buf_init(&answer, 256);
    (void)dc_buf_text(&answer, "{\"message\":\"The account is deleted\"}");
    call_reply(call, &(struct call_head){.status = 200, .fields = {{"Set-Cookie", cookie}}},
               &answer);
}
