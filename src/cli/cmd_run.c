/*
 * docle run: one program, sealed as the server would seal it, without a server. The request is
 * built and checked by the same code as the API's (run_options.c, here), carried out by the same
 * engine (run_execute.c), and the program's end becomes ours.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/run_call.h"
#include "cli/run_input.h"
#include "cli/run_output.h"

#include "base/poison.h"

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
    result = cli_parse(call, run_take_option, &run, err);
    if (result == 1) {
        result = CLI_OK;
    } else if (result == 0) {
        if (config_number(&call->config, CONFIG_LOG_LEVEL) != 0)
            dc_log_setup("docle", DC_LOG_OFF); /* standard error is the program's */
        result = build_request(&run, call, err);
        if (result == 0)
            result = run_execute(&run, &call->config, err);
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
