/*
 * Tasks: straight-line functions that may wait without holding a thread. A task is a function on a
 * stack of its own (ucontext), run by the thread of its event loop; where it would block it
 * suspends, and whoever has what it waits for wakes it. API process and `docle run`.
 *
 * Contract. All functions are for the loop's thread. task_wake resumes the task at once, on top of
 * the caller, and returns when the task suspends again or ends; waking a task that is not suspended
 * makes its next task_suspend return at once, so no wake-up is lost, and wake-ups do not add up: a
 * task waits in a loop for its condition. There is no cancelling from outside: what a task waits
 * for must come to an end.
 */
#ifndef DOCLE_NET_TASK_H
#define DOCLE_NET_TASK_H

#include <uv.h>

#include "base/error.h"

enum { TASK_STACK_BYTES = 256 * 1024 };

struct task;

/* Runs work(arg) in a new task until it first suspends. DC_KERNEL: no memory for a stack. */
DC_MUST int task_start(uv_loop_t *loop, void (*work)(void *arg), void *arg, struct dc_err *err);

/* Stacks of ended tasks are kept for the next ones; this gives them back. For a thread that ends.
 */
void task_release_kept(void);

/* The task that is running, NULL outside of one. */
struct task *task_self(void);
uv_loop_t *task_loop(const struct task *task);

/* In a task. */
void task_suspend(void);

void task_wake(struct task *task);

/* In a task: suspends it for at least this long. */
void task_sleep(uint64_t ms);

/* In a task: closes the handle and suspends until it is closed. handle->data is overwritten. */
void task_close_handle(uv_handle_t *handle);

#endif
