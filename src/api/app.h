/*
 * The API server: HTTP routes over the engine and the store. Used by `docle serve` alone.
 *
 * Lifecycle, in main's order:
 *   launcher_keeper_start   while the process still has its rights and no thread
 *   app_open                opens the database (migrates, locks, recovers), makes the listening
 *                           socket; starts no thread, so that rights may be given up after it
 *   app_serve               starts the store's threads and the launcher, serves until SIGTERM or
 *                           SIGINT, drains, returns. Blocks. A second signal cuts the drain short.
 *   app_free                everything is gone; then launcher_keeper_release
 *
 * After app_open the server needs: its data folder (read, write, create), the listening socket, the
 * keeper's descriptor, and what names are resolved with (resolv.conf and its like). It opens no
 * other file: certificates are read by app_open.
 */
#ifndef DOCLE_API_APP_H
#define DOCLE_API_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "accounts/accounts.h"
#include "base/auto.h"
#include "base/error.h"
#include "billing/billing.h"
#include "limits/plans.h"
#include "outbound/outbound.h"
#include "packages/packages.h"
#include "repos/repos.h"
#include "runs/admission.h"
#include "runs/engine.h"
#include "runs/launcher_keeper.h"
#include "runs/policy.h"
#include "store/usage.h"
#include "ui/ui.h"
#include "webhooks/webhooks.h"

struct app;

/* Requests in a minute; 0: no limit. */
struct app_rates {
    uint32_t open_per_minute; /* of one address, on what needs no key, and with wrong ones */
    uint32_t user_per_minute; /* runs of one end user, where the project says nothing */
};

/* Runs without key and session. */
struct app_anonymous {
    bool enabled;
    bool packages; /* may they have some installed? */
    uint32_t timeout_ms;
    uint32_t memory_mb;
    uint32_t per_minute;  /* of one client address */
    uint32_t running_max; /* of all together, those that wait included */
};

/* Zero means the default where one is named. Strings are borrowed until app_free. */
struct app_options {
    const char *listen_host;   /* "127.0.0.1", "::1", "0.0.0.0"; NULL: 127.0.0.1 */
    uint16_t listen_port;      /* 0: the kernel chooses, see app_port */
    const char *database_path; /* mandatory: `DATA_DIR/docle.db` */

    struct run_limits limits;         /* the operator's ceilings */
    struct admission_share share;     /* caps of each project; 0: 8 × cores running, 100 queued */
    struct engine_options engine;     /* queue bound and waits */
    struct packages_options packages; /* dir NULL: no run gets packages */
    struct billing_options billing;   /* mode BILLING_OFF: nobody is billed */
    struct webhooks_options webhooks;
    struct outbound_options outbound; /* requests that the server makes itself */
    struct repos_options repos;       /* api_url NULL: no run gets a repository */
    const char *packages_warm;        /* sets to install ahead, see packages/warm.h; NULL: none */
    uint32_t packages_warm_sets;      /* the first of them may be kept imported */
    uint32_t packages_prepared_sets;  /* of those in use, that spares may have imported */

    struct accounts_options accounts;
    struct ui_files ui; /* borrowed; the web console. count 0: there is none */

    const char *metrics_token;   /* Bearer for /metrics from elsewhere than loopback; NULL: none */
    const char *trusted_proxies; /* "127.0.0.1,::1,10.0.0.0/8"; NULL: loopback */
    uint32_t body_max_bytes;     /* 0: DC_BODY_MAX_BYTES */
    uint32_t connections_max;    /* 0: 10000 */
    uint32_t history_days;       /* 0: 7 */
    struct app_rates rates;
    struct app_anonymous anonymous;
    struct plan_limits plans;
    struct store_price price; /* in force, for runs that come from now on */
    uint32_t drain_ms;        /* how long SIGTERM lets runs go on; 0: 30000 */

    /* Called once on the loop when runs can be accepted for the first time. Optional. */
    void (*ready)(void *context);
    /* SIGHUP arrived: read the configuration again and call app_set_…. Optional. */
    void (*reload)(struct app *app, void *context);
    void *context;
};

/* DC_BUSY: another server has the data folder, or the address is in use. keeper: borrowed. */
DC_MUST int app_open(const struct app_options *options, struct launcher_keeper *keeper,
                     struct app **ret_app, struct dc_err *err);
void app_free(struct app *app); /* accepts NULL */
DC_AUTO_DEFINE(struct app *, app_free)

/* The port that is listened on. */
uint16_t app_port(const struct app *app);

/* 0: ended by a signal, all acknowledged work durable. DC_KERNEL, DC_LIMIT …: the launcher's FATAL
 * before the first readiness (no isolation, below the floor): err holds its text for the operator.
 */
DC_MUST int app_serve(struct app *app, struct dc_err *err);

/* Ends app_serve as SIGTERM does. On the loop's thread. */
void app_drain(struct app *app);

/* New settings of accounts and mails, and days that runs are kept. DC_INVALID: they do not hang
 * together, and nothing has changed. On the loop's thread. */
DC_MUST int app_set_accounts(struct app *app, const struct accounts_options *options,
                             uint32_t history_days, struct dc_err *err);

/* New ceilings, caps and rates for requests that come from now on. On the loop's thread. */
void app_set_limits(struct app *app, const struct run_limits *limits,
                    const struct admission_share *share, const struct app_rates *rates,
                    const struct plan_limits *plans, const struct store_price *price);

#endif
