/* From ledger to meter: who is billed, batches that hold each run once, claims and what follows. */
#include "store_fixture.h"

#include "store/billing.h"
#include "store/meter_retry.h"
#include "store/metering.h"

#define HOUR (INT64_C(3600) * DC_NS_PER_S)
#define BASE (INT64_C(1795500000) / 3600 * 3600 * DC_NS_PER_S)
#define DAY (24 * HOUR)

static void subscribe(struct fixture *f, int64_t at, int64_t period_end)
{
    const struct store_subscription sub = {.project_id = f->project.id,
                                           .customer = "cus_1",
                                           .id = "sub_1",
                                           .status = "active",
                                           .pro = true,
                                           .period_start = at,
                                           .period_end = period_end};
    struct dc_err err;

    assert_ok(store_billing_apply(f->conn, &sub, at, &err), err);
}

static void run_at(struct fixture *f, int64_t admitted, int64_t ended, const char *outcome)
{
    struct store_admission admission;
    struct store_run_result result;
    struct store_run_new run;
    char id[DC_UUID_SIZE];
    struct dc_err err;

    dc_uuid7(admitted, id);
    run = fixture_run(f, id, admitted);
    result = fixture_result(id, ended);
    result.outcome = outcome;
    result.metering = STORE_METERING_SUBSCRIBED;
    assert_ok(store_run_admit(f->conn, &run, &admission, &err), err);
    assert_ok(store_run_finish(f->conn, &result, &err), err);
}

static int batch_all(struct fixture *f)
{
    struct dc_err err;
    bool made = true;
    int count = -1;

    for (; made; count++)
        assert_ok(store_meter_batch(f->conn, 3, BASE + DAY, &made, &err), err);
    return count;
}

static int claim(struct fixture *f, int64_t now, struct store_meter_event *events)
{
    struct dc_err err;
    int count;

    assert_ok(store_meter_claim(f->conn, now, now + 60 * DC_NS_PER_S, now - 23 * HOUR, 16, events,
                                &count, &err),
              err);
    return count;
}

static void settle(struct fixture *f, const char *id, enum store_meter_state state, int64_t next_at)
{
    const struct store_meter_outcome outcome = {
        .id = id, .state = state, .next_at = next_at, .now = BASE};
    struct dc_err err;

    assert_ok(store_meter_settle(f->conn, &outcome, &err), err);
}

static void test_who_is_billed(void **state)
{
    struct fixture *f = *state;
    const struct store_subscription over = {
        .project_id = f->project.id, .customer = "cus_1", .id = "sub_1", .status = "canceled"};
    struct dc_err err;

    run_at(f, BASE, BASE + 1, "ok"); /* free */
    subscribe(f, BASE + 10, BASE + DAY);
    run_at(f, BASE + 9, BASE + 20, "ok");  /* admitted as free */
    run_at(f, BASE + 10, BASE + 20, "ok"); /* paid */
    run_at(f, BASE + 11, BASE + 20, "timeout");
    run_at(f, BASE + 11, BASE + 20, "sandbox_error");
    run_at(f, BASE + 11, BASE + 20, "install_failed");
    assert_ok(store_billing_apply(f->conn, &over, BASE + 30, &err), err);
    run_at(f, BASE + 29, BASE + 40, "ok"); /* admitted as paid */
    run_at(f, BASE + 30, BASE + 40, "ok"); /* free again */
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM meter_pending"), 3);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), 8);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM projects WHERE plan = 'free'"),
                     1);
}

/* The meter takes a report back that it had acknowledged, before we wrote the acknowledgement. */
static void test_a_report_is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    struct store_meter_event events[16];
    struct dc_err err;
    bool known;

    subscribe(f, BASE, BASE + DAY);
    run_at(f, BASE, BASE + 1, "ok");
    assert_true(batch_all(f) > 0);
    assert_true(claim(f, BASE + DAY, events) > 0);
    assert_ok(store_meter_reject(f->conn, events[0].id, "no customer", BASE, &known, &err), err);
    assert_true(known);
    settle(f, events[0].id, STORE_METER_ACKED, 0);
    assert_int_equal(
        fixture_number(f->path, "SELECT COUNT(*) FROM meter_events WHERE state = 'dead'"), 1);
    assert_int_equal(
        fixture_number(f->path, "SELECT COUNT(*) FROM meter_events WHERE state = 'acked'"), 0);
}

