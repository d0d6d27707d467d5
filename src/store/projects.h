/* Projects in the store: their names, plans and what was agreed with them. See store.h for
 * conventions. */
#ifndef DOCLE_STORE_PROJECTS_H
#define DOCLE_STORE_PROJECTS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/store.h"

enum {
    STORE_NAME_MAX_BYTES = 100, /* of projects and keys, UTF-8 */
};

enum store_plan { STORE_PLAN_FREE, STORE_PLAN_PRO, STORE_PLAN_ENTERPRISE, STORE_PLANS };

/* What was agreed with a project in place of its plan's limits; 0: the plan's, or none. */
struct store_project_rules {
    int64_t runs_per_month;
    uint32_t timeout_ms;
    uint32_t install_seconds;
    uint32_t memory_mb;
    uint32_t running_max;
    uint32_t user_rate_per_minute; /* of each end user */
    int64_t budget_micros;         /* of a UTC month */
    int64_t user_budget_micros;    /* of each end user in a UTC month */
    bool budget_stops;             /* what is over a budget is refused, not only told */
};

struct store_project {
    char id[DC_UUID_SIZE];
    char name[STORE_NAME_MAX_BYTES + 1];
    int64_t created_at;
    enum store_plan plan;
    int64_t suspended_at; /* 0: it is not */
    struct store_project_rules rules;
};

/* Is it a name for a project, or what else people name? DC_INVALID says why not. */
DC_MUST int store_check_name(const char *name, struct dc_err *err);

/* Names need not be unique: each person may have a project of one name. */
DC_MUST int store_project_create(struct store_conn *conn, const char *name, int64_t now,
                                 struct store_project *ret_project, struct dc_err *err);
/* The project of that name, made when there is none. DC_INVALID: an empty, over-long or not UTF-8
 * name, or, here and for find, one that several projects have. */
DC_MUST int store_project_ensure(struct store_conn *conn, const char *name, int64_t now,
                                 struct store_project *ret_project, struct dc_err *err);
DC_MUST int store_project_get(struct store_conn *conn, const char *id,
                              struct store_project *ret_project, struct dc_err *err);
DC_MUST int store_project_find(struct store_conn *conn, const char *name,
                               struct store_project *ret_project, struct dc_err *err);

/* All projects by age, oldest first; *ret_projects is malloc'ed, the caller frees it. The order is
 * that of their ids too. */
DC_MUST int store_projects_list(struct store_conn *conn, struct store_project **ret_projects,
                                size_t *ret_count, struct dc_err *err);

/* These take effect in every server at once; a quota that comes with them begins with what the
 * ledger shows of now's month. DC_NOT_FOUND: no such project. */
DC_MUST int store_project_set_plan(struct store_conn *conn, const char *id, enum store_plan plan,
                                   int64_t now, struct dc_err *err);
DC_MUST int store_project_set_rules(struct store_conn *conn, const char *id,
                                    const struct store_project_rules *rules, int64_t now,
                                    struct dc_err *err);
/* at 0: ends the suspension. */
DC_MUST int store_project_suspend(struct store_conn *conn, const char *id, int64_t at,
                                  struct dc_err *err);

DC_MUST int store_project_rename(struct store_conn *conn, const char *id, const char *name,
                                 struct dc_err *err);
/* With keys, runs, members, invitations; the ledger and the audit log stay, and what it subscribed
 * to is to end at Stripe (cancels.h). */
DC_MUST int store_project_delete(struct store_conn *conn, const char *id, struct dc_err *err);

/* The project of runs without key and session: nobody's, and never billed. */
#define STORE_ANONYMOUS_PROJECT "00000000-0000-7000-8000-000000000001"

/* Makes it when it is not there. */
DC_MUST int store_project_anonymous(struct store_conn *conn, int64_t now, struct dc_err *err);

/* The oldest project, but for that one, that has no member. DC_NOT_FOUND: none. */
DC_MUST int store_project_find_orphan(struct store_conn *conn, struct store_project *ret_project,
                                      struct dc_err *err);

const char *store_plan_name(enum store_plan plan); /* "free", … */
bool store_plan_from_name(const char *name, enum store_plan *ret_plan);

#endif
