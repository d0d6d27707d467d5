/*
 * What tasks wait for in src/runs and above: the store's threads, a thing that many wait for, a
 * thing that happens again and again. All on the loop's thread, in tasks where said. Server and
 * CLI.
 */
#ifndef DOCLE_RUNS_AWAIT_H
#define DOCLE_RUNS_AWAIT_H

#include <stdbool.h>

#include "base/error.h"
#include "net/task.h"
#include "store/worker.h"

enum await_kind {
    AWAIT_WRITE,
    AWAIT_WRITE_LOADED, /* with the patience of a loaded server */
    AWAIT_READ,
};

/* In a task: runs a store operation on a worker thread and returns its result. arg is the
 * operation's until then; it may lie on the task's stack. */
DC_MUST int await_store(struct store_worker *worker, enum await_kind kind,
                        int (*run)(struct store_conn *conn, void *arg, struct dc_err *err),
                        void *arg, struct dc_err *err);

/* Tasks that wait for one thing. Zero-initialised: nobody. */
struct await_list {
    struct await_waiter *first;
};

/* In a task: suspends it until the list is woken. */
void await_list_wait(struct await_list *list);
void await_list_wake(
    struct await_list *list); /* all that wait now; they run on top of the caller */

/* One task that waits for something that may happen again and again. Zero-initialised: not set. */
struct await_flag {
    struct task *task; /* that waits, or NULL */
    bool set;
};

/* In a task: returns at once when the flag is set, else suspends until it is; clears it. */
void await_flag_wait(struct await_flag *flag);
void await_flag_set(struct await_flag *flag); /* the task runs on top of the caller */

#endif
