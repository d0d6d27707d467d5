#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#include "base/poison.h"

extern char **environ;

enum {
    FLAGS_MAX = CLI_OPTIONS_MAX + CONFIG_KEYS + 3,
    FLAG_NAME_MAX = 64,
    CODE_HELP = 256,
    CODE_CONFIG,
    CODE_OPTION,                                  /* + index of the command's option */
    CODE_SETTING = CODE_OPTION + CLI_OPTIONS_MAX, /* + enum config_id */
};

/* getopt's view of a command. */
struct flags {
    struct option list[FLAGS_MAX];
    char names[CONFIG_KEYS][FLAG_NAME_MAX];
    char letters[2 * CLI_OPTIONS_MAX + 4];
    size_t count;
};

static void add_flag(struct flags *flags, const char *name, bool value, int code)
{
    flags->list[flags->count++] =
        (struct option){name, value ? required_argument : no_argument, NULL, code};
}

static void build_flags(const struct cli_command *command, struct flags *flags)
{
    size_t at = 0;

    *flags = (struct flags){0};
    flags->letters[at++] = ':'; /* a missing value is told apart */
    flags->letters[at++] = 'h';
    add_flag(flags, "help", false, CODE_HELP);
    if (command->settings)
        add_flag(flags, "config", true, CODE_CONFIG);
    for (int i = 0; command->options && command->options[i].name; i++) {
        const struct cli_option *option = &command->options[i];

        add_flag(flags, option->name, option->argument != NULL, CODE_OPTION + i);
        if (option->letter)
            flags->letters[at++] = option->letter;
        if (option->letter && option->argument)
            flags->letters[at++] = ':';
    }
    for (int i = 0; i < CONFIG_KEYS; i++) {
        if (!(command->settings & CLI_SETTING(i)))
            continue;
        config_flag_name((enum config_id)i, flags->names[i], FLAG_NAME_MAX);
        add_flag(flags, flags->names[i], true, CODE_SETTING + i);
    }
}

static int fail_flag(const struct cli_call *call, const struct flags *flags, const char *word,
                     struct dc_err *err)
{
    const char *names[FLAGS_MAX];
    const char *near;
    char name[FLAG_NAME_MAX];

    (void)snprintf(name, sizeof(name), "%s", word + (word[0] == '-') + (word[1] == '-'));
    name[strcspn(name, "=")] = '\0';
    for (size_t i = 0; i < flags->count; i++)
        names[i] = flags->list[i].name;
    if (strncmp(word, "--", 2) == 0 && config_nearest(name, names, flags->count, &near))
        return dc_fail(err, DC_INVALID, 0, "unknown option '--%s'; did you mean '--%s'?", name,
                       near);
    return dc_fail(err, DC_INVALID, 0, "unknown option '%.64s'; see docle %s --help", word,
                   call->command->name);
}

static int code_of_letter(const struct cli_command *command, int letter)
{
    for (int i = 0; command->options && command->options[i].name; i++)
        if (command->options[i].letter == letter)
            return CODE_OPTION + i;
    return letter == 'h' ? CODE_HELP : letter;
}

static int print_call_help(const struct cli_command *command, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};

    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    cli_print_help(command, &out);
    return cli_output(&out, err) < 0 ? -err->code : 1;
}

int cli_parse(struct cli_call *call,
              int (*take)(void *context, int option, const char *value, struct dc_err *err),
              void *context, struct dc_err *err)
{
    struct flags flags;
    int code;

    build_flags(call->command, &flags);
    opterr = 0;
    optind = 0; /* glibc: start over */
    while ((code = getopt_long(call->argc, call->argv, flags.letters, flags.list, NULL)) != -1) {
        const char *word = call->argv[optind - 1];
        int result = 0;

        if (code == '?')
            return fail_flag(call, &flags, word, err);
        if (code == ':')
            return dc_fail(err, DC_INVALID, 0, "option '%.64s' wants a value", word);
        code = code_of_letter(call->command, code);
        if (code == CODE_HELP)
            return print_call_help(call->command, err);
        if (code == CODE_CONFIG)
            result = config_set_file(&call->config, optarg, err);
        else if (code >= CODE_SETTING)
            result = config_set(&call->config, (enum config_id)(code - CODE_SETTING), optarg, err);
        else
            result = take(context, code - CODE_OPTION, optarg, err);
        if (result < 0)
            return result;
    }
    call->argc -= optind;
    call->argv += optind;
    if (!call->command->settings)
        return 0; /* help and version work whatever the settings are */
    return config_load(&call->config, environ, err);
}

int cli_operands(const struct cli_call *call, int count, struct dc_err *err)
{
    if (call->argc > count)
        return dc_fail(err, DC_INVALID, 0, "'%.64s' is one operand too many; see docle %s --help",
                       call->argv[count], call->command->name);
    if (call->argc < count)
        return dc_fail(err, DC_INVALID, 0, "%s is missing; see docle %s --help",
                       call->command->operands, call->command->name);
    return 0;
}

int cli_output(const struct dc_buf *out, struct dc_err *err)
{
    if (out->failed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "the output is too large");
    return dc_write_all(STDOUT_FILENO, dc_buf_str(out), out->length, err);
}

int cli_number(const char *text, uint32_t low, uint32_t high, uint32_t *ret_value,
               struct dc_err *err)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || value < low || value > high)
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is not a whole number from %u to %u", text, low,
                       high);
    *ret_value = (uint32_t)value;
    return 0;
}
