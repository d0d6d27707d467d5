/*
 * Budgets of a UTC month: what a key, a project or an end user may cost. Spending is what the
 * ledger says, so it is known when runs end. A budget that stops also counts what runs under way
 * may cost: each holds its maximum from its admission to its end, so together they never go beyond
 * it. See store.h for conventions.
 */
#ifndef DOCLE_STORE_BUDGETS_H
#define DOCLE_STORE_BUDGETS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/projects.h"
#include "store/store.h"

enum store_budget {
    STORE_BUDGET_NONE,
    STORE_BUDGET_KEY,
    STORE_BUDGET_PROJECT,
    STORE_BUDGET_USER,
    STORE_BUDGET_KINDS
};

/* Those of one run; 0: none. Texts are borrowed. */
struct store_budgets {
    const char *project_id;
    const char *key_id;  /* NULL: none */
    const char *user_id; /* NULL: none */
    int64_t micros[STORE_BUDGET_KINDS];
    bool stops[STORE_BUDGET_KINDS];
};

const char *store_budget_name(enum store_budget budget); /* "key", "project", "user" */

bool store_budgets_any(const struct store_budgets *budgets);
/* Does one of them stop? Then an admission has to be awaited. */
bool store_budgets_stop(const struct store_budgets *budgets);

/* A threshold that was reached and nobody was told of. */
struct store_budget_event {
    enum store_budget kind;
    char project_id[DC_UUID_SIZE];
    char subject[256]; /* id of the key, the project or the end user */
    int64_t period;
    int64_t threshold; /* percent: 50, 75, 100 */
    int64_t amount_micros;
    int64_t budget_micros;
    int64_t at;
};

/* The oldest ones, at most max; returns how many in *ret_count. */
DC_MUST int store_budget_events(struct store_conn *conn, int max,
                                struct store_budget_event *ret_events, int *ret_count,
                                struct dc_err *err);
/* mail_subject: what mails about it are filed under; NULL: none are sent. */
DC_MUST int store_budget_event_sent(struct store_conn *conn, const struct store_budget_event *event,
                                    const char *mail_subject, int64_t now, struct dc_err *err);
/* Is a mail about it one too many? A higher threshold was reached as well; or people were told of
 * an end user of the project at this threshold this month, of whom there may be any number. */
DC_MUST int store_budget_event_moot(struct store_conn *conn, const struct store_budget_event *event,
                                    bool *ret_moot, struct dc_err *err);

/* An event with what a mail says of it. */
struct store_budget_notice {
    struct store_budget_event event;
    char project_name[STORE_NAME_MAX_BYTES + 1];
    char key_name[STORE_NAME_MAX_BYTES + 1]; /* "": not of a key, or it has none */
    char currency[8];                        /* "" before there are prices */
};

/* DC_NOT_FOUND: none, or the project is gone. */
DC_MUST int store_budget_notice_get(struct store_conn *conn, const char *mail_subject,
                                    struct store_budget_notice *ret_notice, struct dc_err *err);

#endif
