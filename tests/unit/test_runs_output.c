/* Bounded capture and the artifact stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/io.h"
#include "proto/artifact.h"
#include "runs/artifacts.h"
#include "runs/output.h"

#include "base/poison.h"

struct world {
    uv_loop_t loop;
    struct output *output;
    unsigned arrivals;
};

static void on_arrived(void *context)
{
    ((struct world *)context)->arrivals++;
}

static struct world *open_world(struct world *world, size_t max)
{
    struct dc_err err;

    *world = (struct world){0};
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(output_open(max, on_arrived, world, &world->output, &err), 0);
    assert_int_equal(output_listen(world->output, &world->loop, &err), 0);
    return world;
}

static void close_world(struct world *world)
{
    output_free(world->output);
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

static void say(struct world *world, enum output_stream stream, const char *bytes, size_t length)
{
    struct dc_err err;

    assert_int_equal(dc_write_all(output_writer(world->output, stream), bytes, length, &err), 0);
}

static void turn(struct world *world)
{
    (void)uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void expect(const struct world *world, enum output_stream stream, const char *wanted)
{
    size_t length;
    const char *bytes = output_bytes(world->output, stream, &length);

    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(bytes, wanted, length);
}

static void keeps_both_streams_apart(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, 100);
    say(&world, OUTPUT_STDOUT, "out1 ", 5);
    say(&world, OUTPUT_STDERR, "err1 ", 5);
    turn(&world);
    assert_true(world.arrivals >= 2);
    say(&world, OUTPUT_STDOUT, "out2", 4); /* not read before the end */
    output_finish(world.output);
    expect(&world, OUTPUT_STDOUT, "out1 out2");
    expect(&world, OUTPUT_STDERR, "err1 ");
    assert_false(output_truncated(world.output, OUTPUT_STDOUT));
    assert_int_equal(output_total(world.output), 14);
    close_world(&world);
}

static void finish_does_not_wait_for_the_end(void **state)
{
    struct world world;
    int stray;

    (void)state;
    open_world(&world, 100);
    stray = dup(output_writer(world.output, OUTPUT_STDOUT));
    output_close_writers(world.output);
    assert_int_equal(write(stray, "x", 1), 1);
    output_finish(world.output); /* would hang here if it waited */
    expect(&world, OUTPUT_STDOUT, "x");
    dc_close(stray);
    close_world(&world);
}

static void reads_at_the_end_alone(void **state)
{
    struct output *output;
    struct dc_err err;
    char bytes[60000];
    size_t length;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(output_open(100000, NULL, NULL, &output, &err), 0);
    assert_int_equal(write(output_writer(output, OUTPUT_STDOUT), bytes, sizeof(bytes)),
                     sizeof(bytes));
    output_finish(output); /* never listened to: no loop is needed */
    (void)output_bytes(output, OUTPUT_STDOUT, &length);
    assert_int_equal(length, sizeof(bytes));
    output_free(output);
}

static void cuts_at_the_common_budget(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, 8);
    say(&world, OUTPUT_STDERR, "12345", 5);
    turn(&world);
    say(&world, OUTPUT_STDOUT, "ab\xe2\x98\x83rest", 9); /* three fit: the snowman does not */
    turn(&world);
    say(&world, OUTPUT_STDERR, "6", 1); /* one that was given back */
    turn(&world);
    say(&world, OUTPUT_STDERR, "7", 1);
    output_finish(world.output);
    assert_true(output_truncated(world.output, OUTPUT_STDOUT));
    assert_true(output_truncated(world.output, OUTPUT_STDERR));
    expect(&world, OUTPUT_STDOUT,
           "ab\n\n... (output truncated: 16 bytes exceeds limit of 8 bytes)");
    expect(&world, OUTPUT_STDERR,
           "123456\n\n... (output truncated: 16 bytes exceeds limit of 8 bytes)");
    close_world(&world);
}

static void exactly_the_limit_is_not_cut(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, 5);
    say(&world, OUTPUT_STDOUT, "abcde", 5);
    output_finish(world.output);
    expect(&world, OUTPUT_STDOUT, "abcde");
    assert_false(output_truncated(world.output, OUTPUT_STDOUT));
    close_world(&world);
}

static pid_t flood(const struct world *world, size_t total, size_t piece)
{
    pid_t pid = fork();
    struct dc_err err;

    if (pid)
        return pid;
    for (size_t done = 0; done < total; done += piece) {
        static char bytes[65536];

        memset(bytes, 'x', piece);
        if (dc_write_all(output_writer(world->output, done % 2 ? OUTPUT_STDERR : OUTPUT_STDOUT),
                         bytes, piece, &err) < 0)
            _exit(1);
    }
    _exit(0);
}

