/* Programs that are shared by link: anybody who knows the id reads one; members of the project list
 * theirs; who shared one, and admins, delete it. What is stored is data, never shown as a page. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts/roles.h"
#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/change.h"
#include "api/guard.h"
#include "api/plan.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "runs/request.h"
#include "store/audit.h"
#include "store/members.h"
#include "store/shares.h"

#include "base/poison.h"

enum {
    DAYS_MAX = 365,
    ANSWER_EXTRA_BYTES = 4096,
    LIST_MAX_BYTES = 1 << 20,
};

struct share_change {
    const struct call *call;
    struct store_share share;
    struct store_bytes request;
    char *text; /* of one that was read */
    struct store_share *list;
    size_t count;
};

/* --- what is shared -------------------------------------------------------------------------- */

/* The names of the environment without its values. NULL without memory. */
static json_t *names_of(const json_t *env)
{
    json_t *names = json_object();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)env, name, value)
        dc_ignore(json_object_set_new(names, name, json_string("")));
    return names;
}

/* SECURITY: what is named here is kept, nothing else; no value of the environment. The caller frees
 * the text. NULL without memory. */
static char *print_kept(const struct run_request *request)
{
    static const char *const kept[] = {"lang",       "version", "code",     "files", "args",
                                       "entrypoint", "stdin",   "packages", "policy"};
    const json_t *given = request->json;
    const json_t *env = json_object_get(given, "env");
    json_t *share = json_object();
    char *text;

    for (size_t i = 0; share && i < sizeof(kept) / sizeof(kept[0]); i++) {
        json_t *value = json_object_get(given, kept[i]);

        if (value)
            dc_ignore(json_object_set(share, kept[i], value));
    }
    if (share && json_is_object(env) && json_object_size(env))
        dc_ignore(json_object_set_new(share, "env", names_of(env)));
    text = share ? json_dumps(share, JSON_COMPACT) : NULL;
    json_decref(share);
    return text;
}

static void read_title(const json_t *body, struct problems *problems, struct store_share *share)
{
    const json_t *title = json_object_get(body, "title");
    struct dc_err err;

    if (!title || json_is_null(title))
        return;
    if (!json_is_string(title) || strlen(json_string_value(title)) != json_string_length(title))
        problems_add(problems, PROBLEM_TYPE, "title", "must be a string without NUL");
    else if (store_check_name(json_string_value(title), &err) < 0)
        problems_add(problems, PROBLEM_VALUE, "title", "%s", err.text);
    else
        (void)snprintf(share->title, sizeof(share->title), "%s", json_string_value(title));
}

static void read_rest(const struct call *call, const json_t *body, struct problems *problems,
                      struct store_share *share)
{
    const json_t *days = json_object_get(body, "expiresInDays");
    const json_t *from = json_object_get(body, "forkedFrom");

    read_title(body, problems, share);
    if (days && !json_is_null(days)) {
        int64_t number = json_is_integer(days) ? json_integer_value(days) : 0;

        if (number < 1 || number > DAYS_MAX)
            problems_add(problems, PROBLEM_RANGE, "expiresInDays", "must be 1 to %d days",
                         DAYS_MAX);
        else
            share->expires_at = call->begun_ns + number * 24 * 3600 * DC_NS_PER_S;
    }
    if (from && !json_is_null(from)) {
        const char *id = json_string_value(from);

        if (!id || json_string_length(from) != DC_UUID_SIZE - 1 || !dc_uuid_valid(id))
            problems_add(problems, PROBLEM_VALUE, "forkedFrom", "must be the id of a share");
        else
            memcpy(share->forked_from, id, DC_UUID_SIZE);
    }
}

/* The program as the run route takes it, held against the same limits. False: has answered. */
static bool read_program(struct call *call, struct run_request *request, struct problems *problems,
                         struct store_share *share)
{
    struct run_limits limits;
    struct dc_err err = {0};
    int result;

    plan_run_limits(call, &limits);
    result = run_request_read(request, call->body, call->body_length, problems, &err);
    if (result == 0) {
        read_rest(call, request->json, problems, share);
        if (request->repo)
            problems_add(problems, PROBLEM_VALUE, "repo", "share files, not a repository");
        else
            result = run_request_check(request, &limits, problems, &err);
    }
    if (problems->total) {
        call_fail_problems(call, problems);
        return false;
    }
    if (result < 0) {
        call_fail_err(call, &err, "a program to share could not be read");
        return false;
    }
    (void)snprintf(share->lang, sizeof(share->lang), "%s", run_lang_name(request->lang));
    return true;
}

/* --- answers --------------------------------------------------------------------------------- */

static void print_share(const struct store_share *share, struct dc_buf *out)
{
    (void)dc_buf_byte(out, '{');
    print_member_text(out, "id", share->id);
    print_member_text(out, "title", share->title);
    print_member_text(out, "lang", share->lang);
    if (*share->forked_from)
        print_member_text(out, "forkedFrom", share->forked_from);
    else
        (void)dc_buf_text(out, "\"forkedFrom\":null,");
    print_member_time(out, "createdAt", share->created_at);
    print_member_time(out, "expiresAt", share->expires_at);
}

/* What the audit log calls it. */
static const char *share_name(const struct store_share *share)
{
    return *share->title ? share->title : share->id;
}

static int run_create(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct share_change *change = arg;

    if (store_share_create(conn, &change->share, change->request, err) < 0)
        return -err->code;
    return change_audit(change->call, conn, change->call->project_id, "share.create",
                        share_name(&change->share), err);
}

