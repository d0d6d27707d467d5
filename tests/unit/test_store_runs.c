#include "store_fixture.h"

#include <errno.h>
#include <pthread.h>

static void admit(struct fixture *f, const struct store_run_new *run)
{
    struct store_admission admission;
    struct dc_err err;

    assert_ok(store_run_admit(f->conn, run, &admission, &err), err);
    assert_int_equal(admission.claim, STORE_CLAIM_NEW);
    assert_string_equal(admission.run_id, run->id);
}

static void finish(struct fixture *f, const struct store_run_result *result)
{
    struct dc_err err;

    assert_ok(store_run_finish(f->conn, result, &err), err);
}

/* A finished run of the given time. */
static void put_run(struct fixture *f, int64_t at, char id[static DC_UUID_SIZE])
{
    struct store_run_new run;
    struct store_run_result result;

    dc_uuid7(at, id);
    run = fixture_run(f, id, at);
    result = fixture_result(id, at + 1);
    admit(f, &run);
    finish(f, &result);
}

static void test_life_of_a_run(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_run_result result;
    DC_AUTO(store_run_release) struct store_run got = {0};
    struct dc_err err;

    dc_uuid7(1000, id);
    run = fixture_run(f, id, 1000);
    run.user_id = "user-1";
    run.key_id = "key-1";
    admit(f, &run);
    assert_ok(store_run_get(f->conn, f->project.id, id, &got, &err), err);
    assert_string_equal(got.status, "queued");
    assert_string_equal(got.outcome, "");
    assert_null(got.out);
    store_run_release(&got);

    assert_ok(store_run_started(f->conn, id, 1500, &err), err);
    assert_ok(store_run_get(f->conn, f->project.id, id, &got, &err), err);
    assert_string_equal(got.status, "running");
    assert_int_equal(got.started_at, 1500);
    store_run_release(&got);

    result = fixture_result(id, 2000);
    result.outcome = "error";
    result.message = "it failed";
    result.exit_code = 3;
    result.signal = 9;
    result.err = (struct store_bytes){"a\0b\xff", 4};
    result.err_truncated = true;
    result.limits = (struct store_bytes){"[\"output\"]", 10};
    result.artifacts = (struct store_bytes){"[]", 2};
    finish(f, &result);
    assert_ok(store_run_get(f->conn, f->project.id, id, &got, &err), err);
    assert_string_equal(got.status, "done");
    assert_string_equal(got.outcome, "error");
    assert_string_equal(got.message, "it failed");
    assert_string_equal(got.lang, "python");
    assert_string_equal(got.user_id, "user-1");
    assert_string_equal(got.key_id, "key-1");
    assert_string_equal(got.limits, "[\"output\"]");
    assert_string_equal(got.policy, "{\"timeoutMs\":3000}");
    assert_string_equal(got.request, "{\"code\":\"print(1)\"}");
    assert_string_equal(got.artifacts, "[]");
    assert_string_equal(got.out, "1\n");
    assert_int_equal(got.err_length, 4);
    assert_memory_equal(got.err, "a\0b\xff", 5);
    assert_false(got.out_truncated);
    assert_true(got.err_truncated);
    assert_int_equal(got.exit_code, 3);
    assert_int_equal(got.signal, 9);
    assert_int_equal(got.cpu_ms, 7);
    assert_int_equal(got.mem_mb, 9);
    assert_int_equal(got.duration_ms, 11);
    assert_int_equal(got.cpu_ns, 7000001);
    assert_int_equal(got.peak_bytes, 9 << 20);
    assert_int_equal(got.wall_ns, 11000001);
    assert_int_equal(got.created_at, 1000);
    assert_int_equal(got.finished_at, 2000);
}

static void test_run_belongs_to_its_project(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_project other;
    struct store_run got = {0};
    struct dc_err err;

    put_run(f, 1000, id);
    assert_ok(store_project_ensure(f->conn, "other", 1, &other, &err), err);
    assert_code(store_run_get(f->conn, other.id, id, &got, &err), DC_NOT_FOUND);
    assert_code(store_run_get(f->conn, f->project.id, other.id, &got, &err), DC_NOT_FOUND);
}

