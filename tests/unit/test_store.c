#include "store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "base/io.h"
#include "store/db.h"
#include "store/migrate.h"

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void test_file_is_private(void **state)
{
    struct fixture *f = *state;
    char wal[128];
    struct store_conn *again;
    struct dc_err err;

    assert_int_equal(mode_of(f->path), 0600);
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    assert_int_equal(mode_of(wal), 0600);

    /* A file that somebody opened up is closed again. */
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_ok(store_open(f->path, &again, &err), err);
    assert_int_equal(mode_of(f->path), 0600);
    store_conn_free(again);
}

static void test_settings_hold(void **state)
{
    struct fixture *f = *state;
    static const char *const sql[] = {"PRAGMA synchronous", "PRAGMA foreign_keys",
                                      "PRAGMA busy_timeout"};
    static const int64_t wanted[] = {2, 1, STORE_BUSY_MS};
    struct db *db;
    struct dc_err err;
    bool row;

    assert_ok(db_open(f->path, STORE_READ_WRITE, DB_EXISTING, &db, &err), err);
    for (size_t i = 0; i < 3; i++) {
        struct db_query *query;

        assert_ok(db_begin_query(db, sql[i], &query, &err), err);
        assert_ok(db_step(query, &row, &err), err);
        assert_int_equal(db_int(query, 0), wanted[i]);
        db_end(query);
    }
    db_free(db);
    assert_int_equal(fixture_number(f->path, "SELECT journal_mode = 'wal' FROM "
                                             "pragma_journal_mode"),
                     1);
}

static void test_reader_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct store_conn *reader;
    struct store_project project;
    struct dc_err err;

    assert_ok(store_connect(f->path, STORE_READ_ONLY, &reader, &err), err);
    assert_true(store_project_ensure(reader, "other", 1, &project, &err) < 0);
    assert_ok(store_project_find(reader, "default", &project, &err), err);
    assert_string_equal(project.id, f->project.id);
    store_conn_free(reader);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM projects"), 1);
}

static void test_not_a_database(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct store_conn *conn = NULL;
    struct dc_err err;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/text", f->folder);
    file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        (void)fprintf(file, "this is not a database\n");
    (void)fclose(file);
    assert_code(store_open(path, &conn, &err), DC_INVALID);
    assert_non_null(strstr(err.text, "not a SQLite database"));
    assert_null(conn);
}

static void test_no_such_folder(void **state)
{
    struct store_conn *conn = NULL;
    struct dc_err err;

    (void)state;
    assert_code(store_open("/nonexistent/docle.db", &conn, &err), DC_KERNEL);
    assert_int_equal(err.errnum, ENOENT);
}

static void test_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_conn *conn = NULL;
    struct dc_err err;
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "INSERT INTO migrations VALUES (%d, 'future', 1)",
                   store_schema_version() + 1);
    assert_int_equal(fixture_sql(f->path, sql), SQLITE_OK);
    assert_code(store_open(f->path, &conn, &err), DC_INVALID);
    assert_non_null(strstr(err.text, "schema"));
    assert_null(conn);
}

/* How many copies stand beside the file; the last one's path into out. */
static int count_copies(const struct fixture *f, char *out, size_t size)
{
    DIR *dir = opendir(f->folder);
    int count = 0;

    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".backup-v"))
            continue;
        count++;
        (void)snprintf(out, size, "%s/%s", f->folder, entry->d_name);
    }
    (void)closedir(dir);
    return count;
}

static void test_migration_of_an_older_file(void **state)
{
    struct fixture *f = *state;
    char old[128];
    char copy[512];
    struct db *db;
    struct store_conn *conn;
    struct store_project project;
    struct dc_err err;

    (void)snprintf(old, sizeof(old), "%s/old.db", f->folder);
    assert_ok(db_open(old, STORE_READ_WRITE, DB_CREATE, &db, &err), err);
    assert_ok(migrate_to(db, old, 1, &err), err);
    db_free(db);
    assert_int_equal(fixture_sql(old, "INSERT INTO projects VALUES ('p', 'kept', 5)"), SQLITE_OK);
    assert_int_equal(count_copies(f, copy, sizeof(copy)), 0);

    assert_ok(store_open(old, &conn, &err), err);
    assert_ok(store_project_find(conn, "kept", &project, &err), err);
    store_conn_free(conn);
    assert_int_equal(fixture_number(old, "SELECT MAX(version) FROM migrations"),
                     store_schema_version());

    /* The copy is the file as it was, private, and opens as the old version. */
    assert_int_equal(count_copies(f, copy, sizeof(copy)), 1);
    assert_non_null(strstr(copy, "backup-v1-"));
    assert_int_equal(mode_of(copy), 0600);
    assert_int_equal(fixture_number(copy, "SELECT MAX(version) FROM migrations"), 1);
    assert_int_equal(fixture_number(copy, "SELECT created_at FROM projects WHERE name='kept'"), 5);

    /* Opening again migrates nothing and copies nothing. */
    assert_ok(store_open(old, &conn, &err), err);
    store_conn_free(conn);
    assert_int_equal(count_copies(f, copy, sizeof(copy)), 1);
}

