/* What the commands of docle billing share: one piece of work at Stripe, in a task on a loop of its
 * own. CLI process. */
#ifndef DOCLE_CLI_BILLING_ASK_H
#define DOCLE_CLI_BILLING_ASK_H

#include "billing/meters.h"
#include "cli/billing_setup.h"
#include "cli/cli.h"

#define BILLING_ASK_SETTINGS                                                                       \
    (CLI_SETTING(CONFIG_DATA_DIR) | CLI_SETTING(CONFIG_BILLING) |                                  \
     CLI_SETTING(CONFIG_BILLING_STRIPE_KEY) | CLI_SETTING(CONFIG_BILLING_STRIPE_URL))

struct asking {
    /* By the command. */
    const struct config *config;
    int (*work)(struct asking *asking, struct dc_err *err);
    void *context;
    /* For work. */
    struct billing_options options;
    struct stripe stripe;
    struct dc_buf out; /* printed at the end, after a failure too */
    bool unequal;      /* exit code 1 */
    /* Its own. */
    struct outbound *outbound;
    uv_loop_t loop;
    int result;
    struct dc_err *err;
};

/* Does the work and prints. An exit code, or -DC_code. */
DC_MUST int billing_ask(struct asking *asking, struct dc_err *err);

/* Parses a command of billing; take NULL: it has no options of its own. 1: --help was printed. */
DC_MUST int billing_ask_parse(struct cli_call *call, int operands,
                              int (*take)(void *context, int option, const char *value,
                                          struct dc_err *err),
                              void *context, struct dc_err *err);

/* When the meter has surely added up an hour that ended, or usage that came, at that moment. */
int64_t billing_settled_at(int64_t moment);

#endif