static void drain_flood(size_t total, size_t piece) /* O-01, O-03, O-04 */
{
    struct world world;
    int status = -1;
    size_t out;
    size_t err;
    pid_t pid;

    open_world(&world, 10000);
    pid = flood(&world, total, piece);
    output_close_writers(world.output);
    while (waitpid(pid, &status, WNOHANG) == 0)
        turn(&world);
    assert_int_equal(status, 0); /* it was never blocked for good */
    output_finish(world.output);
    assert_int_equal(output_total(world.output), total);
    (void)output_bytes(world.output, OUTPUT_STDOUT, &out);
    (void)output_bytes(world.output, OUTPUT_STDERR, &err);
    assert_true(out + err < 10000 + 2 * 128);
    assert_true(output_truncated(world.output, OUTPUT_STDOUT));
    close_world(&world);
}

static void floods_are_drained(void **state)
{
    (void)state;
    drain_flood((size_t)65536 * 1000, 65536);
    drain_flood(99999, 1);
}

static void streams_whole_characters(void **state)
{
    struct world world;
    char out[16];
    size_t at = 0;

    (void)state;
    open_world(&world, 100);
    say(&world, OUTPUT_STDOUT, "a\xe2\x98", 3);
    turn(&world);
    assert_int_equal(output_next(world.output, OUTPUT_STDOUT, &at, out, sizeof(out)), 1);
    assert_int_equal(output_next(world.output, OUTPUT_STDOUT, &at, out, sizeof(out)), 0);
    say(&world, OUTPUT_STDOUT, "\x83z", 2);
    turn(&world);
    assert_int_equal(output_next(world.output, OUTPUT_STDOUT, &at, out, 5), 4);
    assert_memory_equal(out, "\xe2\x98\x83z", 4);
    say(&world, OUTPUT_STDOUT, "\xf0\x9f", 2);
    turn(&world);
    assert_int_equal(output_next(world.output, OUTPUT_STDOUT, &at, out, sizeof(out)), 0);
    output_finish(world.output); /* its rest will not come: out with it */
    assert_int_equal(output_next(world.output, OUTPUT_STDOUT, &at, out, sizeof(out)), 2);
    assert_int_equal(output_next(world.output, OUTPUT_STDOUT, &at, out, sizeof(out)), 0);
    close_world(&world);
}

static void remembers_the_last_words(void **state)
{
    struct world world;
    char tail[64];
    char chunk[1000];

    (void)state;
    open_world(&world, 10); /* long full when the interpreter dies */
    memset(chunk, 'x', sizeof(chunk));
    for (int i = 0; i < 20; i++) {
        say(&world, OUTPUT_STDERR, chunk, sizeof(chunk));
        turn(&world);
    }
    say(&world, OUTPUT_STDERR, "out of memory", 13);
    output_finish(world.output);
    assert_int_equal(output_stderr_tail(world.output, tail, sizeof(tail)), 64);
    assert_memory_equal(tail + 51, "out of memory", 13);
    close_world(&world);
}

/* ---- artifacts ---- */

static void put(struct dc_buf *stream, uint16_t flags, const char *path, size_t path_length,
                const char *content, uint32_t content_length)
{
    struct artifact_head head = {(uint16_t)path_length, flags, content_length};

    (void)dc_buf_append(stream, &head, sizeof(head));
    (void)dc_buf_append(stream, path, path_length);
    if (content)
        (void)dc_buf_append(stream, content, content_length);
}

static void reads_artifacts(void **state)
{
    static struct artifacts artifacts;
    static const struct run_text globs[] = {{"*.txt", 5}, {"out/**", 6}};
    DC_AUTO(dc_buf_release) struct dc_buf stream;

    (void)state;
    dc_buf_init(&stream, 1 << 20);
    put(&stream, 0, "a.txt", 5, "one", 3);
    put(&stream, 0, "out/x/y", 7, "", 0);
    artifacts_parse(dc_buf_str(&stream), stream.length, globs, 2, &artifacts);
    assert_false(artifacts.truncated);
    assert_int_equal(artifacts.count, 2);
    assert_memory_equal(artifacts.list[0].content, "one", 3);
    assert_int_equal(artifacts.list[1].content_length, 0);
    put(&stream, ARTIFACT_TRUNCATED, "", 0, NULL, 0);
    artifacts_parse(dc_buf_str(&stream), stream.length, globs, 2, &artifacts);
    assert_true(artifacts.truncated);
    assert_int_equal(artifacts.count, 2);
}