static void test_failed_migration_leaves_the_file(void **state)
{
    struct fixture *f = *state;
    char old[128];
    struct db *db;
    struct store_conn *conn = NULL;
    struct dc_err err;

    (void)snprintf(old, sizeof(old), "%s/old.db", f->folder);
    assert_ok(db_open(old, STORE_READ_WRITE, DB_CREATE, &db, &err), err);
    assert_ok(migrate_to(db, old, 1, &err), err);
    db_free(db);
    /* The third step cannot make its table. */
    assert_int_equal(fixture_sql(old, "CREATE TABLE ledger (x)"), SQLITE_OK);
    assert_true(store_open(old, &conn, &err) < 0);
    assert_non_null(strstr(err.text, "0003_ledger"));
    assert_int_equal(fixture_number(old, "SELECT MAX(version) FROM migrations"), 1);
    assert_int_equal(fixture_number(old, "SELECT COUNT(*) FROM sqlite_master WHERE name='runs'"),
                     0);
}

static void test_many_processes_open_a_new_file(void **state)
{
    struct fixture *f = *state;
    char path[128];
    pid_t children[6];

    (void)snprintf(path, sizeof(path), "%s/new.db", f->folder);
    for (size_t i = 0; i < 6; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct store_conn *conn = NULL;
            struct dc_err err;
            int result = store_open(path, &conn, &err);

            if (result < 0)
                (void)fprintf(stderr, "# %s\n", err.text);
            store_conn_free(conn);
            _exit(result < 0);
        }
    }
    for (size_t i = 0; i < 6; i++) {
        int status = -1;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(fixture_number(path, "SELECT COUNT(*) FROM migrations"),
                     store_schema_version());
}

static void test_one_server_per_file(void **state)
{
    struct fixture *f = *state;
    int first;
    int second = -1;
    struct dc_err err;

    assert_ok(store_lock_server(f->path, &first, &err), err);
    assert_code(store_lock_server(f->path, &second, &err), DC_BUSY);
    assert_int_equal(second, -1);
    (void)close(first);
    assert_ok(store_lock_server(f->path, &second, &err), err);
    (void)close(second);
}

static void test_projects(void **state)
{
    struct fixture *f = *state;
    struct store_project one;
    struct store_project two;
    struct store_project *list;
    size_t count;
    struct dc_err err;
    char longest[STORE_NAME_MAX_BYTES + 2];

    assert_ok(store_project_ensure(f->conn, "Zürich", dc_wall_now(), &one, &err), err);
    assert_ok(store_project_ensure(f->conn, "Zürich", dc_wall_now(), &two, &err), err);
    assert_string_equal(one.id, two.id);
    assert_true(dc_uuid_valid(one.id));
    assert_int_equal(one.created_at, two.created_at);
    assert_ok(store_project_get(f->conn, one.id, &two, &err), err);
    assert_string_equal(two.name, "Zürich");
    assert_ok(store_projects_list(f->conn, &list, &count, &err), err);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "default");
    free(list);

    memset(longest, 'x', sizeof(longest));
    longest[STORE_NAME_MAX_BYTES + 1] = '\0';
    assert_code(store_project_ensure(f->conn, longest, 1, &one, &err), DC_INVALID);
    longest[STORE_NAME_MAX_BYTES] = '\0';
    assert_ok(store_project_ensure(f->conn, longest, 1, &one, &err), err);
    assert_string_equal(one.name, longest);
    assert_code(store_project_ensure(f->conn, "", 1, &one, &err), DC_INVALID);
    assert_code(store_project_ensure(f->conn, "\xff", 1, &one, &err), DC_INVALID);
    assert_code(store_project_ensure(f->conn, "a\nb", 1, &one, &err), DC_INVALID);
    assert_code(store_project_get(f->conn, "no", &one, &err), DC_NOT_FOUND);
    assert_code(store_project_find(f->conn, "no", &one, &err), DC_NOT_FOUND);
}

