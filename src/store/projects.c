#include "store/projects.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/cancels.h"
#include "store/rows.h"
#include "store/store_internal.h"
#include "store/usage.h"
#include "store/usage_internal.h"

#include "base/poison.h"

#define PROJECT_COLUMNS                                                                            \
    "id, name, created_at, plan, COALESCE(suspended_at, 0), COALESCE(runs_per_month, 0),"          \
    " COALESCE(timeout_ms, 0), COALESCE(install_seconds, 0), COALESCE(memory_mb, 0),"              \
    " COALESCE(running_max, 0), COALESCE(user_rate_per_minute, 0), COALESCE(budget_micros, 0),"    \
    " COALESCE(user_budget_micros, 0), budget_stops"

static const char *const plan_names[STORE_PLANS] = {
    [STORE_PLAN_FREE] = "free",
    [STORE_PLAN_PRO] = "pro",
    [STORE_PLAN_ENTERPRISE] = "enterprise",
};

const char *store_plan_name(enum store_plan plan)
{
    return plan_names[plan];
}

bool store_plan_from_name(const char *name, enum store_plan *ret_plan)
{
    for (int i = 0; i < STORE_PLANS; i++) {
        if (strcmp(plan_names[i], name) != 0)
            continue;
        *ret_plan = (enum store_plan)i;
        return true;
    }
    return false;
}

static int read_project(struct db_query *query, struct store_project *project, struct dc_err *err)
{
    char plan[16];

    db_text(query, 0, project->id, sizeof(project->id));
    db_text(query, 1, project->name, sizeof(project->name));
    project->created_at = db_int(query, 2);
    db_text(query, 3, plan, sizeof(plan));
    project->suspended_at = db_int(query, 4);
    project->rules = (struct store_project_rules){
        .runs_per_month = db_int(query, 5),
        .timeout_ms = (uint32_t)db_int(query, 6),
        .install_seconds = (uint32_t)db_int(query, 7),
        .memory_mb = (uint32_t)db_int(query, 8),
        .running_max = (uint32_t)db_int(query, 9),
        .user_rate_per_minute = (uint32_t)db_int(query, 10),
        .budget_micros = db_int(query, 11),
        .user_budget_micros = db_int(query, 12),
        .budget_stops = db_int(query, 13),
    };
    if (db_row_read(query, err) < 0)
        return -err->code;
    if (!store_plan_from_name(plan, &project->plan))
        return dc_fail(err, DC_KERNEL, EIO, "project %s has the plan '%s'", project->id, plan);
    return 0;
}

