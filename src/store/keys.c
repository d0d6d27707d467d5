#include "store/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "store/rows.h"
#include "store/store_internal.h"

#include "base/poison.h"

#define KEY_COLUMNS                                                                                \
    "id, project_id, name, prefix, kind, hash, created_at, COALESCE(revoked_at, 0),"               \
    " COALESCE(last_used_at, 0), rolled_to, scopes, COALESCE(expires_at, 0), domains, networks,"   \
    " COALESCE(rate_per_minute, 0), COALESCE(running_max, 0), COALESCE(budget_micros, 0),"         \
    " budget_stops"

bool store_key_active(const struct store_key *key, int64_t now)
{
    return !key->revoked_at && (!key->rules.expires_at || now < key->rules.expires_at);
}

/* ---- reading ---- */

static int read_rules(struct rows *rows, struct db_query *query, struct store_key_rules *rules,
                      struct dc_err *err)
{
    rules->scopes = (uint32_t)db_int(query, 10);
    rules->expires_at = db_int(query, 11);
    rules->rate_per_minute = (uint32_t)db_int(query, 14);
    rules->running_max = (uint32_t)db_int(query, 15);
    rules->budget_micros = db_int(query, 16);
    rules->budget_stops = db_int(query, 17);
    if (rows_text(rows, query, 12, &rules->domains, err) < 0)
        return -err->code;
    return rows_text(rows, query, 13, &rules->networks, err);
}

static int read_key(struct rows *rows, struct db_query *query, struct dc_err *err)
{
    struct store_key *key = rows_add(rows, err);
    char kind[8];

    if (!key)
        return -err->code;
    db_text(query, 0, key->id, sizeof(key->id));
    db_text(query, 1, key->project_id, sizeof(key->project_id));
    db_text(query, 2, key->name, sizeof(key->name));
    db_text(query, 3, key->prefix, sizeof(key->prefix));
    db_text(query, 4, kind, sizeof(kind));
    key->kind = strcmp(kind, "test") == 0 ? STORE_KEY_TEST : STORE_KEY_LIVE;
    key->created_at = db_int(query, 6);
    key->revoked_at = db_int(query, 7);
    key->last_used_at = db_int(query, 8);
    db_text(query, 9, key->rolled_to, sizeof(key->rolled_to));
    if (read_rules(rows, query, &key->rules, err) < 0 || db_row_read(query, err) < 0)
        return -err->code;
    return db_fixed(query, 5, key->hash, sizeof(key->hash), err);
}

/* Takes the query's rows; the caller has bound its parameters. */
static int read_keys(struct db_query *query, struct store_key **ret_keys, size_t *ret_count,
                     struct dc_err *err)
{
    static const size_t slots[] = {offsetof(struct store_key, rules.domains),
                                   offsetof(struct store_key, rules.networks)};
    DC_AUTO(rows_release) struct rows rows;
    void *data;
    bool row;

    rows_init(&rows, sizeof(struct store_key));
    for (;;) {
        if (db_step(query, &row, err) < 0)
            return -err->code;
        if (!row)
            break;
        if (read_key(&rows, query, err) < 0)
            return -err->code;
    }
    if (rows_take(&rows, slots, sizeof(slots) / sizeof(slots[0]), &data, ret_count, err) < 0)
        return -err->code;
    *ret_keys = data;
    return 0;
}

int store_key_get(struct store_conn *conn, const char *project_id, const char *key_id,
                  struct store_key **ret_key, struct dc_err *err)
{
    static const char sql[] =
        "SELECT " KEY_COLUMNS
        " FROM api_keys WHERE id = $1 AND project_id = COALESCE($2, project_id)";
    DC_AUTO(db_end) struct db_query *query = NULL;
    DC_AUTO(dc_free) struct store_key *key = NULL;
    size_t count;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, key_id);
    db_bind_text(query, 2, project_id);
    if (read_keys(query, &key, &count, err) < 0)
        return -err->code;
    if (!count)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such API key");
    *ret_key = dc_take(key);
    return 0;
}

/* ---- making ---- */

