/* Run requests: what is taken, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "proto/job.h"
#include "runs/job_build.h"
#include "runs/request.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/poison.h"

struct world {
    struct run_request request;
    struct problems problems;
    struct run_limits limits;
    int result;
};

static void parse_bytes(struct world *world, const char *body, size_t length)
{
    struct dc_err err;

    run_request_release(&world->request);
    problems_release(&world->problems);
    run_request_init(&world->request);
    problems_init(&world->problems);
    world->result =
        run_request_parse(&world->request, body, length, &world->limits, &world->problems, &err);
    /* The two ways of saying it agree. */
    assert_int_equal(world->result == 0, world->problems.total == 0);
}

static void parse(struct world *world, const char *body)
{
    parse_bytes(world, body, strlen(body));
}

static void parse_good(struct world *world, const char *body)
{
    parse(world, body);
    if (world->result != 0)
        fail_msg("%s: %s: %s", body, world->problems.list[0].path, world->problems.list[0].message);
}

static const struct problem *find_problem(const struct world *world, enum problem_code code,
                                          const char *path)
{
    for (size_t i = 0; i < world->problems.count; i++)
        if (world->problems.list[i].code == code && strcmp(world->problems.list[i].path, path) == 0)
            return &world->problems.list[i];
    return NULL;
}

static void parse_bad(struct world *world, const char *body, enum problem_code code,
                      const char *path)
{
    parse(world, body);
    if (!find_problem(world, code, path))
        fail_msg("%s: no %s at '%s'; first: %s %s", body, problem_code_name(code), path,
                 world->problems.count ? world->problems.list[0].path : "(none)",
                 world->problems.count ? world->problems.list[0].message : "");
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    return world ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *world = *state;

    run_request_release(&world->request);
    problems_release(&world->problems);
    free(world);
    return 0;
}

static void takes_the_originals_request(void **state)
{
    struct world *world = *state;

    parse_good(world, "{\"code\":\"print('Hello, World!')\",\"lang\":\"python\",\"policy\":"
                      "{\"timeoutMs\":3000,\"memoryMB\":256,\"allowNet\":false}}");
    assert_int_equal(world->request.lang, RUN_PYTHON);
    assert_string_equal(world->request.entrypoint, "main.py");
    assert_int_equal(world->request.file_count, 1);
    assert_string_equal(world->request.files[0].path.bytes, "main.py");
    assert_string_equal(world->request.files[0].content.bytes, "print('Hello, World!')");
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\",\"demo_mode\":true}");
    assert_string_equal(world->request.entrypoint, "main.js");
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\",\"entrypoint\":\"x/app.mjs\"}");
    assert_string_equal(world->request.files[0].path.bytes, "x/app.mjs");
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\",\"packages\":{\"packages\":[]},"
                      "\"policy\":{\"allowNetwork\":false,\"allowedHosts\":[]}}");
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\",\"packages\":[]}");
}

static void fills_the_defaults(void **state)
{
    static const uint32_t defaults[POLICY_FIELDS] = {3000, 256, 64, 64, 100, 0, 1048576};
    struct world *world = *state;

    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\"}");
    for (int i = 0; i < POLICY_FIELDS; i++)
        assert_int_equal(world->request.policy.value[i], defaults[i]);
    assert_int_equal(world->request.policy.clamped, 0);
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"memoryMB\":2048}}");
    assert_int_equal(world->request.policy.value[POLICY_DISK_MB], 512);
}

#define BODY "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"%s\":%s}}"

