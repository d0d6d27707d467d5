#include "store/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/utf8.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define KEY_COLUMNS                                                                                \
    "id, project_id, name, prefix, kind, hash, created_at, COALESCE(revoked_at, 0),"               \
    " COALESCE(last_used_at, 0)"

/* A growing array of fixed-size rows. */
struct rows {
    void *data;
    size_t count;
    size_t capacity;
};

static void *next_row(struct rows *rows, size_t size, struct dc_err *err)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 16;
        void *data = reallocarray(rows->data, capacity, size);

        if (!data) {
            (void)dc_fail(err, DC_KERNEL, ENOMEM, "%zu rows", capacity);
            return NULL;
        }
        rows->data = data;
        rows->capacity = capacity;
    }
    return (char *)rows->data + rows->count++ * size;
}

static int check_name(const char *name, bool may_be_empty, struct dc_err *err)
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

static int read_project(struct db_query *query, struct store_project *project, struct dc_err *err)
{
    db_text(query, 0, project->id, sizeof(project->id));
    db_text(query, 1, project->name, sizeof(project->name));
    project->created_at = db_int(query, 2);
    return db_row_read(query, err);
}

static int select_project(struct store_conn *conn, const char *sql, const char *value,
                          struct store_project *ret_project, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, value);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such project");
    return read_project(query, ret_project, err);
}

int store_project_get(struct store_conn *conn, const char *id, struct store_project *ret_project,
                      struct dc_err *err)
{
    static const char sql[] = "SELECT id, name, created_at FROM projects WHERE id = $1";

    return select_project(conn, sql, id, ret_project, err);
}

int store_project_find(struct store_conn *conn, const char *name, struct store_project *ret_project,
                       struct dc_err *err)
{
    static const char sql[] = "SELECT id, name, created_at FROM projects WHERE name = $1";

    return select_project(conn, sql, name, ret_project, err);
}

static int insert_project(struct store_conn *conn, const char *name, int64_t now,
                          struct dc_err *err)
{
    static const char sql[] = "INSERT INTO projects (id, name, created_at) VALUES ($1, $2, $3)"
                              " ON CONFLICT (name) DO NOTHING";
    DC_AUTO(db_end) struct db_query *query = NULL;
    char id[DC_UUID_SIZE];
    int64_t inserted;

    dc_uuid7(now, id);
    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, name);
    db_bind_int(query, 3, now);
    if (db_run(query, &inserted, err) < 0)
        return -err->code;
    return inserted ? conn_keys_changed(conn, err) : 0;
}

static int ensure_project(struct store_conn *conn, const char *name, int64_t now,
                          struct store_project *ret_project, struct dc_err *err)
{
    if (insert_project(conn, name, now, err) < 0)
        return -err->code;
    return store_project_find(conn, name, ret_project, err);
}

int store_project_ensure(struct store_conn *conn, const char *name, int64_t now,
                         struct store_project *ret_project, struct dc_err *err)
{
    if (check_name(name, false, err) < 0 || conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, ensure_project(conn, name, now, ret_project, err), err);
}

int store_projects_list(struct store_conn *conn, struct store_project **ret_projects,
                        size_t *ret_count, struct dc_err *err)
{
    static const char sql[] = "SELECT id, name, created_at FROM projects ORDER BY id";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(dc_free) void *owned = NULL;
    struct rows rows = {0};
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    for (;;) {
        struct store_project *project;

        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        project = next_row(&rows, sizeof(*project), err);
        if (!project)
            return -err->code;
        owned = rows.data;
        if (read_project(query, project, err) < 0)
            return -err->code;
    }
    *ret_projects = dc_take(owned);
    *ret_count = rows.count;
    return 0;
}

static int read_key(struct db_query *query, struct store_key *key, struct dc_err *err)
{
    char kind[8];

    db_text(query, 0, key->id, sizeof(key->id));
    db_text(query, 1, key->project_id, sizeof(key->project_id));
    db_text(query, 2, key->name, sizeof(key->name));
    db_text(query, 3, key->prefix, sizeof(key->prefix));
    db_text(query, 4, kind, sizeof(kind));
    key->kind = strcmp(kind, "test") == 0 ? STORE_KEY_TEST : STORE_KEY_LIVE;
    key->created_at = db_int(query, 6);
    key->revoked_at = db_int(query, 7);
    key->last_used_at = db_int(query, 8);
    if (db_row_read(query, err) < 0)
        return -err->code;
    return db_fixed(query, 5, key->hash, sizeof(key->hash), err);
}

/* Takes the query's rows; the caller has bound its parameters. */
static int read_keys(struct db_query *query, struct store_key **ret_keys, size_t *ret_count,
                     struct dc_err *err)
{
    DC_AUTO(dc_free) void *owned = NULL;
    struct rows rows = {0};
    bool row;

    for (;;) {
        struct store_key *key;

        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        key = next_row(&rows, sizeof(*key), err);
        if (!key)
            return -err->code;
        owned = rows.data;
        if (read_key(query, key, err) < 0)
            return -err->code;
    }
    *ret_keys = dc_take(owned);
    *ret_count = rows.count;
    return 0;
}