static int check_texts(const char *name, const struct store_key_rules *rules, struct dc_err *err)
{
    const char *const texts[] = {rules->domains, rules->networks};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i] && strlen(texts[i]) > STORE_RULE_TEXT_MAX_BYTES)
            return dc_fail(err, DC_INVALID, 0, "a list of a key is longer than %d bytes",
                           STORE_RULE_TEXT_MAX_BYTES);
    return conn_check_name(name, true, err);
}

/* From $index on: the columns from scopes to budget_stops. */
static void bind_rules(struct db_query *query, int index, const struct store_key_rules *rules)
{
    db_bind_int(query, index, rules->scopes ? rules->scopes : STORE_SCOPES_ALL);
    conn_bind_limit(query, index + 1, rules->expires_at);
    db_bind_text(query, index + 2, rules->domains);
    db_bind_text(query, index + 3, rules->networks);
    conn_bind_limit(query, index + 4, rules->rate_per_minute);
    conn_bind_limit(query, index + 5, rules->running_max);
    conn_bind_limit(query, index + 6, rules->budget_micros);
    db_bind_int(query, index + 7, rules->budget_stops);
}

static int insert_key(struct store_conn *conn, const struct store_key *key, struct dc_err *err)
{
    static const char sql[] =
        "INSERT INTO api_keys (id, project_id, name, prefix, hash, kind, created_at, scopes,"
        " expires_at, domains, networks, rate_per_minute, running_max, budget_micros, budget_stops)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
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
    bind_rules(query, 8, &key->rules);
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

/* A key with a secret of its own, not stored yet. */
static void draw_key(const struct store_key_new *made, int64_t now,
                     char raw[static STORE_RAW_KEY_SIZE], struct store_key *key)
{
    uint8_t secret[24];
    char hex[sizeof(secret) * 2 + 1];

    *key = (struct store_key){.kind = made->kind, .created_at = now, .rules = made->rules};
    if (!key->rules.scopes)
        key->rules.scopes = STORE_SCOPES_ALL;
    dc_random_bytes(secret, sizeof(secret));
    dc_hex(secret, sizeof(secret), hex);
    (void)snprintf(raw, STORE_RAW_KEY_SIZE, "sk_%s_%s",
                   made->kind == STORE_KEY_TEST ? "test" : "live", hex);
    dc_wipe(secret, sizeof(secret));
    dc_wipe(hex, sizeof(hex));
    dc_uuid7(now, key->id);
    (void)snprintf(key->project_id, sizeof(key->project_id), "%s", made->project_id);
    (void)snprintf(key->name, sizeof(key->name), "%s", made->name);
    (void)snprintf(key->prefix, sizeof(key->prefix), "%s", raw);
    store_sha256(raw, STORE_RAW_KEY_SIZE - 1, key->hash);
}

int store_key_create(struct store_conn *conn, const struct store_key_new *made, int64_t now,
                     char raw[static STORE_RAW_KEY_SIZE], struct store_key *ret_key,
                     struct dc_err *err)
{
    struct store_key key;

    if (check_texts(made->name, &made->rules, err) < 0)
        return -err->code;
    draw_key(made, now, raw, &key);
    if (conn_begin(conn, err) < 0 || conn_end(conn, create_key(conn, &key, err), err) < 0) {
        dc_wipe(raw, STORE_RAW_KEY_SIZE);
        return -err->code;
    }
    *ret_key = key;
    return 0;
}

/* ---- changing ---- */

static void apply(const struct store_key_change *change, struct store_key *key)
{
    const struct store_key_rules *from = &change->rules;
    struct store_key_rules *to = &key->rules;

    if (change->fields & STORE_KEY_NAME)
        (void)snprintf(key->name, sizeof(key->name), "%s", change->name);
    if (change->fields & STORE_KEY_SCOPES)
        to->scopes = from->scopes;
    if (change->fields & STORE_KEY_EXPIRY)
        to->expires_at = from->expires_at;
    if (change->fields & STORE_KEY_DOMAINS)
        to->domains = from->domains;
    if (change->fields & STORE_KEY_NETWORKS)
        to->networks = from->networks;
    if (change->fields & STORE_KEY_RATE)
        to->rate_per_minute = from->rate_per_minute;
    if (change->fields & STORE_KEY_RUNNING)
        to->running_max = from->running_max;
    if (change->fields & STORE_KEY_BUDGET)
        to->budget_micros = from->budget_micros;
    if (change->fields & STORE_KEY_BUDGET_STOPS)
        to->budget_stops = from->budget_stops;
}

static int update_key(struct store_conn *conn, const struct store_key *key, struct dc_err *err)
{
    static const char sql[] =
        "UPDATE api_keys SET name = $1, scopes = $2, expires_at = $3, domains = $4, networks = $5,"
        " rate_per_minute = $6, running_max = $7, budget_micros = $8, budget_stops = $9,"
        " revoked_at = $10, rolled_to = $11 WHERE id = $12";
    DC_AUTO(db_end) struct db_query *query = NULL;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, key->name);
    bind_rules(query, 2, &key->rules);
    conn_bind_limit(query, 10, key->revoked_at);
    db_bind_text(query, 11, key->rolled_to[0] ? key->rolled_to : NULL);
    db_bind_text(query, 12, key->id);
    if (db_run(query, NULL, err) < 0)
        return -err->code;
    return conn_keys_changed(conn, err);
}

