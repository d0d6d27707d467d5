/*
 * docle run: one program, sealed as the server would seal it, without a server.
 *
 * How it works: the request is built and checked by the same code as the API's, a launcher with one
 * slot is started, and the program's output is passed through as it comes. SIGINT and SIGTERM
 * cancel the run, whose end is then awaited; a second one ends at once, and the launcher, whose
 * link closes, cleans up.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/uuid.h"
#include "cli/commands.h"
#include "cli/launch.h"
#include "cli/package_setup.h"
#include "cli/run_input.h"
#include "cli/run_output.h"
#include "cli/run_repo.h"
#include "net/task.h"
#include "runs/engine.h"

#include "base/poison.h"

enum { READY_WAIT_MS = 60000, EXIT_CANCELLED = 130 };

struct run_call {
    struct run_request request;
    struct run_network_limits network;
    bool json;
    const char *stdin_path;
    const char *artifacts_dir;

    const struct config *config;
    const char *repo;       /* as written; NULL: none */
    struct repo_tree *tree; /* what it holds */
    struct package_wish wish;
    struct package_setup packages_setup;
    struct packages *packages; /* NULL: nothing is to be installed */
    struct launch_plan plan;
    struct launcher_keeper keeper;
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct engine *engine;
    struct run_result result;
    char id[DC_UUID_SIZE];
    unsigned interrupts;
    bool muted; /* our standard output is gone */
    int status; /* of the run: 0 or -DC_code */
    struct dc_err err;
};

/* --- options --------------------------------------------------------------------------------- */

enum option {
    OPTION_LANG,
    OPTION_RUNTIME_VERSION,
    OPTION_ENTRYPOINT,
    OPTION_STDIN,
    OPTION_ARG,
    OPTION_ENV,
    OPTION_ARTIFACT,
    OPTION_ARTIFACTS_DIR,
    OPTION_JSON,
    OPTION_ALLOW_NET,
    OPTION_ALLOW_PORT,
    OPTION_PACKAGES,
    OPTION_REPO,
    OPTION_TIMEOUT_MS, /* from here on: policy */
    OPTION_MEMORY_MB,
    OPTION_DISK_MB,
    OPTION_PROCESSES,
    OPTION_CPUS,
    OPTION_CPU_MS,
    OPTION_OUTPUT_BYTES,
};

static const struct cli_option run_options[] = {
    [OPTION_LANG] = {"lang", 'l', "LANG", "python or node; else by the file's ending."},
    [OPTION_RUNTIME_VERSION] = {"runtime-version", 0, "VERSION",
                                "Version of the interpreter, such as 20, where several are "
                                "installed."},
    [OPTION_ENTRYPOINT] = {"entrypoint", 0, "PATH",
                           "File of the folder to run; else main.py, main.js, …"},
    [OPTION_STDIN] =
        {"stdin", 0, "FILE",
         "What the program reads on standard input, at most 1 MiB; - for our own. Else "
         "it reads nothing."},
    [OPTION_ARG] = {"arg", 'a', "TEXT", "An argument of the program; those after -- come behind."},
    [OPTION_ENV] = {"env", 'e', "NAME=VALUE", "A variable of the program's environment."},
    [OPTION_ARTIFACT] = {"artifact", 0, "GLOB",
                         "Keep files that match, such as 'out/*.png'; ** crosses folders."},
    [OPTION_ARTIFACTS_DIR] =
        {"artifacts-dir", 0, "DIR",
         "Where to keep them. Default: artifacts. With --json and without this "
         "they are in the result only."},
    [OPTION_JSON] = {"json", 0, NULL,
                     "Print the result as the API does, instead of the program's output."},
    [OPTION_ALLOW_NET] = {"allow-net", 0, "HOST",
                          "A host that the program may reach: api.example.com, '*.example.com', "
                          "db.example.com:5432, or '*' for every public one. Default: none."},
    [OPTION_ALLOW_PORT] = {"allow-port", 0, "PORT",
                           "A port on those hosts, instead of 80 and 443."},
    [OPTION_PACKAGES] = {"packages", 'p', "LIST",
                         "Packages to install first, separated by commas, such as "
                         "requests,numpy==2.0.0; else those of requirements.txt, pyproject.toml "
                         "or package.json of a folder. An empty list: none."},
    [OPTION_REPO] = {"repo", 'r', "REPO",
                     "A repository instead of FILE or DIR: owner/name or its URL, with "
                     "/tree/BRANCH/FOLDER if wanted."},
    [OPTION_TIMEOUT_MS] = {"timeout-ms", 't', "MS", "Time limit. Default: 3000."},
    [OPTION_MEMORY_MB] = {"memory-mb", 'm', "MB", "Memory limit. Default: 256."},
    [OPTION_DISK_MB] = {"disk-mb", 0, "MB", "Limit on files. Default: a quarter of the memory."},
    [OPTION_PROCESSES] = {"max-processes", 0, "N", "Limit on processes and threads. Default: 64."},
    [OPTION_CPUS] = {"cpus", 0, "CPUS", "Limit on the CPU rate, in cores. Default: 1."},
    [OPTION_CPU_MS] = {"cpu-ms", 0, "MS", "Limit on CPU time. Default: none but the time limit."},
    [OPTION_OUTPUT_BYTES] = {"max-output-bytes", 0, "BYTES",
                             "Limit on both outputs together. Default: 1048576."},
    {0},
};

