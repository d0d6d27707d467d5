#include "accounts/accounts.h"

#include <errno.h>
#include <stdlib.h>

#include "accounts/accounts_internal.h"

#include "base/poison.h"

int accounts_open(const struct accounts_options *options, struct store_worker *worker,
                  struct outbound *outbound, struct accounts **ret_accounts, struct dc_err *err)
{
    DC_AUTO(accounts_free) struct accounts *accounts = calloc(1, sizeof(*accounts));

    if (!accounts)
        return dc_fail(err, DC_KERNEL, ENOMEM, "accounts");
    accounts->worker = worker;
    accounts->outbound = outbound;
    if (settings_new(options, outbound, &accounts->settings, err) < 0)
        return -err->code;
    *ret_accounts = dc_take(accounts);
    return 0;
}

void accounts_stop(struct accounts *accounts)
{
    if (!accounts)
        return;
    accounts->stopping = true;
    await_flag_set(&accounts->wake);
}

void accounts_free(struct accounts *accounts)
{
    if (!accounts)
        return;
    settings_unref(accounts->settings);
    free(accounts);
}

const struct accounts_options *accounts_options(const struct accounts *accounts)
{
    return &accounts->settings->options;
}

int accounts_change(struct accounts *accounts, const struct accounts_options *options,
                    struct dc_err *err)
{
    struct settings *changed;

    if (settings_new(options, accounts->outbound, &changed, err) < 0)
        return -err->code;
    settings_unref(accounts->settings);
    accounts->settings = changed;
    accounts_mail_wake(accounts); /* more may leave at once than before */
    return 0;
}
