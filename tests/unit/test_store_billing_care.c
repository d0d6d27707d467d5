/* Leases, subscriptions that have to end, overdue payments, refused usage, incidents. */
#include "store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/billing.h"
#include "store/cancels.h"
#include "store/incidents.h"
#include "store/leases.h"
#include "store/meter_retry.h"
#include "store/users.h"

#define HOUR (INT64_C(3600) * DC_NS_PER_S)
#define BASE (INT64_C(1795500000) / 3600 * 3600 * DC_NS_PER_S)
#define DAY (24 * HOUR)

static void apply(struct fixture *f, const char *status, int64_t at)
{
    const struct store_subscription sub = {.project_id = f->project.id,
                                           .customer = "cus_1",
                                           .id = "sub_1",
                                           .status = status,
                                           .pro = strcmp(status, "active") == 0 ||
                                                  strcmp(status, "past_due") == 0,
                                           .period_start = BASE,
                                           .period_end = BASE + 30 * DAY};
    struct dc_err err;

    assert_ok(store_billing_apply(f->conn, &sub, at, &err), err);
}

/* ---- leases ---- */

static int64_t take(struct store_conn *conn, struct store_lease *lease, bool succeed)
{
    struct dc_err err;

    assert_ok(store_lease_take(conn, lease, HOUR, succeed, &err), err);
    return lease->token;
}

static void test_one_holds_a_lease(void **state)
{
    struct fixture *f = *state;
    DC_AUTO(store_conn_free) struct store_conn *other = NULL;
    struct store_lease one = {.name = "billing", .holder = "one"};
    struct store_lease two = {.name = "billing", .holder = "two"};
    struct store_lease stale;
    char holder[STORE_HOLDER_SIZE];
    int64_t expires_at;
    struct dc_err err;

    assert_ok(store_open(f->path, &other, &err), err);
    assert_int_equal(take(f->conn, &one, true), 1);
    assert_int_equal(take(other, &two, true), 0);
    assert_int_equal(take(f->conn, &one, false), 1); /* prolonged */
    assert_ok(store_lease_check(f->conn, &one, &err), err);
    assert_code(store_lease_check(other, &two, &err), DC_CONFLICT);
    assert_ok(store_lease_show(other, "billing", holder, &expires_at, &err), err);
    assert_string_equal(holder, "one");
    /* It runs out: the other one has it, and the first one finds out at its next step. */
    fixture_sql(f->path, "UPDATE leases SET expires_at = 0");
    stale = one;
    assert_int_equal(take(other, &two, false), 2);
    assert_code(store_lease_check(f->conn, &stale, &err), DC_CONFLICT);
    assert_int_equal(take(f->conn, &stale, false), 0);
    assert_ok(store_lease_give(f->conn, &one, &err), err); /* no longer its own: nothing happens */
    assert_ok(store_lease_check(other, &two, &err), err);
    assert_ok(store_lease_give(other, &two, &err), err);
    assert_int_equal(take(f->conn, &one, false), 3);
}

/* The holder is killed: its next life has the lease at once, others when it has run out. */
static void test_the_holder_is_killed(void **state)
{
    struct fixture *f = *state;
    struct store_lease dead = {.name = "billing", .holder = "one", .token = 1};
    struct store_lease two = {.name = "billing", .holder = "two"};
    struct store_lease again = {.name = "billing", .holder = "one"};
    struct dc_err err;
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct store_lease lease = {.name = "billing", .holder = "one"};
        struct store_conn *conn;

        if (store_open(f->path, &conn, &err) < 0 ||
            store_lease_take(conn, &lease, HOUR, true, &err) < 0)
            _exit(1);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(fixture_number(f->path, "SELECT token FROM leases"), 1);
    assert_int_equal(take(f->conn, &two, true), 0);
    assert_int_equal(take(f->conn, &again, false), 0); /* it does not know that the other is dead */
    assert_int_equal(take(f->conn, &again, true), 2);
    assert_code(store_lease_check(f->conn, &dead, &err), DC_CONFLICT);
    fixture_sql(f->path, "UPDATE leases SET expires_at = 0");
    assert_int_equal(take(f->conn, &two, false), 3);
}

/* ---- the end of subscriptions ---- */