static void holds_the_ranges(void **state)
{
    static const struct {
        const char *name;
        const char *low, *high;    /* taken */
        const char *below, *above; /* refused */
    } fields[] = {
        {"timeoutMs", "100", "300000", "99", "300001"},
        {"memoryMB", "64", "2048", "63", "2049"},
        {"diskMB", "1", "128", "0", "129"}, /* half of the default 256 */
        {"maxProcesses", "1", "512", "0", "513"},
        {"cpus", "0.1", "64", "0.09", "64.01"},
        {"cpuMs", "1", "19200000", "0", "19200001"},
        {"maxOutputBytes", "1024", "10485760", "1023", "10485761"},
    };
    struct world *world = *state;
    char body[256];
    char path[64];

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *good[] = {fields[i].low, fields[i].high};
        const char *bad[] = {fields[i].below, fields[i].above, "-1", "1e18", "4294967396"};
        const char *wrong[] = {"\"5\"", "null", "[]", "true"};

        (void)snprintf(path, sizeof(path), "policy.%s", fields[i].name);
        for (size_t k = 0; k < 2; k++) {
            (void)snprintf(body, sizeof(body), BODY, fields[i].name, good[k]);
            parse_good(world, body);
        }
        for (size_t k = 0; k < 5; k++) {
            (void)snprintf(body, sizeof(body), BODY, fields[i].name, bad[k]);
            parse_bad(world, body, PROBLEM_RANGE, path);
        }
        for (size_t k = 0; k < 4; k++) {
            (void)snprintf(body, sizeof(body), BODY, fields[i].name, wrong[k]);
            parse_bad(world, body, PROBLEM_TYPE, path);
        }
    }
    parse_bad(world, "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"timeoutMs\":100.5}}",
              PROBLEM_TYPE, "policy.timeoutMs");
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"timeoutMs\":5e3}}");
    assert_int_equal(world->request.policy.value[POLICY_TIMEOUT_MS], 5000);
    parse_bad(world, "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"timeoutMs\":1e999}}",
              PROBLEM_INVALID_JSON, "");
    parse_bad(world,
              "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"timeoutMs\":99999999999999999999}}",
              PROBLEM_INVALID_JSON, "");
}

static void ceilings_clamp_or_refuse(void **state)
{
    struct world *world = *state;

    run_limits_lower(&world->limits, POLICY_TIMEOUT_MS, 2000, "the plan 'free'");
    run_limits_lower(&world->limits, POLICY_TIMEOUT_MS, 5000,
                     "this server"); /* higher: no change */
    run_limits_lower(&world->limits, POLICY_CPU_MS, 1000, "this server");
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\"}");
    assert_int_equal(world->request.policy.value[POLICY_TIMEOUT_MS], 2000);
    assert_int_equal(world->request.policy.value[POLICY_CPU_MS], 1000);
    assert_int_equal(world->request.policy.clamped, 1u << POLICY_TIMEOUT_MS | 1u << POLICY_CPU_MS);
    parse_good(world, "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"timeoutMs\":1500}}");
    assert_int_equal(world->request.policy.value[POLICY_TIMEOUT_MS], 1500);
    parse_bad(world, "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"timeoutMs\":2001}}",
              PROBLEM_CEILING, "policy.timeoutMs");
    assert_non_null(strstr(world->problems.list[0].message, "the plan 'free' allows at most 2000"));
}

