/* Quota, prices and usage: what is counted beside the ledger agrees with it. */
#include "store_fixture.h"

#include "store/usage.h"

#define DAY_NS INT64_C(86400000000000)

static const int64_t start = INT64_C(1762000000) * 1000000000; /* 2025-11-01 */

static enum store_claim admit(struct fixture *f, struct store_run_new *run)
{
    struct store_admission admission;
    struct dc_err err;

    assert_ok(store_run_admit(f->conn, run, &admission, &err), err);
    return admission.claim;
}

static enum store_claim admit_one(struct fixture *f, char id[static DC_UUID_SIZE], int64_t at,
                                  int64_t limit)
{
    struct store_run_new run;

    dc_uuid7(at, id);
    run = fixture_run(f, id, at);
    run.has_quota = limit >= 0;
    run.quota_limit = limit;
    return admit(f, &run);
}

static void finish(struct fixture *f, const char *id, int64_t at, const char *outcome)
{
    struct store_run_result result = fixture_result(id, at);
    struct dc_err err;

    result.outcome = outcome;
    result.costless = strcmp(outcome, "ok") != 0;
    if (result.costless)
        result.amount_micros = 0;
    assert_ok(store_run_finish(f->conn, &result, &err), err);
}

static int64_t used(struct fixture *f, int64_t period)
{
    int64_t value;
    struct dc_err err;

    assert_ok(store_quota_used(f->conn, f->project.id, period, &value, &err), err);
    return value;
}

static void test_quota_is_reserved_and_given_back(void **state)
{
    struct fixture *f = *state;
    char id[4][DC_UUID_SIZE];
    char more[DC_UUID_SIZE];
    int recovered;
    struct dc_err err;

    for (int i = 0; i < 4; i++)
        assert_int_equal(admit_one(f, id[i], start + i, 4), STORE_CLAIM_NEW);
    assert_int_equal(used(f, 202511), 4);
    assert_int_equal(admit_one(f, more, start + 9, 4), STORE_CLAIM_OVER_QUOTA);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM runs"), 4);
    finish(f, id[0], start + 10, "ok");
    assert_int_equal(used(f, 202511), 4);
    finish(f, id[1], start + 11, "sandbox_error");
    assert_int_equal(used(f, 202511), 3);
    assert_ok(store_run_withdraw(f->conn, id[2], &err), err);
    assert_int_equal(used(f, 202511), 2);
    assert_code(store_run_withdraw(f->conn, id[2], &err), DC_NOT_FOUND);
    assert_code(store_run_withdraw(f->conn, id[1], &err), DC_NOT_FOUND);
    assert_int_equal(used(f, 202511), 2);
    assert_ok(store_recover(f->conn, start + 20, &recovered, &err), err);
    assert_int_equal(recovered, 1);
    assert_int_equal(used(f, 202511), 1);
    assert_int_equal(admit_one(f, more, start + 40 * DAY_NS, 1), STORE_CLAIM_NEW); /* December */
    assert_int_equal(used(f, 202512), 1);
}

static void test_no_quota_counts_nothing(void **state)
{
    struct fixture *f = *state;
    char id[DC_UUID_SIZE];

    assert_int_equal(admit_one(f, id, start, -1), STORE_CLAIM_NEW);
    finish(f, id, start + 1, "sandbox_error");
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM quota"), 0);
    assert_int_equal(admit_one(f, id, start, 0), STORE_CLAIM_OVER_QUOTA);
}

static void test_refusal_frees_the_idempotency_key(void **state)
{
    struct fixture *f = *state;
    struct store_run_new run = fixture_run(f, "017f22e2-79b0-7000-8000-000000000000", start);

    run.idempotency_key = "k";
    run.has_quota = true;
    assert_int_equal(admit(f, &run), STORE_CLAIM_OVER_QUOTA);
    run.quota_limit = 1;
    assert_int_equal(admit(f, &run), STORE_CLAIM_NEW);
    run.id = "017f22e2-79b0-7000-8000-000000000001";
    assert_int_equal(admit(f, &run), STORE_CLAIM_SAME); /* and takes no other one of the quota */
    assert_int_equal(used(f, 202511), 1);
}