static void test_finish_once(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    char none[DC_UUID_SIZE];
    struct store_run_result result;
    struct dc_err err;

    put_run(f, 1000, id);
    result = fixture_result(id, 3000);
    result.outcome = "timeout";
    assert_code(store_run_finish(f->conn, &result, &err), DC_CONFLICT);
    dc_uuid7(5, none);
    result.id = none;
    assert_code(store_run_finish(f->conn, &result, &err), DC_NOT_FOUND);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 1);
    assert_int_equal(fixture_number(f->path, "SELECT outcome = 'ok' FROM runs"), 1);
}

static void test_ledger_row(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_usage usage;
    struct dc_err err;

    put_run(f, 1000, id);
    put_run(f, 2000, id);
    assert_ok(store_ledger_sum(f->conn, f->project.id, 0, INT64_MAX, &usage, &err), err);
    assert_int_equal(usage.runs, 2);
    assert_int_equal(usage.cpu_ns, 14000002);
    assert_int_equal(usage.wall_ns, 22000002);
    assert_int_equal(usage.amount_micros, 2000);
    assert_ok(store_ledger_sum(f->conn, f->project.id, 1001, 2001, &usage, &err), err);
    assert_int_equal(usage.runs, 1);
    assert_ok(store_ledger_sum(f->conn, "none", 0, INT64_MAX, &usage, &err), err);
    assert_int_equal(usage.runs, 0);
    assert_ok(store_ledger_sum(f->conn, NULL, 0, INT64_MAX, &usage, &err), err);
    assert_int_equal(usage.runs, 2);
}

static void test_ledger_without_prices(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_run_result result;

    dc_uuid7(1, id);
    run = fixture_run(f, id, 1);
    result = fixture_result(id, 2);
    result.price_run_micros = result.price_cpu_ms_micros = result.amount_micros = -1;
    admit(f, &run);
    finish(f, &result);
    assert_int_equal(fixture_number(f->path, "SELECT price_run_micros IS NULL AND amount_micros IS "
                                             "NULL AND price_cpu_ms_micros IS NULL FROM ledger"),
                     1);
}

static void test_ledger_is_append_only(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];

    put_run(f, 1000, id);
    assert_int_equal(fixture_sql(f->path, "UPDATE ledger SET amount_micros = 0"),
                     SQLITE_CONSTRAINT);
    assert_int_equal(fixture_sql(f->path, "DELETE FROM ledger"), SQLITE_CONSTRAINT);
    assert_int_equal(fixture_number(f->path, "SELECT amount_micros FROM ledger"), 1000);
}

static void test_forgotten_run(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_run_result result;
    struct store_run got = {0};
    struct dc_err err;

    dc_uuid7(1, id);
    run = fixture_run(f, id, 1);
    run.idempotency_key = "k";
    result = fixture_result(id, 2);
    result.forget = true;
    admit(f, &run);
    finish(f, &result);
    assert_code(store_run_get(f->conn, f->project.id, id, &got, &err), DC_NOT_FOUND);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM run_requests"), 0);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM idempotency"), 0);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 1);
}

static void test_withdrawn_run(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct dc_err err;

    dc_uuid7(1, id);
    run = fixture_run(f, id, 1);
    run.idempotency_key = "k";
    admit(f, &run);
    assert_ok(store_run_withdraw(f->conn, id, &err), err);
    assert_code(store_run_withdraw(f->conn, id, &err), DC_NOT_FOUND);
    assert_int_equal(fixture_number(f->path, "SELECT (SELECT COUNT(*) FROM runs) + (SELECT COUNT(*)"
                                             " FROM run_requests) + (SELECT COUNT(*) FROM "
                                             "idempotency) + (SELECT COUNT(*) FROM ledger)"),
                     0);
    put_run(f, 5, id);
    assert_code(store_run_withdraw(f->conn, id, &err), DC_NOT_FOUND);
}

static enum store_claim claim(struct fixture *f, const char *key, uint8_t body, int64_t at,
                              char held_by[static DC_UUID_SIZE])
{
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_admission admission;
    struct dc_err err;

    dc_uuid7(at, id);
    run = fixture_run(f, id, at);
    run.idempotency_key = key;
    memset(run.body_hash, body, sizeof(run.body_hash));
    assert_ok(store_run_admit(f->conn, &run, &admission, &err), err);
    memcpy(held_by, admission.run_id, sizeof(admission.run_id));
    return admission.claim;
}