static const enum policy_field policy_of[] = {
    [OPTION_TIMEOUT_MS] = POLICY_TIMEOUT_MS,     [OPTION_MEMORY_MB] = POLICY_MEMORY_MB,
    [OPTION_DISK_MB] = POLICY_DISK_MB,           [OPTION_PROCESSES] = POLICY_PROCESSES,
    [OPTION_CPUS] = POLICY_CPUS_CENTI,           [OPTION_CPU_MS] = POLICY_CPU_MS,
    [OPTION_OUTPUT_BYTES] = POLICY_OUTPUT_BYTES,
};

static int take_policy(struct run_request *request, int option, const char *value,
                       struct dc_err *err)
{
    uint32_t number;
    int result = option == OPTION_CPUS ? config_parse_centi(value, 100 * 1000, &number, err)
                                       : cli_number(value, 0, INT32_MAX, &number, err);

    if (result < 0)
        return dc_context(err, "--%s", run_options[option].name);
    run_request_set_policy(request, policy_of[option], number);
    return 0;
}

static int take_port(struct run_request *request, const char *value, struct dc_err *err)
{
    uint32_t port;

    if (cli_number(value, 1, UINT16_MAX, &port, err) < 0)
        return dc_context(err, "--allow-port");
    return run_request_allow_port(request, port, err);
}

/* A comma is also in ranges such as x>=1,<2: what follows one and begins with a comparison belongs
 * to what came before. */
static int take_packages(struct run_request *request, const char *list, struct dc_err *err)
{
    request->has_packages = true;
    while (*list) {
        DC_AUTO(dc_free) char *one = NULL;
        size_t length = strcspn(list, ",");

        while (list[length] && strchr("<>=!~", list[length + 1]) && list[length + 1])
            length += 1 + strcspn(list + length + 1, ",");
        one = strndup(list, length);
        if (!one)
            return dc_fail(err, DC_KERNEL, ENOMEM, "packages");
        if (one[strspn(one, " ")] && run_request_add_package(request, one, err) < 0)
            return -err->code;
        list += length + (list[length] == ',');
    }
    return 0;
}

