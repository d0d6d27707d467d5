/*
 * docle packages: the layers in the data folder, which a server may be using at the same time.
 *
 * How it works: list and prune look at the folder alone. install and warm start a launcher of their
 * own with one slot, as `docle run` does, and install as the server would; the server finds what
 * they made.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/package_setup.h"
#include "net/task.h"
#include "packages/warm.h"

#include "base/poison.h"

enum { READY_WAIT_MS = 60000 };

#define PACKAGE_SETTINGS                                                                           \
    (CLI_SETTING(CONFIG_DATA_DIR) | CLI_SETTING(CONFIG_ROOT_DIR) | CLI_SETTING(CONFIG_FLOOR) |     \
     CLI_SETTING(CONFIG_UID_BASE) | CLI_SETTING(CONFIG_RUNTIMES_PYTHON) |                          \
     CLI_SETTING(CONFIG_RUNTIMES_NODE) | CLI_SETTING(CONFIG_SERVER_USER) |                         \
     CLI_SETTING(CONFIG_PACKAGES_PIP_INDEX) | CLI_SETTING(CONFIG_PACKAGES_NPM_REGISTRY) |          \
     CLI_SETTING(CONFIG_PACKAGES_HOSTS) | CLI_SETTING(CONFIG_PACKAGES_CACHE_MB) |                  \
     CLI_SETTING(CONFIG_PACKAGES_LAYER_MB) | CLI_SETTING(CONFIG_PACKAGES_MEMORY_MB) |              \
     CLI_SETTING(CONFIG_PACKAGES_INSTALL_SECONDS) | CLI_SETTING(CONFIG_PACKAGES_AGE_HOURS) |       \
     CLI_SETTING(CONFIG_PACKAGES_PIP_SOURCE) | CLI_SETTING(CONFIG_PACKAGES_NPM_SCRIPTS) |          \
     CLI_SETTING(CONFIG_PACKAGES_WARM))

/* --- looking ---------------------------------------------------------------------------------- */

struct listing {
    struct dc_buf out;
    bool json;
    size_t count;
};

static void print_specs(const json_t *record, struct dc_buf *out)
{
    size_t i;
    json_t *spec;

    json_array_foreach(json_object_get(record, "specs"), i, spec)(void)
        dc_buf_printf(out, "%s%s", i ? " " : "", json_string_value(spec));
}

static bool print_layer(void *context, const struct layer_entry *entry)
{
    struct listing *listing = context;
    json_t *record = json_loads(entry->record, 0, NULL);
    const char *runtime = json_string_value(json_object_get(record, "runtime"));
    char resolved[25];
    char used[25];

    dc_format_iso8601(entry->resolved_ns, resolved);
    dc_format_iso8601(entry->used_ns, used);
    if (listing->json) {
        (void)dc_buf_printf(&listing->out,
                            "%s{\"id\":\"%s\",\"bytes\":%llu,\"usedAt\":\"%s\","
                            "\"resolvedAt\":\"%s\",\"current\":%s,\"record\":%s}",
                            listing->count ? "," : "", entry->id, (unsigned long long)entry->bytes,
                            used, resolved, entry->current ? "true" : "false", entry->record);
    } else {
        (void)dc_buf_printf(&listing->out, "%.12s  %5llu MB  %.16s  %-16s  ", entry->id,
                            (unsigned long long)((entry->bytes + (1 << 20) - 1) >> 20), used,
                            runtime ? runtime : "?");
        print_specs(record, &listing->out);
        (void)dc_buf_text(&listing->out, entry->current ? "\n" : " (replaced)\n");
    }
    json_decref(record);
    listing->count++;
    return false;
}

static int take_flag(void *context, int option, const char *value, struct dc_err *err)
{
    bool *flag = context;

    (void)option;
    (void)value;
    (void)err;
    *flag = true;
    return 0;
}

/* The store of the configured data folder, as whoever a server would be. */
static int open_store(const struct config *config, struct layer_store **ret_store,
                      struct dc_err *err)
{
    struct package_setup setup = {0};

    if (package_setup_enter(config, &setup, err) < 0)
        return -err->code;
    return layer_store_open(setup.dir, ret_store, err);
}

static int run_list(struct cli_call *call, struct dc_err *err)
{
    struct listing listing = {0};
    DC_AUTO(layer_store_free) struct layer_store *store = NULL;
    int result = cli_parse(call, take_flag, &listing.json, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0 || open_store(&call->config, &store, err) < 0)
        return -err->code;
    dc_buf_init(&listing.out, CLI_OUTPUT_MAX_BYTES);
    if (listing.json)
        (void)dc_buf_byte(&listing.out, '[');
    result = layer_store_each(store, print_layer, &listing, err);
    if (listing.json)
        (void)dc_buf_text(&listing.out, "]\n");
    else if (!listing.count)
        (void)dc_buf_text(&listing.out, "No packages are installed.\n");
    if (result == 0)
        result = cli_output(&listing.out, err);
    dc_buf_release(&listing.out);
    return result;
}