/* Every figure of every sum, against the ledger itself. */
static void assert_sums_agree(const char *path)
{
#define FROM_LEDGER                                                                                \
    "COUNT(*), SUM((cpu_ns+999999)/1000000), SUM((peak_bytes+1048575)/1048576),"                   \
    " SUM((wall_ns+999999)/1000000),"                                                              \
    " SUM((peak_bytes+1048575)/1048576*((wall_ns+999999)/1000000)), SUM(egress_bytes),"            \
    " SUM(COALESCE(amount_micros,0)) FROM ledger"
#define FIGURES "runs, cpu_ms, mem_mb, duration_ms, mem_mb_ms, egress_bytes, amount_micros"
#define MONTH "CAST(strftime('%Y%m', at/1000000000, 'unixepoch') AS INTEGER)"
#define DIFFERENCE(table, keys, ledger)                                                            \
    "SELECT COUNT(*) FROM (SELECT * FROM (SELECT " keys ", " FIGURES " FROM " table                \
    " EXCEPT SELECT " ledger ") UNION ALL SELECT * FROM (SELECT " ledger " EXCEPT SELECT " keys    \
    ", " FIGURES " FROM " table "))"
#define COSTS " AND test = 0 AND outcome NOT IN ('sandbox_error', 'install_failed')"

    assert_int_equal(
        fixture_number(path,
                       DIFFERENCE("usage_days", "project_id, day, lang, outcome, test",
                                  "project_id, at/86400000000000, lang, outcome, test, " FROM_LEDGER
                                  " GROUP BY 1, 2, 3, 4, 5")),
        0);
    assert_int_equal(
        fixture_number(path, DIFFERENCE("usage_keys", "project_id, period, key_id",
                                        "project_id, " MONTH ", key_id, " FROM_LEDGER
                                        " WHERE key_id IS NOT NULL" COSTS " GROUP BY 1, 2, 3")),
        0);
    assert_int_equal(
        fixture_number(path, DIFFERENCE("usage_users", "project_id, period, user_id",
                                        "project_id, " MONTH ", user_id, " FROM_LEDGER
                                        " WHERE user_id IS NOT NULL" COSTS " GROUP BY 1, 2, 3")),
        0);
}

static void test_sums_equal_the_ledger(void **state)
{
    static const char *const outcomes[] = {"ok", "error", "timeout", "sandbox_error",
                                           "install_failed"};
    static const char *const langs[] = {"python", "node"};
    struct fixture *f = *state;
    struct store_usage_month month;
    struct store_usage_row *rows;
    uint64_t random = 7;
    size_t count;
    int64_t runs = 0;
    int recovered;
    struct dc_err err;

    for (int i = 0; i < 400; i++) {
        int64_t at = start + (int64_t)(i % 45) * DAY_NS + i;
        char id[DC_UUID_SIZE];
        char user[16];
        struct store_run_new run;
        struct store_run_result result;

        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        dc_uuid7(at, id);
        (void)snprintf(user, sizeof(user), "user-%d", i % 5);
        run = fixture_run(f, id, at);
        run.lang = langs[i % 2];
        run.key_id = i % 3 ? "key-1" : i % 7 ? "key-2" : NULL;
        run.user_id = i % 4 ? user : NULL;
        run.test = i % 11 == 0;
        assert_int_equal(admit(f, &run), STORE_CLAIM_NEW);
        if (i % 50 == 49)
            continue; /* for recovery */
        result = fixture_result(id, at + 5);
        result.outcome = outcomes[(random >> 40) % 5];
        result.cpu_ns = (int64_t)(random >> 36) % 900000000;
        result.peak_bytes = (int64_t)(random >> 30) % (512 << 20);
        result.wall_ns = result.cpu_ns * 2 + 1;
        result.egress_bytes = i;
        result.amount_micros = i % 9 ? 1000 + i : -1;
        result.price_run_micros = result.amount_micros;
        result.forget = i % 13 == 0;
        assert_ok(store_run_finish(f->conn, &result, &err), err);
    }
    assert_ok(store_recover(f->conn, start + 3 * DAY_NS, &recovered, &err), err);
    assert_int_equal(recovered, 8);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 400);
    assert_sums_agree(f->path);

    assert_ok(store_usage_month(f->conn, f->project.id, 202511, &month, &err), err);
    assert_int_equal(month.sums.runs + month.test_runs + month.free_runs,
                     fixture_number(f->path, "SELECT SUM(runs) FROM usage_days WHERE day < 20423"));
    for (int by = 0; by < STORE_USAGE_BYS; by++) {
        assert_ok(store_usage_by(f->conn, f->project.id, 202511, (enum store_usage_by)by, &rows,
                                 &count, &err),
                  err);
        assert_true(count > 0);
        runs = 0;
        for (size_t i = 0; i < count; i++)
            runs += rows[i].sums.runs;
        if (by == STORE_USAGE_DAY || by == STORE_USAGE_LANG)
            assert_int_equal(runs, month.sums.runs);
        if (by == STORE_USAGE_OUTCOME)
            assert_int_equal(runs, month.sums.runs + month.free_runs);
        if (by == STORE_USAGE_DAY)
            assert_string_equal(rows[0].label, "2025-11-01");
        free(rows);
    }
    assert_ok(store_usage_month(f->conn, f->project.id, 202401, &month, &err), err);
    assert_int_equal(month.sums.runs, 0);
}