static void refuses_what_is_not_json(void **state)
{
    struct world *world = *state;
    static const char nul_in_key[] = "{\"a\\u0000b\":1,\"code\":\"1\",\"lang\":\"node\"}";
    static const char *const bad[] = {
        "",
        "{",
        "nope",
        "{\"code\":\"1\",\"lang\":\"node\"} x",
        "{\"code\":\"1\",\"code\":\"2\",\"lang\":\"node\"}",
        "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{\"timeoutMs\":100,\"timeoutMs\":200}}",
        "{\"code\":\"\\ud800\",\"lang\":\"node\"}",
        "{\"code\":\"\xff\",\"lang\":\"node\"}",
        "{\"code\":\"\xc0\xaf\",\"lang\":\"node\"}",
        "{\"code\":\"\xed\xa0\x80\",\"lang\":\"node\"}",
        "\xef\xbb\xbf{\"code\":\"1\",\"lang\":\"node\"}",
        "{'code':'1'}",
        "{\"code\":\"1\",\"lang\":\"node\",}",
        nul_in_key,
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        parse_bad(world, bad[i], PROBLEM_INVALID_JSON, "");
    parse_bytes(world, "{\"code\":\"1\",\0\"lang\":\"node\"}", 27);
    assert_int_equal(world->result, -DC_INVALID);
    parse_bad(world, "[1]", PROBLEM_TYPE, "");
}

static void refuses_deep_json(void **state)
{
    struct world *world = *state;
    char body[8192] = "{\"x\":";
    size_t depth = 1000;

    memset(body + 5, '[', depth);
    memset(body + 5 + depth, ']', depth);
    (void)snprintf(body + 5 + 2 * depth, 8, "}");
    parse_bad(world, body, PROBLEM_TOO_DEEP, "");
    /* Brackets in strings are no nesting. */
    (void)snprintf(body, sizeof(body), "{\"lang\":\"node\",\"code\":\"\\\"");
    memset(body + strlen(body), '[', 100);
    (void)snprintf(body + strlen(body), 8, "\"}");
    parse_good(world, body);
}

static void finds_every_problem(void **state)
{
    struct world *world = *state;
    DC_AUTO(dc_buf_release) struct dc_buf json;
    json_t *tree;

    parse(world, "{\"lang\":\"ruby\",\"policy\":{\"timeoutMs\":1,\"memoryMB\":\"x\",\"bogus\":1},"
                 "\"args\":[1],\"stream\":\"yes\"}");
    assert_non_null(find_problem(world, PROBLEM_VALUE, "lang"));
    assert_non_null(find_problem(world, PROBLEM_RANGE, "policy.timeoutMs"));
    assert_non_null(find_problem(world, PROBLEM_TYPE, "policy.memoryMB"));
    assert_non_null(find_problem(world, PROBLEM_UNKNOWN_FIELD, "policy.bogus"));
    assert_non_null(find_problem(world, PROBLEM_TYPE, "args[0]"));
    assert_non_null(find_problem(world, PROBLEM_TYPE, "stream"));
    dc_buf_init(&json, 65536);
    (void)dc_buf_byte(&json, '{');
    assert_true(problems_print(&world->problems, &json));
    (void)dc_buf_byte(&json, '}');
    tree = json_loads(dc_buf_str(&json), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(tree);
    assert_string_equal(json_string_value(json_object_get(tree, "error")), "Invalid payload");
    assert_int_equal(json_array_size(json_object_get(tree, "details")), world->problems.count);
    assert_int_equal(
        json_array_size(json_object_get(
            json_object_get(json_object_get(tree, "issues"), "fieldErrors"), "policy")),
        3);
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(tree, "issues"), "formErrors")), 0);
    json_decref(tree);
}

static void is_bounded_in_its_complaints(void **state)
{
    struct world *world = *state;
    DC_AUTO(dc_buf_release) struct dc_buf body;
    DC_AUTO(dc_buf_release) struct dc_buf json;
    json_t *tree;

    dc_buf_init(&body, 65536);
    (void)dc_buf_text(&body, "{\"code\":\"1\",\"lang\":\"node\",\"policy\":{");
    for (int i = 0; i < 100; i++)
        (void)dc_buf_printf(&body, "%s\"\xe2\x98\x83\\u0001%d%0*d\":1", i ? "," : "", i, 90, 0);
    (void)dc_buf_text(&body, "}}");
    parse(world, dc_buf_str(&body));
    assert_int_equal(world->problems.total, 100);
    assert_int_equal(world->problems.count, PROBLEMS_MAX);
    dc_buf_init(&json, 1 << 20);
    (void)dc_buf_byte(&json, '{');
    assert_true(problems_print(&world->problems, &json));
    (void)dc_buf_byte(&json, '}');
    tree = json_loads(dc_buf_str(&json), 0, NULL); /* valid, whatever was quoted and cut */
    assert_non_null(tree);
    assert_int_equal(json_array_size(json_object_get(tree, "details")), PROBLEMS_MAX + 1);
    json_decref(tree);
}

