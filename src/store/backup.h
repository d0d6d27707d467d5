/*
 * Copies of the database and the way back. Command-line processes; no server's event loop.
 *
 * A copy is one file, complete without the log beside it. It holds everything that is durable: keys
 * as hashes, results, the ledger. Who reads it reads all of that.
 */
#ifndef DOCLE_STORE_BACKUP_H
#define DOCLE_STORE_BACKUP_H

#include "store/store.h"

/* What a copy holds, to be told to the operator. */
struct store_backup_facts {
    int schema;
    int64_t projects;
    int64_t runs;   /* in the history */
    int64_t ledger; /* runs ever metered */
};

/*
 * Makes `copy` (new, mode 0600) from the database of path while a server and others work with it,
 * then checks it. The copy is of one moment. On failure there is no file. DC_NOT_FOUND: no
 * database.
 */
DC_MUST int store_backup(const char *path, const char *copy, struct store_backup_facts *ret_facts,
                         struct dc_err *err);

/*
 * Is the file a whole database of this program, at most of its schema? Reads all of it. DC_INVALID
 * says what is wrong. Nobody else may have it open.
 */
DC_MUST int store_backup_check(const char *copy, struct store_backup_facts *ret_facts,
                               struct dc_err *err);

enum store_restore_mode {
    STORE_RESTORE_SAFE,   /* the present database must be readable */
    STORE_RESTORE_BROKEN, /* or it is set aside as it is, with its log */
};

enum { STORE_REPLACED_PATH_SIZE = 4096 };

/*
 * Puts `copy`, a checked file in the same folder, in the place of the database of path. What was
 * there stays as `PATH.replaced-YYYYMMDDhhmmss`, whose name is told ("" when there was nothing). A
 * kill at any moment leaves the old database or the new one. DC_BUSY: a server or another process
 * has the database open. An older schema is migrated at the next opening.
 */
DC_MUST int store_restore(const char *path, const char *copy, enum store_restore_mode mode,
                          char ret_replaced[static STORE_REPLACED_PATH_SIZE], struct dc_err *err);

#endif
