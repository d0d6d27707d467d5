/*
 * Where src/runs meets tasks: waiting for something that the loop or a worker thread will do.
 * Internal to src/runs.
 */
#ifndef DOCLE_RUNS_AWAIT_H
#define DOCLE_RUNS_AWAIT_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "store/worker.h"

enum await_kind { AWAIT_WRITE, AWAIT_READ };

/* In a task: runs a store operation on a worker thread and returns its result. */
DC_MUST int await_store(struct store_worker *worker, enum await_kind kind,
                        int (*run)(struct store_conn *conn, void *arg, struct dc_err *err),
                        void *arg, struct dc_err *err);

/* In a task: suspends it for some time. */
void await_ms(uv_loop_t *loop, uint64_t ms);

/* Tasks that wait for one thing. Zero-initialised: nobody. On the loop's thread. */
struct await_list {
    struct await_waiter *first;
};

/* In a task: suspends it until the list is woken. */
void await_list_wait(struct await_list *list);
void await_list_wake(struct await_list *list);

/* One task that waits for something that may happen again and again. */
struct await_flag {
    void *task; /* that waits, or NULL */
    bool set;
};

/* In a task: returns at once when the flag is set, else suspends until it is; clears it. */
void await_flag_wait(struct await_flag *flag);
void await_flag_set(struct await_flag *flag);

#endif