static void needs_code_or_files(void **state)
{
    struct world *world = *state;

    parse_bad(world, "{\"lang\":\"node\"}", PROBLEM_MISSING, "code");
    parse_bad(world, "{\"lang\":\"node\",\"files\":[]}", PROBLEM_MISSING, "code");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"\"}", PROBLEM_VALUE, "code");
    parse_bad(world, "{\"lang\":\"node\",\"code\":1}", PROBLEM_TYPE, "code");
    assert_int_equal(world->problems.total, 1);
    parse_bad(world, "{\"code\":\"1\"}", PROBLEM_MISSING, "lang");
    parse_good(world, "{\"lang\":\"node\",\"code\":\"\",\"files\":[{\"path\":\"a.js\","
                      "\"content\":\"\"}]}");
    parse_good(world, "{\"lang\":\"node\",\"code\":null,\"files\":[{\"path\":\"a.js\","
                      "\"content\":\"\"}]}");
    parse_good(world, "{\"lang\":\"node\",\"code\":\"x\",\"files\":[{\"path\":\"a.js\","
                      "\"content\":\"y\"}]}");
    assert_string_equal(world->request.files[0].content.bytes, "y"); /* files win */
}

static void refuses_bad_paths(void **state) /* F-01, F-02 */
{
    static const char *const bad[] = {
        "../x", "/etc/x", "a/../../x", "a//b",  ".",   "..",       "",       "a/",
        "a/.",  "./a",    "a\\u0000b", "a\\nb", "\\t", "a\\u007f", "a/../b",
    };
    struct world *world = *state;
    char body[4096];
    char name[2100];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(body, sizeof(body),
                       "{\"lang\":\"node\",\"files\":[{\"path\":\"main.js\",\"content\":\"\"},"
                       "{\"path\":\"%s\",\"content\":\"\"}]}",
                       bad[i]);
        parse_bad(world, body, PROBLEM_PATH, "files[1].path");
    }
    for (size_t length = 255; length <= 256; length++) {
        memset(name, 'x', length);
        name[length] = '\0';
        (void)snprintf(body, sizeof(body),
                       "{\"lang\":\"node\",\"files\":[{\"path\":\"%s\",\"content\":\"\"}]}", name);
        if (length == 255)
            parse_good(world, body);
        else
            parse_bad(world, body, PROBLEM_PATH, "files[0].path");
    }
    memset(name, 'a', 2048);
    for (size_t i = 100; i < 2048; i += 100)
        name[i] = '/';
    name[2048] = '\0';
    (void)snprintf(body, sizeof(body),
                   "{\"lang\":\"node\",\"files\":[{\"path\":\"%s\",\"content\":\"\"}]}", name);
    parse_bad(world, body, PROBLEM_PATH, "files[0].path");
    for (size_t i = 0; i < 80; i++)
        name[i] = i % 2 ? '/' : 'a';
    name[79] = '\0';
    (void)snprintf(body, sizeof(body),
                   "{\"lang\":\"node\",\"files\":[{\"path\":\"%s\",\"content\":\"\"}]}", name);
    parse_bad(world, body, PROBLEM_PATH, "files[0].path"); /* 40 levels */
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"entrypoint\":\"../x.js\"}", PROBLEM_PATH,
              "entrypoint");
}

