/*
 * The data folder: made when missing, owned by the user that the server runs as. CLI processes.
 */
#ifndef DOCLE_CLI_DATA_DIR_H
#define DOCLE_CLI_DATA_DIR_H

#include <sys/types.h>

#include "base/error.h"
#include "cli/config.h"
#include "store/store.h"

/* Makes a folder with its parents; `mode` is the last one's, parents get 0755. */
DC_MUST int data_dir_make(const char *path, mode_t mode, struct dc_err *err);

/* Path of the database in folder. */
DC_MUST int data_dir_database(const char *folder, char *ret_path, size_t size, struct dc_err *err);

/* Opens the database of the configured data folder, making both when missing. As root, what is new
 * belongs to the folder's owner afterwards. */
DC_MUST int data_dir_open_store(const struct config *config, struct store_conn **ret_conn,
                                struct dc_err *err);

/*
 * For work on the files of the folder itself. Enter makes the folder and, as root, takes the rights
 * of its owner; leave returns to the caller's own. Between them only files inside the folder are
 * opened by name. ret_path: of the database.
 */
enum { DATA_DIR_PATH_SIZE = 2048 };
DC_MUST int data_dir_enter(const struct config *config, char ret_path[static DATA_DIR_PATH_SIZE],
                           struct dc_err *err);
void data_dir_leave(void);

/* Gives the folder, the files in it and the package layers to a user; follows no link. Other
 * folders inside are left alone. */
DC_MUST int data_dir_give(const char *path, uid_t uid, gid_t gid, struct dc_err *err);

#endif
