/* What may be installed: specifications of packages and the manifests that name them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packages/wish.h"

#include "base/poison.h"

static void check_normal(enum package_kind kind, const char *text, const char *wanted)
{
    DC_AUTO(dc_buf_release) struct dc_buf once;
    DC_AUTO(dc_buf_release) struct dc_buf twice;
    struct dc_err err;

    dc_buf_init(&once, 4096);
    dc_buf_init(&twice, 4096);
    if (package_spec_normalise(kind, text, strlen(text), &once, &err) < 0)
        fail_msg("'%s' was refused: %s", text, err.text);
    assert_string_equal(dc_buf_str(&once), wanted);
    assert_int_equal(package_spec_normalise(kind, wanted, strlen(wanted), &twice, &err), 0);
    assert_string_equal(dc_buf_str(&twice), wanted);
}

static void check_refused(enum package_kind kind, const char *text, const char *why)
{
    DC_AUTO(dc_buf_release) struct dc_buf out;
    struct dc_err err;

    dc_buf_init(&out, 4096);
    if (package_spec_normalise(kind, text, strlen(text), &out, &err) == 0)
        fail_msg("'%s' was taken as '%s'", text, dc_buf_str(&out));
    assert_int_equal(err.code, DC_INVALID);
    if (!strstr(err.text, why))
        fail_msg("'%s': '%s' does not say '%s'", text, err.text, why);
}

static void test_pip(void **state)
{
    static const char *const pairs[][2] = {
        {"requests", "requests"},
        {"  requests\t", "requests"},
        {"pandas==2.0.0", "pandas==2.0.0"},
        {"x>=1", "x>=1"},
        {"Flask", "flask"},
        {"ruamel.yaml", "ruamel-yaml"},
        {"Foo._-Bar", "foo-bar"},
        {"a", "a"},
        {"numpy >= 1.20 , < 2", "numpy<2,>=1.20"},
        {"numpy (>=1.20,<2)", "numpy<2,>=1.20"},
        {"uvicorn[standard]", "uvicorn[standard]"},
        {"x [ Bb , a_a,a-a ] ~= 1.4.2", "x[a-a,bb]~=1.4.2"},
        {"x[]", "x"},
        {"x==1.*", "x==1.*"},
        {"x==1!2.0RC1+local.7", "x==1!2.0rc1+local.7"},
        {"x===foo", "x===foo"},
        {"x>1,>1", "x>1"},
        {"tomli; python_version < '3.11'", "tomli; python_version < '3.11'"},
        {"tomli>=1;   python_version<'3.11'  and extra == \"a\" ",
         "tomli>=1; python_version<'3.11' and extra == \"a\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        check_normal(PACKAGE_PIP, pairs[i][0], pairs[i][1]);
}

static void test_pip_refused(void **state)
{
    static const char *const pairs[][2] = {
        {"", "empty"},
        {"   ", "empty"},
        {"-r other.txt", "option"},
        {"--index-url=http://elsewhere", "option"},
        {"-e .", "option"},
        {"requests --index-url x", "goes on behind"},
        {"requests==1 --global-option=x", "goes on behind"},
        {"requests flask", "goes on behind"},
        {"./local", "path"},
        {"../up", "path"},
        {"/etc/passwd", "path"},
        {"~/x", "path"},
        {"dir/package", "path"},
        {"C:\\x", "path"},
        {"x @ https://elsewhere/x.whl", "address"},
        {"https://elsewhere/x.tar.gz", "address"},
        {"file:///tmp/x", "address"},
        {"git+https://elsewhere/x", "git"},
        {"git+ssh://git@elsewhere/x", "git"},
        {"x-1.0-py3-none-any.whl", "archive"},
        {"x-1.0.tar.gz", "archive"},
        {"requests@2.0", "name==1.2"},
        {"_x", "name of a package"},
        {"x-", "name of a package"},
        {"x==", "comparison without"},
        {"x=1", "version"},
        {"x=>1", "version"},
        {"x>=1,", "version"},
        {"x[a", "]"},
        {"x[a,]", "extra"},
        {"x(>=1", "( without"},
        {"x;", "without a condition"},
        {"x; `id`", "environment"},
        {"x; $(id)", "environment"},
        {"x; --hash=f", "environment"},
        {"x; python_version > '3' --global-option=build", "environment"},
        {"x; python_version > '3'\t-e", "environment"},
        {"x\n--index-url=y", "character"},
        {"x\x01y", "character"},
        {"caf\xc3\xa9", "character"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        check_refused(PACKAGE_PIP, pairs[i][0], pairs[i][1]);
}

static void test_npm(void **state)
{
    static const char *const pairs[][2] = {
        {"lodash", "lodash"},
        {"lodash@4.17.21", "lodash@4.17.21"},
        {"lodash@latest", "lodash"},
        {"lodash@next", "lodash@next"},
        {"@scope/name", "@scope/name"},
        {"@scope/name@^1", "@scope/name@^1"},
        {"@scope/name@latest", "@scope/name"},
        {"express@>=4  <5", "express@>=4 <5"},
        {"x@1.x || 2.x", "x@1.x || 2.x"},
        {"x@*", "x@*"},
        {"JSONStream@~1.3.5", "JSONStream@~1.3.5"},
        {"big.js", "big.js"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        check_normal(PACKAGE_NPM, pairs[i][0], pairs[i][1]);
}

static void test_npm_refused(void **state)
{
    static const char *const pairs[][2] = {
        {"", "empty"},
        {"user/repo", "git repository"},
        {"github:user/repo", "git"},
        {"git+https://elsewhere/x.git", "git"},
        {"git@elsewhere:x.git", "git"},
        {"x@git+ssh://elsewhere/x", "address"},
        {"x@github:user/repo", "address"},
        {"x@user/repo", "address"},
        {"x@file:../x", "address"},
        {"x@https://elsewhere/x.tgz", "address"},
        {"x@npm:other@1", "alias"},
        {"./x", "path"},
        {"../x", "path"},
        {"/x", "path"},
        {"~/x", "path"},
        {"x-1.0.0.tgz", "archive"},
        {"--registry=x", "option"},
        {"-g", "option"},
        {"x@", "ends with an @"},
        {"@scope", "name of a package"},
        {"@/x", "name of a package"},
        {"@scope/", "name of a package"},
        {"@scope/a/b", "name of a package"},
        {"_x", "name of a package"},
        {"node_modules", "not the name"},
        {"x y", "name of a package"},
        {"x@1;id", "neither a range"},
        {"x@$(id)", "neither a range"},
        {"x\n", "character"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        check_refused(PACKAGE_NPM, pairs[i][0], pairs[i][1]);
}

static void test_long(void **state)
{
    char text[PACKAGE_SPEC_MAX_BYTES + 2];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    check_refused(PACKAGE_PIP, text, "longer");
    check_refused(PACKAGE_NPM, text, "longer");
    text[PACKAGE_NAME_MAX_BYTES + 1] = '\0';
    check_refused(PACKAGE_PIP, text, "name of a package");
    check_refused(PACKAGE_NPM, text, "name of a package");
}

static void test_pinned(void **state)
{
    static const char *const pip[] = {"x==1.0", "x[a]==1.0", "x===1.0", "x==1 --hash=sha256:00"};
    static const char *const loose[] = {"x",    "x>=1", "x==1.*",  "x==1,!=2",
                                        "x!=1", "x<=1", "x[a]~=1", "x==1; y < '3'"};
    static const char *const npm[] = {"x@1.2.3", "@s/x@1.2.3-rc.1"};
    static const char *const npm_loose[] = {"x",      "x@^1.2.3",         "x@1.2", "x@1", "x@1.2.x",
                                            "x@beta", "x@1.2.3 || 2.0.0", "@s/x"};

    (void)state;
    for (size_t i = 0; i < sizeof(pip) / sizeof(pip[0]); i++)
        assert_true(package_spec_pinned(PACKAGE_PIP, pip[i]));
    for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++)
        assert_false(package_spec_pinned(PACKAGE_PIP, loose[i]));
    for (size_t i = 0; i < sizeof(npm) / sizeof(npm[0]); i++)
        assert_true(package_spec_pinned(PACKAGE_NPM, npm[i]));
    for (size_t i = 0; i < sizeof(npm_loose) / sizeof(npm_loose[0]); i++)
        assert_false(package_spec_pinned(PACKAGE_NPM, npm_loose[i]));
}

/* --- requests --------------------------------------------------------------------------------- */