static void test_batches(void **state)
{
    struct fixture *f = *state;
    struct store_meter_used used;
    struct dc_err err;

    subscribe(f, BASE, BASE + HOUR / 2); /* the period ends within the first hour */
    for (int i = 0; i < 4; i++)
        run_at(f, BASE + 1, BASE + HOUR / 2 - 5 + i, "ok");
    run_at(f, BASE + 1, BASE + HOUR / 2, "ok");
    run_at(f, BASE + 1, BASE + HOUR - 1, "ok");
    run_at(f, BASE + 1, BASE + HOUR, "ok");
    assert_int_equal(batch_all(f), 3);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM meter_pending"), 0);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM meter_batch_runs"), 7);
    assert_int_equal(fixture_number(f->path, "SELECT SUM(value) FROM meter_events WHERE meter = "
                                             "'runs'"),
                     7);
    assert_int_equal(
        fixture_number(f->path, "SELECT SUM(value) FROM meter_events WHERE meter = 'cpu_ms'"), 49);
    assert_int_equal(
        fixture_number(f->path, "SELECT value FROM meter_events WHERE meter = 'runs' ORDER BY at "
                                "LIMIT 1"),
        4);
    assert_ok(store_meter_used(f->conn, f->project.id, 3, BASE, BASE + HOUR, &used, &err), err);
    assert_int_equal(used.sums[STORE_METER_RUNS], 6);
    /* A run that is in a batch can be in no other one. */
    assert_int_equal(fixture_sql(f->path, "INSERT INTO meter_batch_runs SELECT run_id, 'x' FROM "
                                          "meter_batch_runs LIMIT 1"),
                     SQLITE_CONSTRAINT);
}

static void test_claims(void **state)
{
    struct fixture *f = *state;
    struct store_meter_event events[16];
    struct store_meter_hour hours[4];
    struct store_meter_state_sum sum;
    int64_t now = BASE + DAY;
    struct dc_err err;
    int count;

    subscribe(f, BASE, BASE + 30 * DAY);
    run_at(f, BASE + 1, BASE + 2, "ok");
    assert_int_equal(batch_all(f), 1);
    assert_int_equal(claim(f, now, events), 2);
    assert_string_equal(events[0].customer, "cus_1");
    assert_int_equal(events[0].attempts, 1);
    assert_int_equal(claim(f, now + 59 * DC_NS_PER_S, events), 0); /* taken */
    assert_int_equal(claim(f, now + 60 * DC_NS_PER_S, events), 2); /* whoever had it is dead */
    assert_int_equal(events[0].attempts, 2);
    settle(f, events[0].id, STORE_METER_ACKED, 0);
    settle(f, events[0].id, STORE_METER_DEAD, 0); /* it is there; a late answer changes nothing */
    settle(f, events[1].id, STORE_METER_SENDING, now + HOUR);
    assert_ok(store_meter_hurry(f->conn, NULL, now + 61 * DC_NS_PER_S, &err), err);
    assert_int_equal(claim(f, now + 61 * DC_NS_PER_S, events), 1);
    /* A day without an answer: nobody sends it blindly. */
    assert_int_equal(claim(f, now + 25 * HOUR, events), 0);
    assert_ok(store_meter_sum(f->conn, f->project.id, &sum, &err), err);
    assert_int_equal(sum.events[STORE_METER_ACKED], 1);
    assert_int_equal(sum.events[STORE_METER_AMBIGUOUS], 1);
    assert_ok(store_meter_hours(f->conn, BASE, BASE + HOUR, 0, 4, hours, &count, &err), err);
    assert_int_equal(count, 2);
    for (int i = 0; i < count; i++) {
        assert_int_equal(hours[i].hour, BASE);
        assert_int_equal(hours[i].acked + hours[i].ambiguous,
                         hours[i].meter == STORE_METER_RUNS ? 1 : 7);
        assert_ok(store_meter_resolve(f->conn, &hours[i], false, now + 25 * HOUR, &err), err);
    }
    assert_int_equal(claim(f, now + 25 * HOUR, events), 1); /* was not there: again */
    assert_int_equal(events[0].first_sent_at, 0);
}

