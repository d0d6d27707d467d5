/* docle runtimes: what the sealed root holds, and making it anew. */
#include <string.h>

#include "cli/commands.h"
#include "cli/sealed_root.h"

#include "base/poison.h"

enum { MANIFEST_BUF_BYTES = 512 * 1024 };

static int take_flag(void *context, int option, const char *value, struct dc_err *err)
{
    bool *flag = context;

    (void)option;
    (void)value;
    (void)err;
    *flag = true;
    return 0;
}

/* Cuts the first three words off; missing ones are empty. */
static void cut_line(char *line, char *pieces[static 3])
{
    for (int i = 0; i < 3; i++) {
        char *space = line + strcspn(line, " ");

        pieces[i] = line;
        line = *space ? space + 1 : space;
        *space = '\0';
    }
}

static void print_runtime(char *pieces[static 3], bool json, bool first, struct dc_buf *out)
{
    static const char *const names[] = {"name", "version", "path"};

    if (!json) {
        dc_buf_printf(out, "%-8s  %-10s  %s\n", pieces[0], pieces[1], pieces[2]);
        return;
    }
    for (int i = 0; i < 3; i++) {
        dc_buf_printf(out, "%s\"%s\":", i ? "," : first ? "{" : ",{", names[i]);
        dc_buf_json_string(out, pieces[i], strlen(pieces[i]));
    }
    dc_buf_byte(out, '}');
}

/* Manifest lines "runtime", tab, "NAME VERSION PATH …". */
static void print_manifest(char *text, bool json, struct dc_buf *out)
{
    char *save = NULL;
    bool first = true;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *pieces[3];

        if (strncmp(line, "runtime\t", 8) != 0)
            continue;
        cut_line(line + 8, pieces);
        print_runtime(pieces, json, first, out);
        first = false;
    }
}

static int run_list(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf manifest = {0};
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    bool json = false;
    int result = cli_parse(call, take_flag, &json, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    dc_buf_init(&manifest, MANIFEST_BUF_BYTES);
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (cli_operands(call, 0, err) < 0 || sealed_root_manifest(&call->config, &manifest, err) < 0)
        return -err->code;
    if (json)
        dc_buf_byte(&out, '[');
    if (manifest.data)
        print_manifest(manifest.data, json, &out);
    if (json)
        dc_buf_text(&out, "]\n");
    return cli_output(&out, err);
}

static const struct cli_option list_options[] = {
    {"json", 0, NULL, "Print a JSON array."},
    {0},
};

const struct cli_command command_runtimes_list = {
    .name = "runtimes list",
    .summary = "List the interpreters in the sealed root.",
    .options = list_options,
    .settings = CLI_SETTING(CONFIG_ROOT_DIR),
    .run = run_list,
};

static int run_refresh(struct cli_call *call, struct dc_err *err)
{
    bool quiet = false;
    int result = cli_parse(call, take_flag, &quiet, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0)
        return -err->code;
    return sealed_root_refresh(&call->config, quiet, err);
}

static const struct cli_option refresh_options[] = {
    {"quiet", 'q', NULL, "Say nothing but errors."},
    {0},
};

const struct cli_command command_runtimes_refresh = {
    .name = "runtimes refresh",
    .summary = "Make the sealed root, or make it anew when the host's runtimes changed.",
    .detail = "Does nothing when it is current. A running server goes on with the old root until "
              "it is restarted.",
    .options = refresh_options,
    .settings = CLI_SETTING(CONFIG_ROOT_DIR) | CLI_SETTING(CONFIG_RUNTIMES_PYTHON) |
                CLI_SETTING(CONFIG_RUNTIMES_NODE),
    .run = run_refresh,
};