struct world {
    struct run_request request;
    struct problems problems;
    struct package_wish wish;
    int result;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *world = *state;

    package_wish_release(&world->wish);
    run_request_release(&world->request);
    problems_release(&world->problems);
    free(world);
    return 0;
}

static void begin(struct world *world, enum run_lang lang)
{
    package_wish_release(&world->wish);
    run_request_release(&world->request);
    problems_release(&world->problems);
    run_request_init(&world->request);
    problems_init(&world->problems);
    world->request.has_lang = true;
    world->request.lang = lang;
    package_wish_init(&world->wish, lang == RUN_PYTHON ? PACKAGE_PIP : PACKAGE_NPM);
}

static void add_file(struct world *world, const char *path, const char *content)
{
    struct dc_err err;

    assert_int_equal(run_request_add_file(&world->request, path, content, strlen(content), &err),
                     0);
}

static void read_wish(struct world *world)
{
    struct dc_err err;

    world->result = package_wish_read(&world->wish, &world->request, &world->problems, &err);
    assert_int_equal(world->result == 0, world->problems.total == 0);
}

static void name_packages(struct world *world, struct run_text *texts, size_t count)
{
    world->request.has_packages = true;
    world->request.packages = texts;
    world->request.package_count = count;
}

static struct run_text text_of(const char *text)
{
    return (struct run_text){text, strlen(text)};
}

