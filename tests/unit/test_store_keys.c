/* What keys and projects may do, as stored. */
#include "store_fixture.h"

static struct store_key *only_key(const struct fixture *f, const char *id)
{
    struct store_key *key = NULL;
    struct dc_err err;

    assert_ok(store_key_get(f->conn, f->project.id, id, &key, &err), err);
    return key;
}

static struct store_key make(const struct fixture *f, const struct store_key_rules *rules,
                             char raw[static STORE_RAW_KEY_SIZE])
{
    const struct store_key_new made = {f->project.id, "site", STORE_KEY_LIVE, *rules};
    struct store_key key;
    struct dc_err err;

    assert_ok(store_key_create(f->conn, &made, 100, raw, &key, &err), err);
    return key;
}

static const struct store_key_rules all_rules = {
    .scopes = STORE_SCOPE_RUN,
    .expires_at = 5000,
    .domains = "example.com,*.example.org",
    .networks = "192.0.2.0/24",
    .rate_per_minute = 60,
    .running_max = 2,
    .budget_micros = 12500000,
    .budget_stops = true,
};

static void assert_rules(const struct store_key_rules *got, const struct store_key_rules *wanted)
{
    assert_int_equal(got->scopes, wanted->scopes);
    assert_int_equal(got->expires_at, wanted->expires_at);
    assert_string_equal(got->domains, wanted->domains);
    assert_string_equal(got->networks, wanted->networks);
    assert_int_equal(got->rate_per_minute, wanted->rate_per_minute);
    assert_int_equal(got->running_max, wanted->running_max);
    assert_int_equal(got->budget_micros, wanted->budget_micros);
    assert_int_equal(got->budget_stops, wanted->budget_stops);
}

static void test_rules_are_kept(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key plain = make(f, &(struct store_key_rules){0}, raw);
    struct store_key full = make(f, &all_rules, raw);
    struct store_key *keys;
    int64_t version;
    size_t count;
    struct dc_err err;

    assert_int_equal(plain.rules.scopes, STORE_SCOPES_ALL);
    assert_rules(&full.rules, &all_rules);
    assert_ok(store_keys_load(f->conn, &keys, &count, &version, &err), err);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].id, full.id) == 0) {
            assert_rules(&keys[i].rules, &all_rules);
        } else {
            assert_int_equal(keys[i].rules.scopes, STORE_SCOPES_ALL);
            assert_null(keys[i].rules.domains);
            assert_null(keys[i].rules.networks);
            assert_int_equal(keys[i].rules.rate_per_minute, 0);
            assert_int_equal(keys[i].rules.budget_micros, 0);
        }
    }
    free(keys);
}

static void test_activity(void **state)
{
    struct store_key key = {.rules.expires_at = 100};

    (void)state;
    assert_true(store_key_active(&key, 99));
    assert_false(store_key_active(&key, 100));
    key.rules.expires_at = 0;
    assert_true(store_key_active(&key, INT64_MAX));
    key.revoked_at = 1;
    assert_false(store_key_active(&key, 0));
}

static void test_change_touches_what_it_names(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key key = make(f, &all_rules, raw);
    struct store_key_change change = {
        .fields = STORE_KEY_DOMAINS | STORE_KEY_RATE | STORE_KEY_NAME,
        .name = "other",
        .rules = {.rate_per_minute = 7, .running_max = 99},
    };
    struct store_key *got;
    int64_t before;
    int64_t after;
    struct dc_err err;

    assert_ok(store_keys_version(f->conn, &before, &err), err);
    assert_ok(store_key_change(f->conn, f->project.id, key.id, &change, &err), err);
    assert_ok(store_keys_version(f->conn, &after, &err), err);
    assert_true(after > before);
    got = only_key(f, key.id);
    assert_string_equal(got->name, "other");
    assert_null(got->rules.domains);
    assert_int_equal(got->rules.rate_per_minute, 7);
    assert_int_equal(got->rules.running_max, 2);
    assert_string_equal(got->rules.networks, all_rules.networks);
    free(got);

    assert_code(store_key_change(f->conn, "other", key.id, &change, &err), DC_NOT_FOUND);
    assert_ok(store_key_revoke(f->conn, NULL, key.id, 200, &err), err);
    assert_code(store_key_change(f->conn, NULL, key.id, &change, &err), DC_CONFLICT);
}

static void test_texts_are_bounded(void **state)
{
    struct fixture *f = *state;
    static char text[STORE_RULE_TEXT_MAX_BYTES + 2];
    const struct store_key_new made = {f->project.id, "", STORE_KEY_LIVE, {.domains = text}};
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key key;
    struct dc_err err;

    memset(text, 'a', sizeof(text) - 1);
    assert_code(store_key_create(f->conn, &made, 1, raw, &key, &err), DC_INVALID);
    text[STORE_RULE_TEXT_MAX_BYTES] = '\0';
    assert_ok(store_key_create(f->conn, &made, 1, raw, &key, &err), err);
}

