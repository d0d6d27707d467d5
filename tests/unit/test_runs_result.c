/* Outcomes from the launcher's word and the output, and the answer as JSON. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "runs/glance.h"
#include "runs/result.h"

#include "base/poison.h"

static const char heap_words[] =
    "<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap "
    "out of memory\n 1: 0xb7a940 node::Abort()";

struct sample {
    enum run_lang lang;
    enum launch_end_kind kind;
    int status;
    uint32_t hits;
    const char *tail;
    enum run_outcome outcome;
    int exit_code;
    int signal;
    uint32_t limits;
};

static const struct sample samples[] = {
    {RUN_PYTHON, END_EXITED, 0, 0, "", OUTCOME_OK, 0, 0, 0},
    {RUN_PYTHON, END_EXITED, 3, 0, "", OUTCOME_ERROR, 3, 0, 0},
    {RUN_PYTHON, END_EXITED, 0, HIT_PROCESSES, "", OUTCOME_OK, 0, 0, RUN_LIMIT_PROCESSES},
    {RUN_PYTHON, END_EXITED, 1, HIT_PROCESSES, "", OUTCOME_PROCESS_LIMIT, 1, 0,
     RUN_LIMIT_PROCESSES},
    {RUN_PYTHON, END_EXITED, 1, HIT_DISK, "", OUTCOME_ERROR, 1, 0, RUN_LIMIT_DISK},
    {RUN_PYTHON, END_EXITED, 1, HIT_MEMORY, "", OUTCOME_ERROR, 1, 0, RUN_LIMIT_MEMORY},
    {RUN_PYTHON, END_SIGNALLED, SIGSEGV, 0, "", OUTCOME_SIGNAL, 139, SIGSEGV, 0},
    {RUN_PYTHON, END_SIGNALLED, SIGKILL, 0, "", OUTCOME_SIGNAL, 137, SIGKILL, 0},
    {RUN_PYTHON, END_TIMEOUT, 9, 0, "", OUTCOME_TIMEOUT, 124, 0, RUN_LIMIT_WALL},
    {RUN_PYTHON, END_TIMEOUT, 9, HIT_PROCESSES, "", OUTCOME_TIMEOUT, 124, 0,
     RUN_LIMIT_WALL | RUN_LIMIT_PROCESSES},
    {RUN_PYTHON, END_CPU, 9, 0, "", OUTCOME_TIMEOUT, 124, 0, RUN_LIMIT_CPU},
    {RUN_PYTHON, END_MEMORY, 9, HIT_MEMORY, "", OUTCOME_MEMORY_LIMIT, 137, 0, RUN_LIMIT_MEMORY},
    {RUN_PYTHON, END_CANCELLED, 9, 0, "", OUTCOME_CANCELLED, 130, 0, 0},
    {RUN_PYTHON, END_SANDBOX_ERROR, 0, 0, "", OUTCOME_SANDBOX_ERROR, -1, 0, 0},
    {RUN_NODE, END_SIGNALLED, SIGABRT, 0, heap_words, OUTCOME_MEMORY_LIMIT, 137, 0,
     RUN_LIMIT_MEMORY},
    {RUN_NODE, END_SIGNALLED, SIGTRAP, 0, heap_words, OUTCOME_MEMORY_LIMIT, 137, 0,
     RUN_LIMIT_MEMORY},
    {RUN_NODE, END_EXITED, 134, 0, heap_words, OUTCOME_MEMORY_LIMIT, 137, 0, RUN_LIMIT_MEMORY},
    {RUN_NODE, END_SIGNALLED, SIGABRT, 0, "", OUTCOME_SIGNAL, 134, SIGABRT, 0},
    {RUN_NODE, END_EXITED, 1, 0, heap_words, OUTCOME_ERROR, 1, 0, 0}, /* printed by itself */
    {RUN_PYTHON, END_SIGNALLED, SIGABRT, 0, heap_words, OUTCOME_SIGNAL, 134, SIGABRT, 0},
};

static void judge(const struct sample *sample, struct run_result *result)
{
    struct launch_ended ended = {.kind = sample->kind,
                                 .status = sample->status,
                                 .hits = sample->hits,
                                 .cpu_ns = 1000001,
                                 .peak_bytes = 1 << 20,
                                 .wall_ns = 999999};

    run_result_init(result);
    result->lang = sample->lang;
    result->policy.value[POLICY_TIMEOUT_MS] = 3000;
    run_result_judge(result, &(struct result_evidence){.ended = &ended,
                                                       .stderr_tail = sample->tail,
                                                       .stderr_tail_length = strlen(sample->tail)});
}