static void test_idempotency(void **state)
{
    struct fixture *f = *state;
    char first[DC_UUID_SIZE];
    char again[DC_UUID_SIZE];
    struct store_run_result result;
    struct fixture other = *f;
    int64_t day = STORE_CLAIM_NS;
    struct dc_err err;

    assert_int_equal(claim(f, "k", 1, day, first), STORE_CLAIM_NEW);
    assert_int_equal(claim(f, "k", 1, day + 1, again), STORE_CLAIM_SAME); /* still pending */
    assert_string_equal(first, again);
    result = fixture_result(first, day + 5);
    finish(f, &result);
    assert_int_equal(claim(f, "k", 1, day + 9, again), STORE_CLAIM_SAME); /* done */
    assert_string_equal(first, again);
    assert_int_equal(claim(f, "k", 2, day + 9, again), STORE_CLAIM_CONFLICT);
    assert_int_equal(claim(f, "K", 2, day + 9, again), STORE_CLAIM_NEW);
    assert_ok(store_project_ensure(f->conn, "other", 1, &other.project, &err), err);
    assert_int_equal(claim(&other, "k", 2, day + 9, again), STORE_CLAIM_NEW);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM runs"), 3);

    /* A day later, to the nanosecond, the key is free. */
    assert_int_equal(claim(f, "k", 2, 2 * day - 1, again), STORE_CLAIM_CONFLICT);
    assert_int_equal(claim(f, "k", 2, 2 * day, again), STORE_CLAIM_NEW);
    assert_int_equal(claim(f, "k", 2, 2 * day + 1, first), STORE_CLAIM_SAME);
    assert_string_equal(first, again);
}

static void test_released_claim(void **state)
{
    struct fixture *f = *state;
    char first[DC_UUID_SIZE];
    char again[DC_UUID_SIZE];
    struct store_run_result result;

    assert_int_equal(claim(f, "k", 1, 10, first), STORE_CLAIM_NEW);
    result = fixture_result(first, 20);
    result.outcome = "sandbox_error";
    result.release = true;
    finish(f, &result);
    assert_int_equal(claim(f, "k", 1, 30, again), STORE_CLAIM_NEW);
    assert_string_not_equal(first, again);
}

enum { CLAIM_THREADS = 8, CLAIM_ROUNDS = 40 };

struct claimer {
    const struct fixture *f;
    pthread_barrier_t *barrier;
    int won[CLAIM_ROUNDS];
    char held_by[CLAIM_ROUNDS][DC_UUID_SIZE];
    bool failed;
};

static void *claim_in_thread(void *arg)
{
    struct claimer *me = arg;
    struct store_conn *conn = NULL;
    struct dc_err err;

    me->failed = store_connect(me->f->path, STORE_READ_WRITE, &conn, &err) < 0;
    for (int i = 0; i < CLAIM_ROUNDS; i++) {
        char id[DC_UUID_SIZE];
        char key[16];
        struct store_run_new run;
        struct store_admission admission = {0};

        dc_uuid7(dc_wall_now(), id);
        (void)snprintf(key, sizeof(key), "key-%d", i);
        run = fixture_run(me->f, id, dc_wall_now());
        run.idempotency_key = key;
        (void)pthread_barrier_wait(me->barrier);
        if (!conn || store_run_admit(conn, &run, &admission, &err) < 0)
            me->failed = true;
        me->won[i] = admission.claim == STORE_CLAIM_NEW;
        memcpy(me->held_by[i], admission.run_id, DC_UUID_SIZE);
    }
    store_conn_free(conn);
    return NULL;
}

/* Each thread has a connection of its own, as separate processes would. */
static void test_claims_from_many_threads(void **state)
{
    struct fixture *f = *state;
    static struct claimer claimers[CLAIM_THREADS];
    pthread_t threads[CLAIM_THREADS];
    pthread_barrier_t barrier;

    (void)pthread_barrier_init(&barrier, NULL, CLAIM_THREADS);
    for (int i = 0; i < CLAIM_THREADS; i++) {
        claimers[i] = (struct claimer){.f = f, .barrier = &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, claim_in_thread, &claimers[i]), 0);
    }
    for (int i = 0; i < CLAIM_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&barrier);
    for (int round = 0; round < CLAIM_ROUNDS; round++) {
        int winners = 0;

        for (int i = 0; i < CLAIM_THREADS; i++) {
            assert_false(claimers[i].failed);
            winners += claimers[i].won[round];
            assert_string_equal(claimers[i].held_by[round], claimers[0].held_by[round]);
        }
        assert_int_equal(winners, 1);
    }
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM runs"), CLAIM_ROUNDS);
}

