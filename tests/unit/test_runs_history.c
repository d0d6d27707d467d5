/* The glue to the store: a real database, real threads, tasks on a loop. */
#include "store_fixture.h"

#include <stdlib.h>

#include "net/task.h"
#include "runs/history.h"

#include "base/poison.h"

struct world {
    struct fixture fixture;
    uv_loop_t loop;
    struct store_worker *worker;
    struct history *history;
    bool over;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    void *fixture = NULL;
    struct dc_err err;

    if (!world || fixture_setup(&fixture) < 0)
        return -1;
    world->fixture = *(struct fixture *)fixture;
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_ok(store_worker_start(world->fixture.path, &world->worker, &err), err);
    assert_ok(history_open(world->worker, &world->history, &err), err);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    void *fixture = &world->fixture;

    store_worker_free(world->worker);
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    history_free(world->history);
    (void)fixture_teardown(&fixture);
    free(world);
    return 0;
}

/* Runs a test's body as a task and the loop until it is over. */
static void in_task(struct world *world, void (*body)(void *world))
{
    struct dc_err err;

    world->over = false;
    assert_ok(task_start(&world->loop, body, world, &err), err);
    while (!world->over)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
}

struct sample {
    struct run_request request;
    struct history_run run;
    struct run_result result;
    char id[DC_UUID_SIZE];
};

static void make_sample(struct world *world, struct sample *sample, const char *key)
{
    static const char body[] =
        "{\"lang\":\"python\",\"code\":\"print(1)\",\"env\":{\"TOKEN\":\"hunter2\"},"
        "\"userContext\":{\"id\":\"u1\"},\"policy\":{\"cpus\":0.5}}";
    struct run_limits limits = {0};
    DC_AUTO(problems_release) struct problems problems;
    struct dc_err err;

    problems_init(&problems);
    run_request_init(&sample->request);
    run_limits_lower(&limits, POLICY_TIMEOUT_MS, 1000, "this server");
    assert_ok(run_request_parse(&sample->request, body, strlen(body), &limits, &problems, &err),
              err);
    dc_uuid7(dc_wall_now(), sample->id);
    sample->run = (struct history_run){.id = sample->id,
                                       .project_id = world->fixture.project.id,
                                       .created_ns = dc_wall_now(),
                                       .idempotency_key = key,
                                       .body_hash = {7},
                                       .price_run_micros = 1000,
                                       .price_cpu_ms_micros = 10};
    run_result_init(&sample->result);
    memcpy(sample->result.id, sample->id, sizeof(sample->id));
    sample->result.created_ns = sample->run.created_ns;
    sample->result.policy = sample->request.policy;
    sample->result.outcome = OUTCOME_TIMEOUT;
    sample->result.exit_code = 124;
    sample->result.limits = RUN_LIMIT_WALL | RUN_LIMIT_OUTPUT;
    sample->result.truncated[OUTPUT_STDERR] = true;
    sample->result.cpu_ns = 2500000;
    sample->result.peak_bytes = 3 << 20;
    sample->result.wall_ns = 1000000001;
    (void)snprintf(sample->result.message, sizeof(sample->result.message), "too slow");
    (void)dc_buf_append(&sample->result.streams[OUTPUT_STDOUT], "a\0\xff\n", 4);
    (void)dc_buf_text(&sample->result.streams[OUTPUT_STDERR], "SandboxError: too slow\n");
    (void)dc_buf_text(&sample->result.members, "\"runtime\":\"3.11.2\",\"files\":[]");
}

static void drop_sample(struct sample *sample)
{
    run_request_release(&sample->request);
    run_result_release(&sample->result);
}

static void admit(struct world *world, struct sample *sample, enum history_verdict wanted,
                  char id[static DC_UUID_SIZE])
{
    enum history_verdict verdict;
    struct history_admission admission = {0};
    struct dc_err err;

    assert_ok(
        history_admit(world->history, &sample->request, &sample->run, &verdict, &admission, &err),
        err);
    assert_int_equal(verdict, wanted);
    memcpy(id, admission.id, sizeof(admission.id));
}

static void finish(struct world *world, struct sample *sample)
{
    struct dc_err err;

    assert_ok(history_finish(world->history, &sample->run, &sample->request, &sample->result, &err),
              err);
}

static void print(const struct run_result *result, struct dc_buf *out)
{
    dc_buf_init(out, run_result_print_max(result));
    assert_true(run_result_print(result, out));
}

static void body_of_same_bytes(void *context)
{
    struct world *world = context;
    DC_AUTO(history_entry_release) struct history_entry entry = {0};
    DC_AUTO(dc_buf_release) struct dc_buf first;
    DC_AUTO(dc_buf_release) struct dc_buf later;
    struct sample sample;
    struct dc_err err;
    char id[DC_UUID_SIZE];

    make_sample(world, &sample, NULL);
    admit(world, &sample, HISTORY_NEW, id);
    history_started(world->history, sample.id);
    finish(world, &sample);
    assert_ok(history_get(world->history, world->fixture.project.id, id, false, &entry, &err), err);
    assert_true(entry.done);
    print(&sample.result, &first);
    print(&entry.result, &later);
    assert_string_equal(dc_buf_str(&first), dc_buf_str(&later));
    assert_non_null(strstr(dc_buf_str(&later), "\"limits_applied\":{\"timeoutMs\":1000}"));
    assert_null(strstr(entry.run.request, "hunter2"));
    assert_string_equal(entry.run.user_id, "u1");
    drop_sample(&sample);
    world->over = true;
}

