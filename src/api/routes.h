/* The routes of docs/openapi.yaml. API process; each handler runs in the task of its call. */
#ifndef DOCLE_API_ROUTES_H
#define DOCLE_API_ROUTES_H

#include "api/call.h"

/* Finds the route of the call and answers it, with an error where there is none. */
void routes_dispatch(struct call *call);

/* Counts an answer that was given before any route was looked for. */
void routes_count_refused(struct call *call);

/* Names of the routes by index, NULL-terminated: labels in /metrics. */
extern const char *const route_names[];

void route_run_create(struct call *call);
void route_run_get(struct call *call);
void route_run_cancel(struct call *call);
void route_runs_list(struct call *call);
void route_service(struct call *call);
void route_health(struct call *call);
void route_ready(struct call *call);
void route_metrics(struct call *call);
void route_contract(struct call *call);

#endif