/* All pages; checks the order and returns how many rows came. After each page `between` is called.
 */
static size_t read_all(struct fixture *f, struct store_run_filter filter, size_t pages_max,
                       void (*between)(struct fixture *f), char (*ids)[DC_UUID_SIZE])
{
    char cursor[STORE_CURSOR_SIZE] = "";
    int64_t last = INT64_MAX;
    size_t count = 0;

    for (size_t page_number = 0; page_number < pages_max; page_number++) {
        DC_AUTO(store_run_page_release) struct store_run_page page = {0};
        struct dc_err err;

        filter.cursor = *cursor ? cursor : NULL;
        assert_ok(store_runs_list(f->conn, &filter, &page, &err), err);
        for (size_t i = 0; i < page.count; i++) {
            assert_true(page.runs[i].created_at <= last);
            last = page.runs[i].created_at;
            memcpy(ids[count++], page.runs[i].id, DC_UUID_SIZE);
        }
        memcpy(cursor, page.next_cursor, sizeof(cursor));
        if (!*cursor)
            return count;
        if (between)
            between(f);
    }
    fail_msg("the list does not end");
    return 0;
}

static void insert_newer_and_older(struct fixture *f)
{
    static int64_t at = 1000000;
    char id[DC_UUID_SIZE];

    put_run(f, ++at, id);
    put_run(f, at, id); /* two of one moment */
}

static void test_paging_is_stable_under_inserts(void **state)
{
    struct fixture *f = *state;
    char ids[100][DC_UUID_SIZE];
    char got[200][DC_UUID_SIZE];
    struct store_run_filter filter = {.project_id = f->project.id, .limit = 7};
    size_t count;

    /* Four runs to each moment, so that pages end between runs of one moment. */
    for (int i = 0; i < 100; i++)
        put_run(f, 1000 + i / 4, ids[i]);
    count = read_all(f, filter, 50, insert_newer_and_older, got);
    assert_int_equal(count, 100);
    for (int i = 0; i < 100; i++) {
        int seen = 0;

        for (size_t k = 0; k < count; k++)
            seen += strcmp(ids[i], got[k]) == 0;
        assert_int_equal(seen, 1);
    }
}

static void test_page_limits(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_run_filter filter = {.project_id = f->project.id};
    struct store_run_page page = {0};
    struct dc_err err;

    for (int i = 0; i < STORE_LIST_MAX + 1; i++)
        put_run(f, 1000 + i, id);
    assert_ok(store_runs_list(f->conn, &filter, &page, &err), err);
    assert_int_equal(page.count, STORE_LIST_DEFAULT);
    assert_null(page.runs[0].out);
    store_run_page_release(&page);
    filter.limit = STORE_LIST_MAX;
    assert_ok(store_runs_list(f->conn, &filter, &page, &err), err);
    assert_int_equal(page.count, STORE_LIST_MAX);
    assert_string_not_equal(page.next_cursor, "");
    store_run_page_release(&page);
    filter.limit = STORE_LIST_MAX + 1;
    assert_code(store_runs_list(f->conn, &filter, &page, &err), DC_INVALID);
    filter.limit = -1;
    assert_code(store_runs_list(f->conn, &filter, &page, &err), DC_INVALID);
}

/* 21,000 runs, the oldest by another key: found by pages that look at so many each. */
static void test_rare_runs_are_found_in_steps(void **state)
{
    struct fixture *f = *state;
    struct store_run_filter filter = {.project_id = f->project.id, .key_id = "rare"};
    char cursor[STORE_CURSOR_SIZE];
    char sql[1024];
    struct dc_err err;
    int pages = 0;

    if (getenv("DOCLE_FAULT_COUNT"))
        return; /* tests/fault/rerun.py would make the runs more than a hundred times */
    (void)snprintf(
        sql, sizeof(sql),
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 21000)"
        " INSERT INTO runs (id, project_id, key_id, lang, status, outcome, created_at)"
        " SELECT printf('00000000-0000-7000-8000-%%012x', i), '%s',"
        " CASE WHEN i = 1 THEN 'rare' ELSE 'often' END, 'python', 'done', 'ok', 1000 + i"
        " FROM n",
        f->project.id);
    assert_int_equal(fixture_sql(f->path, sql), 0);
    for (;;) {
        DC_AUTO(store_run_page_release) struct store_run_page page = {0};

        assert_ok(store_runs_list(f->conn, &filter, &page, &err), err);
        pages++;
        assert_true(pages < 10);
        if (page.count) {
            assert_int_equal(page.count, 1);
            assert_int_equal(page.runs[0].created_at, 1001);
            assert_string_equal(page.next_cursor, "");
            assert_int_equal(page.searched_to, 0);
            break;
        }
        assert_string_not_equal(page.next_cursor, "");
        assert_true(page.searched_to > 1000 && page.searched_to < 22000);
        memcpy(cursor, page.next_cursor, sizeof(cursor));
        filter.cursor = cursor;
    }
    assert_int_equal(pages, 2);
}

