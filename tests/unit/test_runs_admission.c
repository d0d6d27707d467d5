/* Admission: order, turns, caps, deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runs/admission.h"

#include "base/poison.h"

static const struct admission_share wide = {1000, 1000};

static struct admission *make(uint32_t running, uint32_t queued)
{
    struct admission *admission = admission_new(&(struct admission_limits){running, queued});

    assert_non_null(admission);
    return admission;
}

static void submit(struct admission *admission, struct admission_entry *entry, const char *project)
{
    assert_int_equal(admission_submit(admission, entry, project, &wide, 0, 1000), ADMISSION_OK);
}

static void first_come_first_served_within_a_project(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(1, 10);
    struct admission_entry entries[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        submit(admission, &entries[i], "p");
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(admission_next(admission), &entries[i]);
        assert_null(admission_next(admission));
        admission_done(admission, &entries[i], 1);
    }
    assert_null(admission_next(admission));
    assert_int_equal(admission_running(admission), 0);
}

static void projects_take_turns(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(1, 1000);
    static struct admission_entry many[100];
    struct admission_entry late;
    int before = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        submit(admission, &many[i], "greedy");
    assert_ptr_equal(admission_next(admission), &many[0]);
    submit(admission, &late, "modest");
    for (struct admission_entry *running = &many[0]; running != &late; before++) {
        admission_done(admission, running, 1);
        running = admission_next(admission);
    }
    assert_in_range(before, 1, 2); /* not behind the 99 */
    admission_done(admission, &late, 1);
    while (admission_queued(admission)) {
        struct admission_entry *entry = admission_next(admission);

        admission_done(admission, entry, 1);
    }
}

static void three_projects_share_evenly(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(1, 1000);
    static struct admission_entry entries[3][30];
    static const char *const names[] = {"a", "b", "c"};
    int served[3] = {0};

    (void)state;
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < 30; i++)
            submit(admission, &entries[p][i], names[p]);
    for (int i = 0; i < 30; i++) {
        struct admission_entry *entry = admission_next(admission);

        served[(size_t)(entry - &entries[0][0]) / 30]++;
        admission_done(admission, entry, 1);
    }
    for (int p = 0; p < 3; p++)
        assert_int_equal(served[p], 10);
}

static void a_projects_cap_does_not_block_others(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(4, 10);
    const struct admission_share narrow = {1, 10};
    struct admission_entry a[3];
    struct admission_entry b[2];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(admission_submit(admission, &a[i], "a", &narrow, 0, 1000), ADMISSION_OK);
    for (int i = 0; i < 2; i++)
        submit(admission, &b[i], "b");
    assert_ptr_equal(admission_next(admission), &a[0]);
    assert_ptr_equal(admission_next(admission), &b[0]);
    assert_ptr_equal(admission_next(admission), &b[1]);
    assert_null(admission_next(admission)); /* a slot is free, but a is at its cap */
    assert_int_equal(admission_queued(admission), 2);
    admission_done(admission, &a[0], 1);
    assert_ptr_equal(admission_next(admission), &a[1]);
    assert_null(admission_next(admission));
    assert_true(admission_remove(admission, &a[2]));
    admission_done(admission, &a[1], 1);
    admission_done(admission, &b[0], 1);
    admission_done(admission, &b[1], 1);
}

static void the_queue_is_bounded(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(1, 3);
    const struct admission_share small = {1, 2};
    struct admission_entry entries[8];

    (void)state;
    assert_int_equal(admission_submit(admission, &entries[0], "a", &small, 0, 9), ADMISSION_OK);
    assert_ptr_equal(admission_next(admission), &entries[0]);
    assert_int_equal(admission_submit(admission, &entries[1], "a", &small, 0, 9), ADMISSION_OK);
    assert_int_equal(admission_submit(admission, &entries[2], "a", &small, 0, 9), ADMISSION_OK);
    assert_int_equal(admission_submit(admission, &entries[3], "a", &small, 0, 9),
                     ADMISSION_OWN_LIMIT);
    assert_int_equal(admission_submit(admission, &entries[4], "b", &small, 0, 9), ADMISSION_OK);
    assert_int_equal(admission_submit(admission, &entries[5], "c", &small, 0, 9), ADMISSION_FULL);
    assert_int_equal(admission_queued(admission), 3);
    assert_true(admission_remove(admission, &entries[1]));
    assert_false(admission_remove(admission, &entries[1]));
    assert_false(admission_remove(admission, &entries[0])); /* it runs */
    assert_int_equal(admission_submit(admission, &entries[5], "c", &small, 0, 9), ADMISSION_OK);
    while (admission_expired(admission, 10))
        ;
    admission_done(admission, &entries[0], 1);
    assert_int_equal(admission_queued(admission), 0);
}

