#include "runs/await.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <uv.h>

#include "base/poison.h"

/* In memory of its own: the handle closes after the task has gone on. */
struct awaiting {
    uv_async_t async;
    struct store_op op;
    struct task *task;
    bool done;
};

/* On the worker's thread. What sends the signal may still be busy with the handle when the loop
 * already closes it; uv_close waits for that. */
static void on_op_done(struct store_op *op)
{
    struct awaiting *awaiting =
        (struct awaiting *)(void *)((char *)op - offsetof(struct awaiting, op));

    (void)uv_async_send(&awaiting->async);
}

static void on_async(uv_async_t *async)
{
    struct awaiting *awaiting = async->data;

    awaiting->done = true;
    task_wake(awaiting->task);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int await_store(struct store_worker *worker, enum await_kind kind,
                int (*run)(struct store_conn *conn, void *arg, struct dc_err *err), void *arg,
                struct dc_err *err)
{
    struct task *task = task_self();
    struct awaiting *awaiting = calloc(1, sizeof(*awaiting));
    int result;

    if (!awaiting)
        return dc_fail(err, DC_KERNEL, ENOMEM, "wait for the store");
    result = uv_async_init(task_loop(task), &awaiting->async, on_async);
    if (result < 0) {
        free(awaiting);
        return dc_fail(err, DC_KERNEL, -result, "wait for the store");
    }
    awaiting->async.data = awaiting;
    awaiting->task = task;
    awaiting->op =
        (struct store_op){.run = run,
                          .done = on_op_done,
                          .arg = arg,
                          .patience_ms = kind == AWAIT_WRITE_LOADED ? STORE_LOADED_MS : 0};
    result = kind == AWAIT_READ ? store_read(worker, &awaiting->op, err)
                                : store_write(worker, &awaiting->op, err);
    if (result == 0) {
        while (!awaiting->done)
            task_suspend();
        result = awaiting->op.result;
        if (result < 0)
            *err = awaiting->op.err;
    }
    uv_close((uv_handle_t *)&awaiting->async, on_closed);
    return result;
}

/* On the waiting task's stack. */
struct await_waiter {
    struct task *task;
    bool woken;
    struct await_waiter *next;
};

/* Not inlined: gcc takes a stack address in a list for a mistake. It leaves the list before its
 * function returns. */
static __attribute__((noinline)) void enlist(struct await_list *list, struct await_waiter *waiter)
{
    waiter->next = list->first;
    list->first = waiter;
}

void await_list_wait(struct await_list *list)
{
    struct await_waiter waiter = {.task = task_self()};

    enlist(list, &waiter);
    while (!waiter.woken)
        task_suspend();
}

void await_list_wake(struct await_list *list)
{
    while (list->first) {
        struct await_waiter *waiter = list->first;

        list->first = waiter->next;
        waiter->woken = true;
        task_wake(waiter->task);
    }
}

void await_flag_wait(struct await_flag *flag)
{
    flag->task = task_self();
    while (!flag->set)
        task_suspend();
    flag->task = NULL;
    flag->set = false;
}

void await_flag_set(struct await_flag *flag)
{
    flag->set = true;
    if (flag->task)
        task_wake(flag->task);
}
