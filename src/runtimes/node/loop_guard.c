#include "runtimes/node/loop_guard.h"

#include <stdio.h>
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

static napi_value process_object(napi_env env)
{
    napi_value global;
    napi_value process;

    if (napi_get_global(env, &global) != napi_ok ||
        napi_get_named_property(env, global, "process", &process) != napi_ok)
        zygote_finish(1);
    return process;
}

/* process.exitCode, or 0 when it is not set. A program may have set it to text ("3"). */
static int32_t exit_code(napi_env env, napi_value process)
{
    napi_value value;
    napi_value number;
    int32_t code = 0;

    if (napi_get_named_property(env, process, "exitCode", &value) == napi_ok &&
        napi_coerce_to_number(env, value, &number) == napi_ok)
        (void)napi_get_value_int32(env, number, &code); /* NaN gives 0 */
    return code;
}

/* process.emit(event, exitCode), from C so that no frame of ours shows in a stack trace. Ticks and
 * microtasks run at the end of the call, as after any callback of the loop. */
static void emit(napi_env env, napi_value process, const char *event)
{
    napi_value function;
    napi_value error;
    napi_value args[2];

    if (napi_get_named_property(env, process, "emit", &function) != napi_ok ||
        napi_create_string_utf8(env, event, NAPI_AUTO_LENGTH, &args[0]) != napi_ok ||
        napi_create_int32(env, exit_code(env, process), &args[1]) != napi_ok)
        zygote_finish(1);
    if (napi_make_callback(env, NULL, process, function, 2, args, NULL) == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok)
        (void)napi_fatal_exception(env, error); /* returns when the program handles it */
}

static void emit_before_exit(napi_env env)
{
    napi_handle_scope scope;

    if (napi_open_handle_scope(env, &scope) != napi_ok)
        zygote_finish(1);
    emit(env, process_object(env), "beforeExit");
    (void)napi_close_handle_scope(env, scope);
}

_Noreturn static void exit_process(napi_env env)
{
    napi_handle_scope scope;
    napi_value process;
    napi_value yes;

    if (napi_open_handle_scope(env, &scope) != napi_ok)
        zygote_finish(1);
    process = process_object(env);
    if (napi_get_boolean(env, true, &yes) != napi_ok ||
        napi_set_named_property(env, process, "_exiting", yes) != napi_ok)
        zygote_finish(1);
    emit(env, process, "exit");
    (void)fflush(NULL); /* what native addons printed */
    zygote_finish(exit_code(env, process));
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop_guard *guard = prepare->data;

    if (!others_alive(guard)) {
        if (guard->empty_turns++ < EMPTY_TURNS) {
            (void)uv_idle_start(guard->idle, do_nothing);
            return;
        }
        emit_before_exit(guard->env);
        if (!others_alive(guard))
            exit_process(guard->env);
    }
    guard->empty_turns = 0;
    (void)uv_idle_stop(guard->idle);
}

bool loop_guard_start(napi_env env)
{
    static struct loop_guard guard;

    guard = (struct loop_guard){
        .env = env,
        .prepare = calloc(1, uv_handle_size(UV_PREPARE)),
        .idle = calloc(1, uv_handle_size(UV_IDLE)),
    };
    if (!guard.prepare || !guard.idle || napi_get_uv_event_loop(env, &guard.loop) != napi_ok)
        return false;
    (void)uv_idle_init(guard.loop, guard.idle);
    uv_unref((uv_handle_t *)guard.idle);
    (void)uv_prepare_init(guard.loop, guard.prepare);
    guard.prepare->data = &guard;
    return uv_prepare_start(guard.prepare, on_prepare) == 0;
}
