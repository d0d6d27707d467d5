/*
 * How the API process gives its rights up. SECURITY: whoever takes it over gets the data folder and
 * the listening socket, no capability, no other file, no new process, and no rights over the
 * launcher. See docs/adr/0006-server-privileges.md.
 *
 * Order: confine_identity, confine_data_dir, (fork the launcher's keeper), confine_become, (open
 * database and socket), confine_seal, (threads). CLI process, `docle serve` alone; one thread.
 */
#ifndef DOCLE_CLI_CONFINE_H
#define DOCLE_CLI_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "cli/config.h"

struct confine_identity {
    bool change; /* we are root and become somebody else */
    uid_t uid;
    gid_t gid;
    char name[64];
};

enum { CONFINE_PATH_MAX = 2048 };

/* Whom to become: server.user, else docle, else nobody. Without root: nobody else than we are. */
DC_MUST int confine_identity(const struct config *config, struct confine_identity *ret_identity,
                             struct dc_err *err);

/* Makes the data folder and gives it to the identity. As root it is also mounted at a place that
 * every user reaches, in a mount namespace of our own, since the folders above it may be closed
 * (a clone below /root). ret_path: the folder's name from now on. */
DC_MUST int confine_data_dir(const struct config *config, const struct confine_identity *identity,
                             char ret_path[static CONFINE_PATH_MAX], struct dc_err *err);

/* Changes the user. What is left until confine_seal is the right to bind ports below 1024. */
DC_MUST int confine_become(const struct confine_identity *identity, struct dc_err *err);

/* Drops the rest: capabilities, no_new_privs, Landlock where there is one, a seccomp filter.
 * data_dir: as from confine_data_dir. config_file: read again on SIGHUP; may be NULL. */
DC_MUST int confine_seal(const char *data_dir, const char *config_file, struct dc_err *err);

#endif
