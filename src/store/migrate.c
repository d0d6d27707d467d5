#include "store/migrate.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#include "base/poison.h"

static const char sql_table[] = "CREATE TABLE IF NOT EXISTS migrations ("
                                " version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
                                " applied_at BIGINT NOT NULL)";
static const char sql_version[] = "SELECT COALESCE(MAX(version), 0) FROM migrations";
static const char sql_record[] =
    "INSERT INTO migrations (version, name, applied_at) VALUES ($1, $2, $3)";

int migrate_version(struct db *db, int *ret_version, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_script(db, sql_table, err) < 0 || db_begin_query(db, sql_version, &query, err) < 0 ||
        db_step(query, &row, err) < 0)
        return -err->code;
    *ret_version = (int)db_int(query, 0);
    return 0;
}

static int refuse_newer(int version, struct dc_err *err)
{
    if (version <= migration_count)
        return 0;
    return dc_fail(err, DC_INVALID, 0,
                   "the database has schema %d, this program knows up to %d: run the newer docle, "
                   "or restore the copy made before its migration",
                   version, migration_count);
}

static int apply(struct db *db, const struct migration *step, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_script(db, step->sql, err) < 0 || db_begin_query(db, sql_record, &query, err) < 0)
        return dc_context(err, "migration %s", step->name);
    db_bind_int(query, 1, step->version);
    db_bind_text(query, 2, step->name);
    db_bind_int(query, 3, dc_wall_now());
    if (db_run(query, NULL, err) < 0)
        return dc_context(err, "migration %s", step->name);
    return 0;
}

static int apply_all(struct db *db, int version, struct dc_err *err)
{
    int found;

    /* Again, under the write lock: another process may have migrated meanwhile. */
    if (migrate_version(db, &found, err) < 0 || refuse_newer(found, err) < 0)
        return -err->code;
    for (int i = found; i < version; i++) {
        if (apply(db, &migrations[i], err) < 0)
            return -err->code;
    }
    return 0;
}

static int leave_copy(struct db *db, const char *path, int version, struct dc_err *err)
{
    char name[4096];
    char stamp[32];
    time_t now = (time_t)(dc_wall_now() / DC_NS_PER_S);
    struct tm tm;

    (void)gmtime_r(&now, &tm);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
    if ((size_t)snprintf(name, sizeof(name), "%s.backup-v%d-%s", path, version, stamp) >=
        sizeof(name))
        return dc_fail(err, DC_LIMIT, 0, "the path of the database is too long");
    return db_backup(db, name, err);
}

int migrate_to(struct db *db, const char *path, int version, struct dc_err *err)
{
    int found;

    if (migrate_version(db, &found, err) < 0 || refuse_newer(found, err) < 0)
        return -err->code;
    if (found >= version)
        return 0;
    if (found > 0 && leave_copy(db, path, found, err) < 0)
        return dc_context(err, "copy before the migration");
    if (db_begin(db, err) < 0)
        return -err->code;
    return db_finish(db, apply_all(db, version, err), err);
}