static int take_option(void *context, int option, const char *value, struct dc_err *err)
{
    struct run_call *run = context;
    struct run_request *request = &run->request;

    switch (option) {
    case OPTION_LANG:
        request->has_lang = run_lang_from_name(value, &request->lang);
        return request->has_lang ? 0
                                 : dc_fail(err, DC_INVALID, 0,
                                           "--lang: '%.40s' is neither python nor node", value);
    case OPTION_RUNTIME_VERSION:
        return run_request_set_text(request, &request->version, value, err);
    case OPTION_ENTRYPOINT:
        return run_request_set_text(request, &request->entrypoint, value, err);
    case OPTION_STDIN:
        run->stdin_path = value;
        return 0;
    case OPTION_ARG:
        return run_request_add_arg(request, value, err);
    case OPTION_ENV:
        return run_request_add_env(request, value, err);
    case OPTION_ARTIFACT:
        return run_request_add_artifact(request, value, err);
    case OPTION_ARTIFACTS_DIR:
        run->artifacts_dir = value;
        return 0;
    case OPTION_JSON:
        run->json = true;
        return 0;
    case OPTION_ALLOW_NET:
        return run_request_allow_host(request, value, err);
    case OPTION_ALLOW_PORT:
        return take_port(request, value, err);
    case OPTION_REPO:
        run->repo = value;
        return 0;
    case OPTION_PACKAGES:
        return take_packages(request, value, err);
    default:
        return take_policy(request, option, value, err);
    }
}

/* --- the request ----------------------------------------------------------------------------- */

static int add_stdin(struct run_call *run, const char *operand, struct dc_err *err)
{
    DC_AUTO(dc_free) char *bytes = NULL;
    size_t length;

    if (!run->stdin_path)
        return 0;
    if (strcmp(run->stdin_path, "-") == 0 && strcmp(operand, "-") == 0)
        return dc_fail(err, DC_INVALID, 0, "standard input cannot be code and input at once");
    if (run_input_read(run->stdin_path, DC_STDIN_MAX_BYTES, &bytes, &length, err) < 0)
        return dc_context(err, "--stdin");
    return run_request_set_stdin(&run->request, bytes, length, err);
}

static int check_request(struct run_call *run, struct dc_err *err)
{
    const struct run_limits limits = {.network = &run->network};
    DC_AUTO(problems_release) struct problems problems;
    int result;

    problems_init(&problems);
    result = run_request_check(&run->request, &limits, &problems, err);
    if (result == 0) {
        package_wish_init(&run->wish, run->request.lang == RUN_PYTHON ? PACKAGE_PIP : PACKAGE_NPM);
        result = package_wish_read(&run->wish, &run->request, &problems, err);
    }
    if (result != -DC_INVALID)
        return result;
    for (size_t i = 1; i < problems.count; i++)
        (void)fprintf(stderr, "docle: %s: %s\n", problems.list[i].path, problems.list[i].message);
    return dc_fail(err, DC_INVALID, 0, "%s: %s", problems.list[0].path, problems.list[0].message);
}

static int build_request(struct run_call *run, const struct cli_call *call, struct dc_err *err)
{
    int first_arg = run->repo ? 0 : 1; /* a repository stands in the place of FILE */

    if (call->argc < first_arg)
        return dc_fail(err, DC_INVALID, 0,
                       "FILE, DIR, - or --repo is missing; see docle run --help");
    if ((run->repo ? run_repo_add(&call->config, run->repo, &run->request, &run->tree, err)
                   : run_input_add(&run->request, call->argv[0], err)) < 0 ||
        add_stdin(run, run->repo ? "" : call->argv[0], err) < 0)
        return -err->code;
    for (int i = first_arg; i < call->argc; i++)
        if (run_request_add_arg(&run->request, call->argv[i], err) < 0)
            return -err->code;
    if (launch_network_limits(&call->config, true, &run->network, err) < 0)
        return -err->code;
    return check_request(run, err);
}

/* --- the run --------------------------------------------------------------------------------- */

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

static int execute(struct run_call *run, const struct config *config, struct dc_err *err)
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

/* --- the answer ------------------------------------------------------------------------------ */

