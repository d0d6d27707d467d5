/* What runs.c and upkeep.c call inside their transactions. Internal to the store. */
#ifndef DOCLE_STORE_USAGE_INTERNAL_H
#define DOCLE_STORE_USAGE_INTERNAL_H

#include "store/runs.h"
#include "store/usage.h"

/* One of the quota, when fewer than limit are used. False in *ret_got: none is left, *ret_used. */
DC_MUST int usage_reserve(struct store_conn *conn, const char *project_id, int64_t period,
                          int64_t limit, bool *ret_got, int64_t *ret_used, struct dc_err *err);
/* Counts a run in the month's quota whatever it says, if there is one. */
DC_MUST int usage_follow(struct store_conn *conn, const char *project_id, int64_t period,
                         bool *ret_counted, struct dc_err *err);
/* Gives a run's reservation back; nothing happens when it has none. Before the run is done. */
DC_MUST int usage_release(struct store_conn *conn, const char *run_id, struct dc_err *err);
/* The same for every run that is not done, and their rows in usage_days. */
DC_MUST int usage_recover(struct store_conn *conn, int64_t now, struct dc_err *err);
/* Ledger rows without a cost, and their sums, for the runs of a project that are not done: it is
 * about to be deleted, and they with it. */
DC_MUST int usage_write_off(struct store_conn *conn, const char *project_id, int64_t now,
                            struct dc_err *err);
/* Adds a run's ledger row to the sums. */
DC_MUST int usage_add(struct store_conn *conn, const struct store_run_result *result,
                      struct dc_err *err);
/* Holds micros of every budget that stops; *ret_over is the first that has not as much left in the
 * month, or none. When there is one, nothing is held. */
DC_MUST int usage_hold_budgets(struct store_conn *conn, const struct store_budgets *budgets,
                               int64_t period, int64_t micros, enum store_budget *ret_over,
                               struct dc_err *err);
/* Takes that back for the kinds up to last, before there is a run that knows what it holds. */
DC_MUST int usage_unhold_budgets(struct store_conn *conn, const struct store_budgets *budgets,
                                 int64_t micros, int last, struct dc_err *err);
/* What a run that holds of these has in runs.hold_kinds. */
int64_t usage_held_kinds(const struct store_budgets *budgets);
/* Gives back what a run holds; nothing happens when it holds nothing. Once, while its row is there.
 */
DC_MUST int usage_release_budgets(struct store_conn *conn, const char *run_id, struct dc_err *err);
/* Nothing is under way: nothing is held. */
DC_MUST int usage_recover_budgets(struct store_conn *conn, struct dc_err *err);
/* After a refusal: when not even a run's price is left, the budget counts as reached. */
DC_MUST int usage_note_refusal(struct store_conn *conn, const struct store_budgets *budgets,
                               enum store_budget kind, int64_t price_micros, int64_t at,
                               struct dc_err *err);
/* After usage_add: writes down the thresholds that are reached, each once. */
DC_MUST int usage_note_budgets(struct store_conn *conn, const struct store_budgets *budgets,
                               int64_t at, struct dc_err *err);

#endif
