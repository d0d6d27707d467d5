/*
 * The addon docle.node: the thin layer between Node and the fork server. Node-API only, so one file
 * serves every Node from 18 on. Used by bootstrap.js alone.
 *
 *   serve(ownThreads)          in a child only: {training, entrypoint, args, heapMB, alike}; the
 *                              C environment is the run's
 *   resume()                   after serve() has returned one with `preparing` true: the run
 *   guard()                    see loop_guard.h
 *   finish(code)               ends the process
 *   exec(path, argv)           becomes another program; throws when that fails
 *   pid()                      of this process; process.pid is the zygote's
 *   seed(number)               see reach_set_random_seed
 *   turn()                     lets the event loop go once through what is due
 *   collectGarbage()
 */
#define NAPI_VERSION 8
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <node_api.h>
#include <uv.h>

#include "base/io.h"
#include "base/limits.h"
#include "runtimes/node/fork_maps.h"
#include "runtimes/node/loop_guard.h"
#include "runtimes/node/reach.h"
#include "zygote/zygote.h"

#include "base/poison.h"

enum { ARGV_MAX = DC_ARGS_MAX + 16 };

static uv_loop_t *main_loop;
static pid_t zygote_pid;
static bool v8_alike; /* its own generator is the same in all forks */

_Noreturn static void finish(int code)
{
    (void)fflush(NULL); /* what native addons printed */
    zygote_finish(code);
}

static napi_value throw_text(napi_env env, const char *text)
{
    (void)napi_throw_error(env, NULL, text);
    return NULL;
}

/* --- serving --------------------------------------------------------------------------------- */

/* By now every inherited descriptor is /dev/null, so the loop cannot touch the zygote's. */
static int remake(void *context)
{
    (void)context;
    return uv_loop_fork(main_loop) == 0 ? 0 : -1;
}

static int reseed(void *context)
{
    (void)context;
    /* OpenSSL notices a fork by the process id, and by it alone. */
    if (getpid() == zygote_pid && !reach_reseed_openssl())
        return -1;
    v8_alike = !reach_reseed_v8();
    return 0;
}

static napi_value string_array(napi_env env, char *const *strings, size_t count)
{
    napi_value array;
    napi_value item;

    if (napi_create_array_with_length(env, count, &array) != napi_ok)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (napi_create_string_utf8(env, strings[i], NAPI_AUTO_LENGTH, &item) != napi_ok ||
            napi_set_element(env, array, (uint32_t)i, item) != napi_ok)
            return NULL;
    return array;
}

/* Three quarters of the run's memory for V8's old generation; the rest is for the young one, code,
 * buffers and the binary's own. */
static uint32_t heap_mb(uint32_t memory_mb)
{
    return memory_mb - memory_mb / 4;
}

static napi_value run_object(napi_env env, const struct zygote_run *run)
{
    napi_value object;
    napi_value value;
    napi_value args = string_array(env, run->args, run->argc);

    if (!args || napi_create_object(env, &object) != napi_ok ||
        napi_set_named_property(env, object, "args", args) != napi_ok ||
        napi_create_string_utf8(env, run->entrypoint, NAPI_AUTO_LENGTH, &value) != napi_ok ||
        napi_set_named_property(env, object, "entrypoint", value) != napi_ok ||
        napi_get_boolean(env, run->training, &value) != napi_ok ||
        napi_set_named_property(env, object, "training", value) != napi_ok ||
        napi_get_boolean(env, run->preparing, &value) != napi_ok ||
        napi_set_named_property(env, object, "preparing", value) != napi_ok ||
        napi_get_boolean(env, v8_alike, &value) != napi_ok ||
        napi_set_named_property(env, object, "alike", value) != napi_ok ||
        napi_create_uint32(env, heap_mb(run->memory_mb), &value) != napi_ok ||
        napi_set_named_property(env, object, "heapMB", value) != napi_ok)
        return NULL;
    return object;
}

static uint32_t number_argument(napi_env env, napi_callback_info info)
{
    napi_value arg;
    size_t count = 1;
    int32_t number = 0;

    if (napi_get_cb_info(env, info, &count, &arg, NULL, NULL) == napi_ok && count == 1)
        (void)napi_get_value_int32(env, arg, &number); /* stays 0 when it is not a number */
    return (uint32_t)number;
}

