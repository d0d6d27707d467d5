#include "store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/utf8.h"
#include "store/migrate.h"
#include "store/projects.h"

#include "base/poison.h"

static int open_beside(const char *path, const char *suffix, int *ret_fd, struct dc_err *err)
{
    char name[4096];
    int fd;

    if ((size_t)snprintf(name, sizeof(name), "%s-%s", path, suffix) >= sizeof(name))
        return dc_fail(err, DC_LIMIT, 0, "the path of the database is too long");
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return dc_fail_errno(err, "open '%s'", name);
    *ret_fd = fd;
    return 0;
}

/* A connection without a database yet. */
static int prepare(const char *path, struct store_conn **ret_conn, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return dc_fail(err, DC_KERNEL, ENOMEM, "database '%s'", path);
    conn->watch.fd = -1;
    if (store_watch_open(path, &conn->watch, err) < 0)
        return -err->code;
    *ret_conn = dc_take(conn);
    return 0;
}

static int make_or_migrate(struct store_conn *conn, const char *path, struct dc_err *err)
{
    if (db_open(path, STORE_READ_WRITE, DB_CREATE, &conn->db, err) < 0)
        return -err->code;
    if (migrate_to(conn->db, path, migration_count, err) < 0)
        return dc_context(err, "'%s'", path);
    return 0;
}

int store_open(const char *path, struct store_conn **ret_conn, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    int result;

    if (prepare(path, &conn, err) < 0)
        return -err->code;
    /* One at a time: SQLite does not wait for others when it turns a new file to its log. */
    while (flock(conn->watch.fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return dc_fail_errno(err, "lock '%s-changes'", path);
    }
    result = make_or_migrate(conn, path, err);
    (void)flock(conn->watch.fd, LOCK_UN);
    if (result < 0)
        return result;
    *ret_conn = dc_take(conn);
    return 0;
}

int store_connect(const char *path, enum store_mode mode, struct store_conn **ret_conn,
                  struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;

    if (prepare(path, &conn, err) < 0 || db_open(path, mode, DB_EXISTING, &conn->db, err) < 0)
        return -err->code;
    *ret_conn = dc_take(conn);
    return 0;
}

void store_conn_free(struct store_conn *conn)
{
    if (!conn)
        return;
    db_free(conn->db);
    store_watch_release(&conn->watch);
    free(conn);
}

int store_schema_version(void)
{
    return migration_count;
}

int store_lock_server(const char *path, int *ret_fd, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = -1;

    if (open_beside(path, "server", &fd, err) < 0)
        return -err->code;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return dc_fail(err, DC_BUSY, 0, "another server uses '%s'", path);
        return dc_fail_errno(err, "lock '%s-server'", path);
    }
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

int store_ping(struct store_conn *conn, struct dc_err *err)
{
    static const char sql[] = "SELECT version FROM changes WHERE name = 'keys'";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    return db_step(query, &row, err);
}

int store_watch_open(const char *path, struct store_watch *ret_watch, struct dc_err *err)
{
    return open_beside(path, "changes", &ret_watch->fd, err);
}

uint64_t store_watch_value(const struct store_watch *watch)
{
    uint64_t value = 0;

    /* A file that was never written is empty and reads as 0. */
    if (pread(watch->fd, &value, sizeof(value), 0) != (ssize_t)sizeof(value))
        return 0;
    return value;
}

void store_watch_release(struct store_watch *watch)
{
    dc_close_clear(&watch->fd);
}

void store_on_change(struct store_conn *conn, void (*changed)(void *arg), void *arg)
{
    conn->on_change = changed;
    conn->on_change_arg = arg;
}

/* Only inequality matters, so a random value needs no lock between processes. */
static void announce(struct store_conn *conn)
{
    uint64_t value;

    conn->changed = false;
    dc_random_bytes(&value, sizeof(value));
    /* Should this fail, servers still see the new version in the database within a second. */
    if (pwrite(conn->watch.fd, &value, sizeof(value), 0) < 0)
        errno = 0;
    if (conn->on_change)
        conn->on_change(conn->on_change_arg);
}

int conn_begin(struct store_conn *conn, struct dc_err *err)
{
    return db_begin(conn->db, err);
}

int conn_end(struct store_conn *conn, int result, struct dc_err *err)
{
    result = db_finish(conn->db, result, err);
    if (!db_in_transaction(conn->db)) {
        if (result == 0 && conn->changed)
            announce(conn);
        conn->changed = false;
    }
    return result;
}

int store_transaction(struct store_conn *conn,
                      int (*run)(struct store_conn *conn, void *arg, struct dc_err *err), void *arg,
                      struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, run(conn, arg, err), err);
}

int conn_keys_changed(struct store_conn *conn, struct dc_err *err)
{
    static const char sql[] = "UPDATE changes SET version = version + 1 WHERE name = 'keys'";
    DC_AUTO(db_end) struct db_query *query = NULL;

    conn->changed = true;
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    return db_run(query, NULL, err);
}

int conn_check_name(const char *name, bool may_be_empty, struct dc_err *err)
{
    size_t length = strlen(name);

    if (!length && !may_be_empty)
        return dc_fail(err, DC_INVALID, 0, "the name is empty");
    if (length > STORE_NAME_MAX_BYTES)
        return dc_fail(err, DC_INVALID, 0, "the name is longer than %d bytes",
                       STORE_NAME_MAX_BYTES);
    if (!dc_utf8_valid(name, length))
        return dc_fail(err, DC_INVALID, 0, "the name is not valid UTF-8");
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return dc_fail(err, DC_INVALID, 0, "the name holds control characters");
    }
    return 0;
}

void conn_bind_limit(struct db_query *query, int index, int64_t value)
{
    if (value)
        db_bind_int(query, index, value);
    else
        db_bind_null(query, index);
}

int conn_run_text(struct store_conn *conn, const char *sql, const char *one, int64_t *ret_changes,
                  struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, one);
    return db_run(query, ret_changes, err);
}