static void maps_every_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        DC_AUTO(run_result_release) struct run_result result;
        const struct sample *sample = &samples[i];
        bool silent = sample->outcome == OUTCOME_OK || sample->outcome == OUTCOME_ERROR;

        judge(sample, &result);
        if (result.outcome != sample->outcome || result.exit_code != sample->exit_code ||
            result.signal != sample->signal || result.limits != sample->limits)
            fail_msg("sample %zu: %s %d %d %x", i, run_outcome_name(result.outcome),
                     result.exit_code, result.signal, result.limits);
        assert_int_equal(*result.message == '\0', silent);
        assert_int_equal(run_result_cpu_ms(&result), 2);
        assert_int_equal(run_result_mem_mb(&result), 1);
        assert_int_equal(run_result_duration_ms(&result), 1);
    }
}

static void says_why_in_stderr(void **state)
{
    static const enum launch_end_kind ours[] = {END_TIMEOUT, END_CPU, END_MEMORY, END_CANCELLED,
                                                END_SANDBOX_ERROR};

    (void)state;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        DC_AUTO(run_result_release) struct run_result result;
        struct sample sample = {.kind = ours[i], .tail = ""};
        const char *text;

        judge(&sample, &result);
        (void)dc_buf_text(&result.streams[OUTPUT_STDERR], "its own words");
        assert_true(run_result_explain(&result));
        text = dc_buf_str(&result.streams[OUTPUT_STDERR]);
        assert_memory_equal(text, "SandboxError: ", 14);
        assert_non_null(strstr(text, "\nits own words"));
    }
    {
        DC_AUTO(run_result_release) struct run_result result;

        judge(&samples[1], &result);
        (void)dc_buf_text(&result.streams[OUTPUT_STDERR], "its own words");
        assert_true(run_result_explain(&result));
        assert_string_equal(dc_buf_str(&result.streams[OUTPUT_STDERR]), "its own words");
    }
}

static json_t *print(const struct run_result *result)
{
    DC_AUTO(dc_buf_release) struct dc_buf out;
    json_t *tree;

    dc_buf_init(&out, run_result_print_max(result));
    assert_true(run_result_print(result, &out));
    tree = json_loadb(dc_buf_str(&out), out.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(tree);
    return tree;
}

static void answers_as_the_original(void **state)
{
    DC_AUTO(run_result_release) struct run_result result;
    json_t *tree;
    json_t *usage;

    (void)state;
    judge(&samples[0], &result);
    (void)snprintf(result.id, sizeof(result.id), "01890000-0000-7000-8000-000000000000");
    result.created_ns = INT64_C(1761393600123000000);
    (void)dc_buf_text(&result.streams[OUTPUT_STDOUT], "Hello\n");
    tree = print(&result);
    usage = json_object_get(tree, "usage");
    assert_string_equal(json_string_value(json_object_get(tree, "id")),
                        "01890000-0000-7000-8000-000000000000");
    assert_true(json_is_true(json_object_get(tree, "ok")));
    assert_int_equal(json_integer_value(json_object_get(tree, "exitCode")), 0);
    assert_string_equal(json_string_value(json_object_get(tree, "stdout")), "Hello\n");
    assert_string_equal(json_string_value(json_object_get(tree, "stderr")), "");
    assert_int_equal(json_integer_value(json_object_get(usage, "cpuMs")), 2);
    assert_int_equal(json_integer_value(json_object_get(usage, "memMB")), 1);
    assert_int_equal(json_integer_value(json_object_get(usage, "durationMs")), 1);
    assert_string_equal(json_string_value(json_object_get(tree, "createdAt")),
                        "2025-10-25T12:00:00.123Z");
    assert_string_equal(json_string_value(json_object_get(tree, "outcome")), "ok");
    assert_null(json_object_get(tree, "signal"));
    assert_null(json_object_get(tree, "files"));
    assert_null(json_object_get(tree, "limits_applied"));
    json_decref(tree);
}

static void any_bytes_make_valid_json(void **state) /* O-06 */
{
    DC_AUTO(run_result_release) struct run_result result;
    char bytes[512];
    json_t *tree;

    (void)state;
    judge(&samples[0], &result);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7);
    (void)dc_buf_append(&result.streams[OUTPUT_STDOUT], bytes, sizeof(bytes));
    (void)dc_buf_text(&result.streams[OUTPUT_STDERR], "\x1b]0;title\a</script>\xe2\x98\x83\xff");
    result.policy.clamped = 1u << POLICY_TIMEOUT_MS | 1u << POLICY_CPUS_CENTI;
    result.policy.value[POLICY_CPUS_CENTI] = 50;
    (void)dc_buf_text(&result.members, "\"files\":[],\"filesTruncated\":true");
    tree = print(&result);
    assert_string_equal(json_string_value(json_object_get(tree, "stderr")),
                        "\x1b]0;title\a</script>\xe2\x98\x83\xef\xbf\xbd");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(tree, "limits_applied"), "timeoutMs")),
        3000);
    assert_true(json_real_value(json_object_get(json_object_get(tree, "limits_applied"), "cpus")) ==
                0.5);
    assert_true(json_is_true(json_object_get(tree, "filesTruncated")));
    json_decref(tree);
}

