/* The launcher's state machine with its peers played by the test, see ../fuzz/launcher_world.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz/launcher_world.h"
#include "base/auto.h"
#include "base/clock.h"

#include "base/poison.h"

static const struct launch_run plain_run = {
    .run = 1,
    .timeout_ms = 3000,
    .memory_mb = DC_MEMORY_DEFAULT_MB,
    .disk_mb = DEFAULT_DISK_MB,
    .processes = DC_PROCESSES_DEFAULT,
    .cpus_centi = DC_CPUS_DEFAULT_CENTI,
};

static struct world world;

static int setup(void **state)
{
    world_open(&world);
    for (int i = 0; i < 8; i++) {
        assert_true(world_turn(&world));
        world_behave(&world);
    }
    assert_int_equal(world.hellos, 1);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

/* The slot in which the run's job is, once it was handed over. */
static size_t start_run(const struct launch_run *request)
{
    size_t before = world.delivered;

    world_send_run(&world, request);
    for (int i = 0; i < 20 && world.delivered == before; i++) {
        assert_true(world_turn(&world));
        if (world.delivered == before)
            world_behave(&world);
    }
    for (size_t i = 0; i < WORLD_ALL_SLOTS; i++)
        if (world.launcher.slots[i].state == SLOT_RUNNING &&
            world.launcher.slots[i].run.request.run == request->run)
            return i;
    fail_msg("the run did not start");
    return 0;
}

/* The run has to end by the launcher's own deadlines, and the slot to come back. */
static void wait_ended(size_t wanted)
{
    for (int i = 0; i < 200 && world.ended < wanted; i++) {
        assert_true(world_turn(&world));
        world_behave(&world);
        world_advance(100 * DC_NS_PER_MS);
    }
    assert_int_equal(world.ended, wanted);
    assert_int_equal(world.in_flight, 0);
    for (int i = 0; i < 100 && world.launcher.slots[0].state != SLOT_SPARE; i++) {
        assert_true(world_turn(&world));
        world_behave(&world);
        world_advance(100 * DC_NS_PER_MS);
    }
}

static void runs_end_and_the_slot_is_lent_again(void **state)
{
    (void)state;
    for (size_t i = 1; i <= 10; i++) {
        (void)start_run(&plain_run);
        wait_ended(i);
    }
}

static void an_init_that_talks_out_of_turn_ends_its_run(void **state)
{
    size_t slot = start_run(&plain_run);

    (void)state;
    world_init_scrubbed(&world, slot, true);
    wait_ended(1);
    (void)start_run(&plain_run); /* the slot was made anew: none is lost */
    wait_ended(2);
}

static void an_init_that_dies_ends_its_run(void **state)
{
    size_t slot = start_run(&plain_run);
    const uint64_t one = 1;

    (void)state;
    assert_int_equal(write(world.slots[slot].death_fd, &one, sizeof(one)), sizeof(one));
    wait_ended(1);
}

static void a_zygote_that_hangs_up_ends_its_runs(void **state)
{
    size_t slot = start_run(&plain_run);

    (void)state;
    dc_close_clear(&world.zygotes[world.slots[slot].zygote].fd);
    world.slots[slot].owed = false;
    wait_ended(1);
}

static void a_zygote_that_reports_nonsense_is_replaced(void **state)
{
    size_t slot = start_run(&plain_run);
    uint64_t before = world.launcher.stats.zygote_restarts;

    (void)state;
    world_zygote_exited(&world, world.slots[slot].zygote, 4711, 0);
    world.slots[slot].owed = false;
    wait_ended(1);
    assert_int_equal(world.launcher.stats.zygote_restarts, before + 1);
}

static void a_zygote_that_keeps_silent_cannot_hold_a_run(void **state)
{
    size_t slot = start_run(&plain_run);

    (void)state;
    world.slots[slot].owed = false; /* never says that the child ended */
    wait_ended(1);
}

static void a_server_that_breaks_the_protocol_ends_the_launcher(void **state)
{
    static const size_t fields[] = {
        offsetof(struct launch_run, runtime),   offsetof(struct launch_run, flags),
        offsetof(struct launch_run, cpu_ms),    offsetof(struct launch_run, timeout_ms),
        offsetof(struct launch_run, memory_mb), offsetof(struct launch_run, disk_mb),
        offsetof(struct launch_run, processes), offsetof(struct launch_run, cpus_centi),
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct launch_run request = plain_run;

        memset((char *)&request + fields[i], 0xff, sizeof(uint32_t));
        world_send_run(&world, &request);
        assert_false(world_turn(&world));
        assert_true(world.broken);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void more_runs_than_slots_are_out_of_the_protocol(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= WORLD_SLOTS + 1; i++) {
        struct launch_run request = plain_run;

        assert_true(world_turn(&world));
        request.run = i;
        world_send_run(&world, &request);
    }
    assert_false(world_turn(&world));
    assert_true(world.broken);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_end_and_the_slot_is_lent_again),
        TEST(an_init_that_talks_out_of_turn_ends_its_run),
        TEST(an_init_that_dies_ends_its_run),
        TEST(a_zygote_that_hangs_up_ends_its_runs),
        TEST(a_zygote_that_reports_nonsense_is_replaced),
        TEST(a_zygote_that_keeps_silent_cannot_hold_a_run),
        TEST(a_server_that_breaks_the_protocol_ends_the_launcher),
        TEST(more_runs_than_slots_are_out_of_the_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
