#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include "base/utf8.h"

static void test_errors_are_filled_once_and_gain_context(void **state)
{
    struct dc_err err = {0};
    char text[300];

    (void)state;
    assert_int_equal(dc_fail(&err, DC_KERNEL, ENOENT, "open '%s'", "x"), -DC_KERNEL);
    assert_int_equal(dc_context(&err, "slot %d", 3), -DC_KERNEL);
    assert_string_equal(err.text, "slot 3: open 'x'");
    assert_int_equal(err.errnum, ENOENT);
    assert_string_equal(dc_err_describe(&err, text, sizeof(text)),
                        "slot 3: open 'x': No such file or directory");
    err.errnum = 0;
    assert_string_equal(dc_err_describe(&err, text, sizeof(text)), "slot 3: open 'x'");
    assert_string_equal(dc_err_describe(&err, text, 5), "slot");
}

static void test_long_errors_are_cut(void **state)
{
    struct dc_err err;
    char long_text[2 * sizeof(err.text)];

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(dc_fail(&err, DC_BUG, 0, "%s", long_text), -DC_BUG);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(dc_context(&err, "%s", "head"), -DC_BUG);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "head: xxx", 9);
    assert_int_equal(err.text[sizeof(err.text) - 2], '~');
}

static void test_error_names(void **state)
{
    (void)state;
    assert_string_equal(dc_code_name(DC_INVALID), "invalid");
    assert_string_equal(dc_code_name(DC_BUG), "bug");
    assert_string_equal(dc_code_name((enum dc_code)99), "unknown");
    assert_int_equal(dc_code_from_errno(ENOENT), DC_NOT_FOUND);
    assert_int_equal(dc_code_from_errno(EPERM), DC_DENIED);
    assert_int_equal(dc_code_from_errno(EAGAIN), DC_BUSY);
    assert_int_equal(dc_code_from_errno(ETIMEDOUT), DC_TIMEOUT);
    assert_int_equal(dc_code_from_errno(EIO), DC_KERNEL);
}

static void test_taking_leaves_nothing(void **state)
{
    char *text = strdup("x");
    char *taken = dc_take(text);
    int fd = 7;

    (void)state;
    assert_null(text);
    assert_string_equal(taken, "x");
    free(taken);
    assert_int_equal(dc_take_fd(&fd), 7);
    assert_int_equal(fd, -1);
    dc_close_clear(&fd);
    assert_int_equal(fd, -1);
}

static void test_buffer_grows_to_its_maximum(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;

    (void)state;
    dc_buf_init(&buf, 1000);
    assert_string_equal(dc_buf_str(&buf), "");
    for (int i = 0; i < 1000; i++)
        assert_true(dc_buf_byte(&buf, 'x'));
    assert_false(buf.failed);
    assert_false(dc_buf_byte(&buf, 'y'));
    assert_true(buf.failed);
    assert_int_equal(buf.length, 1000);
    assert_int_equal(strspn(dc_buf_str(&buf), "x"), 1000);
    dc_buf_consume(&buf, 999);
    assert_string_equal(dc_buf_str(&buf), "x");
    assert_true(dc_buf_text(&buf, "yz"));
    assert_true(dc_buf_printf(&buf, "-%d-%s", 42, "end"));
    assert_string_equal(dc_buf_str(&buf), "xyz-42-end");
    assert_false(dc_buf_printf(&buf, "%*d", 991, 1));
    assert_true(dc_buf_printf(&buf, "%*d", 990, 1));
    assert_int_equal(buf.length, 1000);
    dc_buf_release(&buf);
    assert_int_equal(buf.length, 0);
    assert_int_equal(buf.max, 1000);
    assert_false(buf.failed);
    dc_buf_release(NULL);
}

static void test_buffer_refuses_absurd_sizes(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;
    char *room;

    (void)state;
    dc_buf_init(&buf, 16);
    assert_null(dc_buf_reserve(&buf, 17));
    assert_null(dc_buf_reserve(&buf, SIZE_MAX));
    assert_true(dc_buf_text(&buf, "abc"));
    assert_null(dc_buf_reserve(&buf, SIZE_MAX - 2));
    assert_null(dc_buf_reserve(&buf, 14));
    room = dc_buf_reserve(&buf, 13);
    assert_non_null(room);
    memcpy(room, "0123456789abc", 13);
    dc_buf_commit(&buf, 13);
    assert_string_equal(dc_buf_str(&buf), "abc0123456789abc");
}

struct pair {
    const char *in;
    size_t length;
    const char *out;
};