static int insert_key(struct store_conn *conn, const struct store_key *key, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO api_keys (id, project_id, name, prefix, hash, kind, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, key->id);
    db_bind_text(query, 2, key->project_id);
    db_bind_text(query, 3, key->name);
    db_bind_text(query, 4, key->prefix);
    db_bind_bytes(query, 5, (struct store_bytes){key->hash, sizeof(key->hash)});
    db_bind_text(query, 6, key->kind == STORE_KEY_TEST ? "test" : "live");
    db_bind_int(query, 7, key->created_at);
    if (db_run(query, NULL, err) < 0)
        return -err->code;
    return conn_keys_changed(conn, err);
}

static int create_key(struct store_conn *conn, const struct store_key *key, struct dc_err *err)
{
    struct store_project project;

    /* Asked first, for a message that says which reference is wrong. */
    if (store_project_get(conn, key->project_id, &project, err) < 0)
        return -err->code;
    return insert_key(conn, key, err);
}

int store_key_create(struct store_conn *conn, const char *project_id, const char *name,
                     enum store_key_kind kind, int64_t now, char raw[static STORE_RAW_KEY_SIZE],
                     struct store_key *ret_key, struct dc_err *err)
{
    struct store_key key = {.kind = kind, .created_at = now};
    uint8_t secret[24];
    char hex[sizeof(secret) * 2 + 1];

    if (check_name(name, true, err) < 0)
        return -err->code;
    dc_random_bytes(secret, sizeof(secret));
    dc_hex(secret, sizeof(secret), hex);
    (void)snprintf(raw, STORE_RAW_KEY_SIZE, "sk_%s_%s", kind == STORE_KEY_TEST ? "test" : "live",
                   hex);
    dc_wipe(secret, sizeof(secret));
    dc_wipe(hex, sizeof(hex));
    dc_uuid7(now, key.id);
    (void)snprintf(key.project_id, sizeof(key.project_id), "%s", project_id);
    (void)snprintf(key.name, sizeof(key.name), "%s", name);
    (void)snprintf(key.prefix, sizeof(key.prefix), "%s", raw);
    store_sha256(raw, STORE_RAW_KEY_SIZE - 1, key.hash);
    if (conn_begin(conn, err) < 0 || conn_end(conn, create_key(conn, &key, err), err) < 0) {
        dc_wipe(raw, STORE_RAW_KEY_SIZE);
        return -err->code;
    }
    *ret_key = key;
    return 0;
}

static int revoke_key(struct store_conn *conn, const char *project_id, const char *key_id,
                      int64_t now, struct dc_err *err)
{
    static const char sql[] = "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $1)"
                              " WHERE id = $2 AND project_id = COALESCE($3, project_id)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t changes;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_int(query, 1, now);
    db_bind_text(query, 2, key_id);
    db_bind_text(query, 3, project_id);
    if (db_run(query, &changes, err) < 0)
        return -err->code;
    if (!changes)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such API key");
    return conn_keys_changed(conn, err);
}

int store_key_revoke(struct store_conn *conn, const char *project_id, const char *key_id,
                     int64_t now, struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, revoke_key(conn, project_id, key_id, now, err), err);
}

int store_keys_list(struct store_conn *conn, const char *project_id, struct store_key **ret_keys,
                    size_t *ret_count, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " KEY_COLUMNS
        " FROM api_keys WHERE project_id = COALESCE($1, project_id) ORDER BY id";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    return read_keys(query, ret_keys, ret_count, err);
}

int store_keys_version(struct store_conn *conn, int64_t *ret_version, struct dc_err *err)
{
    static const char sql[] = "SELECT version FROM changes WHERE name = 'keys'";
    DC_AUTO(db_end) struct db_query *query = NULL;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0 || db_step(query, &row, err) < 0)
        return -err->code;
    if (!row)
        return dc_fail(err, DC_KERNEL, EIO, "database: the counter of changes is missing");
    *ret_version = db_int(query, 0);
    return 0;
}

int store_keys_load(struct store_conn *conn, struct store_key **ret_keys, size_t *ret_count,
                    int64_t *ret_version, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " KEY_COLUMNS " FROM api_keys WHERE revoked_at IS NULL ORDER BY id";
    DC_AUTO(db_end) struct db_query *query = NULL;

    /* The version first: what changes between the two statements is loaded again. */
    if (store_keys_version(conn, ret_version, err) < 0 ||
        db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    return read_keys(query, ret_keys, ret_count, err);
}

static int touch_keys(struct store_conn *conn, const struct store_key_use *uses, size_t count,
                      struct dc_err *err)
{
    static const char sql[] = "UPDATE api_keys SET last_used_at = $1"
                              " WHERE id = $2 AND COALESCE(last_used_at, 0) < $3";

    for (size_t i = 0; i < count; i++) {
        DC_AUTO(db_end) struct db_query *query = NULL;

        if (db_begin_query(conn->db, sql, &query, err) < 0)
            return -err->code;
        db_bind_int(query, 1, uses[i].at);
        db_bind_text(query, 2, uses[i].key_id);
        db_bind_int(query, 3, uses[i].at);
        if (db_run(query, NULL, err) < 0)
            return -err->code;
    }
    return 0;
}

int store_keys_touch(struct store_conn *conn, const struct store_key_use *uses, size_t count,
                     struct dc_err *err)
{
    if (conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, touch_keys(conn, uses, count, err), err);
}