static void a_stored_answer_is_the_same_bytes(void **state)
{
    in_task(*state, body_of_same_bytes);
}

static void body_of_other_project(void *context)
{
    struct world *world = context;
    struct history_entry entry = {0};
    struct sample sample;
    struct dc_err err;
    char id[DC_UUID_SIZE];

    make_sample(world, &sample, NULL);
    admit(world, &sample, HISTORY_NEW, id);
    finish(world, &sample);
    assert_code(history_get(world->history, "01890000-0000-7000-8000-000000000000", id, false,
                            &entry, &err),
                DC_NOT_FOUND);
    assert_code(history_finish(world->history, &sample.run, &sample.request, &sample.result, &err),
                DC_CONFLICT); /* once only */
    drop_sample(&sample);
    world->over = true;
}

static void another_project_sees_nothing(void **state)
{
    in_task(*state, body_of_other_project);
}

static void body_of_forgetting(void *context)
{
    struct world *world = context;
    struct history_entry entry = {0};
    struct store_usage usage;
    struct sample sample;
    struct dc_err err;
    char id[DC_UUID_SIZE];

    make_sample(world, &sample, NULL);
    sample.request.no_store = true;
    admit(world, &sample, HISTORY_NEW, id);
    finish(world, &sample);
    assert_code(history_get(world->history, world->fixture.project.id, id, false, &entry, &err),
                DC_NOT_FOUND);
    assert_ok(store_ledger_sum(world->fixture.conn, world->fixture.project.id, 0, INT64_MAX, &usage,
                               &err),
              err);
    assert_int_equal(usage.runs, 1);
    assert_int_equal(usage.amount_micros, 1000 + 3 * 10);
    drop_sample(&sample);
    world->over = true;
}

static void metering_stays_when_the_rest_is_not_kept(void **state)
{
    in_task(*state, body_of_forgetting);
}

/* A second task that comes with the same key while the first one's run is under way. */
struct follower {
    struct world *world;
    struct dc_buf answer;
    int result;
    bool over;
};

static void follow(void *context)
{
    struct follower *follower = context;
    struct world *world = follower->world;
    DC_AUTO(history_entry_release) struct history_entry entry = {0};
    struct sample sample;
    struct dc_err err;
    char id[DC_UUID_SIZE];

    make_sample(world, &sample, "key");
    admit(world, &sample, HISTORY_SAME, id);
    assert_string_not_equal(id, sample.id);
    follower->result =
        history_get(world->history, world->fixture.project.id, id, true, &entry, &err);
    if (follower->result == 0) {
        assert_true(entry.done);
        print(&entry.result, &follower->answer);
    }
    drop_sample(&sample);
    follower->over = true;
}

static void body_of_claims(void *context)
{
    struct world *world = context;
    struct follower followers[3];
    DC_AUTO(dc_buf_release) struct dc_buf first;
    struct sample sample;
    struct sample other;
    struct dc_err err;
    char id[DC_UUID_SIZE];

    make_sample(world, &sample, "key");
    admit(world, &sample, HISTORY_NEW, id);
    assert_string_equal(id, sample.id);
    for (int i = 0; i < 3; i++) {
        followers[i] = (struct follower){.world = world};
        assert_ok(task_start(&world->loop, follow, &followers[i], &err), err);
    }
    make_sample(world, &other, "key");
    other.run.body_hash[0] = 8;
    admit(world, &other, HISTORY_CONFLICT, id);
    task_sleep(50); /* they wait: nothing else would be right, however long it is */
    for (int i = 0; i < 3; i++)
        assert_false(followers[i].over);
    finish(world, &sample);
    print(&sample.result, &first);
    for (int i = 0; i < 3; i++) {
        while (!followers[i].over)
            task_sleep(5);
        assert_int_equal(followers[i].result, 0);
        assert_string_equal(dc_buf_str(&followers[i].answer), dc_buf_str(&first));
        dc_buf_release(&followers[i].answer);
    }
    drop_sample(&sample);
    drop_sample(&other);
    world->over = true;
}

static void the_same_key_runs_once(void **state)
{
    in_task(*state, body_of_claims);
}

static void body_of_withdrawal(void *context)
{
    struct world *world = context;
    struct follower follower = {.world = world};
    struct sample sample;
    struct dc_err err;
    char id[DC_UUID_SIZE];

    make_sample(world, &sample, "key");
    admit(world, &sample, HISTORY_NEW, id);
    assert_ok(task_start(&world->loop, follow, &follower, &err), err);
    task_sleep(50);
    assert_ok(history_withdraw(world->history, &sample.run, &err), err);
    while (!follower.over)
        task_sleep(5);
    assert_code(follower.result, DC_NOT_FOUND); /* it is to admit anew */
    drop_sample(&sample);
    make_sample(world, &sample, "key");
    admit(world, &sample, HISTORY_NEW, id);
    finish(world, &sample);
    drop_sample(&sample);
    /* Without a key nobody waits for it. */
    make_sample(world, &sample, NULL);
    admit(world, &sample, HISTORY_NEW, id);
    assert_ok(history_withdraw(world->history, &sample.run, &err), err);
    drop_sample(&sample);
    world->over = true;
}