static int change_key(struct store_conn *conn, const char *project_id, const char *key_id,
                      const struct store_key_change *change, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_key *key = NULL;

    if (store_key_get(conn, project_id, key_id, &key, err) < 0)
        return -err->code;
    if (key->revoked_at)
        return dc_fail(err, DC_CONFLICT, 0, "the key was revoked");
    apply(change, key);
    return update_key(conn, key, err);
}

int store_key_change(struct store_conn *conn, const char *project_id, const char *key_id,
                     const struct store_key_change *change, struct dc_err *err)
{
    const char *name = change->fields & STORE_KEY_NAME ? change->name : "";

    if (check_texts(name, &change->rules, err) < 0 || conn_begin(conn, err) < 0)
        return -err->code;
    return conn_end(conn, change_key(conn, project_id, key_id, change, err), err);
}

/* old becomes what is stored of it; its texts serve the new key too. */
static int roll_key(struct store_conn *conn, struct store_key *old, int64_t overlap_ns, int64_t now,
                    char raw[static STORE_RAW_KEY_SIZE], struct store_key *made, struct dc_err *err)
{
    struct store_key_new new = {old->project_id, old->name, old->kind, old->rules};

    if (!store_key_active(old, now))
        return dc_fail(err, DC_CONFLICT, 0, "the key was revoked or has expired");
    if (old->rolled_to[0])
        return dc_fail(err, DC_CONFLICT, 0, "the key was rolled already; roll its successor");
    draw_key(&new, now, raw, made);
    memcpy(old->rolled_to, made->id, sizeof(old->rolled_to));
    if (!overlap_ns)
        old->revoked_at = now;
    else if (!old->rules.expires_at || old->rules.expires_at > now + overlap_ns)
        old->rules.expires_at = now + overlap_ns;
    if (insert_key(conn, made, err) < 0)
        return -err->code;
    return update_key(conn, old, err);
}

static int find_and_roll(struct store_conn *conn, const char *project_id, const char *key_id,
                         int64_t overlap_ns, int64_t now, char raw[static STORE_RAW_KEY_SIZE],
                         struct store_key **ret_key, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_key *old = NULL;
    struct store_key made;

    if (store_key_get(conn, project_id, key_id, &old, err) < 0 ||
        roll_key(conn, old, overlap_ns, now, raw, &made, err) < 0)
        return -err->code;
    return store_key_get(conn, project_id, made.id, ret_key, err);
}

int store_key_roll(struct store_conn *conn, const char *project_id, const char *key_id,
                   int64_t overlap_ns, int64_t now, char raw[static STORE_RAW_KEY_SIZE],
                   struct store_key **ret_key, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_key *key = NULL;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    if (conn_end(conn, find_and_roll(conn, project_id, key_id, overlap_ns, now, raw, &key, err),
                 err) < 0) {
        dc_wipe(raw, STORE_RAW_KEY_SIZE);
        return -err->code;
    }
    *ret_key = dc_take(key);
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
