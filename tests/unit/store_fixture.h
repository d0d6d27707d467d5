/* What the store's tests share: a database in a folder of its own, and runs to put into it. */
#ifndef DOCLE_TESTS_STORE_FIXTURE_H
#define DOCLE_TESTS_STORE_FIXTURE_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "store/keys.h"
#include "store/runs.h"
#include "store/store.h"
#include "store/worker.h"

struct fixture {
    char folder[64];
    char path[96];
    struct store_conn *conn;
    struct store_project project;
};

#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s (%s, errno %d)", #call, (err).text,                                   \
                     dc_code_name((enum dc_code)(err).code), (err).errnum);                        \
    } while (0)

#define assert_code(call, wanted) assert_int_equal((call), -(int)(wanted))

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int fixture_folder(struct fixture *f)
{
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(f->folder, sizeof(f->folder), "%s/docle-store-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(f->folder))
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/docle.db", f->folder);
    return 0;
}

static inline int fixture_setup(void **state)
{
    static struct fixture fixture;
    struct dc_err err;

    fixture = (struct fixture){0};
    *state = &fixture;
    if (fixture_folder(&fixture) < 0)
        return -1;
    if (store_open(fixture.path, &fixture.conn, &err) < 0 ||
        store_project_ensure(fixture.conn, "default", dc_wall_now(), &fixture.project, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    store_conn_free(f->conn);
    return nftw(f->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct store_run_new fixture_run(const struct fixture *f, const char *id, int64_t at)
{
    return (struct store_run_new){
        .id = id,
        .project_id = f->project.id,
        .lang = "python",
        .created_at = at,
        .policy = {"{\"timeoutMs\":3000}", 18},
        .request = {"{\"code\":\"print(1)\"}", 19},
    };
}

static inline struct store_run_result fixture_result(const char *id, int64_t at)
{
    return (struct store_run_result){
        .id = id,
        .outcome = "ok",
        .out = {"1\n", 2},
        .cpu_ms = 7,
        .mem_mb = 9,
        .duration_ms = 11,
        .cpu_ns = 7000001,
        .peak_bytes = 9 << 20,
        .wall_ns = 11000001,
        .finished_at = at,
        .price_run_micros = 1000,
        .price_cpu_ms_micros = 0,
        .amount_micros = 1000,
    };
}

/* A number straight from the file, past the code under test. -1 where there is no row. */
static inline int64_t fixture_number(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t value = -1;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, 10000) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return value;
}

/* Runs SQL on the file, past the code under test; returns SQLite's code. */
static inline int fixture_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);

    (void)sqlite3_busy_timeout(db, 10000);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    (void)sqlite3_close(db);
    return rc;
}

#endif
