/* What runs.c and upkeep.c call inside their transactions. Internal to the store. */
#ifndef DOCLE_STORE_USAGE_INTERNAL_H
#define DOCLE_STORE_USAGE_INTERNAL_H

#include "store/runs.h"
#include "store/usage.h"

/* One of the quota, when fewer than limit are used. False in *ret_got: none is left, *ret_used. */
DC_MUST int usage_reserve(struct store_conn *conn, const char *project_id, int64_t period,
                          int64_t limit, bool *ret_got, int64_t *ret_used, struct dc_err *err);
/* Gives a run's reservation back; nothing happens when it has none. Before the run is done. */
DC_MUST int usage_release(struct store_conn *conn, const char *run_id, struct dc_err *err);
/* The same for every run that is not done, and their rows in usage_days. */
DC_MUST int usage_recover(struct store_conn *conn, int64_t now, struct dc_err *err);
/* Adds a run's ledger row to the sums. */
DC_MUST int usage_add(struct store_conn *conn, const struct store_run_result *result,
                      struct dc_err *err);
/* The first budget that stops and is used up in the month, or none. */
DC_MUST int usage_check_budgets(struct store_conn *conn, const struct store_budgets *budgets,
                                int64_t period, enum store_budget *ret_over, struct dc_err *err);
/* After usage_add: writes down the thresholds that are reached, each once. */
DC_MUST int usage_note_budgets(struct store_conn *conn, const struct store_budgets *budgets,
                               int64_t at, struct dc_err *err);

#endif
