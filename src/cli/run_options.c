#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "cli/run_call.h"

#include "base/poison.h"

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

const struct cli_option run_options[] = {
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

int run_take_option(void *context, int option, const char *value, struct dc_err *err)
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
