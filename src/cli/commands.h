/* The commands, one per file. See cli.h. */
#ifndef DOCLE_CLI_COMMANDS_H
#define DOCLE_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command command_serve;
extern const struct cli_command command_run;
extern const struct cli_command command_keys_create;
extern const struct cli_command command_keys_limit;
extern const struct cli_command command_keys_list;
extern const struct cli_command command_keys_revoke;
extern const struct cli_command command_keys_roll;
extern const struct cli_command command_login_link;
extern const struct cli_command command_users_list;
extern const struct cli_command command_users_show;
extern const struct cli_command command_users_suspend;
extern const struct cli_command command_users_delete;
extern const struct cli_command command_projects_list;
extern const struct cli_command command_projects_show;
extern const struct cli_command command_projects_limits;
extern const struct cli_command command_projects_plan;
extern const struct cli_command command_projects_suspend;
extern const struct cli_command command_doctor;
extern const struct cli_command command_runtimes_list;
extern const struct cli_command command_runtimes_refresh;
extern const struct cli_command command_packages_list;
extern const struct cli_command command_packages_install;
extern const struct cli_command command_packages_prune;
extern const struct cli_command command_packages_warm;
extern const struct cli_command command_billing_setup;
extern const struct cli_command command_billing_status;
extern const struct cli_command command_billing_reconcile;
extern const struct cli_command command_billing_retry;
extern const struct cli_command command_backup;
extern const struct cli_command command_restore;
extern const struct cli_command command_bench;
extern const struct cli_command command_config;
extern const struct cli_command command_version;
extern const struct cli_command command_help;

#endif