static void test_late(void **state)
{
    struct fixture *f = *state;
    struct store_invoice invoice = {.id = "in_1",
                                    .status = "paid",
                                    .currency = "usd",
                                    .period_start = BASE,
                                    .period_end = BASE + HOUR,
                                    .created_at = BASE + HOUR,
                                    .finalized_at = BASE + 2 * HOUR};
    struct store_meter_event events[16];
    struct dc_err err;

    subscribe(f, BASE, BASE + DAY);
    memcpy(invoice.project_id, f->project.id, sizeof(invoice.project_id));
    run_at(f, BASE + 1, BASE + 2, "ok");
    assert_int_equal(batch_all(f), 1);
    assert_ok(store_invoice_put(f->conn, &invoice, BASE, &err), err);
    assert_int_equal(claim(f, BASE + DAY, events), 2);
    assert_true(events[0].late && events[1].late);
    assert_int_equal(
        fixture_number(f->path, "SELECT COUNT(*) FROM meter_events WHERE state = 'pending'"), 2);
}

static void test_webhooks(void **state)
{
    struct fixture *f = *state;
    struct store_stripe_event event;
    struct dc_err err;
    bool found;
    bool new;

    assert_ok(store_stripe_event_add(f->conn, "evt_1", "a.b", "sub_1", BASE, &new, &err), err);
    assert_true(new);
    assert_ok(store_stripe_event_add(f->conn, "evt_1", "a.b", "sub_1", BASE, &new, &err), err);
    assert_false(new);
    assert_ok(store_stripe_event_next(f->conn, BASE, &event, &found, &err), err);
    assert_true(found);
    assert_ok(store_stripe_event_settle(f->conn, "evt_1", BASE, BASE + 5, &err), err);
    assert_ok(store_stripe_event_next(f->conn, BASE, &event, &found, &err), err);
    assert_false(found);
    assert_ok(store_stripe_event_next(f->conn, BASE + 5, &event, &found, &err), err);
    assert_true(found && event.attempts == 1);
    assert_ok(store_stripe_event_settle(f->conn, "evt_1", BASE, 0, &err), err);
    assert_ok(store_stripe_event_next(f->conn, INT64_MAX, &event, &found, &err), err);
    assert_false(found);
}

static void test_subscriptions(void **state)
{
    struct fixture *f = *state;
    struct store_subscription sub = {.project_id = f->project.id,
                                     .customer = "cus_1",
                                     .id = "sub_new",
                                     .status = "active",
                                     .pro = true};
    char customer[STORE_CUSTOMER_SIZE];
    struct store_billing billing;
    struct dc_err err;

    assert_ok(store_billing_set_customer(f->conn, f->project.id, "cus_1", BASE, customer, &err),
              err);
    assert_ok(store_billing_set_customer(f->conn, f->project.id, "cus_2", BASE, customer, &err),
              err);
    assert_string_equal(customer, "cus_1");
    assert_ok(store_billing_apply(f->conn, &sub, BASE, &err), err);
    sub.id = "sub_old"; /* the end of an earlier one is told late */
    sub.status = "canceled";
    sub.pro = false;
    assert_ok(store_billing_apply(f->conn, &sub, BASE + 1, &err), err);
    assert_ok(store_billing_find(f->conn, "cus_1", &billing, &err), err);
    assert_string_equal(billing.subscription, "sub_new");
    assert_true(billing.metered_from == BASE && !billing.metered_until);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM projects WHERE plan = 'pro'"),
                     1);
    assert_code(store_billing_find(f->conn, "cus_9", &billing, &err), DC_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_is_billed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_report_is_not_overwritten, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_batches, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_claims, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_late, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_webhooks, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_subscriptions, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
