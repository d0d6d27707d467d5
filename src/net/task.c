#include "net/task.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define TASK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASK_ASAN 1
#endif
#endif
#ifdef TASK_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#include "base/poison.h"

enum { GUARD_BYTES = 4096, STACKS_KEPT = 128 };

struct task {
    ucontext_t context;
    ucontext_t *resumer; /* where to go on suspend and at the end */
    uv_loop_t *loop;
    void (*work)(void *arg);
    void *arg;
    void *stack; /* GUARD_BYTES below are not accessible */
    bool suspended;
    bool woken; /* a wake-up came while it ran */
    bool ended;
    struct task *next; /* in the list of kept tasks */
#ifdef TASK_ASAN
    void *fake_stack;
    const void *resumer_stack;
    size_t resumer_size;
#endif
};

/* Of the loop's thread. A loop is one thread's, so this is its state and not the program's. */
static _Thread_local struct task *current;
static _Thread_local struct task *kept;
static _Thread_local unsigned kept_count;

struct task *task_self(void)
{
    return current;
}

uv_loop_t *task_loop(const struct task *task)
{
    return task->loop;
}

/* --- switching ------------------------------------------------------------------------------- */

static void switch_in(struct task *task)
{
    struct task *before = current;
    ucontext_t here;
#ifdef TASK_ASAN
    void *fake = NULL;

    __sanitizer_start_switch_fiber(&fake, (char *)task->stack + GUARD_BYTES, TASK_STACK_BYTES);
#endif
    task->resumer = &here;
    current = task;
    if (swapcontext(&here, &task->context) < 0)
        abort(); /* only for lack of stack space in ucontext itself */
    current = before;
#ifdef TASK_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void switch_out(struct task *task)
{
#ifdef TASK_ASAN
    __sanitizer_start_switch_fiber(task->ended ? NULL : &task->fake_stack, task->resumer_stack,
                                   task->resumer_size);
#endif
    if (swapcontext(&task->context, task->resumer) < 0)
        abort();
#ifdef TASK_ASAN
    __sanitizer_finish_switch_fiber(task->fake_stack, &task->resumer_stack, &task->resumer_size);
#endif
}

static void task_main(unsigned low, unsigned high)
{
    struct task *task = (struct task *)((uintptr_t)high << 32 | low);

#ifdef TASK_ASAN
    __sanitizer_finish_switch_fiber(NULL, &task->resumer_stack, &task->resumer_size);
#endif
    task->work(task->arg);
    task->ended = true;
    switch_out(task);
    abort(); /* an ended task is never resumed */
}

/* --- life ------------------------------------------------------------------------------------ */

static struct task *allocate(void)
{
    struct task *task = kept;

    if (task) {
        kept = task->next;
        kept_count--;
        return task;
    }
    task = calloc(1, sizeof(*task));
    if (!task)
        return NULL;
    task->stack = mmap(NULL, GUARD_BYTES + TASK_STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (task->stack == MAP_FAILED) {
        free(task);
        return NULL;
    }
    if (mprotect(task->stack, GUARD_BYTES, PROT_NONE) < 0) {
        (void)munmap(task->stack, GUARD_BYTES + TASK_STACK_BYTES);
        free(task);
        return NULL;
    }
    return task;
}

static void task_free(struct task *task)
{
    (void)munmap(task->stack, GUARD_BYTES + TASK_STACK_BYTES);
    free(task);
}

static void discard(struct task *task)
{
    if (kept_count == STACKS_KEPT) {
        task_free(task);
        return;
    }
    task->next = kept;
    kept = task;
    kept_count++;
}

void task_release_kept(void)
{
    while (kept) {
        struct task *task = kept;

        kept = task->next;
        task_free(task);
    }
    kept_count = 0;
}

static void resume(struct task *task)
{
    task->suspended = false;
    switch_in(task);
    if (task->ended)
        discard(task);
}

/* Apart from task_start, since getcontext could return twice for all that the compiler knows. */
__attribute__((noinline)) static void prepare_context(struct task *task)
{
    uintptr_t address = (uintptr_t)task;

    (void)getcontext(&task->context); /* never fails on Linux */
    task->context.uc_stack.ss_sp = (char *)task->stack + GUARD_BYTES;
    task->context.uc_stack.ss_size = TASK_STACK_BYTES;
    task->context.uc_link = NULL;
    makecontext(&task->context, (void (*)(void))task_main, 2, (unsigned)address,
                (unsigned)(address >> 32));
}

int task_start(uv_loop_t *loop, void (*work)(void *arg), void *arg, struct dc_err *err)
{
    struct task *task = allocate();

    if (!task)
        return dc_fail(err, DC_KERNEL, ENOMEM, "stack of a task");
    task->loop = loop;
    task->work = work;
    task->arg = arg;
    task->woken = task->ended = false;
    prepare_context(task);
    resume(task);
    return 0;
}

void task_suspend(void)
{
    struct task *task = current;

    if (task->woken) {
        task->woken = false;
        return;
    }
    task->suspended = true;
    switch_out(task);
    task->woken = false;
}

void task_wake(struct task *task)
{
    if (task->suspended)
        resume(task);
    else
        task->woken = true;
}

/* --- common waits ---------------------------------------------------------------------------- */

struct closing {
    struct task *task;
    bool closed;
};

static void on_closed(uv_handle_t *handle)
{
    struct closing *closing = handle->data;

    closing->closed = true;
    task_wake(closing->task);
}

void task_close_handle(uv_handle_t *handle)
{
    struct closing closing = {.task = current};

    handle->data = &closing;
    uv_close(handle, on_closed);
    while (!closing.closed)
        task_suspend();
}

struct sleeping {
    uv_timer_t timer;
    struct task *task;
    bool over;
};

static void on_timer(uv_timer_t *timer)
{
    struct sleeping *sleeping = timer->data;

    sleeping->over = true;
    task_wake(sleeping->task);
}

void task_sleep(uint64_t ms)
{
    struct sleeping sleeping = {.task = current};

    (void)uv_timer_init(current->loop, &sleeping.timer); /* never fails */
    sleeping.timer.data = &sleeping;
    (void)uv_timer_start(&sleeping.timer, on_timer, ms, 0);
    while (!sleeping.over)
        task_suspend();
    task_close_handle((uv_handle_t *)&sleeping.timer);
}
