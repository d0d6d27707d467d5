/* Tasks: order, wake-ups that come early, nesting, many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/task.h"

struct world {
    uv_loop_t loop;
    struct task *tasks[2];
    char trace[64];
    size_t length;
    int over;
};

static void note(struct world *world, char c)
{
    world->trace[world->length++] = c;
}

static struct world *setup(void)
{
    static struct world world;

    memset(&world, 0, sizeof(world));
    assert_int_equal(uv_loop_init(&world.loop), 0);
    return &world;
}

static void teardown(struct world *world)
{
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

static void start(struct world *world, void (*work)(void *))
{
    struct dc_err err;

    assert_int_equal(task_start(&world->loop, work, world, &err), 0);
}

static void suspends_once(void *arg)
{
    struct world *world = arg;

    world->tasks[0] = task_self();
    note(world, 'a');
    task_suspend();
    note(world, 'c');
}

static void test_order(void **state)
{
    struct world *world = setup();

    (void)state;
    start(world, suspends_once);
    note(world, 'b');
    task_wake(world->tasks[0]);
    note(world, 'd');
    assert_string_equal(world->trace, "abcd");
    assert_null(task_self());
    teardown(world);
}

static void woken_early(void *arg)
{
    struct world *world = arg;

    task_wake(task_self());
    task_wake(task_self());
    task_suspend(); /* returns at once */
    note(world, 'a');
    world->tasks[0] = task_self();
    task_suspend(); /* wake-ups do not add up */
    note(world, 'c');
}

static void test_early(void **state)
{
    struct world *world = setup();

    (void)state;
    start(world, woken_early);
    note(world, 'b');
    task_wake(world->tasks[0]);
    assert_string_equal(world->trace, "abc");
    teardown(world);
}

static void inner(void *arg)
{
    struct world *world = arg;

    note(world, '2');
    task_sleep(1);
    note(world, '4');
}

static void outer(void *arg)
{
    struct world *world = arg;
    struct task *self = task_self();

    note(world, '1');
    start(world, inner);
    assert_ptr_equal(task_self(), self);
    note(world, '3');
    task_sleep(20);
    note(world, '5');
}

static void test_nested(void **state)
{
    struct world *world = setup();

    (void)state;
    start(world, outer);
    teardown(world);
    assert_string_equal(world->trace, "12345");
}

static void sleeper(void *arg)
{
    struct world *world = arg;
    char stack[32768];

    memset(stack, world->over & 0xff, sizeof(stack));
    task_sleep((uint64_t)(world->over % 5));
    world->over += stack[100] == stack[20000];
}

static void test_many(void **state)
{
    struct world *world = setup();

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++)
            start(world, sleeper);
        (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    }
    assert_int_equal(world->over, 1500);
    teardown(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