static void test_cursor_of_strangers(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "",
        "x",
        "1.",
        ".017f22e2-79b0-7000-8000-000000000000",
        "g.017f22e2-79b0-7000-8000-000000000000",
        "1.017f22e2-79b0-7000-8000-00000000000",
        "1.017f22e2-79b0-7000-8000-0000000000001",
        "ffffffffffffffff.017f22e2-79b0-7000-8000-000000000000",
        "11111111111111111.017f22e2-79b0-7000-8000-000000000000",
        "1.'; DROP TABLE runs; --",
    };
    struct store_run_page page = {0};
    struct dc_err err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct store_run_filter filter = {.project_id = f->project.id, .cursor = bad[i]};

        assert_code(store_runs_list(f->conn, &filter, &page, &err), DC_INVALID);
    }
}

static void test_filters(void **state)
{
    struct fixture *f = *state;
    char ids[4][DC_UUID_SIZE];
    char got[8][DC_UUID_SIZE];
    static const char *const langs[] = {"python", "node", "node", "python"};
    static const char *const outcomes[] = {"ok", "ok", "error", NULL};
    struct store_run_filter filter;

    for (int i = 0; i < 4; i++) {
        struct store_run_new run;
        struct store_run_result result;

        dc_uuid7(100 + i, ids[i]);
        run = fixture_run(f, ids[i], 100 + i);
        run.lang = langs[i];
        run.user_id = i == 2 ? "u" : NULL;
        admit(f, &run);
        result = fixture_result(ids[i], 200);
        result.outcome = outcomes[i];
        if (outcomes[i])
            finish(f, &result);
    }
    filter = (struct store_run_filter){.project_id = f->project.id};
    assert_int_equal(read_all(f, filter, 2, NULL, got), 4);
    filter.lang = "node";
    assert_int_equal(read_all(f, filter, 2, NULL, got), 2);
    filter.outcomes = ",error,";
    assert_int_equal(read_all(f, filter, 2, NULL, got), 1);
    assert_string_equal(got[0], ids[2]);
    filter = (struct store_run_filter){.project_id = f->project.id, .outcomes = ",ok,"};
    assert_int_equal(read_all(f, filter, 2, NULL, got), 2);
    filter = (struct store_run_filter){.project_id = f->project.id, .user_id = "u"};
    assert_int_equal(read_all(f, filter, 2, NULL, got), 1);
    filter = (struct store_run_filter){.project_id = f->project.id, .since = 102};
    assert_int_equal(read_all(f, filter, 2, NULL, got), 2);
    assert_string_equal(got[0], ids[3]);
    assert_string_equal(got[1], ids[2]);
    filter = (struct store_run_filter){.project_id = "none"};
    assert_int_equal(read_all(f, filter, 2, NULL, got), 0);
}

static void test_purge(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];
    struct store_run_new open_run;
    int runs;
    struct dc_err err;

    for (int i = 0; i < 10; i++)
        put_run(f, 100 + i, id);
    dc_uuid7(99, id);
    open_run = fixture_run(f, id, 99);
    open_run.idempotency_key = "k";
    admit(f, &open_run); /* old, but not finished */
    assert_ok(store_purge(f->conn, 105, 106, 3, &runs, &err), err);
    assert_int_equal(runs, 3);
    assert_ok(store_purge(f->conn, 105, 106, 3, &runs, &err), err);
    assert_int_equal(runs, 2);
    assert_ok(store_purge(f->conn, 105, 106, 3, &runs, &err), err);
    assert_int_equal(runs, 0);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM runs"), 6);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM run_requests"), 6);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM run_outputs"), 5);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 10);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM idempotency"), 1);
    assert_ok(store_purge(f->conn, 0, 99 + STORE_CLAIM_NS, 3, &runs, &err), err);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM idempotency"), 0);
}