static int run_prune(struct cli_call *call, struct dc_err *err)
{
    bool all = false;
    DC_AUTO(layer_store_free) struct layer_store *store = NULL;
    int result = cli_parse(call, take_flag, &all, err);
    uint64_t bytes_max;
    uint64_t bytes;
    uint32_t removed;
    uint32_t left;

    if (result)
        return result < 0 ? result : CLI_OK;
    bytes_max = all ? 0 : (uint64_t)config_number(&call->config, CONFIG_PACKAGES_CACHE_MB) << 20;
    if (cli_operands(call, 0, err) < 0 || open_store(&call->config, &store, err) < 0 ||
        layer_store_evict(store, bytes_max, &removed, err) < 0)
        return -err->code;
    layer_store_totals(store, &bytes, &left);
    (void)printf("%u removed; %u are left, %llu MB\n", removed, left,
                 (unsigned long long)((bytes + (1 << 20) - 1) >> 20));
    return CLI_OK;
}

/* --- installing ------------------------------------------------------------------------------- */

struct installing {
    enum run_lang lang;
    bool has_lang;
    bool json;
    struct package_warm warm; /* what is to be installed */
    const struct config *config;
    struct launch_plan plan;
    struct package_setup setup;
    struct launcher_keeper keeper;
    uv_loop_t loop;
    struct engine *engine;
    struct packages *packages;
    int status; /* an exit code, or -DC_code */
    struct dc_err err;
};

static void print_resolved(const struct installing *installing, const struct layer *layer)
{
    json_t *packages = json_loads(layer->packages, 0, NULL);
    size_t i;
    json_t *one;

    if (installing->json) {
        (void)printf("%s\n", layer->packages);
    } else {
        json_array_foreach(packages, i, one)(void)
            printf("%s %s\n", json_string_value(json_object_get(one, "name")),
                   json_string_value(json_object_get(one, "version")));
    }
    json_decref(packages);
}

static int install_set(struct installing *installing, const struct package_warm_set *set)
{
    DC_AUTO(package_failure_release) struct package_failure failure = {0};
    DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
    int result = package_warm_up(installing->packages, set, &failure, &layer, &installing->err);

    if (result == -DC_CONFLICT) {
        (void)fprintf(stderr, "%sdocle: package installation failed: %s\n",
                      dc_buf_str(&failure.text), failure.message);
        return CLI_FAILED;
    }
    if (result == 0)
        print_resolved(installing, &layer);
    return result;
}

static void install_all(void *context)
{
    struct installing *installing = context;

    installing->status = engine_wait_ready(installing->engine, READY_WAIT_MS, &installing->err);
    for (size_t i = 0; i < installing->warm.count && installing->status >= 0; i++) {
        int result = install_set(installing, &installing->warm.sets[i]);

        installing->status = result ? result : installing->status;
    }
    packages_drain(installing->packages);
    engine_close(installing->engine, NULL, NULL);
}

static int start_installing(struct installing *installing, struct dc_err *err)
{
    struct engine_options options = {0};

    launch_engine_network(installing->config, &options);
    if (uv_loop_init(&installing->loop) < 0)
        return dc_fail(err, DC_KERNEL, 0, "event loop");
    if (packages_open(&installing->loop, &installing->setup.options, &installing->packages, err) <
            0 ||
        engine_open(&installing->loop, &installing->keeper, &options, &installing->engine, err) < 0)
        return -err->code;
    packages_attach(installing->packages, installing->engine);
    return task_start(&installing->loop, install_all, installing, err);
}

static int install(struct installing *installing, const struct config *config, struct dc_err *err)
{
    int result;

    installing->config = config;
    if (launch_plan(config, LAUNCH_SINGLE, &installing->plan, err) < 0 ||
        package_setup_read(config, &installing->plan, &installing->setup, err) < 0)
        return -err->code;
    installing->plan.options.warm_sets = installing->plan.options.prepared_sets = 0;
    if (!installing->setup.enabled)
        return dc_fail(err, DC_INVALID, 0, "packages.enabled is off");
    if (launch_keeper(&installing->plan, false, &installing->keeper, err) < 0)
        return -err->code;
    (void)signal(SIGPIPE, SIG_IGN);
    result = package_setup_enter(config, &installing->setup, err);
    if (result == 0)
        result = start_installing(installing, err);
    if (result == 0) {
        (void)uv_run(&installing->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&installing->loop);
        *err = installing->err;
        result = installing->status;
    }
    package_setup_leave();
    launcher_keeper_release(&installing->keeper);
    packages_free(installing->packages);
    package_setup_release(&installing->setup);
    return result;
}

