/* Help texts and the manual's list of commands, from the tables. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#include "base/poison.h"

enum { HELP_COLUMN = 30, HELP_WIDTH = 100 };

/* Wraps text from column HELP_COLUMN on; the cursor is at column `at`. */
static void wrap(struct dc_buf *out, const char *text, size_t at)
{
    size_t column = at;

    if (at >= HELP_COLUMN) {
        dc_buf_byte(out, '\n');
        column = 0;
    }
    while (*text) {
        size_t word = strcspn(text, " ");

        if (column > HELP_COLUMN && column + 1 + word > HELP_WIDTH) {
            dc_buf_byte(out, '\n');
            column = 0;
        }
        if (column < HELP_COLUMN) {
            dc_buf_printf(out, "%*s", (int)(HELP_COLUMN - column), "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            dc_buf_byte(out, ' ');
            column++;
        }
        dc_buf_append(out, text, word);
        column += word;
        text += word + (text[word] == ' ');
    }
    dc_buf_byte(out, '\n');
}

static void print_option(struct dc_buf *out, const struct cli_option *option)
{
    size_t start = out->length;

    if (option->letter)
        dc_buf_printf(out, "  -%c, --%s", option->letter, option->name);
    else
        dc_buf_printf(out, "      --%s", option->name);
    if (option->argument)
        dc_buf_printf(out, " %s", option->argument);
    wrap(out, option->help, out->length - start);
}

static void print_setting(struct dc_buf *out, enum config_id id)
{
    char flag[64];
    char help[512];

    config_flag_name(id, flag, sizeof(flag));
    (void)snprintf(help, sizeof(help), "%s Default: %s.", config_keys[id].help,
                   config_default_described(id));
    print_option(out, &(struct cli_option){
                          flag, 0,
                          config_keys[id].type == CONFIG_SECRET ? "FILE" : config_keys[id].argument,
                          help});
}

static const struct cli_option common_options[] = {
    {"help", 'h', NULL, "Show this text."},
    {"config", 0, "FILE", "Read settings from FILE instead of /etc/docle/docle.conf."},
};

void cli_print_help(const struct cli_command *command, struct dc_buf *out)
{
    dc_buf_printf(out, "Usage: docle %s [OPTION]…%s%s\n\n%s\n", command->name,
                  command->operands ? " " : "", command->operands ? command->operands : "",
                  command->summary);
    if (command->detail)
        dc_buf_printf(out, "%s\n", command->detail);
    dc_buf_text(out, "\nOptions:\n");
    for (int i = 0; command->options && command->options[i].name; i++)
        print_option(out, &command->options[i]);
    print_option(out, &common_options[0]);
    if (!command->settings)
        return;
    dc_buf_text(out, "\nSettings, see docle.conf(5):\n");
    print_option(out, &common_options[1]);
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (command->settings & CLI_SETTING(i))
            print_setting(out, (enum config_id)i);
}

void cli_print_overview(struct dc_buf *out)
{
    dc_buf_text(out, "Usage: docle COMMAND [OPTION]…\n\n"
                     "Runs untrusted Python and Node.js code in sealed sandboxes.\n\nCommands:\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        size_t start = out->length;

        dc_buf_printf(out, "  %s %s", cli_commands[i]->name,
                      cli_commands[i]->operands ? cli_commands[i]->operands : "");
        wrap(out, cli_commands[i]->summary, out->length - start);
    }
    dc_buf_text(out, "\nHelp: docle COMMAND --help, docle(1), docle.conf(5)\n");
}

/* --- mdoc ------------------------------------------------------------------------------------ */

/* Sentences start on lines of their own. */
static void mdoc_text(struct dc_buf *out, const char *text)
{
    for (; *text; text++) {
        bool end = *text == '.' && text[1] == ' ';

        if (*text == '\\')
            dc_buf_text(out, "\\e");
        else if (*text == '\'' || *text == '.')
            dc_buf_printf(out, "%s%c", out->data[out->length - 1] == '\n' ? "\\&" : "", *text);
        else
            dc_buf_byte(out, *text);
        if (end) {
            dc_buf_byte(out, '\n');
            text++;
        }
    }
    dc_buf_byte(out, '\n');
}

static void mdoc_option(struct dc_buf *out, const struct cli_option *option)
{
    dc_buf_text(out, ".It ");
    if (option->letter)
        dc_buf_printf(out, "Fl %c , ", option->letter);
    dc_buf_printf(out, "Fl -%s", option->name);
    if (option->argument)
        dc_buf_printf(out, " Ar %s", option->argument);
    dc_buf_byte(out, '\n');
    mdoc_text(out, option->help);
}

static void mdoc_settings(struct dc_buf *out, const struct cli_command *command)
{
    char flag[64];

    if (!command->settings)
        return;
    if (command->settings == CLI_ALL_SETTINGS) {
        dc_buf_text(out, "Every setting of\n.Xr docle.conf 5\nis a flag too.\n");
        return;
    }
    dc_buf_text(out, "Of the settings of\n.Xr docle.conf 5\nit takes\n");
    for (int i = 0; i < CONFIG_KEYS; i++) {
        if (!(command->settings & CLI_SETTING(i)))
            continue;
        config_flag_name((enum config_id)i, flag, sizeof(flag));
        dc_buf_printf(out, ".Fl -%s ,\n", flag);
    }
    dc_buf_text(out, "and\n.Fl -config .\n");
}

static void mdoc_command(struct dc_buf *out, const struct cli_command *command)
{
    dc_buf_printf(out, ".It Nm docle Cm %s Oo Ar option ... Oc", command->name);
    if (command->operands)
        dc_buf_printf(out, " Ar %s", command->operands);
    dc_buf_byte(out, '\n');
    mdoc_text(out, command->summary);
    if (command->detail)
        mdoc_text(out, command->detail);
    if (command->options && command->options[0].name) {
        dc_buf_text(out, ".Bl -tag -width Ds\n");
        for (int i = 0; command->options[i].name; i++)
            mdoc_option(out, &command->options[i]);
        dc_buf_text(out, ".El\n");
        if (command->settings)
            dc_buf_text(out, ".Pp\n");
    }
    mdoc_settings(out, command);
}

void cli_print_mdoc(struct dc_buf *out)
{
    dc_buf_text(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; cli_commands[i]; i++)
        mdoc_command(out, cli_commands[i]);
    dc_buf_text(out, ".El\n");
}
