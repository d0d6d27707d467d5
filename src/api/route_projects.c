/* Projects of the person who asks. */
#include <stdio.h>
#include <string.h>

#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/change.h"
#include "api/key_json.h"
#include "api/routes.h"
#include "store/projects.h"

#include "base/poison.h"

enum {
    ANSWER_MAX_BYTES = 8 << 20,
    PROJECTS_MAX = 50, /* that one person may own */
};

struct project_change {
    const struct call *call;
    const char *name;
    struct store_project project;
    struct store_member *members;
    size_t member_count;
    struct store_key *keys;
    size_t key_count;
};

static void print_project(const struct call *call, const struct store_project *project,
                          struct dc_buf *out)
{
    (void)dc_buf_byte(out, '{');
    print_member_text(out, "id", project->id);
    print_member_text(out, "user_id", call->session->user.id);
    print_member_text(out, "name", project->name);
    print_member_text(out, "plan", store_plan_name(project->plan));
    print_member_time(out, "created_at", project->created_at);
    (void)dc_buf_printf(out, "\"role\":\"%s\"}", role_name(call->role));
}

/* --- list ------------------------------------------------------------------------------------ */

static int run_mine(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct project_change *change = arg;

    return store_members_list(conn, NULL, change->call->session->user.id, &change->members,
                              &change->member_count, err);
}

static void list(struct call *call, bool with_user)
{
    struct project_change change = {.call = call};
    DC_AUTO(dc_free) struct store_member *members = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_read(call, run_mine, &change, "not found"))
        return;
    members = change.members;
    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_byte(&body, '{');
    if (with_user) {
        (void)dc_buf_text(&body, "\"user\":");
        print_user(&call->session->user, &body);
        (void)dc_buf_byte(&body, ',');
    }
    (void)dc_buf_text(&body, "\"projects\":[");
    for (size_t i = 0; i < change.member_count; i++) {
        (void)dc_buf_text(&body, i ? "," : "");
        print_membership(&members[i], &body);
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_projects_list(struct call *call)
{
    list(call, false);
}

void route_dashboard(struct call *call)
{
    list(call, true);
}

/* --- one ------------------------------------------------------------------------------------- */

static int run_get(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct project_change *change = arg;

    if (store_project_get(conn, change->call->project_id, &change->project, err) < 0)
        return -err->code;
    return store_keys_list(conn, change->call->project_id, &change->keys, &change->key_count, err);
}

void route_project_get(struct call *call)
{
    struct project_change change = {.call = call};
    DC_AUTO(dc_free) struct store_key *keys = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_read(call, run_get, &change, "Project not found"))
        return;
    keys = change.keys;
    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"project\":");
    print_project(call, &change.project, &body);
    (void)dc_buf_text(&body, ",\"apiKeys\":[");
    for (size_t i = change.key_count; i > 0; i--) {
        key_json_print(&keys[i - 1], call->begun_ns, &body);
        (void)dc_buf_text(&body, i > 1 ? "," : "");
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

/* --- changes --------------------------------------------------------------------------------- */

static int check_count(struct store_conn *conn, struct project_change *change, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_member *members = NULL;
    size_t owned = 0;

    if (run_mine(conn, change, err) < 0)
        return -err->code;
    members = change->members;
    for (size_t i = 0; i < change->member_count; i++)
        owned += strcmp(members[i].role, role_name(ROLE_OWNER)) == 0;
    change->members = NULL;
    if (owned >= PROJECTS_MAX)
        return dc_fail(err, DC_CONFLICT, 0,
                       "you own %d projects, which is as many as one may; "
                       "delete one first",
                       PROJECTS_MAX);
    return 0;
}

static int run_create(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct project_change *change = arg;
    const struct call *call = change->call;
    struct store_project *project = &change->project;

    if (check_count(conn, change, err) < 0 ||
        store_project_create(conn, change->name, call->begun_ns, project, err) < 0 ||
        store_member_set(conn, project->id, call->session->user.id, role_name(ROLE_OWNER),
                         call->begun_ns, err) < 0)
        return -err->code;
    return change_audit(call, conn, project->id, "project.create", project->name, err);
}

/* The name of the body. False: has answered. */
static bool read_name(struct call *call, struct body *body, const char **ret_name)
{
    if (!body_read(call, body))
        return false;
    *ret_name = body_text(body, "name");
    if (!*ret_name && !body->problems.total)
        problems_add(&body->problems, PROBLEM_MISSING, "name", "give the project a name");
    return !body_fail(call, body);
}

static void reply_project(struct call *call, const struct store_project *project)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"project\":");
    print_project(call, project, &body);
    (void)dc_buf_byte(&body, '}');
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_project_create(struct call *call)
{
    DC_AUTO(body_release) struct body body = {0};
    struct project_change change = {.call = call};

    if (!read_name(call, &body, &change.name) ||
        !change_run(call, run_create, &change, "not found"))
        return;
    call->role = ROLE_OWNER;
    reply_project(call, &change.project);
}

static int run_rename(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct project_change *change = arg;
    const struct call *call = change->call;

    if (store_project_rename(conn, call->project_id, change->name, err) < 0 ||
        store_project_get(conn, call->project_id, &change->project, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "project.rename", change->name, err);
}

void route_project_rename(struct call *call)
{
    DC_AUTO(body_release) struct body body = {0};
    struct project_change change = {.call = call};

    if (read_name(call, &body, &change.name) &&
        change_run(call, run_rename, &change, "Project not found"))
        reply_project(call, &change.project);
}

static int run_delete(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct project_change *change = arg;
    const struct call *call = change->call;

    if (store_project_get(conn, call->project_id, &change->project, err) < 0 ||
        store_project_delete(conn, call->project_id, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "project.delete", change->project.name, err);
}

void route_project_delete(struct call *call)
{
    struct project_change change = {.call = call};

    if (change_run(call, run_delete, &change, "Project not found"))
        change_reply(call, "The project is deleted");
}