static void test_prices_have_a_book(void **state)
{
    struct fixture *f = *state;
    const struct store_price one = {1000, 0, "usd"};
    const struct store_price two = {2000, 10, "eur"};
    struct dc_err err;

    assert_ok(store_price_set(f->conn, &one, 100, &err), err);
    assert_ok(store_price_set(f->conn, &one, 200, &err), err);
    assert_ok(store_price_set(f->conn, &two, 300, &err), err);
    assert_ok(store_price_set(f->conn, &one, 400, &err), err);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM prices"), 3);
    assert_int_equal(
        fixture_number(f->path, "SELECT run_micros FROM prices WHERE effective_at = 300"), 2000);
}

static const char *const key = "key-1";

/* One run of 1000 millionths; its claim. */
static enum store_claim spend(struct fixture *f, const struct store_budgets *budgets, int64_t at,
                              enum store_budget *ret_over)
{
    struct store_admission admission = {0};
    struct store_run_result result;
    struct store_run_new run;
    char id[DC_UUID_SIZE];
    struct dc_err err;

    dc_uuid7(at, id);
    run = fixture_run(f, id, at);
    run.key_id = key;
    run.user_id = "user-1";
    run.budgets = store_budgets_stop(budgets) ? budgets : NULL;
    assert_ok(store_run_admit(f->conn, &run, &admission, &err), err);
    *ret_over = admission.budget;
    if (admission.claim != STORE_CLAIM_NEW)
        return admission.claim;
    result = fixture_result(id, at);
    result.budgets = budgets;
    assert_ok(store_run_finish(f->conn, &result, &err), err);
    return STORE_CLAIM_NEW;
}

static void test_budgets_stop_and_are_told_once(void **state)
{
    struct fixture *f = *state;
    struct store_budgets budgets = {
        .project_id = f->project.id,
        .key_id = key,
        .user_id = "user-1",
        .micros = {[STORE_BUDGET_KEY] = 4000,
                   [STORE_BUDGET_PROJECT] = 6000,
                   [STORE_BUDGET_USER] = 1000000},
        .stops = {[STORE_BUDGET_KEY] = true, [STORE_BUDGET_USER] = true},
    };
    struct store_budget_event events[16];
    enum store_budget over;
    int count;
    struct dc_err err;

    assert_true(store_budgets_any(&budgets) && store_budgets_stop(&budgets));
    for (int i = 0; i < 4; i++) {
        /* The key's at 50, 75, 100 percent; the project's at 50. */
        static const int told[] = {0, 1, 3, 4};

        assert_int_equal(spend(f, &budgets, start + i, &over), STORE_CLAIM_NEW);
        assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM budget_events"), told[i]);
    }
    assert_int_equal(spend(f, &budgets, start + 10, &over), STORE_CLAIM_OVER_BUDGET);
    assert_int_equal(over, STORE_BUDGET_KEY);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 4);
    assert_int_equal(spend(f, &budgets, start + 40 * DAY_NS, &over), STORE_CLAIM_NEW);

    assert_ok(store_budget_events(f->conn, 16, events, &count, &err), err);
    assert_int_equal(count, 4);
    assert_int_equal(events[0].kind, STORE_BUDGET_KEY);
    assert_int_equal(events[0].threshold, 50);
    assert_int_equal(events[0].amount_micros, 2000);
    assert_int_equal(events[0].period, 202511);
    assert_string_equal(events[0].subject, key);
    assert_ok(store_budget_event_sent(f->conn, &events[0], NULL, 5, &err), err);
    assert_ok(store_budget_events(f->conn, 16, events, &count, &err), err);
    assert_int_equal(count, 3);
}