static void test_a_deletion_leaves_a_cancel(void **state)
{
    struct fixture *f = *state;
    struct store_cancel cancel;
    struct store_cancel *open;
    struct dc_err err;
    size_t count;
    bool found;

    apply(f, "active", BASE);
    assert_ok(store_project_delete(f->conn, f->project.id, &err), err);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM projects"), 0);
    assert_int_equal(
        fixture_number(f->path, "SELECT metered_until > metered_from FROM billing_accounts"), 1);
    assert_ok(store_cancel_next(f->conn, INT64_MAX, &cancel, &found, &err), err);
    assert_true(found);
    assert_string_equal(cancel.subscription, "sub_1");
    assert_string_equal(cancel.project_id, f->project.id);
    assert_ok(store_cancel_settle(f->conn, &cancel, BASE, BASE + 60, "no answer", &err), err);
    assert_ok(store_cancel_next(f->conn, BASE + 59, &cancel, &found, &err), err);
    assert_false(found);
    assert_ok(store_cancels_list(f->conn, &open, &count, &err), err);
    assert_int_equal(count, 1);
    assert_string_equal(open[0].message, "no answer");
    free(open);
    assert_ok(store_cancel_add(f->conn, "sub_1", f->project.id, BASE, &err), err); /* known */
    assert_ok(store_cancel_settle(f->conn, &cancel, BASE + 60, 0, NULL, &err), err);
    assert_ok(store_cancel_next(f->conn, INT64_MAX, &cancel, &found, &err), err);
    assert_false(found);
    assert_int_equal(
        fixture_number(f->path, "SELECT COUNT(*) FROM audit WHERE action = 'subscription.cancel'"),
        1);
}

static void test_a_deletion_without_a_living_one(void **state)
{
    struct fixture *f = *state;
    struct dc_err err;

    apply(f, "canceled", BASE);
    assert_ok(store_project_delete(f->conn, f->project.id, &err), err);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM cancels"), 0);
}

/* ---- overdue ---- */

static void test_patience_ends_once(void **state)
{
    struct fixture *f = *state;
    static const char pro[] = "SELECT COUNT(*) FROM projects WHERE plan = 'pro'";
    struct store_billing billing;
    struct dc_err err;
    int count;

    apply(f, "active", BASE);
    apply(f, "past_due", BASE + DAY);
    assert_ok(store_billing_lapse(f->conn, BASE + DAY - 1, BASE + 8 * DAY, &count, &err), err);
    assert_int_equal(count, 0);
    assert_ok(store_billing_lapse(f->conn, BASE + DAY, BASE + 8 * DAY, &count, &err), err);
    assert_int_equal(count, 1);
    assert_ok(store_billing_lapse(f->conn, BASE + DAY, BASE + 8 * DAY, &count, &err), err);
    assert_int_equal(count, 0);
    assert_int_equal(fixture_number(f->path, pro), 0);
    apply(f, "past_due", BASE + 9 * DAY); /* told again: nothing changes */
    assert_int_equal(fixture_number(f->path, pro), 0);
    assert_ok(store_billing_get(f->conn, f->project.id, &billing, &err), err);
    assert_true(billing.metered_until == BASE + 8 * DAY && billing.lapsed_at == BASE + 8 * DAY);
    assert_true(billing.past_due_at == BASE + DAY);
    apply(f, "active", BASE + 10 * DAY);
    assert_int_equal(fixture_number(f->path, pro), 1);
    assert_ok(store_billing_get(f->conn, f->project.id, &billing, &err), err);
    assert_true(billing.metered_from == BASE + 10 * DAY && !billing.metered_until);
    assert_true(!billing.lapsed_at && !billing.past_due_at);
}

static void test_an_enterprise_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct dc_err err;
    int count;

    assert_ok(store_project_set_plan(f->conn, f->project.id, STORE_PLAN_ENTERPRISE, BASE, &err),
              err);
    apply(f, "past_due", BASE);
    assert_ok(store_billing_lapse(f->conn, BASE + DAY, BASE + DAY, &count, &err), err);
    assert_int_equal(count, 0);
}

/* ---- refused usage ---- */

static void add_event(struct fixture *f, const char *id, const char *state, int value)
{
    char sql[400];

    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO meter_events (id, batch_id, project_id, meter, value, at, state,"
                   " next_at, settled_at) VALUES ('%s', 'b', '%s', 'runs', %d, %lld, '%s', 0, 1)",
                   id, f->project.id, value, (long long)BASE + 5, state);
    assert_int_equal(fixture_sql(f->path, sql), SQLITE_OK);
}