#define PAIR(in, out)                                                                              \
    {                                                                                              \
        in, sizeof(in) - 1, out                                                                    \
    }

static void test_json_strings(void **state)
{
    static const struct pair pairs[] = {
        PAIR("", "\"\""),
        PAIR("plain", "\"plain\""),
        PAIR("a\"b\\c/", "\"a\\\"b\\\\c/\""),
        PAIR("\n\r\t\b\f\x7f\0", "\"\\n\\r\\t\\u0008\\u000c\\u007f\\u0000\""),
        PAIR("é€😀", "\"é€😀\""),
        PAIR("\xff", "\"\xef\xbf\xbd\""),
        PAIR("a\xc3", "\"a\xef\xbf\xbd\""),
        PAIR("\xe2\x82", "\"\xef\xbf\xbd\""), /* one for a cut character */
        PAIR("\xe2\x82z", "\"\xef\xbf\xbdz\""),
        PAIR("\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""), /* overlong: one for each byte */
        PAIR("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""), /* a surrogate */
        PAIR("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        DC_AUTO(dc_buf_release) struct dc_buf buf;

        dc_buf_init(&buf, 100);
        assert_true(dc_buf_json_string(&buf, pairs[i].in, pairs[i].length));
        assert_string_equal(dc_buf_str(&buf), pairs[i].out);
    }
}

static void test_json_string_that_does_not_fit(void **state)
{
    (void)state;
    for (size_t max = 0; max < 10; max++) {
        DC_AUTO(dc_buf_release) struct dc_buf buf;

        dc_buf_init(&buf, max);
        assert_false(dc_buf_json_string(&buf, "ab\ncd\x01", 6));
        assert_true(buf.failed);
        assert_true(buf.length <= max);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(dc_utf8_valid("", 0));
    assert_true(dc_utf8_valid("\x00\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 12));
    assert_true(dc_utf8_valid("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 14));
    assert_false(dc_utf8_valid("\x80", 1));
    assert_false(dc_utf8_valid("\xc1\xbf", 2));
    assert_false(dc_utf8_valid("\xe0\x9f\xbf", 3));
    assert_false(dc_utf8_valid("\xed\xa0\x80", 3));
    assert_false(dc_utf8_valid("\xf0\x8f\xbf\xbf", 4));
    assert_false(dc_utf8_valid("\xf4\x90\x80\x80", 4));
    assert_false(dc_utf8_valid("\xf5\x80\x80\x80", 4));
    assert_false(dc_utf8_valid("\xf0\x9f\x98", 3));
    assert_int_equal(dc_utf8_sequence("😀", 4), 4);
    assert_int_equal(dc_utf8_sequence("😀", 3), 0);
    assert_int_equal(dc_utf8_bad_length("\xf0\x9f\x98", 3), 3);
    assert_int_equal(dc_utf8_bad_length("\xf0\x28", 2), 1);
}

static void test_utf8_cut(void **state)
{
    (void)state;
    assert_int_equal(dc_utf8_cut("", 0), 0);
    assert_int_equal(dc_utf8_cut("abc", 3), 3);
    assert_int_equal(dc_utf8_cut("a😀", 5), 5);
    assert_int_equal(dc_utf8_cut("a😀", 4), 1);
    assert_int_equal(dc_utf8_cut("a😀", 2), 1);
    assert_int_equal(dc_utf8_cut("é", 1), 0);
    assert_int_equal(dc_utf8_cut("a\xff", 2), 2); /* bad, but not unfinished */
    assert_int_equal(dc_utf8_cut("\x80\x80\x80\x80\x80", 5), 5);
}

static void test_time_as_text(void **state)
{
    char text[25];

    (void)state;
    dc_format_iso8601(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    dc_format_iso8601(INT64_C(1761393600123999999), text);
    assert_string_equal(text, "2025-10-25T12:00:00.123Z");
    dc_format_iso8601(INT64_C(1709210096789) * DC_NS_PER_MS, text);
    assert_string_equal(text, "2024-02-29T12:34:56.789Z");
}

static void test_hex_and_random(void **state)
{
    char hex[9];
    uint8_t one[32] = {0};
    uint8_t two[32] = {0};
    uint8_t none[32] = {0};

    (void)state;
    dc_hex("\x00\xff\x1a\xb2", 4, hex);
    assert_string_equal(hex, "00ff1ab2");
    dc_random_bytes(one, sizeof(one));
    dc_random_bytes(two, sizeof(two));
    assert_memory_not_equal(one, two, sizeof(one));
    assert_memory_not_equal(one, none, sizeof(one));
    dc_wipe(one, sizeof(one));
    assert_memory_equal(one, none, sizeof(one));
}

static void test_files(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char folder[256];
    DC_AUTO(dc_close) int dir = -1;
    int file;
    char text[16];
    struct dc_err err;

    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s/docle-base-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(dc_write_file_at(dir, "f", "x", &err), -DC_NOT_FOUND);
    file = openat(dir, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(dc_write_all(file, "0123456789", 10, &err), 0);
    (void)close(file);
    assert_int_equal(dc_read_file_at(dir, "f", text, sizeof(text), &err), 0);
    assert_string_equal(text, "0123456789");
    assert_int_equal(dc_read_file_at(dir, "f", text, 5, &err), 0);
    assert_string_equal(text, "0123");
    assert_int_equal(dc_write_file_at(dir, "f", "abc", &err), 0);
    assert_int_equal(dc_read_file_at(dir, "f", text, sizeof(text), &err), 0);
    assert_string_equal(text, "abc3456789");
    assert_int_equal(symlinkat("f", dir, "link"), 0);
    assert_true(dc_write_file_at(dir, "link", "no", &err) < 0);
    assert_int_equal(err.errnum, ELOOP);
    assert_int_equal(dc_read_file_at(dir, "none", text, sizeof(text), &err), -DC_NOT_FOUND);
    assert_int_equal(unlinkat(dir, "link", 0) | unlinkat(dir, "f", 0) | rmdir(folder), 0);
}

static void test_reading_to_the_end(void **state)
{
    int ends[2];
    char text[8];
    size_t length;
    struct dc_err err;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dc_write_all(ends[1], "abc", 3, &err), 0);
    (void)close(ends[1]);
    assert_int_equal(dc_read_full(ends[0], text, sizeof(text), &length, &err), 0);
    assert_int_equal(length, 3);
    (void)close(ends[0]);
    assert_int_equal(dc_read_full(ends[0], text, sizeof(text), &length, &err), -DC_KERNEL);
    assert_int_equal(err.errnum, EBADF);
    assert_int_equal(dc_write_all(ends[0], "x", 1, &err), -DC_KERNEL);
}

/* What a call of log writes to standard error. */
static void capture(void (*log)(void), char *out, size_t size)
{
    int ends[2];
    int kept = dup(STDERR_FILENO);
    size_t length;
    struct dc_err err;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    log();
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    (void)close(kept);
    assert_int_equal(dc_read_full(ends[0], out, size - 1, &length, &err), 0);
    (void)close(ends[0]);
    out[length] = '\0';
}

static void log_a_line(void)
{
    struct dc_err err;

    dc_log(DC_LOG_DEBUG, "below the threshold");
    (void)dc_fail(&err, DC_KERNEL, ENOSPC, "write \"x\"");
    dc_log_err(DC_LOG_ERROR, "req-1", &err, "cannot\n%s", "go on");
}

static void log_long_controls(void)
{
    char text[1000];

    memset(text, 1, sizeof(text));
    text[sizeof(text) - 1] = '\0';
    dc_log(DC_LOG_WARN, "%s", text);
}

static void test_log_lines_are_json(void **state)
{
    static char line[32768];

    (void)state;
    dc_log_setup("docle-test", DC_LOG_INFO);
    capture(log_a_line, line, sizeof(line));
    assert_null(strstr(line, "threshold"));
    assert_non_null(strstr(line, "\"level\":\"error\",\"process\":\"docle-test\""));
    assert_non_null(strstr(line, "\"request\":\"req-1\",\"msg\":\"cannot\\ngo on\""));
    assert_non_null(strstr(line, "\"code\":\"kernel\",\"error\":\"write \\\"x\\\": No space left"));
    assert_string_equal(line + strlen(line) - 2, "}\n");

    /* Six characters for each control character, and still whole. */
    capture(log_long_controls, line, sizeof(line));
    assert_true(strlen(line) > 6 * 900);
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_filled_once_and_gain_context),
        cmocka_unit_test(test_long_errors_are_cut),
        cmocka_unit_test(test_error_names),
        cmocka_unit_test(test_taking_leaves_nothing),
        cmocka_unit_test(test_buffer_grows_to_its_maximum),
        cmocka_unit_test(test_buffer_refuses_absurd_sizes),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_string_that_does_not_fit),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_cut),
        cmocka_unit_test(test_time_as_text),
        cmocka_unit_test(test_hex_and_random),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_reading_to_the_end),
        cmocka_unit_test(test_log_lines_are_json),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
