/* What the caller's plan, the project's own agreement and a test key mean for a request. API
 * process. */
#ifndef DOCLE_API_PLAN_H
#define DOCLE_API_PLAN_H

#include "api/call.h"
#include "runs/admission.h"
#include "runs/policy.h"
#include "store/budgets.h"

/* The server's limits with the ceilings of the caller's plan. */
void plan_run_limits(const struct call *call, struct run_limits *ret_limits);

/* How many of the project's runs may execute and wait at once: the server's caps, the first lowered
 * by what was agreed with the project. */
void plan_share(const struct call *call, struct admission_share *ret_share);

/* How long an install of packages may take for this caller; 0: as long as the operator allows. */
uint32_t plan_install_s(const struct call *call);

/* Is there a quota of runs in a month, and how many? */
bool plan_quota(const struct call *call, int64_t *ret_runs);

/* Would its runs be of a quota if the server's settings had one? */
bool plan_follows_quota(const struct call *call);

/* The answer to who has used it up. Its texts are of the call's arena. */
struct call_error plan_quota_error(struct call *call, int64_t limit, int64_t used);

/* The budgets of a run. Texts are those of the call and user_id. Test runs have none. */
void plan_budgets(const struct call *call, const char *user_id, struct store_budgets *ret_budgets);

struct call_error plan_budget_error(struct call *call, enum store_budget budget);

#endif