static void reply_made(struct call *call, const struct store_share *share)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    DC_AUTO(dc_buf_release) struct dc_buf url = {0};

    dc_buf_init(&url, ANSWER_EXTRA_BYTES);
    (void)dc_buf_printf(&url, "%s/s/%s", call->app->options.accounts.app_url, share->id);
    dc_buf_init(&body, 2 * ANSWER_EXTRA_BYTES);
    print_share(share, &body);
    (void)dc_buf_text(&body, "\"url\":");
    (void)dc_buf_json_string(&body, dc_buf_str(&url), url.length);
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

static bool is_json(const struct call *call)
{
    const char *type = call_header(call, "Content-Type");

    return type && strncmp(type, "application/json", strlen("application/json")) == 0;
}

/* Form, size and rate, before anything is parsed. False: has answered. */
static bool may_share(struct call *call)
{
    if (!guard_session(call) || !guard_shares(call))
        return false;
    if (!is_json(call)) {
        call_fail(call, &(struct call_error){.status = 415,
                                             .error = "Unsupported media type",
                                             .code = "unsupported_media_type",
                                             .message = "Send the body as JSON, with Content-Type: "
                                                        "application/json."});
        return false;
    }
    if (call->body_length > DC_SHARE_MAX_BYTES) {
        call_fail(call, &(struct call_error){.status = 413,
                                             .error = "Request too large",
                                             .code = "share_too_large",
                                             .message = "A shared program has at most 1 MB; leave "
                                                        "out large files.",
                                             .extra = ",\"max_size\":\"1MB\""});
        return false;
    }
    return true;
}

void route_share_create(struct call *call)
{
    struct share_change change = {.call = call, .share = {.created_at = call->begun_ns}};
    DC_AUTO(run_request_release) struct run_request request;
    DC_AUTO(problems_release) struct problems problems;
    DC_AUTO(dc_free) char *text = NULL;

    run_request_init(&request);
    problems_init(&problems);
    if (!may_share(call) || !read_program(call, &request, &problems, &change.share))
        return;
    text = print_kept(&request);
    if (!text) {
        call_fail_err(call, &(struct dc_err){.code = DC_KERNEL, .text = "no memory"}, "share");
        return;
    }
    change.request = (struct store_bytes){text, strlen(text)};
    memcpy(change.share.project_id, call->project_id, sizeof(change.share.project_id));
    memcpy(change.share.user_id, call->session->user.id, sizeof(change.share.user_id));
    if (change_run(call, run_create, &change, "Project not found"))
        reply_made(call, &change.share);
}

static int run_get(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct share_change *change = arg;

    return store_share_get(conn, change->call->id, change->call->begun_ns, &change->share,
                           &change->text, err);
}

void route_share_get(struct call *call)
{
    struct share_change change = {.call = call};
    DC_AUTO(dc_free) char *text = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_read(call, run_get, &change, "Share not found"))
        return;
    text = change.text;
    dc_buf_init(&body, strlen(text) + ANSWER_EXTRA_BYTES);
    print_share(&change.share, &body);
    (void)dc_buf_text(&body, "\"request\":");
    (void)dc_buf_text(&body, text); /* printed by us, from what was checked */
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

static int run_list(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct share_change *change = arg;

    return store_shares_list(conn, change->call->project_id, change->call->begun_ns, &change->list,
                             &change->count, err);
}

void route_shares_list(struct call *call)
{
    struct share_change change = {.call = call};
    DC_AUTO(dc_free) struct store_share *list = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_read(call, run_list, &change, "Project not found"))
        return;
    list = change.list;
    dc_buf_init(&body, LIST_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"shares\":[");
    for (size_t i = 0; i < change.count; i++) {
        (void)dc_buf_text(&body, i ? "," : "");
        print_share(&list[i], &body);
        (void)dc_buf_text(&body, "\"createdBy\":");
        if (*list[i].email)
            (void)dc_buf_json_string(&body, list[i].email, strlen(list[i].email));
        else
            (void)dc_buf_text(&body, "null");
        (void)dc_buf_byte(&body, '}');
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

/* SECURITY: to know a share's id is no permission to delete it. Looked up in the transaction. */
static int run_delete(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct share_change *change = arg;
    const struct call *call = change->call;
    const char *user = call->session->user.id;
    struct store_share *share = &change->share;
    struct store_member member;
    enum role role = ROLE_NONE;
    int found;

    if (store_share_get(conn, call->id, call->begun_ns, share, NULL, err) < 0)
        return -err->code;
    found = store_member_get(conn, share->project_id, user, &member, err);
    if (found < 0 && found != -DC_NOT_FOUND)
        return found;
    if (found == 0)
        (void)role_from_name(member.role, &role); /* the schema knows no other */
    if (strcmp(share->user_id, user) != 0 && role == ROLE_NONE)
        return dc_fail(err, DC_NOT_FOUND, 0, "a share of another project");
    if (strcmp(share->user_id, user) != 0 && !role_may(role, PERMIT_MANAGE))
        return dc_fail(err, DC_DENIED, 0,
                       "only who shared it, and admins of its project, delete a share");
    if (store_share_delete(conn, share->id, err) < 0)
        return -err->code;
    return change_audit(call, conn, share->project_id, "share.delete", share_name(share), err);
}

void route_share_delete(struct call *call)
{
    struct share_change change = {.call = call};

    if (change_run(call, run_delete, &change, "Share not found"))
        change_reply(call, "The share is deleted");
}
