/* Which sets of packages are in frequent use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "packages/use.h"

#include "base/poison.h"

static struct package_uses uses;
static int64_t now_ns;

static bool note(uint8_t owner, uint8_t layer, uint32_t *ret_place)
{
    struct package_use use = {.owner = {owner}, .layer = {layer}, .disk_mb = 64};

    return package_uses_note(&uses, &use, now_ns, ret_place);
}

static bool often(uint8_t owner, uint8_t layer, uint32_t *ret_place)
{
    for (int i = 1; i < PACKAGE_USE_TIMES; i++)
        assert_false(note(owner, layer, ret_place));
    return note(owner, layer, ret_place);
}

static int setup(void **state)
{
    (void)state;
    uses = (struct package_uses){.places_max = 2};
    now_ns = 1000 * DC_NS_PER_S;
    return 0;
}

static void test_often(void **state)
{
    uint32_t place = 9;

    (void)state;
    assert_true(often(1, 1, &place));
    assert_int_equal(place, 0);
    assert_false(note(1, 1, &place)); /* it has one */
    assert_true(often(2, 1, &place)); /* the same layer of another owner is another set */
    assert_int_equal(place, 1);
}

static void test_seldom(void **state)
{
    uint32_t place;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_false(note(1, 1, &place));
        now_ns += PACKAGE_USE_WINDOW_S * DC_NS_PER_S / 2;
    }
}

static void test_places(void **state)
{
    uint32_t place;

    (void)state;
    assert_true(often(1, 1, &place));
    now_ns += DC_NS_PER_S;
    assert_true(often(1, 2, &place));
    assert_false(often(1, 3, &place)); /* both are in use */
    now_ns += 120 * DC_NS_PER_S;
    assert_false(note(1, 1, &place));
    assert_true(note(1, 3, &place));
    assert_int_equal(place, 1); /* of the longest unused */
}

static void test_expire(void **state)
{
    uint32_t place;

    (void)state;
    assert_true(often(1, 1, &place));
    assert_false(package_uses_expire(&uses, now_ns, &place));
    now_ns += PACKAGE_USE_WINDOW_S * DC_NS_PER_S;
    assert_true(package_uses_expire(&uses, now_ns, &place));
    assert_int_equal(place, 0);
    assert_false(package_uses_expire(&uses, now_ns, &place));
    assert_true(often(1, 1, &place)); /* from the start */
}

static void test_many(void **state)
{
    uint32_t place;

    (void)state;
    assert_true(often(1, 1, &place));
    for (int i = 0; i < 4 * PACKAGE_USES_MAX; i++) {
        now_ns += DC_NS_PER_MS;
        assert_false(note((uint8_t)(2 + i % 200), (uint8_t)(i / 200), &place));
        assert_false(note(1, 1, &place)); /* remembered, as it is in use */
    }
}

static void test_none(void **state)
{
    uint32_t place;

    (void)state;
    uses.places_max = 0;
    assert_false(often(1, 1, &place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_often, setup),  cmocka_unit_test_setup(test_seldom, setup),
        cmocka_unit_test_setup(test_places, setup), cmocka_unit_test_setup(test_expire, setup),
        cmocka_unit_test_setup(test_many, setup),   cmocka_unit_test_setup(test_none, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