static void leaves_bad_artifacts_out(void **state)
{
    static struct artifacts artifacts;
    static const struct run_text globs[] = {{"**", 2}};
    static const struct {
        const char *path;
        size_t length;
    } bad[] = {{"../x", 4}, {"/etc/passwd", 11}, {"", 0},     {"a\0b", 3},
               {"a\nb", 3}, {"\xff", 1},         {"a//b", 4}, {"ok", 2} /* twice */};
    DC_AUTO(dc_buf_release) struct dc_buf stream;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dc_buf_init(&stream, 1 << 20);
        put(&stream, 0, "ok", 2, "1", 1);
        put(&stream, 0, bad[i].path, bad[i].length, "2", 1);
        put(&stream, 0, "ok2", 3, "3", 1);
        artifacts_parse(dc_buf_str(&stream), stream.length, globs, 1, &artifacts);
        assert_true(artifacts.truncated);
        assert_int_equal(artifacts.count, 2);
        assert_memory_equal(artifacts.list[1].path, "ok2", 3);
        dc_buf_release(&stream);
    }
    dc_buf_init(&stream, 1 << 20);
    put(&stream, 0, "not/asked", 9, "1", 1);
    artifacts_parse(dc_buf_str(&stream), stream.length, &(struct run_text){"*.txt", 5}, 1,
                    &artifacts);
    assert_int_equal(artifacts.count, 0);
    assert_true(artifacts.truncated);
}

static void holds_the_artifact_caps(void **state)
{
    static struct artifacts artifacts;
    DC_AUTO(dc_buf_release) struct dc_buf stream;
    DC_AUTO(dc_free) char *big = calloc(1, DC_ARTIFACTS_MAX_BYTES);
    char name[16];

    (void)state;
    assert_non_null(big);
    dc_buf_init(&stream, 64 << 20);
    for (int i = 0; i < DC_ARTIFACTS_MAX + 1; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i);
        put(&stream, 0, name, strlen(name), "x", 1);
    }
    artifacts_parse(dc_buf_str(&stream), stream.length, NULL, 0, &artifacts);
    assert_int_equal(artifacts.count, DC_ARTIFACTS_MAX);
    assert_true(artifacts.truncated);
    stream.length = 0;
    put(&stream, 0, "big", 3, big, DC_ARTIFACTS_MAX_BYTES);
    put(&stream, 0, "more", 4, "x", 1);
    artifacts_parse(dc_buf_str(&stream), stream.length, NULL, 0, &artifacts);
    assert_int_equal(artifacts.count, 1);
    assert_true(artifacts.truncated);
}

static void survives_any_cut(void **state)
{
    static struct artifacts artifacts;
    DC_AUTO(dc_buf_release) struct dc_buf stream;
    DC_AUTO(dc_buf_release) struct dc_buf json;

    (void)state;
    dc_buf_init(&stream, 1 << 20);
    put(&stream, 0, "a", 1, "one", 3);
    put(&stream, 0, "b", 1, "two", 3);
    for (size_t length = 0; length <= stream.length; length++) {
        char *copy = malloc(length + 1); /* so that reading on is seen */

        assert_non_null(copy);
        memcpy(copy, stream.data, length);
        artifacts_parse(copy, length, NULL, 0, &artifacts);
        assert_int_equal(artifacts.truncated, length != 0 && length != 12 && length != 24);
        free(copy);
    }
    artifacts_parse(stream.data, stream.length, NULL, 0, &artifacts);
    dc_buf_init(&json, 1 << 20);
    assert_true(artifacts_print(&artifacts, &json));
    assert_string_equal(
        dc_buf_str(&json),
        "\"files\":[{\"path\":\"a\",\"size\":3,\"encoding\":\"base64\",\"content\":\"b25l\"},"
        "{\"path\":\"b\",\"size\":3,\"encoding\":\"base64\",\"content\":\"dHdv\"}]");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_both_streams_apart),
        cmocka_unit_test(finish_does_not_wait_for_the_end),
        cmocka_unit_test(reads_at_the_end_alone),
        cmocka_unit_test(cuts_at_the_common_budget),
        cmocka_unit_test(exactly_the_limit_is_not_cut),
        cmocka_unit_test(floods_are_drained),
        cmocka_unit_test(streams_whole_characters),
        cmocka_unit_test(remembers_the_last_words),
        cmocka_unit_test(reads_artifacts),
        cmocka_unit_test(leaves_bad_artifacts_out),
        cmocka_unit_test(holds_the_artifact_caps),
        cmocka_unit_test(survives_any_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
