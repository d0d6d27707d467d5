/* Figures for Prometheus, text format 0.0.4. API process, loop thread. */
#ifndef DOCLE_API_METRICS_H
#define DOCLE_API_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "billing/billing.h"
#include "packages/packages.h"
#include "repos/repos.h"
#include "runs/engine.h"
#include "store/worker.h"

/* HTTP status classes: 1xx to 5xx by index 0 to 4. */
enum { METRICS_CLASSES = 5, METRICS_ROUTES_MAX = 96 };

/* What the API counts itself. */
struct metrics {
    uint64_t requests[METRICS_ROUTES_MAX][METRICS_CLASSES]; /* by index of the route */
    uint64_t in_flight;
    uint64_t streams;
    uint64_t replays;   /* answered from an idempotency key */
    int64_t started_ns; /* wall clock */
};

/* Everything that is printed. */
struct metrics_sources {
    const struct metrics *own;
    const char *(*route_name)(int index); /* NULL: no more */
    const struct engine_stats *engine;
    const struct store_stats *store;
    const struct packages_stats *packages; /* NULL: none are installed */
    const struct repos_stats *repos;       /* NULL: none are fetched */
    const struct billing_stats *billing;   /* NULL: nobody is billed */
    int64_t now;                           /* wall clock */
    const struct launch_hello *hello;      /* NULL: no launcher yet */
    unsigned connections;
    bool ready;
};

bool metrics_print(const struct metrics_sources *sources, struct dc_buf *out);

#endif