static void test_refused_usage_is_told_again(void **state)
{
    struct fixture *f = *state;
    struct store_meter_hour_state hour;
    struct store_meter_health health;
    struct store_meter_dead *events;
    char id[DC_UUID_SIZE];
    struct dc_err err;
    size_t count;
    bool known;

    apply(f, "active", BASE);
    add_event(f, "a", "acked", 3);
    add_event(f, "b", "acked", 5);
    add_event(f, "c", "written_off", 7);
    assert_ok(store_meter_reject(f->conn, "b", "no_meter: x", BASE, &known, &err), err);
    assert_true(known);
    assert_ok(store_meter_reject(f->conn, "b", "no_meter: x", BASE, &known, &err), err);
    assert_false(known);
    assert_ok(store_meter_reject(f->conn, "c", "no_meter: x", BASE, &known, &err), err);
    assert_false(known);
    assert_ok(store_meter_dead_list(f->conn, NULL, &events, &count, &err), err);
    assert_int_equal(count, 1);
    assert_string_equal(events[0].message, "no_meter: x");
    assert_string_equal(events[0].customer, "cus_1");
    assert_ok(store_meter_hour_of(f->conn, &events[0], &hour, &err), err);
    assert_true(hour.hour.acked == 3 && hour.dead == 5 && !hour.hour.open);
    assert_ok(store_meter_requeue(f->conn, &events[0], BASE, id, &err), err);
    assert_code(store_meter_requeue(f->conn, &events[0], BASE, id, &err), DC_CONFLICT);
    assert_code(store_meter_found(f->conn, &events[0], BASE, &err), DC_CONFLICT);
    assert_ok(store_meter_hour_of(f->conn, &events[0], &hour, &err), err);
    assert_true(hour.hour.acked == 3 && !hour.dead && hour.hour.open == 5);
    assert_ok(store_meter_health(f->conn, &health, &err), err);
    assert_true(health.unsent == 1 && !health.dead && health.oldest_at == BASE);
    free(events);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM meter_events WHERE"
                                             " former_id = 'b' AND first_sent_at IS NULL"),
                     1);
}

/* ---- incidents ---- */

static void test_an_incident_is_told_of_once(void **state)
{
    struct fixture *f = *state;
    static const char mails[] = "SELECT COUNT(*) FROM outbox WHERE kind = 'incident'";
    struct store_incident open[STORE_INCIDENTS];
    struct store_user user;
    struct dc_err err;
    int count;

    assert_ok(store_user_create(f->conn, "op@example.com", true, BASE, &user, &err), err);
    assert_ok(store_user_create(f->conn, "person@example.com", false, BASE, &user, &err), err);
    for (int i = 0; i < 3; i++)
        assert_ok(store_incident_raise(f->conn, STORE_INCIDENT_DEAD, "x", BASE + i, &err), err);
    assert_int_equal(fixture_number(f->path, mails), 1);
    assert_ok(store_incidents_open(f->conn, open, &count, &err), err);
    assert_true(count == 1 && open[0].count == 3 && open[0].kind == STORE_INCIDENT_DEAD);
    assert_ok(store_incident_close(f->conn, STORE_INCIDENT_DEAD, BASE + 5, &err), err);
    assert_ok(store_incident_close(f->conn, STORE_INCIDENT_DEAD, BASE + 5, &err), err);
    assert_ok(store_incident_raise(f->conn, STORE_INCIDENT_DEAD, "x", BASE + HOUR, &err), err);
    assert_int_equal(fixture_number(f->path, mails), 1); /* so soon again: no mail */
    assert_ok(store_incident_close(f->conn, STORE_INCIDENT_DEAD, BASE + HOUR, &err), err);
    assert_ok(store_incident_raise(f->conn, STORE_INCIDENT_DEAD, "x", BASE + 7 * HOUR, &err), err);
    assert_int_equal(fixture_number(f->path, mails), 2);
    assert_ok(store_incident_raise(f->conn, STORE_INCIDENT_DRIFT, "x", BASE + HOUR, &err), err);
    assert_int_equal(fixture_number(f->path, mails), 3);
    assert_ok(store_incidents_open(f->conn, open, &count, &err), err);
    assert_int_equal(count, 2);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM audit"), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_holds_a_lease, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_holder_is_killed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_deletion_leaves_a_cancel, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_deletion_without_a_living_one, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_patience_ends_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_an_enterprise_is_left_alone, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refused_usage_is_told_again, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_an_incident_is_told_of_once, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