static void check_specs(const struct world *world, const char *const *wanted)
{
    size_t count = 0;

    while (wanted[count])
        count++;
    if (world->result < 0)
        fail_msg("%s: %s", world->problems.list[0].path, world->problems.list[0].message);
    assert_int_equal(world->wish.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(world->wish.specs[i], wanted[i]);
}

static void test_list(void **state)
{
    struct world *world = *state;
    struct run_text texts[] = {text_of("Requests"), text_of("numpy <2"), text_of("requests")};

    begin(world, RUN_PYTHON);
    name_packages(world, texts, 3);
    add_file(world, "requirements.txt", "never-read");
    read_wish(world);
    check_specs(world, (const char *const[]){"numpy<2", "requests", NULL});
    begin(world, RUN_PYTHON);
    name_packages(world, texts, 0);
    add_file(world, "requirements.txt", "never-read");
    read_wish(world);
    assert_false(package_wish_any(&world->wish));
}

static void test_list_refused(void **state)
{
    struct world *world = *state;
    struct run_text texts[] = {text_of("good"), text_of("../bad"), text_of("-e x")};
    struct run_text twice[] = {text_of("lodash@1"), text_of("lodash@2")};

    begin(world, RUN_PYTHON);
    name_packages(world, texts, 3);
    read_wish(world);
    assert_int_equal(world->problems.count, 2);
    assert_string_equal(world->problems.list[0].path, "packages[1]");
    assert_int_equal(world->problems.list[0].code, PROBLEM_PACKAGE);
    assert_string_equal(world->problems.list[1].path, "packages[2]");
    begin(world, RUN_NODE);
    name_packages(world, twice, 2);
    read_wish(world);
    assert_int_equal(world->problems.count, 1);
    assert_non_null(strstr(world->problems.list[0].message, "name it once"));
}

static void test_requirements(void **state)
{
    struct world *world = *state;

    begin(world, RUN_PYTHON);
    add_file(world, "requirements.txt",
             "# comment\n\nrequests==2.31.0  # why\r\n"
             "flask>=2 ; python_version >= '3.8'\n"
             "idna==3.4 \\\n    --hash=sha256:00ff \\\n    --hash=sha256:11ee\n"
             "x");
    read_wish(world);
    check_specs(world, (const char *const[]){"flask>=2; python_version >= '3.8'",
                                             "idna==3.4 --hash=sha256:00ff "
                                             "--hash=sha256:11ee",
                                             "requests==2.31.0", "x", NULL});
}

static void test_requirements_refused(void **state)
{
    static const char *const texts[] = {
        "-r more.txt",           "--index-url https://x", "-e .",
        "x --hash=md5:00",       "x --hash=sha256:zz",    "x --hash=sha256:00 --pre",
        "https://elsewhere/a.b", "x==1 --hash=",
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        begin(world, RUN_PYTHON);
        add_file(world, "requirements.txt", texts[i]);
        read_wish(world);
        assert_int_equal(world->problems.count, 1);
        assert_string_equal(world->problems.list[0].path, "files[0].content");
        assert_non_null(strstr(world->problems.list[0].message, "line 1 of requirements.txt"));
    }
}

static void test_too_many(void **state)
{
    struct world *world = *state;
    char text[DC_PACKAGES_MAX * 16 + 64];
    size_t length = 0;

    for (int i = 0; i <= DC_PACKAGES_MAX; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "name%d\n", i);
    begin(world, RUN_PYTHON);
    add_file(world, "requirements.txt", text);
    read_wish(world);
    assert_int_equal(world->problems.count, 1);
    assert_int_equal(world->problems.list[0].code, PROBLEM_TOO_MANY);
}

static void test_package_json(void **state)
{
    struct world *world = *state;

    begin(world, RUN_NODE);
    add_file(world, "package.json",
             "{\"dependencies\":{\"lodash\":\"^4\",\"@s/x\":\"\",\"ms\":\"latest\"},"
             "\"devDependencies\":{\"no\":\"1\"}}");
    read_wish(world);
    check_specs(world, (const char *const[]){"@s/x", "lodash@^4", "ms", NULL});
    assert_int_equal(world->wish.lock.length, 0);
    add_file(world, "package-lock.json", "{}");
    package_wish_release(&world->wish);
    read_wish(world);
    assert_int_equal(world->wish.lock.length, 2);
    begin(world, RUN_NODE);
    add_file(world, "package.json", "{\"type\":\"module\"}");
    add_file(world, "package-lock.json", "{}");
    read_wish(world);
    assert_false(package_wish_any(&world->wish));
}

static void test_package_json_refused(void **state)
{
    static const char *const texts[] = {
        "{\"dependencies\":{\"x\":\"file:../x\"}}",
        "{\"dependencies\":{\"x\":\"user/repo\"}}",
        "{\"dependencies\":{\"x\":\"https://a/b.tgz\"}}",
        "{\"dependencies\":{\"x\":1}}",
        "{\"dependencies\":{\"../x\":\"1\"}}",
        "{\"dependencies\":{\"x@y\":\"1\"}}",
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        begin(world, RUN_NODE);
        add_file(world, "package.json", texts[i]);
        read_wish(world);
        if (world->problems.count != 1)
            fail_msg("%s: %zu problems", texts[i], world->problems.count);
    }
}

/* Whatever it holds: no crash, and what is no JSON is left to Node. */
static void test_package_json_odd(void **state)
{
    static const char *const texts[] = {
        "", "{", "[]", "{\"dependencies\":[]}", "null", "{\"dependencies\":\"x\"}"};
    struct world *world = *state;
    char deep[200];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        begin(world, RUN_NODE);
        add_file(world, "package.json", texts[i]);
        read_wish(world);
        assert_int_equal(world->result, 0);
        assert_false(package_wish_any(&world->wish));
    }
    memset(deep, '[', sizeof(deep));
    deep[sizeof(deep) - 1] = '\0';
    begin(world, RUN_NODE);
    add_file(world, "package.json", deep);
    read_wish(world);
    assert_false(package_wish_any(&world->wish));
}

