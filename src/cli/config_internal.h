/*
 * What the files of the settings share: config_names.c (what a setting is called), config_values.c
 * (from a text to a value), config.c (from where the texts come). Internal to src/cli.
 */
#ifndef DOCLE_CLI_CONFIG_INTERNAL_H
#define DOCLE_CLI_CONFIG_INTERNAL_H

#include "cli/config.h"

enum { CONFIG_NAME_MAX = 64 }; /* bytes of the longest name in any of its forms, with its end */

DC_MUST int config_fail_memory(struct dc_err *err);

/* Fails with DC_INVALID; the text names the nearest of the list, where one is near. kind: a
 * literal. */
DC_MUST int config_fail_unknown(const char *kind, const char *name, const char *const *list,
                                size_t count, struct dc_err *err);

/* Checks text and keeps a copy of it in the arena, unless a stronger source has spoken. */
DC_MUST int config_take_value(struct config *config, enum config_id id, const char *text,
                              enum config_source source, struct dc_err *err);

/* The first line of a file, for secrets that do not stand in environment or settings. Nothing is
 * read when config->skip_secrets. No copy is left but the value's. */
DC_MUST int config_take_secret_file(struct config *config, enum config_id id, const char *path,
                                    enum config_source source, struct dc_err *err);

/* Absolute, with the home directory for "~", in the arena. */
DC_MUST int config_expand_path(struct config *config, const char *text, const char **ret_path,
                               struct dc_err *err);

/* HOST:PORT or [HOST]:PORT; the host is not looked up. */
bool config_split_listen(const char *text, char host[static 64], uint16_t *ret_port);

#endif