static void test_key_life(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    uint8_t hash[STORE_HASH_BYTES];
    struct store_key key;
    struct store_key *keys;
    size_t count;
    int64_t version;
    int64_t later;
    struct dc_err err;

    assert_ok(store_keys_version(f->conn, &version, &err), err);
    assert_ok(store_key_create(f->conn,
                               &(struct store_key_new){f->project.id, "ci", STORE_KEY_LIVE, {0}},
                               100, raw, &key, &err),
              err);
    assert_int_equal(strlen(raw), 56);
    assert_memory_equal(raw, "sk_live_", 8);
    assert_int_equal(strspn(raw + 8, "0123456789abcdef"), 48);
    assert_memory_equal(key.prefix, raw, 12);
    assert_int_equal(strlen(key.prefix), 12);
    store_sha256(raw, strlen(raw), hash);

    assert_ok(store_keys_load(f->conn, &keys, &count, &later, &err), err);
    assert_int_equal(count, 1);
    assert_true(later > version);
    assert_string_equal(keys[0].id, key.id);
    assert_string_equal(keys[0].project_id, f->project.id);
    assert_true(store_equal(keys[0].hash, hash, sizeof(hash)));
    assert_int_equal(keys[0].kind, STORE_KEY_LIVE);
    free(keys);

    assert_code(store_key_revoke(f->conn, "other", key.id, 200, &err), DC_NOT_FOUND);
    assert_code(store_key_revoke(f->conn, f->project.id, "none", 200, &err), DC_NOT_FOUND);
    assert_ok(store_key_revoke(f->conn, f->project.id, key.id, 200, &err), err);
    assert_ok(store_key_revoke(f->conn, NULL, key.id, 300, &err), err);
    assert_ok(store_keys_load(f->conn, &keys, &count, &version, &err), err);
    assert_int_equal(count, 0);
    assert_true(version > later);
    free(keys);
    assert_ok(store_keys_list(f->conn, f->project.id, &keys, &count, &err), err);
    assert_int_equal(count, 1);
    assert_int_equal(keys[0].revoked_at, 200);
    free(keys);
}

static void test_key_secret_is_not_stored(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    char wal[128];
    const char *const files[] = {f->path, wal};
    struct store_key key;
    struct dc_err err;
    bool prefix_seen = false;

    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    assert_ok(store_key_create(f->conn,
                               &(struct store_key_new){f->project.id, "", STORE_KEY_TEST, {0}}, 1,
                               raw, &key, &err),
              err);
    assert_memory_equal(raw, "sk_test_", 8);
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(files[i], "r");
        static char bytes[1 << 20];
        size_t length = fread(bytes, 1, sizeof(bytes), file);

        (void)fclose(file);
        assert_null(memmem(bytes, length, raw + 8, 48));
        prefix_seen |= memmem(bytes, length, key.prefix, 12) != NULL;
    }
    assert_true(prefix_seen); /* the search does find what is there */
}

static void test_key_refusals(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    char zeros[STORE_RAW_KEY_SIZE] = {0};
    struct store_key key;
    struct dc_err err;

    assert_code(store_key_create(f->conn, &(struct store_key_new){"none", "x", STORE_KEY_LIVE, {0}},
                                 1, raw, &key, &err),
                DC_NOT_FOUND);
    assert_memory_equal(raw, zeros, sizeof(raw));
    assert_code(store_key_create(
                    f->conn, &(struct store_key_new){f->project.id, "\x01", STORE_KEY_LIVE, {0}}, 1,
                    raw, &key, &err),
                DC_INVALID);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM api_keys"), 0);
}

