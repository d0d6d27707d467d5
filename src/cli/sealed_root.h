/*
 * The sealed root from the command line's side: where it is, whether it is current, and the program
 * that makes it (make-root of src/runtimes). CLI processes.
 */
#ifndef DOCLE_CLI_SEALED_ROOT_H
#define DOCLE_CLI_SEALED_ROOT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/config.h"

enum { SEALED_ROOT_PATH_MAX = 2048 };

/* Path of the root in use, for the launcher. DC_NOT_FOUND: none was made yet. */
DC_MUST int sealed_root_find(const struct config *config,
                             char ret_path[static SEALED_ROOT_PATH_MAX], struct dc_err *err);

/* As sealed_root_find, and makes the root when there is none or the host has changed: the addons in
 * it must be those of this launcher. A root of somebody else that cannot be changed is used as it
 * is. */
DC_MUST int sealed_root_ensure(const struct config *config,
                               char ret_path[static SEALED_ROOT_PATH_MAX], struct dc_err *err);

/* Makes the root anew when the host's runtimes changed or it is missing. DC_KERNEL: make-root
 * failed, and said why on standard error. quiet: only errors are printed. */
DC_MUST int sealed_root_refresh(const struct config *config, bool quiet, struct dc_err *err);

enum sealed_root_state { SEALED_ROOT_CURRENT, SEALED_ROOT_STALE, SEALED_ROOT_NONE };

/* Compares with the host; why: a line for people, empty when current. */
DC_MUST int sealed_root_check(const struct config *config, enum sealed_root_state *ret_state,
                              char *why, size_t why_size, struct dc_err *err);

/* The manifest of the root in use: lines of key, tab, value. */
DC_MUST int sealed_root_manifest(const struct config *config, struct dc_buf *out,
                                 struct dc_err *err);

/* Path on the host of the first interpreter of that name in the root in use. DC_NOT_FOUND. */
DC_MUST int sealed_root_interpreter(const struct config *config, const char *name,
                                    char ret_path[static SEALED_ROOT_PATH_MAX], struct dc_err *err);

#endif
