#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "store/store.h"

#include "base/poison.h"

enum {
    DB_QUERIES_MAX = 256, /* distinct statements of the module, with room; tools/check counts */
    DB_CACHE_KIB = 8192,
};

struct db_query {
    struct db *db;
    const char *sql;
    sqlite3_stmt *stmt;
    int failed; /* SQLITE_* of the first binding or reading that failed */
    bool used;
};

struct db {
    sqlite3 *handle;
    struct db_query queries[DB_QUERIES_MAX];
    size_t query_count;
    int depth;
    bool doomed; /* an inner transaction was rolled back */
    int log_pages;
};

static int fail_sqlite(struct db *db, int rc, const char *what, struct dc_err *err)
{
    const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    int errnum = db->handle ? sqlite3_system_errno(db->handle) : 0;

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return dc_fail(err, DC_BUSY, 0, "database: %s: %s", what, text);
    case SQLITE_CONSTRAINT:
        return dc_fail(err, DC_CONFLICT, 0, "database: %s: %s", what, text);
    case SQLITE_FULL:
        return dc_fail(err, DC_KERNEL, ENOSPC, "database: %s", what);
    case SQLITE_NOMEM:
        return dc_fail(err, DC_KERNEL, ENOMEM, "database: %s", what);
    case SQLITE_NOTADB:
        return dc_fail(err, DC_INVALID, 0, "database: the file is not a SQLite database");
    case SQLITE_CORRUPT:
        return dc_fail(err, DC_KERNEL, EIO, "database: the file is damaged (%s)", what);
    case SQLITE_TOOBIG:
        return dc_fail(err, DC_LIMIT, 0, "database: %s: %s", what, text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return dc_fail(err, DC_KERNEL, errnum ? errnum : EIO, "database: %s: %s", what, text);
    default:
        return dc_fail(err, DC_BUG, 0, "database: %s: %s (%d)", what, text, rc);
    }
}

static int on_log(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = arg;

    (void)handle;
    (void)name;
    db->log_pages = pages;
    return SQLITE_OK;
}

/* SQLite gives -wal and -shm the mode of the main file, so this one call settles all three. */
static int create_private(const char *path, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;

    if (fd < 0)
        return dc_fail_errno(err, "open database '%s'", path);
    if (fstat(fd, &st) < 0)
        return dc_fail_errno(err, "stat database '%s'", path);
    if (!S_ISREG(st.st_mode))
        return dc_fail(err, DC_INVALID, 0, "database '%s' is not a regular file", path);
    if ((st.st_mode & 077) && fchmod(fd, 0600) < 0)
        return dc_fail_errno(err, "make database '%s' private", path);
    return 0;
}

static int configure(struct db *db, enum store_mode mode, enum db_make make, struct dc_err *err)
{
    char settings[256];

    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_timeout(db->handle, STORE_BUSY_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    /* The log is a property of the file, set once; doing it again could meet a lock. */
    if (make == DB_CREATE && db_script(db, "PRAGMA journal_mode=WAL", err) < 0)
        return -err->code;
    (void)snprintf(settings, sizeof(settings),
                   "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;"
                   "PRAGMA cache_size=-%d; PRAGMA wal_autocheckpoint=0; PRAGMA query_only=%d",
                   DB_CACHE_KIB, mode == STORE_READ_ONLY);
    if (db_script(db, settings, err) < 0)
        return -err->code;
    (void)sqlite3_wal_hook(db->handle, on_log, db);
    return 0;
}

int db_open(const char *path, enum store_mode mode, enum db_make make, struct db **ret_db,
            struct dc_err *err)
{
    DC_AUTO(db_free) struct db *db = calloc(1, sizeof(*db));
    int rc;

    if (!db)
        return dc_fail(err, DC_KERNEL, ENOMEM, "database '%s'", path);
    if (make == DB_CREATE && create_private(path, err) < 0)
        return -err->code;
    /* Readers may checkpoint, so they too open for writing; query_only stops the rest. */
    rc = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        (void)fail_sqlite(db, rc, "open", err);
        return dc_context(err, "'%s'", path);
    }
    if (configure(db, mode, make, err) < 0)
        return dc_context(err, "'%s'", path);
    *ret_db = dc_take(db);
    return 0;
}

void db_free(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->query_count; i++)
        (void)sqlite3_finalize(db->queries[i].stmt);
    (void)sqlite3_close(db->handle);
    free(db);
}

/* Parameters must be $1, $2, … in order: SQLite numbers them by first use, PostgreSQL by name. */
static bool parameters_in_order(sqlite3_stmt *stmt)
{
    int count = sqlite3_bind_parameter_count(stmt);
    char name[16];

    for (int i = 1; i <= count; i++) {
        (void)snprintf(name, sizeof(name), "$%d", i);
        if (strcmp(sqlite3_bind_parameter_name(stmt, i), name) != 0)
            return false;
    }
    return true;
}