static napi_value begin_run(napi_env env, const struct zygote_run *run)
{
    environ = run->env;
    if (run->memory_mb && !reach_set_heap_limit((uint64_t)heap_mb(run->memory_mb) << 20))
        return throw_text(env, "this Node's heap cannot be limited in a fork");
    return run_object(env, run);
}

static napi_value js_serve(napi_env env, napi_callback_info info)
{
    static struct zygote_hooks hooks = {.remake = remake, .reseed = reseed};
    struct zygote_run run;
    struct dc_err err;

    hooks.own_threads = number_argument(env, info);
    zygote_pid = getpid();
    if (napi_get_uv_event_loop(env, &main_loop) != napi_ok)
        return throw_text(env, "no event loop");
    /* exit(3) would wait for threads that a fork does not have. */
    if (!reach_on_exit(finish))
        return throw_text(env, "this Node has no SetProcessExitHandler");
    if (fork_maps_allow(&err) < 0 || zygote_serve(&hooks, &run, &err) < 0)
        return throw_text(env, err.text);
    return begin_run(env, &run);
}

static napi_value js_resume(napi_env env, napi_callback_info info)
{
    struct zygote_run run;
    struct dc_err err;

    (void)info;
    return zygote_resume(&run, &err) < 0 ? throw_text(env, err.text) : begin_run(env, &run);
}

/* --- the rest -------------------------------------------------------------------------------- */

static napi_value js_guard(napi_env env, napi_callback_info info)
{
    (void)info;
    if (!loop_guard_start(env))
        return throw_text(env, "the loop's guard could not be started");
    return NULL;
}

static napi_value js_finish(napi_env env, napi_callback_info info)
{
    finish((int)number_argument(env, info));
}

static napi_value js_seed(napi_env env, napi_callback_info info)
{
    reach_set_random_seed(number_argument(env, info));
    return NULL;
}

static napi_value js_pid(napi_env env, napi_callback_info info)
{
    napi_value pid;

    (void)info;
    return napi_create_int32(env, getpid(), &pid) == napi_ok ? pid : NULL;
}

static napi_value js_turn(napi_env env, napi_callback_info info)
{
    uv_loop_t *loop;

    (void)info;
    if (napi_get_uv_event_loop(env, &loop) == napi_ok)
        (void)uv_run(loop, UV_RUN_ONCE); /* whether something is left is the caller's to know */
    return NULL;
}

static napi_value js_collect_garbage(napi_env env, napi_callback_info info)
{
    (void)env;
    (void)info;
    reach_collect_garbage();
    return NULL;
}

/* A copy of a JavaScript string; the caller frees it. NULL: not a string, or no memory. */
static char *copy_string(napi_env env, napi_value value)
{
    size_t length;
    char *text;

    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
        return NULL;
    text = malloc(length + 1);
    if (text && napi_get_value_string_utf8(env, value, text, length + 1, &length) != napi_ok) {
        free(text);
        return NULL;
    }
    return text;
}

static napi_value js_exec(napi_env env, napi_callback_info info)
{
    char *argv[ARGV_MAX + 1] = {NULL};
    napi_value args[2];
    napi_value item;
    size_t count = 2;
    uint32_t length;
    char *path;

    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 2 ||
        napi_get_array_length(env, args[1], &length) != napi_ok || length > ARGV_MAX)
        return throw_text(env, "exec(path, argv)");
    path = copy_string(env, args[0]);
    for (uint32_t i = 0; i < length; i++)
        if (napi_get_element(env, args[1], i, &item) == napi_ok)
            argv[i] = copy_string(env, item);
    /* Node marks the standard streams close-on-exec when it starts. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        (void)fcntl(fd, F_SETFD, 0);
    if (path)
        (void)execve(path, argv, environ);
    return throw_text(env, strerror(errno)); /* the process is about to end: nothing is freed */
}

/* Defined by the macro below, which forgets to declare it. */
NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1(void);

NAPI_MODULE_INIT()
{
    static const napi_property_descriptor functions[] = {
        {.utf8name = "serve", .method = js_serve},
        {.utf8name = "resume", .method = js_resume},
        {.utf8name = "guard", .method = js_guard},
        {.utf8name = "finish", .method = js_finish},
        {.utf8name = "exec", .method = js_exec},
        {.utf8name = "pid", .method = js_pid},
        {.utf8name = "seed", .method = js_seed},
        {.utf8name = "turn", .method = js_turn},
        {.utf8name = "collectGarbage", .method = js_collect_garbage},
    };

    if (napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions) !=
        napi_ok)
        return NULL;
    return exports;
}