static void refuses_duplicates_and_conflicts(void **state)
{
    struct world *world = *state;

    parse_bad(world,
              "{\"lang\":\"node\",\"files\":[{\"path\":\"main.js\",\"content\":\"\"},"
              "{\"path\":\"b\",\"content\":\"\"},{\"path\":\"main.js\",\"content\":\"\"}]}",
              PROBLEM_DUPLICATE_PATH, "files[2].path");
    parse_bad(world,
              "{\"lang\":\"node\",\"files\":[{\"path\":\"a/b/c\",\"content\":\"\"},"
              "{\"path\":\"a-b\",\"content\":\"\"},{\"path\":\"a/b\",\"content\":\"\"}]}",
              PROBLEM_DUPLICATE_PATH, "files[2].path");
    parse_bad(world,
              "{\"lang\":\"node\",\"files\":[{\"path\":\"a\",\"content\":\"\"},"
              "{\"path\":\"a!\",\"content\":\"\"},{\"path\":\"a/b\",\"content\":\"\"}]}",
              PROBLEM_DUPLICATE_PATH, "files[2].path");
    parse_good(world, "{\"lang\":\"node\",\"files\":[{\"path\":\"main.js\",\"content\":\"\"},"
                      "{\"path\":\"main.js2/x\",\"content\":\"\"},"
                      "{\"path\":\"main\",\"content\":\"\"}]}");
}

static void bounds_the_files(void **state) /* F-04 */
{
    struct world *world = *state;
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, 64 << 20);
    for (int count = 1000; count <= 1001; count++) {
        body.length = 0;
        (void)dc_buf_text(&body, "{\"lang\":\"python\",\"entrypoint\":\"f7\",\"files\":[");
        for (int i = 0; i < count; i++)
            (void)dc_buf_printf(&body, "%s{\"path\":\"f%d\",\"content\":\"x\"}", i ? "," : "", i);
        (void)dc_buf_text(&body, "]}");
        if (count == 1000)
            parse_good(world, dc_buf_str(&body));
        else
            parse_bad(world, dc_buf_str(&body), PROBLEM_TOO_MANY, "files");
    }
    body.length = 0;
    (void)dc_buf_text(&body, "{\"lang\":\"python\",\"code\":\"");
    memset(dc_buf_reserve(&body, 11 << 20), 'x', 11 << 20);
    dc_buf_commit(&body, 11 << 20);
    (void)dc_buf_text(&body, "\"}");
    parse_bad(world, dc_buf_str(&body), PROBLEM_TOO_LARGE, "code");
    body.length = 0;
    (void)dc_buf_text(&body, "{\"lang\":\"python\",\"policy\":{\"diskMB\":1},\"code\":\"");
    memset(dc_buf_reserve(&body, (1 << 20) + 1), 'x', (1 << 20) + 1);
    dc_buf_commit(&body, (1 << 20) + 1);
    (void)dc_buf_text(&body, "\"}");
    parse_bad(world, dc_buf_str(&body), PROBLEM_DISK, "code");
    assert_non_null(strstr(world->problems.list[0].message, "policy.diskMB"));
}

