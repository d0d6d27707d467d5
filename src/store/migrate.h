/* The schema's history and how a file is brought along it. Internal to the store. */
#ifndef DOCLE_STORE_MIGRATE_H
#define DOCLE_STORE_MIGRATE_H

#include "store/db.h"

struct migration {
    int version; /* 1, 2, … without gaps */
    const char *name;
    const char *sql;
};

/* Made by embed.py from migrations/. */
extern const struct migration migrations[];
extern const int migration_count;

/* 0 for a new file. */
DC_MUST int migrate_version(struct db *db, int *ret_version, struct dc_err *err);

/*
 * Brings the file up to `version`, one transaction for all steps; other processes wait. Leaves a
 * copy of a file that already had a schema. DC_INVALID when the file is newer than migration_count.
 */
DC_MUST int migrate_to(struct db *db, const char *path, int version, struct dc_err *err);

#endif