/* A run that costs 1000 at most is admitted under these budgets, or is not. */
static enum store_claim hold_one(struct fixture *f, const struct store_budgets *budgets,
                                 int64_t quota, char id[static DC_UUID_SIZE])
{
    static int64_t at;
    struct store_run_new run;

    dc_uuid7(start + ++at, id);
    run = fixture_run(f, id, start + at);
    run.key_id = budgets->key_id;
    run.user_id = budgets->user_id;
    run.budgets = budgets;
    run.hold_micros = 1000;
    run.price_micros = 1000;
    run.has_quota = quota >= 0;
    run.quota_limit = quota;
    return admit(f, &run);
}

static int64_t held(struct fixture *f, const char *kind)
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql),
                   "SELECT COALESCE(SUM(micros), -1) FROM budget_holds WHERE kind = '%s'", kind);
    return fixture_number(f->path, sql);
}

static void test_budgets_count_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct store_budgets budgets = {
        .project_id = f->project.id,
        .key_id = key,
        .user_id = "user-1",
        .micros = {0, 2999, 5000, 1000000},
        .stops = {false, true, true, true},
    };
    char id[4][DC_UUID_SIZE];
    int recovered;
    struct dc_err err;

    assert_int_equal(hold_one(f, &budgets, -1, id[0]), STORE_CLAIM_NEW);
    assert_int_equal(hold_one(f, &budgets, -1, id[1]), STORE_CLAIM_NEW);
    assert_int_equal(hold_one(f, &budgets, -1, id[2]), STORE_CLAIM_OVER_BUDGET);
    assert_int_equal(held(f, "key"), 2000); /* what is refused holds nothing, of no budget */
    assert_int_equal(held(f, "project"), 2000);
    assert_int_equal(held(f, "user"), 2000);
    assert_ok(store_run_withdraw(f->conn, id[0], &err), err);
    assert_int_equal(held(f, "key"), 1000);
    finish(f, id[1], start + 5, "ok"); /* 1000 are spent, nothing is held: one more, not two */
    assert_int_equal(held(f, "key"), -1);
    assert_int_equal(hold_one(f, &budgets, 0, id[2]), STORE_CLAIM_OVER_QUOTA);
    assert_int_equal(held(f, "key"), -1);
    assert_int_equal(hold_one(f, &budgets, -1, id[2]), STORE_CLAIM_NEW);
    assert_int_equal(hold_one(f, &budgets, -1, id[3]), STORE_CLAIM_OVER_BUDGET);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM budget_events"), 0);
    assert_ok(store_recover(f->conn, start + 20, &recovered, &err), err);
    assert_int_equal(recovered, 1);
    assert_int_equal(held(f, "key"), -1);
    assert_int_equal(hold_one(f, &budgets, -1, id[3]), STORE_CLAIM_NEW);
    finish(f, id[3], start + 21, "ok");
    /* 999 are left: less than a run costs, which counts as the whole and is told once. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hold_one(f, &budgets, -1, id[0]), STORE_CLAIM_OVER_BUDGET);
        assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM budget_events"
                                                 " WHERE threshold = 100 AND kind = 'key'"),
                         1);
    }
}

/* One that is set in mid-month begins with what the ledger shows of the month, and with what is
 * under way. */