static void test_recovery(void **state)
{
    struct fixture *f = *state;
    char done[DC_UUID_SIZE];
    char ids[2][DC_UUID_SIZE];
    char again[DC_UUID_SIZE];
    struct store_run_result late;
    DC_AUTO(store_run_release) struct store_run got = {0};
    int runs;
    struct dc_err err;

    put_run(f, 100, done);
    assert_int_equal(claim(f, "a", 1, 200, ids[0]), STORE_CLAIM_NEW);
    assert_int_equal(claim(f, "b", 1, 201, ids[1]), STORE_CLAIM_NEW);
    assert_ok(store_run_started(f->conn, ids[1], 202, &err), err);
    assert_ok(store_recover(f->conn, 300, &runs, &err), err);
    assert_int_equal(runs, 2);
    for (int i = 0; i < 2; i++) {
        assert_ok(store_run_get(f->conn, f->project.id, ids[i], &got, &err), err);
        assert_string_equal(got.status, "done");
        assert_string_equal(got.outcome, "sandbox_error");
        assert_int_equal(got.exit_code, -1);
        assert_int_equal(got.finished_at, 300);
        assert_non_null(got.message);
        store_run_release(&got);
    }
    assert_ok(store_run_get(f->conn, f->project.id, done, &got, &err), err);
    assert_string_equal(got.outcome, "ok");
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger WHERE outcome = "
                                             "'sandbox_error' AND amount_micros IS NULL"),
                     2);
    late = fixture_result(ids[0], 400);
    assert_code(store_run_finish(f->conn, &late, &err), DC_CONFLICT);
    assert_int_equal(claim(f, "a", 1, 500, again), STORE_CLAIM_NEW); /* a retry runs */
    assert_ok(store_recover(f->conn, 600, &runs, &err), err);
    assert_int_equal(runs, 1);
    assert_ok(store_recover(f->conn, 700, &runs, &err), err);
    assert_int_equal(runs, 0);
}

static void test_large_output(void **state)
{
    struct fixture *f = *state;
    size_t length = 10 * 1024 * 1024;
    DC_AUTO(dc_free) char *bytes = malloc(length);
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_run_result result;
    DC_AUTO(store_run_release) struct store_run got = {0};
    struct dc_err err;

    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 31);
    dc_uuid7(1, id);
    run = fixture_run(f, id, 1);
    run.request = (struct store_bytes){bytes, length};
    result = fixture_result(id, 2);
    result.out = (struct store_bytes){bytes, length};
    admit(f, &run);
    finish(f, &result);
    assert_ok(store_run_get(f->conn, f->project.id, id, &got, &err), err);
    assert_int_equal(got.out_length, length);
    assert_int_equal(memcmp(got.out, bytes, length), 0);
    assert_int_equal(got.request_length, length);
}

static void test_unknown_project(void **state)
{
    struct fixture *f = *state;
    struct fixture other = *f;
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_admission admission;
    struct dc_err err;

    dc_uuid7(1, other.project.id);
    dc_uuid7(2, id);
    run = fixture_run(&other, id, 2);
    assert_code(store_run_admit(f->conn, &run, &admission, &err), DC_CONFLICT);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM runs"), 0);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(test_life_of_a_run),
        with_store(test_run_belongs_to_its_project),
        with_store(test_finish_once),
        with_store(test_ledger_row),
        with_store(test_ledger_without_prices),
        with_store(test_ledger_is_append_only),
        with_store(test_forgotten_run),
        with_store(test_withdrawn_run),
        with_store(test_idempotency),
        with_store(test_released_claim),
        with_store(test_claims_from_many_threads),
        with_store(test_paging_is_stable_under_inserts),
        with_store(test_page_limits),
        with_store(test_rare_runs_are_found_in_steps),
        with_store(test_cursor_of_strangers),
        with_store(test_filters),
        with_store(test_purge),
        with_store(test_recovery),
        with_store(test_large_output),
        with_store(test_unknown_project),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_runs", tests, NULL, NULL);
}