static void a_withdrawn_run_leaves_no_claim(void **state)
{
    in_task(*state, body_of_withdrawal);
}

static void body_of_our_fault(void *context)
{
    struct world *world = context;
    struct store_usage usage;
    struct sample sample;
    struct dc_err err;
    char id[DC_UUID_SIZE];

    make_sample(world, &sample, "key");
    admit(world, &sample, HISTORY_NEW, id);
    sample.result.outcome = OUTCOME_SANDBOX_ERROR;
    finish(world, &sample);
    assert_ok(store_ledger_sum(world->fixture.conn, world->fixture.project.id, 0, INT64_MAX, &usage,
                               &err),
              err);
    assert_int_equal(usage.amount_micros, 0);
    drop_sample(&sample);
    make_sample(world, &sample, "key");
    admit(world, &sample, HISTORY_NEW, id); /* a retry runs */
    finish(world, &sample);
    drop_sample(&sample);
    world->over = true;
}

static void our_fault_is_free_and_repeatable(void **state)
{
    in_task(*state, body_of_our_fault);
}

static void body_of_listing(void *context)
{
    struct world *world = context;
    DC_AUTO(store_run_page_release) struct store_run_page page = {0};
    struct store_run_filter filter = {.project_id = world->fixture.project.id, .limit = 2};
    char ids[3][DC_UUID_SIZE];
    struct dc_err err;

    for (int i = 0; i < 3; i++) {
        struct sample sample;

        make_sample(world, &sample, NULL);
        admit(world, &sample, HISTORY_NEW, ids[i]);
        finish(world, &sample);
        drop_sample(&sample);
    }
    assert_ok(history_list(world->history, &filter, &page, &err), err);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.runs[0].id, ids[2]);
    assert_true(*page.next_cursor);
    filter.limit = 201;
    assert_code(history_list(world->history, &filter, &page, &err), DC_INVALID);
    world->over = true;
}

static void lists_newest_first(void **state)
{
    in_task(*state, body_of_listing);
}

static void prices_are_whole_micros(void **state)
{
    struct run_result result = {.outcome = OUTCOME_OK, .cpu_ns = 1500000};
    struct history_run run = {.price_run_micros = -1, .price_cpu_ms_micros = -1};

    (void)state;
    assert_int_equal(history_amount_micros(&run, &result), -1);
    run.price_run_micros = 1000;
    assert_int_equal(history_amount_micros(&run, &result), 1000);
    run.price_cpu_ms_micros = 10;
    assert_int_equal(history_amount_micros(&run, &result), 1020);
    result.outcome = OUTCOME_CANCELLED;
    assert_int_equal(history_amount_micros(&run, &result), 1020);
    result.outcome = OUTCOME_INSTALL_FAILED;
    assert_int_equal(history_amount_micros(&run, &result), 0);
    result.outcome = OUTCOME_SANDBOX_ERROR;
    assert_int_equal(history_amount_micros(&run, &result), 0);
}

/* Not one combination wraps around to a gift or to less than the price of a run. */
static void prices_do_not_overflow(void **state)
{
    static const int64_t prices[] = {
        0, 1, 999999, INT64_C(1000000000) * 1000000, INT64_MAX / 2, INT64_MAX};
    static const uint64_t cpu_ns[] = {0, 1, 1000000, 300000000000, INT64_MAX, UINT64_MAX};
    enum { PRICES = sizeof(prices) / sizeof(prices[0]) };
    const int64_t most = INT64_C(1000000000) * 1000000;

    (void)state;
    for (size_t i = 0; i < PRICES * PRICES * PRICES; i++) {
        struct run_result result = {.outcome = OUTCOME_OK, .cpu_ns = cpu_ns[i % PRICES]};
        struct history_run run = {.price_run_micros = prices[i / PRICES % PRICES],
                                  .price_cpu_ms_micros = prices[i / PRICES / PRICES]};
        int64_t amount = history_amount_micros(&run, &result);
        __int128 exact =
            (__int128)run.price_cpu_ms_micros * run_result_cpu_ms(&result) + run.price_run_micros;

        assert_true(amount == (exact > most ? most : (int64_t)exact));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_stored_answer_is_the_same_bytes),
        TEST(another_project_sees_nothing),
        TEST(metering_stays_when_the_rest_is_not_kept),
        TEST(the_same_key_runs_once),
        TEST(a_withdrawn_run_leaves_no_claim),
        TEST(our_fault_is_free_and_repeatable),
        TEST(lists_newest_first),
        cmocka_unit_test(prices_are_whole_micros),
        cmocka_unit_test(prices_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