static void test_last_use_goes_forward(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key key[2];
    struct store_key_use uses[2] = {{.at = 500}, {.at = 600}};
    struct store_key *keys;
    size_t count;
    struct dc_err err;

    for (size_t i = 0; i < 2; i++) {
        assert_ok(store_key_create(f->conn,
                                   &(struct store_key_new){f->project.id, "", STORE_KEY_LIVE, {0}},
                                   (int64_t)i + 1, raw, &key[i], &err),
                  err);
        memcpy(uses[i].key_id, key[i].id, sizeof(key[i].id));
    }
    assert_ok(store_keys_touch(f->conn, uses, 2, &err), err);
    uses[0].at = 400;
    uses[1].at = 700;
    assert_ok(store_keys_touch(f->conn, uses, 2, &err), err);
    assert_ok(store_keys_list(f->conn, NULL, &keys, &count, &err), err);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(keys[i].last_used_at, strcmp(keys[i].id, key[0].id) == 0 ? 500 : 700);
    free(keys);
}

static void count_call(void *arg)
{
    ++*(int *)arg;
}

static void test_changes_are_seen(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_watch watch;
    struct store_key key;
    struct store_conn *other;
    struct dc_err err;
    uint64_t before;
    uint64_t after;
    int calls = 0;

    assert_ok(store_watch_open(f->path, &watch, &err), err);
    assert_ok(store_connect(f->path, STORE_READ_WRITE, &other, &err), err);
    store_on_change(other, count_call, &calls);
    before = store_watch_value(&watch);
    assert_ok(store_ping(other, &err), err);
    assert_true(store_watch_value(&watch) == before);

    assert_ok(store_key_create(other,
                               &(struct store_key_new){f->project.id, "", STORE_KEY_LIVE, {0}}, 1,
                               raw, &key, &err),
              err);
    after = store_watch_value(&watch);
    assert_true(after != before);
    assert_int_equal(calls, 1);
    assert_ok(store_key_revoke(other, NULL, key.id, 2, &err), err);
    assert_true(store_watch_value(&watch) != after);
    assert_int_equal(calls, 2);

    /* What failed changed nothing. */
    after = store_watch_value(&watch);
    assert_code(store_key_revoke(other, NULL, "none", 2, &err), DC_NOT_FOUND);
    assert_true(store_watch_value(&watch) == after);
    assert_int_equal(calls, 2);
    store_conn_free(other);
    store_watch_release(&watch);
}

static void test_hash(void **state)
{
    static const uint8_t empty[4] = {0xe3, 0xb0, 0xc4, 0x42};
    static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf};
    uint8_t hash[STORE_HASH_BYTES];

    (void)state;
    store_sha256(NULL, 0, hash);
    assert_memory_equal(hash, empty, 4);
    store_sha256("abc", 3, hash);
    assert_memory_equal(hash, abc, 4);
    assert_true(store_equal("abcd", "abcd", 4));
    assert_false(store_equal("abcd", "abce", 4));
    assert_false(store_equal("abcd", "bbcd", 4));
}

static void test_identifiers(void **state)
{
    char one[DC_UUID_SIZE];
    char two[DC_UUID_SIZE];

    (void)state;
    dc_uuid7(INT64_C(1645557742000) * 1000000, one);
    assert_memory_equal(one, "017f22e2-79b0-7000-", 19); /* the time of RFC 9562's example */
    assert_non_null(strchr("89ab", one[19]));
    assert_true(dc_uuid_valid(one));
    dc_uuid7(INT64_C(1645557742000) * 1000000 + 500, two);
    assert_true(strcmp(one, two) < 0);
    dc_uuid7(INT64_C(1645557742000) * 1000000 + 500, one);
    assert_string_not_equal(one, two);
    assert_false(dc_uuid_valid(""));
    assert_false(dc_uuid_valid("017F22e2-79b0-7000-8000-000000000000"));
    assert_false(dc_uuid_valid("017f22e2-79b0-7000-8000-0000000000000"));
    assert_false(dc_uuid_valid("017f22e2-79b0-7000-8000-00000000000"));
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(test_file_is_private),
        with_store(test_settings_hold),
        with_store(test_reader_cannot_write),
        with_store(test_not_a_database),
        with_store(test_no_such_folder),
        with_store(test_newer_schema_is_refused),
        with_store(test_migration_of_an_older_file),
        with_store(test_failed_migration_leaves_the_file),
        with_store(test_many_processes_open_a_new_file),
        with_store(test_one_server_per_file),
        with_store(test_projects),
        with_store(test_key_life),
        with_store(test_key_secret_is_not_stored),
        with_store(test_key_refusals),
        with_store(test_last_use_goes_forward),
        with_store(test_changes_are_seen),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_identifiers),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