static struct db_query *find_query(struct db *db, const char *sql)
{
    for (size_t i = 0; i < db->query_count; i++) {
        if (db->queries[i].sql == sql)
            return &db->queries[i];
    }
    return NULL;
}

int db_begin_query(struct db *db, const char *sql, struct db_query **ret_query, struct dc_err *err)
{
    struct db_query *query = find_query(db, sql);
    int rc;

    if (!query) {
        assert(db->query_count < DB_QUERIES_MAX);
        query = &db->queries[db->query_count];
        *query = (struct db_query){.db = db, .sql = sql};
        rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
        if (rc != SQLITE_OK)
            return fail_sqlite(db, rc, "prepare", err);
        assert(parameters_in_order(query->stmt));
        db->query_count++;
    }
    assert(!query->used);
    query->used = true;
    query->failed = SQLITE_OK;
    *ret_query = query;
    return 0;
}

void db_end(struct db_query *query)
{
    if (!query)
        return;
    (void)sqlite3_reset(query->stmt);
    (void)sqlite3_clear_bindings(query->stmt);
    query->used = false;
}

static void note(struct db_query *query, int rc)
{
    if (rc != SQLITE_OK && query->failed == SQLITE_OK)
        query->failed = rc;
}

void db_bind_text(struct db_query *query, int index, const char *text)
{
    note(query, sqlite3_bind_text(query->stmt, index, text, -1, SQLITE_STATIC));
}

void db_bind_int(struct db_query *query, int index, int64_t value)
{
    note(query, sqlite3_bind_int64(query->stmt, index, value));
}

void db_bind_bytes(struct db_query *query, int index, struct store_bytes bytes)
{
    if (!bytes.length)
        db_bind_null(query, index);
    else
        note(query,
             sqlite3_bind_blob64(query->stmt, index, bytes.data, bytes.length, SQLITE_STATIC));
}

void db_bind_chars(struct db_query *query, int index, struct store_bytes text)
{
    if (!text.length)
        db_bind_null(query, index);
    else
        note(query, sqlite3_bind_text64(query->stmt, index, text.data, text.length, SQLITE_STATIC,
                                        SQLITE_UTF8));
}

void db_bind_null(struct db_query *query, int index)
{
    note(query, sqlite3_bind_null(query->stmt, index));
}

int db_step(struct db_query *query, bool *ret_row, struct dc_err *err)
{
    int rc = query->failed;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(query->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail_sqlite(query->db, rc, query->sql, err);
    *ret_row = rc == SQLITE_ROW;
    return 0;
}

int db_run(struct db_query *query, int64_t *ret_changes, struct dc_err *err)
{
    bool row = true;

    while (row) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
    }
    if (ret_changes)
        *ret_changes = sqlite3_changes64(query->db->handle);
    return 0;
}

int64_t db_int(struct db_query *query, int column)
{
    return sqlite3_column_int64(query->stmt, column);
}

void db_text(struct db_query *query, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(query->stmt, column);

    if (!text && sqlite3_column_type(query->stmt, column) != SQLITE_NULL)
        note(query, SQLITE_NOMEM);
    (void)snprintf(out, size, "%s", text ? (const char *)text : "");
}

int db_row_read(struct db_query *query, struct dc_err *err)
{
    if (query->failed == SQLITE_OK)
        return 0;
    return fail_sqlite(query->db, query->failed, "read a row", err);
}

int db_copy(struct db_query *query, int column, char **ret_data, size_t *ret_length,
            struct dc_err *err)
{
    const void *bytes;
    size_t length;
    char *copy;

    if (sqlite3_column_type(query->stmt, column) == SQLITE_NULL) {
        *ret_data = NULL;
        if (ret_length)
            *ret_length = 0;
        return 0;
    }
    bytes = sqlite3_column_blob(query->stmt, column);
    length = (size_t)sqlite3_column_bytes(query->stmt, column);
    copy = !bytes && length ? NULL : malloc(length + 1);
    if (!copy || (!bytes && sqlite3_errcode(query->db->handle) == SQLITE_NOMEM)) {
        free(copy);
        return dc_fail(err, DC_KERNEL, ENOMEM, "database: read %zu bytes", length);
    }
    if (length)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    *ret_data = copy;
    if (ret_length)
        *ret_length = length;
    return 0;
}

int db_fixed(struct db_query *query, int column, void *out, size_t size, struct dc_err *err)
{
    const void *bytes = sqlite3_column_blob(query->stmt, column);

    if (!bytes || (size_t)sqlite3_column_bytes(query->stmt, column) != size)
        return dc_fail(err, DC_KERNEL, EIO, "database: a field is not of %zu bytes", size);
    memcpy(out, bytes, size);
    return 0;
}