static void test_quota_begins_with_the_ledger(void **state)
{
    struct fixture *f = *state;
    struct store_project_rules rules = {.runs_per_month = 5};
    struct store_run_result result;
    char id[6][DC_UUID_SIZE];
    int64_t november = dc_month_begin(202511);
    struct dc_err err;

    assert_int_equal(admit_one(f, id[0], november - 1000, -1), STORE_CLAIM_NEW);
    finish(f, id[0], november + 1000, "ok"); /* of the quota of October */
    assert_int_equal(admit_one(f, id[0], start, -1), STORE_CLAIM_NEW);
    finish(f, id[0], start + 1, "ok");
    assert_int_equal(admit_one(f, id[0], start, -1), STORE_CLAIM_NEW);
    finish(f, id[0], start + 1, "sandbox_error");
    assert_int_equal(admit_one(f, id[1], start, -1), STORE_CLAIM_NEW);
    assert_int_equal(admit_one(f, id[2], start, -1), STORE_CLAIM_NEW);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM quota"), 0);
    assert_ok(store_project_set_rules(f->conn, f->project.id, &rules, start + 2, &err), err);
    assert_int_equal(used(f, 202511), 3); /* one that ended, two under way */
    assert_int_equal(admit_one(f, id[3], start + 3, 5), STORE_CLAIM_NEW);
    assert_int_equal(used(f, 202511), 4);
    result = fixture_result(id[1], start + 4);
    result.outcome = "sandbox_error";
    result.costless = true;
    assert_ok(store_run_finish(f->conn, &result, &err), err);
    assert_int_equal(used(f, 202511), 3); /* admitted without a quota, given back all the same */
    assert_int_equal(admit_one(f, id[1], start + 5, 5), STORE_CLAIM_NEW);
    assert_int_equal(admit_one(f, id[4], start + 5, 5), STORE_CLAIM_NEW);
    assert_int_equal(admit_one(f, id[5], start + 5, 5), STORE_CLAIM_OVER_QUOTA);
    rules.memory_mb = 64; /* another rule changes: nothing begins anew */
    assert_ok(store_project_set_rules(f->conn, f->project.id, &rules, start + 6, &err), err);
    assert_int_equal(fixture_number(f->path, "SELECT used FROM quota"), 5);
    finish(f, id[2], start + 7, "ok");
    rules.runs_per_month = 6;
    assert_ok(store_project_set_rules(f->conn, f->project.id, &rules, start + 8, &err), err);
    assert_int_equal(used(f, 202511), 5);
    assert_int_equal(admit_one(f, id[5], start + 9, 6), STORE_CLAIM_NEW);
    assert_int_equal(admit_one(f, id[5], start + 9, 6), STORE_CLAIM_OVER_QUOTA);
}

/* Settings of the server take the quota away and bring it back within a month. */
static void test_quota_returns_complete(void **state)
{
    struct fixture *f = *state;
    struct store_run_new run;
    char id[4][DC_UUID_SIZE];
    int recovered;
    struct dc_err err;

    assert_int_equal(admit_one(f, id[0], start, 5), STORE_CLAIM_NEW);
    finish(f, id[0], start + 1, "ok");
    for (int i = 1; i < 4; i++) {
        dc_uuid7(start + i, id[i]);
        run = fixture_run(f, id[i], start + i);
        run.follows_quota = true;
        assert_int_equal(admit(f, &run), STORE_CLAIM_NEW);
    }
    assert_int_equal(used(f, 202511), 4);
    finish(f, id[1], start + 4, "ok");
    finish(f, id[2], start + 4, "install_failed");
    assert_int_equal(used(f, 202511), 3);
    assert_int_equal(admit_one(f, id[0], start + 5, 4), STORE_CLAIM_NEW);
    assert_int_equal(admit_one(f, id[2], start + 5, 4), STORE_CLAIM_OVER_QUOTA);
    assert_ok(store_recover(f->conn, start + 6, &recovered, &err), err);
    assert_int_equal(recovered, 2);
    assert_int_equal(used(f, 202511), 2);
    /* What is paid for follows none. */
    assert_int_equal(admit_one(f, id[2], start + 7, -1), STORE_CLAIM_NEW);
    assert_int_equal(used(f, 202511), 2);
}

/* The exact millionth at which a threshold is reached. */
/* What is under way when its project goes is written off, not forgotten. */
static void test_a_deleted_projects_runs_are_written_off(void **state)
{
    struct fixture *f = *state;
    char id[3][DC_UUID_SIZE];
    struct store_run_result late;
    struct dc_err err;

    for (int i = 0; i < 3; i++)
        assert_int_equal(admit_one(f, id[i], start + i, -1), STORE_CLAIM_NEW);
    finish(f, id[0], start + 5, "ok");
    assert_ok(store_project_delete(f->conn, f->project.id, &err), err);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 3);
    assert_int_equal(fixture_number(f->path,
                                    "SELECT COUNT(*) FROM ledger WHERE amount_micros IS NULL"
                                    " AND outcome = 'sandbox_error'"),
                     2);
    assert_sums_agree(f->path);
    late = fixture_result(id[1], start + 9);
    assert_true(store_run_finish(f->conn, &late, &err) < 0); /* and is not written again */
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 3);
}

