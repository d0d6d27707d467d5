/* docle config, docle version, docle help: what the program says about itself. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "store/store.h"

#include "base/poison.h"

struct choices {
    bool first;
    bool second;
};

static int take_choice(void *context, int option, const char *value, struct dc_err *err)
{
    struct choices *choices = context;

    (void)value;
    (void)err;
    if (option == 0)
        choices->first = true;
    else
        choices->second = true;
    return 0;
}

static int run_config(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct choices choices = {0};
    int result = cli_parse(call, take_choice, &choices, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0)
        return -err->code;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (choices.second)
        config_print_mdoc(&out);
    else
        config_print(&call->config, choices.first, &out);
    return cli_output(&out, err);
}

static const struct cli_option config_options[] = {
    {"json", 0, NULL, "Print JSON."},
    {"mdoc", 0, NULL, "Print the list of settings as it stands in docle.conf(5)."},
    {0},
};

const struct cli_command command_config = {
    .name = "config",
    .summary = "Show the settings in force and where each comes from.",
    .detail = "Fails like docle serve when a setting is wrong, so it checks a file before a "
              "restart. Secrets are not shown.",
    .options = config_options,
    .settings = CLI_ALL_SETTINGS,
    .run = run_config,
};

static int run_version(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct choices choices = {0};
    int result = cli_parse(call, take_choice, &choices, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0)
        return -err->code;
    dc_buf_init(&out, 1024);
    if (choices.first)
        dc_buf_printf(&out, "{\"version\":\"%s\",\"schema\":%d}\n", DOCLE_VERSION,
                      store_schema_version());
    else
        dc_buf_printf(&out, "docle %s\n", DOCLE_VERSION);
    return cli_output(&out, err);
}

static const struct cli_option version_options[] = {
    {"json", 0, NULL, "Print JSON, with the version of the database's schema."},
    {0},
};

const struct cli_command command_version = {
    .name = "version",
    .summary = "Show the version.",
    .options = version_options,
    .run = run_version,
};

static int run_help(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct choices choices = {0};
    char wanted[128];
    int result = cli_parse(call, take_choice, &choices, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (choices.first) {
        cli_print_mdoc(&out);
        return cli_output(&out, err);
    }
    if (call->argc == 0) {
        cli_print_overview(&out);
        return cli_output(&out, err);
    }
    (void)snprintf(wanted, sizeof(wanted), "%s%s%s", call->argv[0], call->argc > 1 ? " " : "",
                   call->argc > 1 ? call->argv[1] : "");
    for (size_t i = 0; cli_commands[i]; i++) {
        size_t length = strlen(call->argv[0]);
        const char *name = cli_commands[i]->name;

        if (strcmp(name, wanted) == 0 ||
            (call->argc == 1 && strncmp(name, wanted, length) == 0 && name[length] == ' '))
            cli_print_help(cli_commands[i], &out);
    }
    if (!out.length)
        return dc_fail(err, DC_INVALID, 0, "unknown command '%.100s'; see docle --help", wanted);
    return cli_output(&out, err);
}

static const struct cli_option help_options[] = {
    {"mdoc", 0, NULL, "Print the list of commands as it stands in docle(1)."},
    {0},
};

const struct cli_command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "Show what a command takes.",
    .options = help_options,
    .run = run_help,
};