static void chooses_the_entrypoint(void **state)
{
    static const struct {
        const char *lang;
        const char *files; /* separated by spaces */
        const char *entry; /* NULL: must be asked for */
    } cases[] = {
        {"python", "x.py main.py app.py", "main.py"},
        {"python", "x.py app.py", "app.py"},
        {"python", "x.py data.txt", "x.py"},
        {"python", "run", "run"},
        {"python", "x.py y.py", NULL},
        {"python", "x y", NULL},
        {"python", "main.js lib.py", "lib.py"},
        {"node", "index.js main.mjs", "main.mjs"},
        {"node", "index.js server.js", "index.js"},
        {"node", "lib/a.js lib/b.js", NULL},
        {"node", "only.ts readme.md", "only.ts"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        DC_AUTO(dc_buf_release) struct dc_buf body;
        char files[64];
        char *save = NULL;

        dc_buf_init(&body, 4096);
        (void)snprintf(files, sizeof(files), "%s", cases[i].files);
        (void)dc_buf_printf(&body, "{\"lang\":\"%s\",\"files\":[", cases[i].lang);
        for (char *name = strtok_r(files, " ", &save); name; name = strtok_r(NULL, " ", &save))
            (void)dc_buf_printf(&body, "%s{\"path\":\"%s\",\"content\":\"\"}",
                                name == files ? "" : ",", name);
        (void)dc_buf_text(&body, "]}");
        if (!cases[i].entry) {
            parse_bad(world, dc_buf_str(&body), PROBLEM_ENTRYPOINT, "entrypoint");
            continue;
        }
        parse_good(world, dc_buf_str(&body));
        assert_string_equal(world->request.entrypoint, cases[i].entry);
    }
    parse_good(world, "{\"lang\":\"node\",\"files\":[{\"path\":\"package.json\",\"content\":"
                      "\"{\\\"main\\\":\\\"./lib/go.js\\\"}\"},"
                      "{\"path\":\"lib/go.js\",\"content\":\"\"},"
                      "{\"path\":\"lib/x.js\",\"content\":\"\"}]}");
    assert_string_equal(world->request.entrypoint, "lib/go.js");
    parse_bad(world,
              "{\"lang\":\"node\",\"entrypoint\":\"b.js\",\"files\":[{\"path\":\"a.js\","
              "\"content\":\"\"}]}",
              PROBLEM_ENTRYPOINT, "entrypoint");
    assert_non_null(strstr(world->problems.list[0].message, "a.js"));
}

static void decodes_base64(void **state)
{
    struct world *world = *state;

    parse_good(world, "{\"lang\":\"python\",\"files\":[{\"path\":\"main.py\",\"content\":\"AP9h\","
                      "\"encoding\":\"base64\"}]}");
    assert_int_equal(world->request.files[0].content.length, 3);
    assert_memory_equal(world->request.files[0].content.bytes,
                        "\0\xff"
                        "a",
                        3);
    parse_bad(world,
              "{\"lang\":\"python\",\"files\":[{\"path\":\"main.py\",\"content\":\"AP9\","
              "\"encoding\":\"base64\"}]}",
              PROBLEM_ENCODING, "files[0].content");
    parse_bad(world,
              "{\"lang\":\"python\",\"files\":[{\"path\":\"main.py\",\"content\":\"\","
              "\"encoding\":\"latin1\"}]}",
              PROBLEM_VALUE, "files[0].encoding");
    parse_bad(world, "{\"lang\":\"python\",\"files\":[{\"path\":\"main.py\"}]}", PROBLEM_MISSING,
              "files[0]");
    parse_bad(world, "{\"lang\":\"python\",\"files\":[7]}", PROBLEM_TYPE, "files[0]");
    parse_bad(world, "{\"lang\":\"python\",\"files\":{}}", PROBLEM_TYPE, "files");
    assert_int_equal(world->problems.total, 1); /* no complaint about a missing code besides */
}

static void keeps_nul_where_it_may_be(void **state) /* */
{
    struct world *world = *state;

    parse_good(world, "{\"lang\":\"node\",\"code\":\"a\\u0000b\",\"stdin\":\"\\u0000\"}");
    assert_int_equal(world->request.files[0].content.length, 3);
    assert_int_equal(world->request.stdin_bytes.length, 1);
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"args\":[\"a\\u0000\"]}", PROBLEM_VALUE,
              "args[0]");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"env\":{\"A\":\"a\\u0000\"}}",
              PROBLEM_VALUE, "env.A");
    parse_bad(world, "{\"lang\":\"node\\u0000\",\"code\":\"1\"}", PROBLEM_VALUE, "lang");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"entrypoint\":\"a\\u0000\"}",
              PROBLEM_VALUE, "entrypoint");
}