static int select_project(struct store_conn *conn, const char *sql, const char *value,
                          struct store_project *ret_project, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, value);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such project");
    if (read_project(query, ret_project, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    if (row)
        return dc_fail(err, DC_INVALID, 0, "several projects have that name; give the id of one");
    return 0;
}

int store_project_get(struct store_conn *conn, const char *id, struct store_project *ret_project,
                      struct dc_err *err)
{
    static const char sql[] = "SELECT " PROJECT_COLUMNS " FROM projects WHERE id = $1";

    return select_project(conn, sql, id, ret_project, err);
}

int store_project_find(struct store_conn *conn, const char *name, struct store_project *ret_project,
                       struct dc_err *err)
{
    static const char sql[] = "SELECT " PROJECT_COLUMNS " FROM projects WHERE name = $1";

    return select_project(conn, sql, name, ret_project, err);
}

int store_check_name(const char *name, struct dc_err *err)
{
    return conn_check_name(name, false, err);
}

static int insert_project(struct store_conn *conn, const char *id, const char *name, int64_t now,
                          struct dc_err *err)
{
    static const char sql[] = "INSERT INTO projects (id, name, created_at) VALUES ($1, $2, $3)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, name);
    db_bind_int(query, 3, now);
    if (db_run(query, NULL, err) < 0)
        return -err->code;
    return conn_keys_changed(conn, err);
}

static int create_project(struct store_conn *conn, const char *name, int64_t now,
                          struct store_project *ret_project, struct dc_err *err)
{
    char id[DC_UUID_SIZE];

    dc_uuid7(now, id);
    if (insert_project(conn, id, name, now, err) < 0)
        return -err->code;
    return store_project_get(conn, id, ret_project, err);
}

int store_project_anonymous(struct store_conn *conn, int64_t now, struct dc_err *err)
{
    struct store_project project;
    int found;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    found = store_project_get(conn, STORE_ANONYMOUS_PROJECT, &project, err);
    if (found == -DC_NOT_FOUND)
        found = insert_project(conn, STORE_ANONYMOUS_PROJECT, "runs without an account", now, err);
    return conn_end(conn, found, err);
}

int store_project_create(struct store_conn *conn, const char *name, int64_t now,
                         struct store_project *ret_project, struct dc_err *err)
{
    if (conn_check_name(name, false, err) < 0 || conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, create_project(conn, name, now, ret_project, err), err);
}

/* In one transaction, which holds the write lock: two of them do not both make it. */
static int ensure_project(struct store_conn *conn, const char *name, int64_t now,
                          struct store_project *ret_project, struct dc_err *err)
{
    int found = store_project_find(conn, name, ret_project, err);

    return found == -DC_NOT_FOUND ? create_project(conn, name, now, ret_project, err) : found;
}

int store_project_ensure(struct store_conn *conn, const char *name, int64_t now,
                         struct store_project *ret_project, struct dc_err *err)
{
    if (conn_check_name(name, false, err) < 0 || conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, ensure_project(conn, name, now, ret_project, err), err);
}

int store_projects_list(struct store_conn *conn, struct store_project **ret_projects,
                        size_t *ret_count, struct dc_err *err)
{
    static const char sql[] = "SELECT " PROJECT_COLUMNS " FROM projects ORDER BY id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(rows_release) struct rows rows;
    void *data;
    bool row;

    rows_init(&rows, sizeof(struct store_project));
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    for (;;) {
        struct store_project *project;

        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        project = rows_add(&rows, err);
        if (!project || read_project(query, project, err) < 0)
            return -err->code;
    }
    if (rows_take(&rows, NULL, 0, &data, ret_count, err) < 0)
        return -err->code;
    *ret_projects = data;
    return 0;
}

/* ---- changes ---- */

static int run_change(struct store_conn *conn, struct db_query *query, struct dc_err *err)
{
    int64_t changes;

    if (db_run(query, &changes, err) < 0)
        return -err->code;
    if (!changes)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such project");
    return conn_keys_changed(conn, err);
}

static int set_plan(struct store_conn *conn, const char *id, enum store_plan plan,
                    struct dc_err *err)
{
    static const char sql[] = "UPDATE projects SET plan = $1 WHERE id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, store_plan_name(plan));
    db_bind_text(query, 2, id);
    return run_change(conn, query, err);
}

int store_project_set_plan(struct store_conn *conn, const char *id, enum store_plan plan,
                           int64_t now, struct dc_err *err)
{
    int result;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    result = set_plan(conn, id, plan, err);
    if (result == 0)
        result = store_quota_restart(conn, id, now, err);
    return conn_end(conn, result, err);
}

static int set_rules(struct store_conn *conn, const char *id,
                     const struct store_project_rules *rules, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE projects SET runs_per_month = $1, timeout_ms = $2, install_seconds = $3,"
        " memory_mb = $4, running_max = $5, user_rate_per_minute = $6, budget_micros = $7,"
        " user_budget_micros = $8, budget_stops = $9 WHERE id = $10";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    conn_bind_limit(query, 1, rules->runs_per_month);
    conn_bind_limit(query, 2, rules->timeout_ms);
    conn_bind_limit(query, 3, rules->install_seconds);
    conn_bind_limit(query, 4, rules->memory_mb);
    conn_bind_limit(query, 5, rules->running_max);
    conn_bind_limit(query, 6, rules->user_rate_per_minute);
    conn_bind_limit(query, 7, rules->budget_micros);
    conn_bind_limit(query, 8, rules->user_budget_micros);
    db_bind_int(query, 9, rules->budget_stops);
    db_bind_text(query, 10, id);
    return run_change(conn, query, err);
}

int store_project_set_rules(struct store_conn *conn, const char *id,
                            const struct store_project_rules *rules, int64_t now,
                            struct dc_err *err)
{
    struct store_project old;
    int result;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    result = store_project_get(conn, id, &old, err);
    if (result == 0)
        result = set_rules(conn, id, rules, err);
    if (result == 0 && rules->runs_per_month != old.rules.runs_per_month)
        result = store_quota_restart(conn, id, now, err);
    return conn_end(conn, result, err);
}

static int suspend(struct store_conn *conn, const char *id, int64_t at, struct dc_err *err)
{
    static const char sql[] = "UPDATE projects SET suspended_at = $1 WHERE id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    conn_bind_limit(query, 1, at);
    db_bind_text(query, 2, id);
    return run_change(conn, query, err);
}

int store_project_suspend(struct store_conn *conn, const char *id, int64_t at, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, suspend(conn, id, at, err), err);
}

static int rename_project(struct store_conn *conn, const char *id, const char *name,
                          struct dc_err *err)
{
    static const char sql[] = "UPDATE projects SET name = $1 WHERE id = $2";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, name);
    db_bind_text(query, 2, id);
    return run_change(conn, query, err);
}

int store_project_rename(struct store_conn *conn, const char *id, const char *name,
                         struct dc_err *err)
{
    if (conn_check_name(name, false, err) < 0 || conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, rename_project(conn, id, name, err), err);
}

static int delete_project(struct store_conn *conn, const char *id, struct dc_err *err)
{
    static const char sql[] = "DELETE FROM projects WHERE id = $1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t now = dc_wall_now();

    if (usage_write_off(conn, id, now, err) < 0 || store_cancel_project(conn, id, now, err) < 0 ||
        db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    return run_change(conn, query, err);
}

int store_project_delete(struct store_conn *conn, const char *id, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, delete_project(conn, id, err), err);
}

int store_project_find_orphan(struct store_conn *conn, struct store_project *ret_project,
                              struct dc_err *err)
{
    static const char sql[] = "SELECT id FROM projects p WHERE NOT EXISTS"
                              " (SELECT 1 FROM members m WHERE m.project_id = p.id)"
                              " AND p.id <> '" STORE_ANONYMOUS_PROJECT "'"
                              " ORDER BY id LIMIT 1";
    DC_AUTO(db_end) struct db_query *query = NULL;
    char id[DC_UUID_SIZE];
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "every project has a member");
    db_text(query, 0, id, sizeof(id));
    if (db_row_read(query, err) < 0)
        return -err->code;
    return store_project_get(conn, id, ret_project, err);
}