static int print_result(struct run_call *run, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};

    if (!run->json && run->result.outcome == OUTCOME_INSTALL_FAILED) {
        (void)fputs(dc_buf_str(&run->result.streams[OUTPUT_STDERR]), stderr);
        return 0;
    }
    if (!run->json) {
        if (run->result.outcome != OUTCOME_OK && run->result.outcome != OUTCOME_ERROR)
            (void)fprintf(stderr, "docle: %s%s%s\n", run_outcome_name(run->result.outcome),
                          run->result.message[0] ? ": " : "", run->result.message);
        return 0;
    }
    dc_buf_init(&out, run_result_print_max(&run->result) + 1);
    if (!run_result_explain(&run->result) || !run_result_print(&run->result, &out) ||
        !dc_buf_byte(&out, '\n'))
        return dc_fail(err, DC_KERNEL, ENOMEM, "result");
    return cli_output(&out, err);
}

static int save_artifacts(const struct run_call *run, struct dc_err *err)
{
    const char *folder = run->artifacts_dir;
    size_t count;

    if (!run->request.artifact_count || (run->json && !folder))
        return 0;
    return run_output_save(&run->result, folder ? folder : "artifacts", &count, err);
}

static int finish(struct run_call *run, struct dc_err *err)
{
    if (print_result(run, err) < 0 || save_artifacts(run, err) < 0)
        return -err->code;
    if (run->result.outcome == OUTCOME_SANDBOX_ERROR)
        return CLI_RUN_FAILED;
    return run->result.exit_code & 0xff;
}

static int run_run(struct cli_call *call, struct dc_err *err)
{
    struct run_call run = {.keeper = {.fd = -1}};
    int result;

    run_request_init(&run.request);
    run_result_init(&run.result);
    result = cli_parse(call, take_option, &run, err);
    if (result == 1) {
        result = CLI_OK;
    } else if (result == 0) {
        if (config_number(&call->config, CONFIG_LOG_LEVEL) != 0)
            dc_log_setup("docle", DC_LOG_OFF); /* standard error is the program's */
        result = build_request(&run, call, err);
        if (result == 0)
            result = execute(&run, &call->config, err);
        if (result == 0)
            result = finish(&run, err);
    }
    package_setup_release(&run.packages_setup);
    package_wish_release(&run.wish);
    run_result_release(&run.result);
    run_request_release(&run.request);
    repo_tree_unref(run.tree);
    return result;
}

const struct cli_command command_run = {
    .name = "run",
    .operands = "FILE|DIR|-|--repo REPO [-- ARG…]",
    .summary = "Run a program sealed, and exit with its exit code.",
    .detail =
        "FILE is a program, DIR a folder with one (links, .git and __pycache__ are left out), "
        "- is code on standard input. No server is needed. Exits with 124 when the time was "
        "up, 137 for memory, 128 and the signal's number for a signal, 130 when interrupted, "
        "125 when nothing ran.",
    .options = run_options,
    .settings = CLI_SETTING(CONFIG_ROOT_DIR) | CLI_SETTING(CONFIG_FLOOR) |
                CLI_SETTING(CONFIG_UID_BASE) | CLI_SETTING(CONFIG_RUNTIMES_PYTHON) |
                CLI_SETTING(CONFIG_RUNTIMES_NODE) | CLI_SETTING(CONFIG_NETWORK_PRIVATE) |
                CLI_SETTING(CONFIG_NETWORK_RESOLVERS) | CLI_SETTING(CONFIG_DATA_DIR) |
                CLI_SETTING(CONFIG_REPOS_API_URL) | CLI_SETTING(CONFIG_REPOS_HOST) |
                CLI_SETTING(CONFIG_OUTBOUND_PROXY) | CLI_SETTING(CONFIG_OUTBOUND_CA_FILE),
    .trouble = CLI_RUN_FAILED,
    .run = run_run,
};
