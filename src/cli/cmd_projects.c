/* docle projects: by the operator, on the database itself; a running server notices at once. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/project_find.h"
#include "store/audit.h"
#include "store/members.h"

#include "base/poison.h"

struct projects_call {
    bool flag; /* --json, --lift */
};

static int take_flag(void *context, int option, const char *value, struct dc_err *err)
{
    struct projects_call *projects = context;

    (void)option;
    (void)value;
    (void)err;
    projects->flag = true;
    return 0;
}

static const char *owner_of(const struct store_member *members, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].project_id, id) == 0 && strcmp(members[i].role, "owner") == 0)
            return members[i].email;
    return "";
}

static void print_json(const struct store_project *project, const char *owner, struct dc_buf *out)
{
    char created[25];

    dc_format_iso8601(project->created_at, created);
    dc_buf_printf(out, "{\"id\":\"%s\",\"name\":", project->id);
    dc_buf_json_string(out, project->name, strlen(project->name));
    dc_buf_text(out, ",\"owner\":");
    dc_buf_json_string(out, owner, strlen(owner));
    dc_buf_printf(out, ",\"plan\":\"%s\",\"createdAt\":\"%s\",\"suspended\":%s}",
                  store_plan_name(project->plan), created,
                  project->suspended_at ? "true" : "false");
}

static void print_line(const struct store_project *project, const char *owner, struct dc_buf *out)
{
    char created[25];

    dc_format_iso8601(project->created_at, created);
    dc_buf_printf(out, "%s  %-10s  %-9s  %.10s  %s  %s\n", project->id,
                  store_plan_name(project->plan), project->suspended_at ? "suspended" : "active",
                  created, project->name, *owner ? owner : "(nobody's)");
}

static int run_list(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_project *list = NULL;
    DC_AUTO(dc_free) struct store_member *members = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct projects_call projects = {0};
    size_t member_count;
    size_t count;
    int result = cli_parse(call, take_flag, &projects, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0 || data_dir_open_store(&call->config, &conn, err) < 0 ||
        store_projects_list(conn, &list, &count, err) < 0 ||
        store_members_list(conn, NULL, NULL, &members, &member_count, err) < 0)
        return -err->code;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    dc_buf_text(&out, projects.flag ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        const char *owner = owner_of(members, member_count, list[i].id);

        dc_buf_text(&out, projects.flag && i ? "," : "");
        if (projects.flag)
            print_json(&list[i], owner, &out);
        else
            print_line(&list[i], owner, &out);
    }
    dc_buf_text(&out, projects.flag ? "]\n" : "");
    return cli_output(&out, err);
}

static const struct cli_option json_options[] = {
    {"json", 0, NULL, "Print a JSON array."},
    {0},
};

const struct cli_command command_projects_list = {
    .name = "projects list",
    .summary = "List projects, oldest first.",
    .options = json_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_list,
};

/* --- changes --------------------------------------------------------------------------------- */

struct project_change {
    const char *wanted; /* id, or a name that one project has */
    const char *action;
    enum store_plan plan;
    bool sets_plan;
    int64_t suspended_at;
    int64_t now;
    struct store_project project;
};

int project_find(struct store_conn *conn, const char *wanted, struct store_project *ret_project,
                 struct dc_err *err)
{
    int found = dc_uuid_valid(wanted) ? store_project_get(conn, wanted, ret_project, err)
                                      : store_project_find(conn, wanted, ret_project, err);

    return found < 0 ? dc_context(err, "'%.64s'", wanted) : 0;
}

static int run_change(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct project_change *change = arg;
    struct store_project *project = &change->project;

    if (project_find(conn, change->wanted, project, err) < 0)
        return -err->code;
    if ((change->sets_plan
             ? store_project_set_plan(conn, project->id, change->plan, dc_wall_now(), err)
             : store_project_suspend(conn, project->id, change->suspended_at, err)) < 0)
        return -err->code;
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = project->id,
                                                 .actor = "operator (command line)",
                                                 .action = change->action,
                                                 .target = change->sets_plan
                                                               ? store_plan_name(change->plan)
                                                               : project->name,
                                                 .address = "",
                                                 .at = change->now},
                           err);
}

static int apply(const struct cli_call *call, struct project_change *change, const char *done,
                 struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};

    change->wanted = call->argv[0];
    change->now = dc_wall_now();
    if (data_dir_open_store(&call->config, &conn, err) < 0 ||
        store_transaction(conn, run_change, change, err) < 0)
        return -err->code;
    dc_buf_init(&out, 512);
    dc_buf_printf(&out, "Project %s (%s) is %s.\n", change->project.id, change->project.name, done);
    return cli_output(&out, err);
}

static int run_suspend(struct cli_call *call, struct dc_err *err)
{
    struct projects_call projects = {0};
    struct project_change change = {0};
    int result = cli_parse(call, take_flag, &projects, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0)
        return -err->code;
    change.suspended_at = projects.flag ? 0 : dc_wall_now();
    change.action = projects.flag ? "project.resume" : "project.suspend";
    return apply(call, &change, projects.flag ? "let in again" : "suspended", err);
}

static const struct cli_option suspend_options[] = {
    {"lift", 0, NULL, "End the suspension."},
    {0},
};

const struct cli_command command_projects_suspend = {
    .name = "projects suspend",
    .operands = "PROJECT",
    .summary = "Refuse the keys and runs of a project, at once.",
    .detail = "PROJECT is its identifier, or its name when no other has it.",
    .options = suspend_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_suspend,
};

static int run_plan(struct cli_call *call, struct dc_err *err)
{
    struct projects_call projects = {0};
    struct project_change change = {.sets_plan = true, .action = "project.plan"};
    char done[64];
    int result = cli_parse(call, take_flag, &projects, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 2, err) < 0)
        return -err->code;
    if (!store_plan_from_name(call->argv[1], &change.plan))
        return dc_fail(err, DC_INVALID, 0, "a plan is free, pro or enterprise");
    (void)snprintf(done, sizeof(done), "on the plan %s", store_plan_name(change.plan));
    return apply(call, &change, done, err);
}

const struct cli_command command_projects_plan = {
    .name = "projects plan",
    .operands = "PROJECT PLAN",
    .summary = "Put a project on a plan: free, pro or enterprise.",
    .detail = "PROJECT is its identifier, or its name when no other has it.",
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_plan,
};
