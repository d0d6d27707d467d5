#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "store/migrate.h"
#include "store/store_internal.h"

#include "base/poison.h"

/* ---- reading a copy ---- */

static int count_rows(struct db *db, const char *sql, int64_t *ret_count, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    *ret_count = row ? db_int(query, 0) : 0;
    return 0;
}

static int read_facts(struct db *db, struct store_backup_facts *facts, struct dc_err *err)
{
    static const char projects[] = "SELECT COUNT(*) FROM projects";
    static const char runs[] = "SELECT COUNT(*) FROM runs";
    static const char ledger[] = "SELECT COUNT(*) FROM ledger";

    facts->runs = facts->ledger = 0;
    /* The tables came one by one: schema 1 has keys alone. */
    if (count_rows(db, projects, &facts->projects, err) < 0 ||
        (facts->schema > 1 && count_rows(db, runs, &facts->runs, err) < 0) ||
        (facts->schema > 2 && count_rows(db, ledger, &facts->ledger, err) < 0))
        return -err->code;
    return 0;
}

/* Fails for what SQLite finds wrong; the text is its own. */
static int check_whole(struct db *db, struct dc_err *err)
{
    char said[200];

    if (db_check(db, said, sizeof(said), err) < 0)
        return -err->code;
    if (strcmp(said, "ok") != 0)
        return dc_fail(err, DC_INVALID, 0, "the file is damaged: %s", said);
    return 0;
}

static int check_ours(struct db *db, struct store_backup_facts *facts, struct dc_err *err)
{
    static const char tables[] = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND "
                                 "name IN ('migrations', 'projects', 'api_keys', 'changes')";
    int64_t found;

    if (count_rows(db, tables, &found, err) < 0)
        return -err->code;
    if (found != 4)
        return dc_fail(err, DC_INVALID, 0, "it is a database, but not one of docle's");
    if (migrate_version(db, &facts->schema, err) < 0)
        return -err->code;
    if (facts->schema < 1 || facts->schema > migration_count)
        return dc_fail(err, DC_INVALID, 0,
                       "it has schema %d, this program knows 1 to %d: use the docle that made it",
                       facts->schema, migration_count);
    return 0;
}

static int check_copy(const char *copy, struct store_backup_facts *facts, struct dc_err *err)
{
    DC_AUTO(db_free) struct db *db = NULL;

    if (db_open(copy, STORE_READ_ONLY, DB_EXISTING, &db, err) < 0 || check_whole(db, err) < 0 ||
        check_ours(db, facts, err) < 0)
        return -err->code;
    return read_facts(db, facts, err);
}

/* What SQLite puts beside a file that is in its log mode; nobody else has it open. */
static void drop_beside(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    char name[STORE_REPLACED_PATH_SIZE];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if ((size_t)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) < sizeof(name))
            (void)unlink(name);
}

int store_backup_check(const char *copy, struct store_backup_facts *ret_facts, struct dc_err *err)
{
    int result = check_copy(copy, ret_facts, err);

    drop_beside(copy);
    return result;
}

/* ---- making one ---- */

static int make_copy(const char *path, const char *copy, struct dc_err *err)
{
    DC_AUTO(db_free) struct db *db = NULL;

    if (db_open(path, STORE_READ_ONLY, DB_EXISTING, &db, err) < 0)
        return -err->code;
    return db_backup(db, copy, err);
}

int store_backup(const char *path, const char *copy, struct store_backup_facts *ret_facts,
                 struct dc_err *err)
{
    int result;

    if (access(path, F_OK) < 0)
        return dc_fail_errno(err, "database '%s'", path);
    if (access(copy, F_OK) == 0)
        return dc_fail(err, DC_CONFLICT, EEXIST, "'%s' is there already", copy);
    result = make_copy(path, copy, err);
    if (result == 0)
        result = store_backup_check(copy, ret_facts, err);
    if (result < 0)
        (void)unlink(copy);
    return result;
}

/* ---- the way back ---- */

