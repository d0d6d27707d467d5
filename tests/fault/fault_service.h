/*
 * A loop with tasks that call services (fault_peer.h), for scenarios: everything is made anew and
 * released again in each run of one.
 */
#ifndef DOCLE_TESTS_FAULT_SERVICE_H
#define DOCLE_TESTS_FAULT_SERVICE_H

#include <uv.h>

#include "base/error.h"
#include "fault_peer.h"
#include "outbound/outbound.h"
#include "store/projects.h"
#include "store/worker.h"

struct service {
    uv_loop_t loop;
    struct outbound *outbound;
    struct store_worker *worker; /* NULL without a store */
    uv_timer_t watchdog;
    bool hangs;
    bool stopped;
};

extern struct peer service_peer;
extern char service_path[96]; /* the database */
extern struct store_project service_project;

/* Once: the peers, and a database with a project where a store is wanted. */
bool service_prepare(bool store);
void service_clean(void);

/* One world. What was opened is closed by service_close in any case, which ends with DC_BUG when
 * something hung, or handles are left. */
DC_MUST int service_open(struct service *service, bool store, struct dc_err *err);
/* Turns the loop until *done, at most for a long while. */
void service_run(struct service *service, bool (*done)(void *context), void *context);
/* Ends what waits for services, as a server that stops does; service_close does so too. */
void service_stop(struct service *service);
DC_MUST int service_close(struct service *service, int result, struct dc_err *err);

/* A number straight from the file; -1 where there is no row. And any SQL. */
long service_number(const char *sql);
bool service_sql(const char *sql);

#endif
