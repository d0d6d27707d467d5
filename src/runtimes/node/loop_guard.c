#include "runtimes/node/loop_guard.h"

#include <stdlib.h>

#include <uv.h>

#include "zygote/zygote.h"

#include "base/poison.h"

/* Turns of an empty loop before it counts as done: tasks that V8 posted arrive by a wake-up that
 * does not keep the loop alive. */
enum { EMPTY_TURNS = 2 };

struct loop_guard {
    napi_env env;
    uv_loop_t *loop;
    uv_prepare_t *prepare;
    uv_idle_t *idle; /* while active, the loop polls without waiting */
    napi_ref before_exit;
    napi_ref exit;
    int empty_turns;
};

static bool others_alive(const struct loop_guard *guard)
{
    bool alive;

    uv_unref((uv_handle_t *)guard->prepare);
    alive = uv_loop_alive(guard->loop) != 0;
    uv_ref((uv_handle_t *)guard->prepare);
    return alive;
}

static void do_nothing(uv_idle_t *idle)
{
    (void)idle;
}

/* Ticks and microtasks run at the end of the call, as after any callback of the loop. */
static void call(const struct loop_guard *guard, napi_ref reference)
{
    napi_env env = guard->env;
    napi_handle_scope scope;
    napi_value function;
    napi_value global;
    napi_value error;

    if (napi_open_handle_scope(env, &scope) != napi_ok ||
        napi_get_reference_value(env, reference, &function) != napi_ok ||
        napi_get_global(env, &global) != napi_ok)
        zygote_finish(1);
    if (napi_make_callback(env, NULL, global, function, 0, NULL, NULL) == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok)
        (void)napi_fatal_exception(env, error); /* returns when the program handles it */
    (void)napi_close_handle_scope(env, scope);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop_guard *guard = prepare->data;

    if (!others_alive(guard)) {
        if (guard->empty_turns++ < EMPTY_TURNS) {
            (void)uv_idle_start(guard->idle, do_nothing);
            return;
        }
        call(guard, guard->before_exit);
        if (!others_alive(guard)) {
            call(guard, guard->exit);
            zygote_finish(1); /* an exit handler threw and the program swallowed it */
        }
    }
    guard->empty_turns = 0;
    (void)uv_idle_stop(guard->idle);
}

bool loop_guard_start(napi_env env, napi_value before_exit, napi_value exit)
{
    static struct loop_guard guard;

    guard = (struct loop_guard){
        .env = env,
        .prepare = calloc(1, uv_handle_size(UV_PREPARE)),
        .idle = calloc(1, uv_handle_size(UV_IDLE)),
    };
    if (!guard.prepare || !guard.idle || napi_get_uv_event_loop(env, &guard.loop) != napi_ok ||
        napi_create_reference(env, before_exit, 1, &guard.before_exit) != napi_ok ||
        napi_create_reference(env, exit, 1, &guard.exit) != napi_ok)
        return false;
    (void)uv_idle_init(guard.loop, guard.idle);
    uv_unref((uv_handle_t *)guard.idle);
    (void)uv_prepare_init(guard.loop, guard.prepare);
    guard.prepare->data = &guard;
    return uv_prepare_start(guard.prepare, on_prepare) == 0;
}
