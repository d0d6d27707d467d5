/* Arena and base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/base64.h"

#include "base/poison.h"

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
    struct dc_arena arena = {0};

    (void)state;
    for (size_t size = 0; size < 9000; size += 37) {
        unsigned char *memory = dc_arena_alloc(&arena, size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
    }
    assert_string_equal(dc_arena_copy(&arena, "abcdef", 3), "abc");
    assert_string_equal(dc_arena_copy(&arena, NULL, 0), "");
    assert_null(dc_arena_alloc(&arena, SIZE_MAX));
    assert_null(dc_arena_copy(&arena, "", SIZE_MAX));
    dc_arena_release(&arena);
    dc_arena_release(&arena);
    dc_arena_release(NULL);
}

static void base64_matches_the_rfc(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        DC_AUTO(dc_buf_release) struct dc_buf out;
        char back[16];
        size_t length;

        dc_buf_init(&out, 64);
        assert_true(dc_base64_encode(&out, pairs[i][0], strlen(pairs[i][0])));
        assert_string_equal(dc_buf_str(&out), pairs[i][1]);
        assert_true(dc_base64_decode(pairs[i][1], strlen(pairs[i][1]), back, &length));
        assert_int_equal(length, strlen(pairs[i][0]));
        assert_memory_equal(back, pairs[i][0], length);
    }
}

static void base64_is_strict(void **state)
{
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",  "Zg===",   "=",
                                      "====", "Zh==",     "Zm9=", "Zm 9v",   "Zm9v\n",
                                      "Z=9v", "Zg==Zg==", "Zm-_", "Zm9vZ==="};
    char out[64];
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (dc_base64_decode(bad[i], strlen(bad[i]), out, &length))
            fail_msg("'%s' was taken", bad[i]);
}

static void base64_returns_every_byte(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf out;
    unsigned char bytes[258];
    unsigned char back[260];
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 89);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        dc_buf_init(&out, 1024);
        assert_true(dc_base64_encode(&out, bytes, n));
        assert_int_equal(out.length, DC_BASE64_LENGTH(n));
        assert_true(dc_base64_decode(out.data, out.length, back, &length));
        assert_int_equal(length, n);
        assert_memory_equal(back, bytes, n);
        dc_buf_release(&out);
    }
    dc_buf_init(&out, 3);
    assert_false(dc_base64_encode(&out, "f", 1)); /* four characters do not fit */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(base64_matches_the_rfc),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_returns_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
