/* The server's state, for the files of src/api. */
#ifndef DOCLE_API_APP_INTERNAL_H
#define DOCLE_API_APP_INTERNAL_H

#include <uv.h>

#include "api/app.h"
#include "api/key_table.h"
#include "api/metrics.h"
#include "limits/counters.h"
#include "limits/rate.h"
#include "runs/await.h"
#include "runs/history.h"
#include "store/worker.h"

enum {
    APP_HISTORY_DAYS = 7,
    APP_DRAIN_MS = 30000,
    APP_CONNECTIONS_MAX = 10000,
    APP_PROJECT_QUEUED = 100,
    APP_HEARTBEAT_MS = 15000,
    APP_RATES_MAX = 32768, /* identifiers of a kind whose rate is remembered, 8 MB */
};

struct app {
    struct app_options options; /* defaults filled in */
    struct launcher_keeper *keeper;
    uv_loop_t loop;
    bool loop_ready;
    struct store_conn *store; /* until the worker has it */
    int lock_fd;
    struct store_watch watch;
    bool watching;
    struct store_worker *worker;
    struct history *history;
    struct engine *engine;
    struct billing *billing; /* NULL: nobody is billed */
    struct webhooks *webhooks;
    struct outbound *outbound; /* requests of the server itself */
    struct accounts *accounts;
    struct repos *repos;       /* NULL: none are fetched */
    struct packages *packages; /* NULL: none are installed */
    struct warm_used *used;    /* see warm.h; NULL: nothing is prepared from use */
    struct http_server *http;
    uv_signal_t signals[3];
    int signals_open;

    struct key_table keys;
    uint64_t keys_mark; /* of the watch, when they were loaded */
    int64_t keys_version;
    bool keys_loaded;

    struct rate_table *key_rates;       /* by key */
    struct rate_table *address_rates;   /* by client address, on what is open to anybody */
    struct rate_table *user_rates;      /* by project and end user */
    struct rate_table *anonymous_rates; /* by client address, of runs without key and session */
    struct counters key_runs;           /* runs under way of keys with a cap */

    struct metrics metrics;
    bool serving;  /* runs could be accepted at least once */
    bool draining; /* no new runs */
    bool hurried;  /* a second signal came */
    bool stopping; /* background tasks leave */
    uv_timer_t upkeep;
    bool upkeep_open;
    struct await_flag upkeep_due;
    unsigned background;   /* tasks that are not requests */
    struct dc_err failure; /* why app_serve ends badly; code DC_OK: it does not */
};

#endif