static void checks_the_rest(void **state)
{
    struct world *world = *state;

    parse_good(world,
               "{\"lang\":\"node\",\"code\":\"1\",\"args\":[\"\",\"-x\"],\"env\":{\"A_1\":\"\"},"
               "\"artifacts\":[\"out/*.png\",\"**\"],\"stream\":true,\"store\":false,\"version\":"
               "\"20.1\",\"userContext\":{\"id\":\"u\",\"email\":\"a@b\",\"tier\":\"pro\","
               "\"metadata\":{\"k\":[1]}}}");
    assert_int_equal(world->request.arg_count, 2);
    assert_string_equal(world->request.env[0].bytes, "A_1=");
    assert_true(world->request.stream && world->request.no_store);
    assert_string_equal(world->request.user.metadata, "{\"k\":[1]}");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"env\":{\"1A\":\"\"}}", PROBLEM_VALUE,
              "env.1A");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"env\":{\"A=B\":\"\"}}", PROBLEM_VALUE,
              "env.A=B");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"env\":{\"\":\"\"}}", PROBLEM_VALUE,
              "env.");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"env\":{\"A\":1}}", PROBLEM_TYPE, "env.A");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"artifacts\":[\"/etc/*\"]}", PROBLEM_PATH,
              "artifacts[0]");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"artifacts\":[\"../*\"]}", PROBLEM_PATH,
              "artifacts[0]");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"userContext\":{}}", PROBLEM_MISSING,
              "userContext.id");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"userContext\":{\"id\":\"\"}}",
              PROBLEM_RANGE, "userContext.id");
    parse_bad(world,
              "{\"lang\":\"node\",\"code\":\"1\",\"userContext\":{\"id\":\"1\",\"tier\":"
              "\"gold\"}}",
              PROBLEM_VALUE, "userContext.tier");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"version\":\"latest\"}", PROBLEM_VALUE,
              "version");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"packages\":[1]}", PROBLEM_TYPE,
              "packages[0]");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"packages\":\"x\"}", PROBLEM_TYPE,
              "packages");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"repo\":\"a/b\"}", PROBLEM_NOT_ENABLED,
              "repo");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"policy\":{\"allowNet\":true}}",
              PROBLEM_NOT_ENABLED, "policy.allowNet");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"policy\":{\"allowNetwork\":true}}",
              PROBLEM_NOT_ENABLED, "policy.allowNetwork");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"policy\":{\"allowedHosts\":[\"x\"]}}",
              PROBLEM_MISSING, "policy.allowNet");
    parse_bad(world, "{\"lang\":\"node\",\"code\":\"1\",\"policy\":[]}", PROBLEM_TYPE, "policy");
}

static void bounds_the_lists(void **state)
{
    static const struct {
        const char *field;
        int max;
        enum problem_code code;
    } lists[] = {{"args", DC_ARGS_MAX, PROBLEM_TOO_MANY},
                 {"artifacts", DC_ARTIFACT_GLOBS_MAX, PROBLEM_TOO_MANY}};
    struct world *world = *state;
    DC_AUTO(dc_buf_release) struct dc_buf body;

    dc_buf_init(&body, 4 << 20);
    for (size_t i = 0; i < 2; i++) {
        for (int count = lists[i].max; count <= lists[i].max + 1; count++) {
            body.length = 0;
            (void)dc_buf_printf(&body, "{\"lang\":\"node\",\"code\":\"1\",\"%s\":[\"x\"",
                                lists[i].field);
            for (int k = 1; k < count; k++)
                (void)dc_buf_text(&body, ",\"x\"");
            (void)dc_buf_text(&body, "]}");
            if (count == lists[i].max)
                parse_good(world, dc_buf_str(&body));
            else
                parse_bad(world, dc_buf_str(&body), lists[i].code, lists[i].field);
        }
    }
    body.length = 0;
    (void)dc_buf_printf(&body, "{\"lang\":\"node\",\"code\":\"1\",\"args\":[\"%0*d\"],", 4097, 0);
    (void)dc_buf_printf(&body, "\"env\":{\"A\":\"%0*d\"},\"stdin\":\"%0*d\"}", 4095, 0,
                        DC_STDIN_MAX_BYTES + 1, 0);
    parse_bad(world, dc_buf_str(&body), PROBLEM_TOO_LARGE, "args[0]");
    assert_non_null(find_problem(world, PROBLEM_TOO_LARGE, "env.A"));
    assert_non_null(find_problem(world, PROBLEM_TOO_LARGE, "stdin"));
}