static int name_replaced(const char *path, char *out, struct dc_err *err)
{
    char stamp[32];
    time_t now = (time_t)(dc_wall_now() / DC_NS_PER_S);
    struct tm tm;

    (void)gmtime_r(&now, &tm);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
    if ((size_t)snprintf(out, STORE_REPLACED_PATH_SIZE - sizeof("-wal"), "%s.replaced-%s", path,
                         stamp) >= STORE_REPLACED_PATH_SIZE - sizeof("-wal"))
        return dc_fail(err, DC_LIMIT, 0, "the path of the database is too long");
    return 0;
}

/*
 * Folds the log into the file and leaves the log mode, which SQLite grants to nobody while another
 * process has the file open. SECURITY of the data: a log that stayed would be played into the file
 * that comes in the place of this one.
 */
static int fold(const char *path, struct dc_err *err)
{
    DC_AUTO(db_free) struct db *db = NULL;

    if (db_open(path, STORE_READ_WRITE, DB_EXISTING, &db, err) < 0)
        return -err->code;
    return db_leave_log(db, err);
}

/* A second name for a file, which may be absent. */
static int keep_as(const char *path, const char *name, struct dc_err *err)
{
    if (link(path, name) < 0 && errno != ENOENT)
        return dc_fail_errno(err, "keep '%s' as '%s'", path, name);
    return 0;
}

static int sync_folder(const char *path, struct dc_err *err)
{
    char name[STORE_REPLACED_PATH_SIZE];
    DC_AUTO(dc_close) int fd = -1;

    (void)snprintf(name, sizeof(name), "%s", path);
    fd = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return dc_fail_errno(err, "synchronise the folder of '%s'", path);
    return 0;
}

/* SQLite may remove the log of a file that it cannot read, so both get their second names first. */
static int set_aside(const char *path, enum store_restore_mode mode, char *replaced,
                     struct dc_err *err)
{
    char log[STORE_REPLACED_PATH_SIZE];
    char kept_log[STORE_REPLACED_PATH_SIZE];

    if (name_replaced(path, replaced, err) < 0)
        return -err->code;
    (void)snprintf(log, sizeof(log), "%s-wal", path);
    (void)snprintf(kept_log, sizeof(kept_log), "%s-wal", replaced);
    if (keep_as(path, replaced, err) < 0 || keep_as(log, kept_log, err) < 0)
        return -err->code;
    if (fold(path, err) == 0) {
        (void)unlink(kept_log);
        return 0;
    }
    if (mode == STORE_RESTORE_BROKEN && err->code != DC_BUSY) {
        drop_beside(path);
        return 0;
    }
    if (link(kept_log, log) < 0) /* back to where it was, unless it still is */
        errno = 0;
    (void)unlink(kept_log);
    (void)unlink(replaced);
    return dc_context(err, "the present database");
}

static int replace(const char *path, const char *copy, enum store_restore_mode mode, char *replaced,
                   struct dc_err *err)
{
    replaced[0] = '\0';
    if (access(path, F_OK) == 0 && set_aside(path, mode, replaced, err) < 0)
        return -err->code;
    if (rename(copy, path) < 0)
        return dc_fail_errno(err, "put '%s' in place", copy);
    return sync_folder(path, err);
}

int store_restore(const char *path, const char *copy, enum store_restore_mode mode,
                  char ret_replaced[static STORE_REPLACED_PATH_SIZE], struct dc_err *err)
{
    struct store_watch watch = {.fd = -1};
    DC_AUTO(dc_close) int server = -1;
    int result;

    if (store_lock_server(path, &server, err) < 0 || store_watch_open(path, &watch, err) < 0)
        return -err->code;
    /* The lock of store_open(): none opens while the file changes. */
    if (flock(watch.fd, LOCK_EX | LOCK_NB) < 0)
        result = errno == EWOULDBLOCK
                     ? dc_fail(err, DC_BUSY, 0, "another process opens '%s'; try again", path)
                     : dc_fail_errno(err, "lock '%s-changes'", path);
    else
        result = replace(path, copy, mode, ret_replaced, err);
    store_watch_release(&watch);
    return result;
}