/* Whatever the span, it is what the ledger itself adds up to. */
static void test_spans_equal_the_ledger(void **state)
{
    static const char *const outcomes[] = {"ok", "error", "sandbox_error", "install_failed"};
    struct fixture *f = *state;
    uint64_t seed = 42;
    struct store_usage_sums sums;
    struct dc_err err;

    for (int i = 0; i < 120; i++) {
        char id[DC_UUID_SIZE];
        int64_t at = start + (int64_t)(seed % 9000) * (DAY_NS / 1000);

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        (void)admit_one(f, id, at, -1);
        finish(f, id, at, outcomes[seed >> 62]);
    }
    for (int i = 0; i < 300; i++) {
        char sql[512];
        int64_t from;
        int64_t to;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        from = start + (int64_t)(seed >> 40) % 9500 * (DAY_NS / 1000) - DAY_NS / 4;
        to = i % 3 ? from + (int64_t)(seed % 7000) * (DAY_NS / 1000)
                   : from / DAY_NS * DAY_NS + DAY_NS;
        (void)snprintf(sql, sizeof(sql),
                       "SELECT COUNT(*) * 1000000 + COALESCE(SUM((cpu_ns+999999)/1000000), 0)"
                       " FROM ledger WHERE at >= %lld AND at < %lld AND test = 0"
                       " AND outcome NOT IN ('sandbox_error', 'install_failed')",
                       (long long)from, (long long)to);
        assert_ok(store_usage_span(f->conn, f->project.id, from, to, &sums, &err), err);
        assert_int_equal(sums.runs * 1000000 + sums.cpu_ms, fixture_number(f->path, sql));
        (void)snprintf(sql, sizeof(sql),
                       "SELECT COALESCE(SUM(amount_micros), 0) FROM ledger WHERE at >= %lld"
                       " AND at < %lld",
                       (long long)from, (long long)to);
        assert_int_equal(sums.amount_micros, fixture_number(f->path, sql));
    }
}

static void test_thresholds_are_exact(void **state)
{
    struct fixture *f = *state;
    struct store_budgets budgets = {.project_id = f->project.id,
                                    .micros = {[STORE_BUDGET_PROJECT] = 2001}};
    enum store_budget over;

    assert_int_equal(spend(f, &budgets, start, &over), STORE_CLAIM_NEW);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM budget_events"), 0);
    budgets.micros[STORE_BUDGET_PROJECT] = 4000;
    assert_int_equal(spend(f, &budgets, start + 1, &over), STORE_CLAIM_NEW);
    assert_int_equal(fixture_number(f->path, "SELECT MAX(threshold) FROM budget_events"), 50);
    assert_false(store_budgets_stop(&budgets));
}

static void test_months(void **state)
{
    (void)state;
    assert_int_equal(dc_month_of(start), 202511);
    assert_int_equal(dc_month_of(start - INT64_C(13) * 3600 * DC_NS_PER_S), 202510);
    assert_int_equal(dc_month_of(0), 197001);
    assert_int_equal(dc_month_add(202511, 2), 202601);
    assert_int_equal(dc_month_add(202601, -1), 202512);
    assert_int_equal(dc_month_add(202512, -12), 202412);
    for (int i = 0; i < 600; i++) {
        int64_t month = dc_month_add(197001, i);

        assert_int_equal(dc_month_of(dc_month_begin(month)), month);
        if (i)
            assert_int_equal(dc_month_of(dc_month_begin(month) - 1), dc_month_add(month, -1));
    }
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(test_quota_is_reserved_and_given_back),
        with_store(test_no_quota_counts_nothing),
        with_store(test_refusal_frees_the_idempotency_key),
        with_store(test_sums_equal_the_ledger),
        with_store(test_prices_have_a_book),
        with_store(test_budgets_stop_and_are_told_once),
        with_store(test_budgets_count_what_is_under_way),
        with_store(test_quota_begins_with_the_ledger),
        with_store(test_quota_returns_complete),
        with_store(test_thresholds_are_exact),
        with_store(test_a_deleted_projects_runs_are_written_off),
        with_store(test_spans_equal_the_ledger),
        cmocka_unit_test(test_months),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_usage", tests, NULL, NULL);
}