static void builds_a_job(void **state)
{
    struct world *world = *state;
    struct job_record record;
    struct stat stat;
    struct dc_err err;
    size_t at = 0;
    size_t seen[JOB_ARTIFACT + 1] = {0};
    bool home = false;
    bool path = false;
    const char *job;
    int fd;

    parse_good(world, "{\"lang\":\"node\",\"code\":\"1\",\"args\":[\"a\",\"b\"],\"env\":{\"HOME\":"
                      "\"/x\"},\"artifacts\":[\"*\"],\"stream\":true}");
    assert_int_equal(job_build(&world->request, &fd, &err), 0);
    assert_int_equal(fstat(fd, &stat), 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1); /* sealed */
    job = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(job != MAP_FAILED);
    while (job_next(job, (size_t)stat.st_size, &at, &record, &err) > 0) {
        seen[record.kind]++;
        if (record.kind != JOB_ENV)
            continue;
        home |= record.length == 7 && memcmp(record.bytes, "HOME=/x", 7) == 0;
        path |= record.length > 5 && memcmp(record.bytes, "PATH=", 5) == 0;
        assert_false(record.length == 9 && memcmp(record.bytes, "HOME=/tmp", 9) == 0);
    }
    assert_int_equal(at, stat.st_size);
    assert_true(home && path);
    assert_int_equal(seen[JOB_ENTRYPOINT], 1);
    assert_int_equal(seen[JOB_ARG], 2);
    assert_int_equal(seen[JOB_FILE], 1);
    assert_int_equal(seen[JOB_FLAGS], 1);
    assert_int_equal(seen[JOB_ARTIFACT], 1);
    (void)munmap((void *)(uintptr_t)job, (size_t)stat.st_size);
    dc_close(fd);
}

static void keeps_no_secrets(void **state)
{
    struct world *world = *state;
    DC_AUTO(dc_buf_release) struct dc_buf json;
    json_t *tree;

    parse_good(world,
               "{\"lang\":\"python\",\"files\":[{\"path\":\"main.py\",\"content\":\"x\"},"
               "{\"path\":\"b\",\"content\":\"/w==\",\"encoding\":\"base64\"}],\"env\":{\"KEY\":"
               "\"hunter2\"},\"args\":[\"a\"],\"stdin\":\"in\",\"userContext\":{\"id\":\"u\"}}");
    dc_buf_init(&json, 1 << 20);
    assert_true(run_request_print(&world->request, &json));
    assert_null(strstr(dc_buf_str(&json), "hunter2"));
    tree = json_loads(dc_buf_str(&json), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(tree);
    assert_string_equal(json_string_value(json_object_get(json_object_get(tree, "env"), "KEY")),
                        "[redacted]");
    assert_int_equal(json_array_size(json_object_get(tree, "files")), 2);
    /* What was kept can be run again. */
    parse_good(world, dc_buf_str(&json));
    assert_int_equal(world->request.files[1].content.length, 1);
    json_decref(tree);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(takes_the_originals_request),
        TEST(fills_the_defaults),
        TEST(holds_the_ranges),
        TEST(ceilings_clamp_or_refuse),
        TEST(refuses_what_is_not_json),
        TEST(refuses_deep_json),
        TEST(finds_every_problem),
        TEST(is_bounded_in_its_complaints),
        TEST(needs_code_or_files),
        TEST(refuses_bad_paths),
        TEST(refuses_duplicates_and_conflicts),
        TEST(bounds_the_files),
        TEST(chooses_the_entrypoint),
        TEST(decodes_base64),
        TEST(keeps_nul_where_it_may_be),
        TEST(checks_the_rest),
        TEST(bounds_the_lists),
        TEST(builds_a_job),
        TEST(keeps_no_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
