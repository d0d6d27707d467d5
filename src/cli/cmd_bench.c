/*
 * docle bench: what a sealed hello world takes here, beside the bare interpreter, in one sitting.
 * The full bench, over HTTP with keys and durable results, is `make bench` in the sources.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <uv.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "cli/commands.h"
#include "cli/launch.h"
#include "net/task.h"
#include "runs/engine.h"

#include "base/poison.h"

enum { COUNT_DEFAULT = 100, COUNT_MAX = 10000, WARM_UP = 20, READY_WAIT_MS = 60000, TIMES = 2 };

struct bench {
    uint32_t count;
    bool json;
    const struct config *config;
    struct launch_plan plan;
    struct launcher_keeper keeper;
    uv_loop_t loop;
    struct engine *engine;
    struct dc_buf out;
    size_t shown;
    int status;
    struct dc_err err;
};

static const struct {
    const char *code;
    const char *flags[3]; /* of the interpreter, to run the code */
} programs[RUN_LANGS] = {
    [RUN_PYTHON] = {"print(\"hi\")\n", {"-I", "-c"}},
    [RUN_NODE] = {"console.log(\"hi\")\n", {"-e"}},
};

static int by_size(const void *one, const void *two)
{
    int64_t a = *(const int64_t *)one;
    int64_t b = *(const int64_t *)two;

    return (a > b) - (a < b);
}

static int64_t median(int64_t *times, size_t count)
{
    qsort(times, count, sizeof(times[0]), by_size);
    return times[count / 2];
}

/* --- the bare interpreter -------------------------------------------------------------------- */