static void the_worst_case_fits(void **state)
{
    DC_AUTO(run_result_release) struct run_result result;
    char bytes[10000];

    (void)state;
    judge(&samples[12], &result);
    memset(bytes, 1, sizeof(bytes)); /* six characters each */
    (void)dc_buf_append(&result.streams[OUTPUT_STDOUT], bytes, sizeof(bytes));
    (void)dc_buf_append(&result.streams[OUTPUT_STDERR], bytes, sizeof(bytes));
    memset(result.message, '"', sizeof(result.message) - 1);
    result.policy.clamped = (1u << POLICY_FIELDS) - 1;
    for (int i = 0; i < POLICY_FIELDS; i++)
        result.policy.value[i] = UINT32_MAX;
    result.limits = 63;
    json_decref(print(&result));
}

static void limits_and_policy_come_back(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf out;
    struct run_policy policy = {.value = {3000, 256, 64, 64, 150, 0, 1024}, .clamped = 0x15};
    struct run_policy back;

    (void)state;
    dc_buf_init(&out, 4096);
    for (uint32_t limits = 0; limits < 64; limits++) {
        out.length = 0;
        assert_true(run_result_print_limits(limits, &out));
        assert_int_equal(run_result_parse_limits(dc_buf_str(&out)), limits);
    }
    out.length = 0;
    assert_true(run_policy_print(&policy, &out));
    run_policy_parse(dc_buf_str(&out), &back);
    assert_memory_equal(&policy, &back, sizeof(policy));
    assert_int_equal(run_result_parse_limits(NULL), 0);
    assert_int_equal(run_result_parse_limits("{}"), 0);
    run_policy_parse("nonsense", &back);
    assert_int_equal(back.value[POLICY_TIMEOUT_MS], 0);
}

static void assert_error_line(const char *text, const char *line)
{
    struct run_text got = glance_error(text, strlen(text));

    assert_int_equal(got.length, strlen(line));
    assert_memory_equal(got.bytes, line, got.length);
}

static void finds_the_line_that_says_it(void **state)
{
    char longest[20000];

    (void)state;
    assert_error_line("", "");
    assert_error_line("\n\n", "");
    assert_error_line("Traceback (most recent call last):\n  File \"main.py\"\nKeyError: 'a'\n",
                      "KeyError: 'a'");
    assert_error_line("/workspace/main.js:1\nthrow 1\n^\n\nError: boom\n    at Object {\n"
                      "  code: 1\n}\n\nNode.js v20.1.0\n",
                      "Error: boom");
    assert_error_line("only \r\n", "only");
    assert_error_line("good\n\xff\xfe bad bytes\n", "");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    assert_error_line(longest, ""); /* its beginning is not in what is looked at */
    memcpy(longest + sizeof(longest) - 1000, "\n\xc3\xa9", 3);
    for (size_t i = sizeof(longest) - 1000 + 3; i + 2 < sizeof(longest); i += 2)
        memcpy(longest + i, "\xc3\xa9", 2);
    longest[sizeof(longest) - 1] = 0;
    assert_int_equal(glance_error(longest, strlen(longest)).length, GLANCE_LINE_MAX_BYTES);
}

static void shows_how_a_program_begins(void **state)
{
    struct run_file files[] = {
        {.path = {"lib.py", 6}, .content = {"a = 1", 5}},
        {.path = {"main.py", 7}, .content = {"\n\n  print(1)  \nx", 16}},
    };
    struct run_request request = {.files = files, .file_count = 2, .entrypoint = "main.py"};
    struct run_text line;
    char text[GLANCE_PROGRAM_MAX_BYTES + 2];

    (void)state;
    assert_int_equal(glance_program(&request).length, 16);
    line = glance_line("\n\n  print(1)  \nx");
    assert_int_equal(line.length, 8);
    assert_memory_equal(line.bytes, "print(1)", 8);
    assert_int_equal(glance_line("").length, 0);
    assert_int_equal(glance_line(" \n\t\n").length, 0);
    files[1].content = (struct run_text){"a\0b", 3};
    assert_int_equal(glance_program(&request).length, 1);
    files[1].content = (struct run_text){"\xff", 1};
    assert_int_equal(glance_program(&request).length, 0);
    memset(text, 'a', sizeof(text));
    memcpy(text + GLANCE_PROGRAM_MAX_BYTES - 1, "\xc3\xa9", 2); /* not cut in two */
    files[1].content = (struct run_text){text, sizeof(text) - 1};
    assert_int_equal(glance_program(&request).length, GLANCE_PROGRAM_MAX_BYTES - 1);
    request.file_count = 0;
    assert_int_equal(glance_program(&request).length, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_every_end),
        cmocka_unit_test(says_why_in_stderr),
        cmocka_unit_test(answers_as_the_original),
        cmocka_unit_test(any_bytes_make_valid_json),
        cmocka_unit_test(the_worst_case_fits),
        cmocka_unit_test(limits_and_policy_come_back),
        cmocka_unit_test(finds_the_line_that_says_it),
        cmocka_unit_test(shows_how_a_program_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