enum { INSTALL_LANG, INSTALL_JSON };

static const struct cli_option install_options[] = {
    [INSTALL_LANG] = {"lang", 'l', "LANG", "python or node. Default: python."},
    [INSTALL_JSON] = {"json", 0, NULL, "Print what was resolved as JSON."},
    {0},
};

static int take_install(void *context, int option, const char *value, struct dc_err *err)
{
    struct installing *installing = context;

    if (option == INSTALL_JSON)
        installing->json = true;
    else if (!run_lang_from_name(value, &installing->lang))
        return dc_fail(err, DC_INVALID, 0, "--lang: '%.40s' is neither python nor node", value);
    return 0;
}

/* The operands as a list of one set, so that one reader judges both. */
static int read_operands(const struct cli_call *call, struct installing *installing,
                         struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf text;

    dc_buf_init(&text, 64 * 1024);
    if (!call->argc)
        return dc_fail(err, DC_INVALID, 0, "PACKAGE is missing; see docle packages install --help");
    (void)dc_buf_printf(&text, "%s:", run_lang_name(installing->lang));
    for (int i = 0; i < call->argc; i++) {
        if (strpbrk(call->argv[i], " \t\n;"))
            return dc_fail(err, DC_INVALID, 0, "'%.60s' has a blank or a semicolon in it",
                           call->argv[i]);
        (void)dc_buf_printf(&text, " %s", call->argv[i]);
    }
    return package_warm_parse(dc_buf_str(&text), &installing->warm, err);
}

static int run_installing(struct cli_call *call, bool warm, struct dc_err *err)
{
    struct installing installing = {.keeper = {.fd = -1}, .lang = RUN_PYTHON};
    int result = cli_parse(call, take_install, &installing, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    dc_log_setup("docle", DC_LOG_WARN);
    if (warm) {
        result = cli_operands(call, 0, err);
        if (result == 0)
            result = package_warm_parse(config_text(&call->config, CONFIG_PACKAGES_WARM),
                                        &installing.warm, err);
        if (result < 0)
            (void)dc_context(err, "packages.warm");
    } else {
        result = read_operands(call, &installing, err);
    }
    if (result == 0)
        result = install(&installing, &call->config, err);
    package_warm_release(&installing.warm);
    return result;
}

static int run_install(struct cli_call *call, struct dc_err *err)
{
    return run_installing(call, false, err);
}

static int run_warm(struct cli_call *call, struct dc_err *err)
{
    return run_installing(call, true, err);
}

/* --- the commands ----------------------------------------------------------------------------- */

static const struct cli_option list_options[] = {
    {"json", 0, NULL, "Print JSON, with the records."},
    {0},
};

static const struct cli_option prune_options[] = {
    {"all", 0, NULL, "Remove all that are not in use, whatever the budget."},
    {0},
};

const struct cli_command command_packages_list = {
    .name = "packages list",
    .summary = "List the installed sets of packages, the longest unused first.",
    .options = list_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR) | CLI_SETTING(CONFIG_SERVER_USER),
    .trouble = CLI_FAILED,
    .run = run_list,
};

const struct cli_command command_packages_install = {
    .name = "packages install",
    .operands = "PACKAGE…",
    .summary = "Install a set of packages ahead, sealed as the server would.",
    .detail = "PACKAGE is as in a run: requests, 'numpy>=2,<3', or with --lang node lodash@4, "
              "@scope/name@^1. The operands are one set: a run gets it when it asks for the same.",
    .options = install_options,
    .settings = PACKAGE_SETTINGS,
    .trouble = CLI_FAILED,
    .run = run_install,
};

const struct cli_command command_packages_prune = {
    .name = "packages prune",
    .summary = "Remove sets that were replaced, and the longest unused beyond the budget.",
    .detail = "What a run is using stays.",
    .options = prune_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR) | CLI_SETTING(CONFIG_SERVER_USER) |
                CLI_SETTING(CONFIG_PACKAGES_CACHE_MB),
    .trouble = CLI_FAILED,
    .run = run_prune,
};

const struct cli_command command_packages_warm = {
    .name = "packages warm",
    .summary = "Install the sets of packages.warm that are not there.",
    .settings = PACKAGE_SETTINGS,
    .trouble = CLI_FAILED,
    .run = run_warm,
};