static void test_pyproject(void **state)
{
    struct world *world = *state;

    begin(world, RUN_PYTHON);
    add_file(world, "pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"requests\"]\n");
    read_wish(world);
    assert_true(world->wish.pyproject.length > 0);
    assert_false(package_wish_pinned(&world->wish));
    begin(world, RUN_PYTHON);
    add_file(world, "pyproject.toml", "[tool.x]\ndependencies = [\"requests\"]\n[project]\n");
    read_wish(world);
    assert_false(package_wish_any(&world->wish));
    begin(world, RUN_PYTHON);
    add_file(world, "pyproject.toml", "[project]\ndependencies = [\"requests\"]\n");
    add_file(world, "requirements.txt", "idna==3.4\n");
    read_wish(world);
    check_specs(world, (const char *const[]){"idna==3.4", NULL});
    assert_true(package_wish_pinned(&world->wish));
    assert_int_equal(world->wish.pyproject.length, 0);
}

static void test_equal_wishes(void **state)
{
    struct world *world = *state;
    DC_AUTO(dc_buf_release) struct dc_buf one;
    DC_AUTO(dc_buf_release) struct dc_buf two;
    struct run_text first[] = {text_of("B"), text_of("a")};
    struct run_text second[] = {text_of("a"), text_of("b"), text_of("A")};

    dc_buf_init(&one, 4096);
    dc_buf_init(&two, 4096);
    begin(world, RUN_PYTHON);
    name_packages(world, first, 2);
    read_wish(world);
    assert_true(package_wish_print(&world->wish, &one));
    begin(world, RUN_PYTHON);
    name_packages(world, second, 3);
    read_wish(world);
    assert_true(package_wish_print(&world->wish, &two));
    assert_string_equal(dc_buf_str(&one), dc_buf_str(&two));
    begin(world, RUN_NODE);
    name_packages(world, second, 2);
    read_wish(world);
    assert_true(package_wish_print(&world->wish, &one));
    assert_string_not_equal(dc_buf_str(&one), dc_buf_str(&two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pip),
        cmocka_unit_test(test_pip_refused),
        cmocka_unit_test(test_npm),
        cmocka_unit_test(test_npm_refused),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_pinned),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requirements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requirements_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_package_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_package_json_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_package_json_odd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pyproject, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_wishes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
