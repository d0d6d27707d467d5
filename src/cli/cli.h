/*
 * The frame of docle(1): one table of commands, from which parsing, --help and the manual are made.
 * One file per command. CLI process only.
 */
#ifndef DOCLE_CLI_CLI_H
#define DOCLE_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/config.h"

enum { CLI_OPTIONS_MAX = 32, CLI_OUTPUT_MAX_BYTES = 4 << 20 };

/* What docle(1) exits with besides the exit code of a program that `docle run` ran. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_RUN_FAILED = 125, /* `docle run`: no result, so no program's exit code */
};

/* A set of settings: 1 << enum config_id. */
__extension__ typedef unsigned __int128 cli_settings;

#define CLI_SETTING(id) ((cli_settings)1 << (id))

struct cli_option {
    const char *name;     /* long name; NULL ends a list */
    char letter;          /* short name, or 0 */
    const char *argument; /* what the value is called; NULL: none */
    const char *help;
};

struct cli_call;

struct cli_command {
    const char *name; /* "run", "keys create" */
    const char *operands;
    const char *summary; /* one line */
    const char *detail;  /* further sentences for --help and the manual, or NULL */
    const struct cli_option *options;
    cli_settings settings; /* that may be given as flags */
    enum cli_exit trouble; /* exit code when run() fails */
    /* Returns an exit code, or -DC_code with err filled. */
    int (*run)(struct cli_call *call, struct dc_err *err);
};

#define CLI_ALL_SETTINGS (CLI_SETTING(CONFIG_KEYS) - 1)
_Static_assert(CONFIG_KEYS < 128, "a bit per setting");

/* One invocation. */
struct cli_call {
    const struct cli_command *command;
    int argc; /* of what follows the command's name; after cli_parse: operands */
    char **argv;
    struct config config; /* loaded by cli_parse */
};

/* Parses options, loads the settings, leaves the operands in call. take gets the index of each
 * option of the command and its value. 1: --help was printed, leave. 0, or -DC_code. */
DC_MUST int cli_parse(struct cli_call *call,
                      int (*take)(void *context, int option, const char *value, struct dc_err *err),
                      void *context, struct dc_err *err);

/* Fails unless there are exactly count operands. */
DC_MUST int cli_operands(const struct cli_call *call, int count, struct dc_err *err);

/* The commands, NULL-terminated. */
extern const struct cli_command *const cli_commands[];

void cli_print_help(const struct cli_command *command, struct dc_buf *out);
void cli_print_overview(struct dc_buf *out);
/* The commands with their options as mdoc(7), for docle(1). */
void cli_print_mdoc(struct dc_buf *out);

/* Writes to standard output; DC_KERNEL when that fails. */
DC_MUST int cli_output(const struct dc_buf *out, struct dc_err *err);

/* A whole number from low to high, for values of options. */
DC_MUST int cli_number(const char *text, uint32_t low, uint32_t high, uint32_t *ret_value,
                       struct dc_err *err);

#endif
