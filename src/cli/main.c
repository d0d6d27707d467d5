/*
 * docle: the user's command.
 *
 * How it works: one process per invocation, but for two commands. `docle serve` forks the
 * launcher's keeper (runs/launcher_keeper.h) while it still has its rights, gives the rights up
 * (confine.h) and becomes the API process; keeper and launcher are its children and end when it
 * does. `docle run` does the same for one run, without HTTP, database or confinement: it works for
 * the person who typed it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/data_dir.h"

#include "base/log.h"

#include "base/poison.h"

const struct cli_command *const cli_commands[] = {
    &command_serve,
    &command_run,
    &command_keys_create,
    &command_keys_limit,
    &command_keys_list,
    &command_keys_revoke,
    &command_keys_roll,
    &command_login_link,
    &command_users_list,
    &command_users_show,
    &command_users_suspend,
    &command_users_delete,
    &command_projects_list,
    &command_projects_show,
    &command_projects_limits,
    &command_projects_plan,
    &command_projects_suspend,
    &command_doctor,
    &command_runtimes_list,
    &command_runtimes_refresh,
    &command_packages_list,
    &command_packages_install,
    &command_packages_prune,
    &command_packages_warm,
    &command_billing_setup,
    &command_billing_status,
    &command_billing_reconcile,
    &command_billing_retry,
    &command_backup,
    &command_restore,
    &command_bench,
    &command_config,
    &command_version,
    &command_help,
    NULL,
};

/* How many words of argv name the command; 0: none does. */
static int words_of(const struct cli_command *command, int argc, char **argv)
{
    const char *name = command->name;
    const char *space = strchr(name, ' ');
    size_t length = space ? (size_t)(space - name) : strlen(name);

    if (argc < 2 || strlen(argv[1]) != length || memcmp(argv[1], name, length) != 0)
        return 0;
    if (!space)
        return 1;
    return argc >= 3 && strcmp(argv[2], space + 1) == 0 ? 2 : 0;
}

static const struct cli_command *find_command(int argc, char **argv, int *ret_words)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        *ret_words = words_of(cli_commands[i], argc, argv);
        if (*ret_words)
            return cli_commands[i];
    }
    return NULL;
}

static int no_command(int argc, char **argv)
{
    const char *names[64];
    const char *near;
    char wanted[128];
    size_t count = 0;
    struct dc_err err;

    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        DC_AUTO(dc_buf_release) struct dc_buf out = {0};

        dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
        cli_print_overview(&out);
        return cli_output(&out, &err) < 0 || argc < 2 ? CLI_USAGE : CLI_OK;
    }
    for (; cli_commands[count] && count < 64; count++)
        names[count] = cli_commands[count]->name;
    (void)snprintf(wanted, sizeof(wanted), "%.60s%s%.60s", argv[1], argc > 2 ? " " : "",
                   argc > 2 ? argv[2] : "");
    if (config_nearest(wanted, names, count, &near) || config_nearest(argv[1], names, count, &near))
        (void)fprintf(stderr, "docle: unknown command '%s'; did you mean '%s'?\n", wanted, near);
    else
        (void)fprintf(stderr, "docle: unknown command '%s'; see docle --help\n", wanted);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    struct cli_call call = {0};
    struct dc_err err;
    char text[512];
    int words;
    int result;

    dc_log_setup("docle", DC_LOG_INFO);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = (char *)"version";
    call.command = find_command(argc, argv, &words);
    if (!call.command)
        return no_command(argc, argv);
    call.argc = argc - words;
    call.argv = argv + words;
    config_init(&call.config);
    result = call.command->run(&call, &err);
    config_release(&call.config);
#ifdef DOCLE_TEST_HOOKS
    if (getenv("DOCLE_TEST_UNSEALED"))
        data_dir_leave(); /* LeakSanitizer works with one identity alone */
#endif
    if (result >= 0)
        return result;
    (void)fprintf(stderr, "docle: %s\n", dc_err_describe(&err, text, sizeof(text)));
    if (call.command->trouble)
        return (int)call.command->trouble;
    return err.code == DC_INVALID ? CLI_USAGE : CLI_FAILED;
}