static void no_queue_at_all_still_serves(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(1, 0);
    const struct admission_share share = {1, 0};
    struct admission_entry entries[2];

    (void)state;
    assert_int_equal(admission_submit(admission, &entries[0], "a", &share, 0, 9), ADMISSION_OK);
    assert_ptr_equal(admission_next(admission), &entries[0]);
    assert_int_equal(admission_submit(admission, &entries[1], "b", &wide, 0, 9), ADMISSION_FULL);
    assert_int_equal(admission_submit(admission, &entries[1], "a", &share, 0, 9),
                     ADMISSION_OWN_LIMIT);
    admission_done(admission, &entries[0], 1);
}

static void waiting_ends(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(0, 10); /* nothing may start */
    struct admission_entry entries[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(admission_submit(admission, &entries[i], "a", &wide, 100, 30 - i * 10),
                         ADMISSION_OK);
    assert_null(admission_next(admission));
    assert_int_equal(admission_next_deadline(admission), 110);
    assert_null(admission_expired(admission, 109));
    assert_ptr_equal(admission_expired(admission, 110), &entries[2]);
    assert_null(admission_expired(admission, 110));
    assert_ptr_equal(admission_expired(admission, 1000), &entries[0]);
    assert_ptr_equal(admission_expired(admission, 1000), &entries[1]);
    assert_int_equal(admission_next_deadline(admission), INT64_MAX);
    submit(admission, &entries[0], "a");
    admission_set_limits(admission, &(struct admission_limits){1, 10});
    assert_ptr_equal(admission_next(admission), &entries[0]); /* the launcher came */
    admission_done(admission, &entries[0], -1);
}

static void the_estimate_grows_with_the_queue(void **state)
{
    DC_AUTO(admission_free) struct admission *admission = make(1, 1000);
    static struct admission_entry entries[200];

    (void)state;
    assert_int_equal(admission_retry_after_s(admission), 1);
    for (int i = 0; i < 100; i++) {
        submit(admission, &entries[i], "a");
        assert_ptr_equal(admission_next(admission), &entries[i]);
        admission_done(admission, &entries[i], INT64_C(2000000000));
    }
    for (int i = 0; i < 10; i++)
        submit(admission, &entries[i], "a");
    assert_in_range(admission_retry_after_s(admission), 15, 23);
    for (int i = 10; i < 200; i++)
        submit(admission, &entries[i], "a");
    assert_int_equal(admission_retry_after_s(admission), 60);
    while (admission_expired(admission, 10000))
        ;
}

/* A long random play against a plain model of what must hold. */
static void holds_under_random_play(void **state)
{
    enum { COUNT = 64, STEPS = 20000 };
    DC_AUTO(admission_free) struct admission *admission = make(5, 20);
    static struct admission_entry entries[COUNT];
    static int owner[COUNT];
    static const char *const names[] = {"a", "b", "c", "d"};
    const struct admission_share share = {2, 6};
    uint32_t random = 1;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        uint32_t running[4] = {0};
        uint32_t queued[4] = {0};
        uint32_t all = 0;
        uint32_t pick = (random = random * 1664525 + 1013904223) >> 8;
        struct admission_entry *entry = &entries[pick % COUNT];

        if (entry->state == ADMISSION_OUT) {
            owner[pick % COUNT] = (int)(pick / COUNT % 4);
            (void)admission_submit(admission, entry, names[owner[pick % COUNT]], &share, step, 50);
        } else if (entry->state == ADMISSION_RUNNING) {
            admission_done(admission, entry, 5);
        } else if (pick / COUNT % 3 == 0) {
            assert_true(admission_remove(admission, entry));
        }
        (void)admission_expired(admission, step);
        while (admission_next(admission))
            ;
        for (int i = 0; i < COUNT; i++) {
            running[owner[i]] += entries[i].state == ADMISSION_RUNNING;
            queued[owner[i]] += entries[i].state == ADMISSION_QUEUED;
        }
        for (int p = 0; p < 4; p++) {
            assert_true(running[p] <= 2 && queued[p] <= 6);
            all += running[p];
        }
        assert_true(all <= 5);
        assert_int_equal(all, admission_running(admission));
        for (int p = 0; p < 4; p++) /* nobody waits while there is room */
            assert_true(!queued[p] || running[p] == 2 || all == 5);
    }
    for (int i = 0; i < COUNT; i++) {
        (void)admission_remove(admission, &entries[i]);
        if (entries[i].state == ADMISSION_RUNNING)
            admission_done(admission, &entries[i], 1);
    }
    assert_int_equal(admission_queued(admission) + admission_running(admission), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served_within_a_project),
        cmocka_unit_test(projects_take_turns),
        cmocka_unit_test(three_projects_share_evenly),
        cmocka_unit_test(a_projects_cap_does_not_block_others),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(no_queue_at_all_still_serves),
        cmocka_unit_test(waiting_ends),
        cmocka_unit_test(the_estimate_grows_with_the_queue),
        cmocka_unit_test(holds_under_random_play),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