int db_script(struct db *db, const char *sql, struct dc_err *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : fail_sqlite(db, rc, "script", err);
}

/* Transaction words go through the cache of statements: they are on the path of every run. */
static int run_word(struct db *db, const char *sql, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(db, sql, &query, err) < 0)
        return -err->code;
    return db_run(query, NULL, err);
}

static const char sql_begin[] = "BEGIN IMMEDIATE";
static const char sql_commit[] = "COMMIT";
static const char sql_rollback[] = "ROLLBACK";
static const char sql_savepoint[] = "SAVEPOINT op";
static const char sql_release[] = "RELEASE op";
static const char sql_undo[] = "ROLLBACK TO op";

int db_begin(struct db *db, struct dc_err *err)
{
    if (db->depth == 0) {
        db->doomed = false;
        if (run_word(db, sql_begin, err) < 0)
            return -err->code;
    }
    db->depth++;
    return 0;
}

/* Rolls back what is left of the outermost transaction. SQLite may have done so already. */
static void end_rollback(struct db *db)
{
    struct dc_err ignored;

    /* A rollback that fails leaves the transaction to the next BEGIN, which then fails loudly. */
    if (!sqlite3_get_autocommit(db->handle))
        dc_ignore(run_word(db, sql_rollback, &ignored));
    db->doomed = false;
}

int db_commit(struct db *db, struct dc_err *err)
{
    assert(db->depth > 0);
    db->depth--;
    if (db->depth > 0)
        return 0;
    if (db->doomed || !db_in_transaction(db)) {
        end_rollback(db);
        return dc_fail(err, DC_KERNEL, EIO, "database: the transaction was undone");
    }
    if (run_word(db, sql_commit, err) < 0) {
        end_rollback(db);
        return -err->code;
    }
    return 0;
}

void db_rollback(struct db *db)
{
    assert(db->depth > 0);
    db->depth--;
    if (db->depth == 0)
        end_rollback(db);
    else
        db->doomed = true;
}

int db_finish(struct db *db, int result, struct dc_err *err)
{
    if (result == 0)
        return db_commit(db, err);
    db_rollback(db);
    return result;
}

int db_savepoint(struct db *db, struct dc_err *err)
{
    return run_word(db, sql_savepoint, err);
}

int db_release(struct db *db, struct dc_err *err)
{
    return run_word(db, sql_release, err);
}

int db_undo(struct db *db, struct dc_err *err)
{
    if (run_word(db, sql_undo, err) < 0 || run_word(db, sql_release, err) < 0)
        return -err->code;
    db->doomed = false;
    return 0;
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

int db_log_pages(const struct db *db)
{
    return db->log_pages;
}

int db_checkpoint(struct db *db, int *ret_left, struct dc_err *err)
{
    int in_log = 0;
    int copied = 0;
    int rc =
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);

    /* Busy means that another connection is at it: nothing is wrong. */
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        return fail_sqlite(db, rc, "checkpoint", err);
    *ret_left = in_log - copied;
    return 0;
}

static int copy_pages(struct db *db, struct db *copy, struct dc_err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(copy->handle, "main", db->handle, "main");
    int rc;

    if (!backup)
        return fail_sqlite(copy, sqlite3_errcode(copy->handle), "backup", err);
    rc = sqlite3_backup_step(backup, -1);
    (void)sqlite3_backup_finish(backup);
    return rc == SQLITE_DONE ? 0 : fail_sqlite(copy, rc, "backup", err);
}

int db_backup(struct db *db, const char *path, struct dc_err *err)
{
    DC_AUTO(db_free) struct db *copy = calloc(1, sizeof(*copy));
    int rc;

    if (!copy)
        return dc_fail(err, DC_KERNEL, ENOMEM, "backup '%s'", path);
    if (create_private(path, err) < 0)
        return -err->code;
    rc = sqlite3_open_v2(path, &copy->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return fail_sqlite(copy, rc, "open backup", err);
    if (copy_pages(db, copy, err) < 0)
        return dc_context(err, "backup '%s'", path);
    return 0;
}

int db_check(struct db *db, char *said, size_t size, struct dc_err *err)
{
    static const char sql[] = "PRAGMA integrity_check(1)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    db_text(query, 0, said, size);
    return row ? db_row_read(query, err) : dc_fail(err, DC_BUG, 0, "database: no answer");
}

int db_leave_log(struct db *db, struct dc_err *err)
{
    static const char sql[] = "PRAGMA journal_mode=DELETE";
    DC_AUTO(db_end) struct db_query *query = NULL;
    char mode[16];
    bool row;

    if (db_begin_query(db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    db_text(query, 0, mode, sizeof(mode));
    if (strcmp(mode, "delete") != 0)
        return dc_fail(err, DC_BUSY, 0, "another process has the database open");
    return 0;
}
