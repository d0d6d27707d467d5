/*
 * How it works: a launcher with one slot is started, and a task waits for it, has packages
 * installed where the run wants some, and runs the program; its output is passed through as it
 * comes. SIGINT and SIGTERM cancel the run, whose end is then awaited; a second one ends at once,
 * and the launcher, whose link closes, cleans up.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "cli/run_call.h"
#include "net/task.h"

#include "base/poison.h"

enum { READY_WAIT_MS = 60000 };

static void on_output(void *context, enum output_stream stream, const char *bytes, size_t length)
{
    struct run_call *run = context;
    struct dc_err err;

    if (run->muted || dc_write_all(stream == OUTPUT_STDOUT ? STDOUT_FILENO : STDERR_FILENO, bytes,
                                   length, &err) == 0)
        return;
    run->muted = true; /* as `head` does when it has enough */
    dc_ignore(engine_cancel(run->engine, NULL, run->id, &err)); /* it may just have ended */
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run_call *run = handle->data;
    struct dc_err err;

    if (run->interrupts++)
        _exit(128 + number);
    if (engine_cancel(run->engine, NULL, run->id, &err) < 0)
        _exit(128 + number); /* not begun yet */
}

static void close_all(struct run_call *run)
{
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
    if (run->packages)
        packages_drain(run->packages);
    engine_close(run->engine, NULL, NULL);
}

static void on_installing(void *context)
{
    const struct run_call *run = context;

    if (!run->json && isatty(STDERR_FILENO))
        (void)fprintf(stderr, "docle: installing packages, once\n");
}

/* 0: the layer is held. 1: the install failed, and that is the result. */
static int provide_packages(struct run_call *run, const struct engine_caller *caller,
                            struct layer *layer)
{
    DC_AUTO(package_failure_release) struct package_failure failure = {0};
    struct package_asker asker = {.request = &run->request,
                                  .project = caller->project,
                                  .share = caller->share,
                                  .installing = on_installing,
                                  .context = run};
    struct engine_refusal refusal;
    int got =
        packages_ensure(run->packages, &run->wish, &asker, layer, &failure, &refusal, &run->err);

    if (got == 0)
        memcpy(run->request.layer, layer->id, sizeof(layer->id));
    if (got != -DC_CONFLICT)
        return got;
    memcpy(run->result.id, run->id, sizeof(run->id));
    run->result.created_ns = caller->created_ns;
    run->result.lang = run->request.lang;
    run->result.policy = run->request.policy;
    return packages_fail_result(&failure, &run->result, &run->err) < 0 ? -run->err.code : 1;
}

static int produce(struct run_call *run)
{
    DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
    struct engine_observer observer = {.output = on_output, .context = run};
    struct engine_caller caller = {
        .project = "local", .share = {1, 1}, .run_id = run->id, .created_ns = dc_wall_now()};
    struct engine_refusal refusal;
    int got = run->packages ? provide_packages(run, &caller, &layer) : 0;

    if (got)
        return got < 0 ? got : 0;
    if (engine_run(run->engine, &run->request, &caller, run->json ? NULL : &observer, &run->result,
                   &refusal, &run->err) < 0)
        return -run->err.code;
    if (run->packages)
        (void)packages_print(&layer, &run->result.members);
    return 0;
}

/* The task: from waiting for the launcher to the result. */
static void run_task(void *context)
{
    struct run_call *run = context;

    run->status = engine_wait_ready(run->engine, READY_WAIT_MS, &run->err);
    if (run->status == 0)
        run->status = produce(run);
    if (run->status == 0 && run->tree)
        (void)repo_tree_print(run->tree, &run->result.members);
    close_all(run);
}

/* Installs need one, whatever the program may. */
static bool uses_network(const struct run_call *run)
{
    return run->request.network || package_wish_any(&run->wish);
}

static int start_all(struct run_call *run, struct dc_err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct engine_options options = {0};

    if (uv_loop_init(&run->loop) < 0)
        return dc_fail(err, DC_KERNEL, 0, "event loop");
    if (uses_network(run))
        launch_engine_network(run->config, &options);
    if (package_wish_any(&run->wish) &&
        packages_open(&run->loop, &run->packages_setup.options, &run->packages, err) < 0)
        return -err->code;
    if (engine_open(&run->loop, &run->keeper, &options, &run->engine, err) < 0)
        return -err->code;
    if (run->packages)
        packages_attach(run->packages, run->engine);
    for (size_t i = 0; i < 2; i++) {
        (void)uv_signal_init(&run->loop, &run->signals[i]);
        run->signals[i].data = run;
        (void)uv_signal_start(&run->signals[i], on_signal, numbers[i]);
    }
    return task_start(&run->loop, run_task, run, err);
}

/* Only a run that wants packages has to do with the data folder. */
static int plan_packages(struct run_call *run, const struct config *config, struct dc_err *err)
{
    const struct package_source *source = &run->packages_setup.sources.of[run->wish.kind];

    if (!package_wish_any(&run->wish))
        return 0;
    if (package_setup_read(config, &run->plan, &run->packages_setup, err) < 0)
        return -err->code;
    run->plan.options.warm_sets = run->plan.options.prepared_sets = 0; /* it ends with one run */
    if (!run->packages_setup.enabled)
        return dc_fail(err, DC_INVALID, 0, "packages.enabled is off; run with --packages ''");
    if (!source->available)
        return dc_fail(err, DC_INVALID, 0,
                       "packages cannot be installed: install %s and run `docle runtimes "
                       "refresh`",
                       package_kind_name(run->wish.kind));
    return 0;
}

int run_execute(struct run_call *run, const struct config *config, struct dc_err *err)
{
    int result;

    run->config = config;
    if (launch_plan(config, LAUNCH_SINGLE, &run->plan, err) < 0 ||
        plan_packages(run, config, err) < 0)
        return -err->code;
    run->plan.options.network = uses_network(run);
    if (launch_keeper(&run->plan, !run->plan.options.debug, &run->keeper, err) < 0 ||
        (package_wish_any(&run->wish) &&
         package_setup_enter(config, &run->packages_setup, err) < 0))
        return -err->code;
    dc_uuid7(dc_wall_now(), run->id);
    (void)signal(SIGPIPE, SIG_IGN);
    result = start_all(run, err);
    if (result == 0) {
        (void)uv_run(&run->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&run->loop);
        *err = run->err;
        result = run->status;
    }
    launcher_keeper_release(&run->keeper);
    packages_free(dc_take(run->packages));
    package_setup_leave();
    return result;
}