static void test_roll_with_overlap(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    char fresh[STORE_RAW_KEY_SIZE];
    struct store_key key = make(f, &all_rules, raw);
    struct store_key *made;
    struct store_key *again;
    struct store_key *old;
    uint8_t hash[STORE_HASH_BYTES];
    struct dc_err err;

    assert_code(store_key_roll(f->conn, "other", key.id, 50, 200, fresh, &made, &err),
                DC_NOT_FOUND);
    assert_ok(store_key_roll(f->conn, f->project.id, key.id, 50, 200, fresh, &made, &err), err);
    assert_string_not_equal(fresh, raw);
    store_sha256(fresh, strlen(fresh), hash);
    assert_memory_equal(made->hash, hash, sizeof(hash));
    assert_string_equal(made->name, "site");
    assert_rules(&made->rules, &all_rules);
    old = only_key(f, key.id);
    assert_string_equal(old->rolled_to, made->id);
    assert_int_equal(old->rules.expires_at, 250);
    assert_int_equal(old->revoked_at, 0);

    /* Once only, also while it lives, and not when it is over. */
    assert_code(store_key_roll(f->conn, NULL, key.id, 50, 210, raw, &again, &err), DC_CONFLICT);
    assert_code(store_key_roll(f->conn, NULL, made->id, 50, 5000, raw, &again, &err), DC_CONFLICT);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM api_keys"), 2);
    free(old);
    free(made);
}

static void test_roll_never_lengthens(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key key = make(f, &all_rules, raw);
    struct store_key *made;
    struct store_key *old;
    struct dc_err err;

    assert_ok(store_key_roll(f->conn, NULL, key.id, 100000, 200, raw, &made, &err), err);
    old = only_key(f, key.id);
    assert_int_equal(old->rules.expires_at, 5000);
    free(old);
    free(made);
}

static void test_roll_without_overlap(void **state)
{
    struct fixture *f = *state;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key key = make(f, &(struct store_key_rules){0}, raw);
    struct store_key *made;
    struct store_key *old;
    struct dc_err err;

    assert_ok(store_key_roll(f->conn, NULL, key.id, 0, 200, raw, &made, &err), err);
    old = only_key(f, key.id);
    assert_int_equal(old->revoked_at, 200);
    free(old);
    free(made);
}

static void test_project_rules(void **state)
{
    struct fixture *f = *state;
    const struct store_project_rules rules = {1000, 60000,   120,     1024, 8,
                                              30,   5000000, 1000000, true};
    struct store_project project;
    int64_t before;
    int64_t after;
    struct dc_err err;

    assert_int_equal(f->project.plan, STORE_PLAN_FREE);
    assert_int_equal(f->project.suspended_at, 0);
    assert_ok(store_keys_version(f->conn, &before, &err), err);
    assert_ok(store_project_set_plan(f->conn, f->project.id, STORE_PLAN_ENTERPRISE, 1, &err), err);
    assert_ok(store_project_set_rules(f->conn, f->project.id, &rules, 1, &err), err);
    assert_ok(store_project_suspend(f->conn, f->project.id, 77, &err), err);
    assert_ok(store_keys_version(f->conn, &after, &err), err);
    assert_int_equal(after, before + 3);
    assert_ok(store_project_get(f->conn, f->project.id, &project, &err), err);
    assert_int_equal(project.plan, STORE_PLAN_ENTERPRISE);
    assert_int_equal(project.suspended_at, 77);
    assert_int_equal(project.rules.runs_per_month, 1000);
    assert_int_equal(project.rules.timeout_ms, 60000);
    assert_int_equal(project.rules.install_seconds, 120);
    assert_int_equal(project.rules.memory_mb, 1024);
    assert_int_equal(project.rules.running_max, 8);
    assert_int_equal(project.rules.user_rate_per_minute, 30);
    assert_int_equal(project.rules.budget_micros, 5000000);
    assert_int_equal(project.rules.user_budget_micros, 1000000);
    assert_true(project.rules.budget_stops);
    assert_ok(store_project_suspend(f->conn, f->project.id, 0, &err), err);
    assert_ok(store_project_get(f->conn, f->project.id, &project, &err), err);
    assert_int_equal(project.suspended_at, 0);
    assert_code(store_project_set_plan(f->conn, "none", STORE_PLAN_PRO, 1, &err), DC_NOT_FOUND);
    assert_code(store_project_set_rules(f->conn, "none", &rules, 1, &err), DC_NOT_FOUND);
    assert_code(store_project_suspend(f->conn, "none", 1, &err), DC_NOT_FOUND);
}

static void test_plan_names(void **state)
{
    enum store_plan plan;

    (void)state;
    for (int i = 0; i < STORE_PLANS; i++) {
        assert_true(store_plan_from_name(store_plan_name((enum store_plan)i), &plan));
        assert_int_equal(plan, i);
    }
    assert_false(store_plan_from_name("gold", &plan));
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(test_rules_are_kept),
        cmocka_unit_test(test_activity),
        with_store(test_change_touches_what_it_names),
        with_store(test_texts_are_bounded),
        with_store(test_roll_with_overlap),
        with_store(test_roll_never_lengthens),
        with_store(test_roll_without_overlap),
        with_store(test_project_rules),
        cmocka_unit_test(test_plan_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_keys", tests, NULL, NULL);
}