static int start_bare(const char *path, enum run_lang lang, struct dc_err *err)
{
    char *no_environment[] = {NULL};
    char *argv[6];
    posix_spawn_file_actions_t actions;
    size_t count = 0;
    pid_t pid;
    int status;
    int result;

    argv[count++] = (char *)(uintptr_t)path;
    for (size_t i = 0; programs[lang].flags[i]; i++)
        argv[count++] = (char *)(uintptr_t)programs[lang].flags[i];
    argv[count++] = (char *)(uintptr_t)programs[lang].code;
    argv[count] = NULL;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    result = posix_spawn(&pid, path, &actions, NULL, argv, no_environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (result)
        return dc_fail(err, DC_KERNEL, result, "start '%s'", path);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return dc_fail_errno(err, "wait for '%s'", path);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return dc_fail(err, DC_KERNEL, 0, "'%s' failed", path);
    return 0;
}

/* --- sealed ---------------------------------------------------------------------------------- */

static int run_sealed(struct bench *bench, enum run_lang lang, struct dc_err *err)
{
    static const struct run_limits none;
    DC_AUTO(run_request_release) struct run_request request;
    DC_AUTO(run_result_release) struct run_result result;
    DC_AUTO(problems_release) struct problems problems;
    struct engine_refusal refusal;
    char id[DC_UUID_SIZE];
    struct engine_caller caller = {
        .project = "bench", .share = {1, 1}, .run_id = id, .created_ns = dc_wall_now()};

    run_request_init(&request);
    run_result_init(&result);
    problems_init(&problems);
    dc_uuid7(caller.created_ns, id);
    request.has_lang = true;
    request.lang = lang;
    if (run_request_set_code(&request, programs[lang].code, strlen(programs[lang].code), err) < 0 ||
        run_request_check(&request, &none, &problems, err) < 0 ||
        engine_run(bench->engine, &request, &caller, NULL, &result, &refusal, err) < 0)
        return -err->code;
    if (result.outcome != OUTCOME_OK)
        return dc_fail(err, DC_BUG, 0, "a run ended with %s: %s", run_outcome_name(result.outcome),
                       result.message);
    return 0;
}

/* --- both ------------------------------------------------------------------------------------ */

static int measure(struct bench *bench, enum run_lang lang, int64_t *times[static TIMES],
                   struct dc_err *err)
{
    char path[SEALED_ROOT_PATH_MAX];

    if (sealed_root_interpreter(bench->config, run_lang_name(lang), path, err) < 0)
        return -err->code;
    for (uint32_t i = 0; i < WARM_UP; i++)
        if (run_sealed(bench, lang, err) < 0)
            return -err->code;
    /* In turn, so that whatever else the machine does meets both alike. */
    for (uint32_t i = 0; i < bench->count; i++) {
        int64_t start = dc_now();

        if (run_sealed(bench, lang, err) < 0)
            return -err->code;
        times[0][i] = dc_now() - start;
        start = dc_now();
        if (start_bare(path, lang, err) < 0)
            return -err->code;
        times[1][i] = dc_now() - start;
    }
    return 0;
}

static void print_times(struct bench *bench, enum run_lang lang, int64_t *times[static TIMES])
{
    int64_t sealed = median(times[0], bench->count);
    int64_t bare = median(times[1], bench->count);
    double ratio = (double)sealed / (double)bare;

    if (bench->json)
        dc_buf_printf(&bench->out,
                      "%s{\"lang\":\"%s\",\"count\":%u,\"sealedMs\":%.3f,\"bareMs\":%.3f,"
                      "\"ratio\":%.3f}",
                      bench->shown++ ? "," : "", run_lang_name(lang), bench->count,
                      (double)sealed / 1e6, (double)bare / 1e6, ratio);
    else
        dc_buf_printf(&bench->out, "%-8s %10.2f ms %10.2f ms %10.2f\n", run_lang_name(lang),
                      (double)sealed / 1e6, (double)bare / 1e6, ratio);
}

static int bench_all(struct bench *bench, struct dc_err *err)
{
    DC_AUTO(dc_free) int64_t *memory = calloc(TIMES * (size_t)bench->count, sizeof(*memory));
    int64_t *times[TIMES] = {memory, memory ? memory + bench->count : NULL};
    const struct launch_hello *hello;

    if (!memory)
        return dc_fail(err, DC_KERNEL, ENOMEM, "times");
    if (engine_wait_ready(bench->engine, READY_WAIT_MS, err) < 0)
        return -err->code;
    hello = engine_hello(bench->engine);
    for (int lang = 0; lang < RUN_LANGS; lang++) {
        bool there = false;

        for (size_t i = 0; i < hello->runtime_count; i++)
            there |= strcmp(hello->runtimes[i].name, run_lang_name((enum run_lang)lang)) == 0;
        if (!there)
            continue;
        if (measure(bench, (enum run_lang)lang, times, err) < 0)
            return -err->code;
        print_times(bench, (enum run_lang)lang, times);
    }
    return 0;
}

static void bench_task(void *context)
{
    struct bench *bench = context;

    bench->status = bench_all(bench, &bench->err);
    engine_close(bench->engine, NULL, NULL);
}

static int execute(struct bench *bench, struct dc_err *err)
{
    const struct engine_options options = {0};
    int result;

    if (launch_plan(bench->config, LAUNCH_SERVER, &bench->plan, err) < 0 ||
        launch_keeper(&bench->plan, !bench->plan.options.debug, &bench->keeper, err) < 0)
        return -err->code;
    if (uv_loop_init(&bench->loop) < 0)
        return dc_fail(err, DC_KERNEL, 0, "event loop");
    result = engine_open(&bench->loop, &bench->keeper, &options, &bench->engine, err);
    if (result == 0)
        result = task_start(&bench->loop, bench_task, bench, err);
    if (result == 0) {
        (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&bench->loop);
        *err = bench->err;
        result = bench->status;
    }
    launcher_keeper_release(&bench->keeper);
    return result;
}

static int take_option(void *context, int option, const char *value, struct dc_err *err)
{
    struct bench *bench = context;

    if (option == 0)
        return cli_number(value, 1, COUNT_MAX, &bench->count, err);
    bench->json = true;
    return 0;
}

static int run_bench(struct cli_call *call, struct dc_err *err)
{
    struct bench bench = {.count = COUNT_DEFAULT, .config = &call->config, .keeper = {.fd = -1}};
    int result = cli_parse(call, take_option, &bench, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0)
        return -err->code;
    dc_buf_init(&bench.out, CLI_OUTPUT_MAX_BYTES);
    dc_buf_text(&bench.out, bench.json ? "[" : "hello      sealed p50      bare p50      ratio\n");
    result = execute(&bench, err);
    if (bench.json)
        dc_buf_text(&bench.out, "]\n");
    if (result == 0)
        result = cli_output(&bench.out, err);
    dc_buf_release(&bench.out);
    return result;
}

static const struct cli_option bench_options[] = {
    {"count", 'c', "N", "Runs of each kind. Default: 100."},
    {"json", 0, NULL, "Print JSON."},
    {0},
};

const struct cli_command command_bench = {
    .name = "bench",
    .summary = "Time sealed runs beside bare interpreters.",
    .detail = "Runs a hello world of each language through a launcher of its own and by the bare "
              "interpreter, in turn, and prints both medians and their ratio.",
    .options = bench_options,
    .settings = CLI_SETTING(CONFIG_ROOT_DIR) | CLI_SETTING(CONFIG_FLOOR) |
                CLI_SETTING(CONFIG_UID_BASE) | CLI_SETTING(CONFIG_SPARES_PYTHON) |
                CLI_SETTING(CONFIG_SPARES_NODE) | CLI_SETTING(CONFIG_RUNTIMES_PYTHON) |
                CLI_SETTING(CONFIG_RUNTIMES_NODE),
    .run = run_bench,
};
