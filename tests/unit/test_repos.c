/* What a caller may write for a repository, and what is taken from an archive of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>

#include "repos/contents.h"
#include "repos/detect.h"
#include "repos/spec.h"

#include "base/poison.h"

/* ---- what the caller writes ---- */

static void test_spec_taken(void **state)
{
    static const struct {
        const char *text, *owner, *name, *rest;
    } cases[] = {
        {"owner/name", "owner", "name", ""},
        {"owner/name/", "owner", "name", ""},
        {"owner/.git", "owner", ".git", ""},
        {"owner/name.git.git", "owner", "name.git", ""},
        {"owner/....git", "owner", "...", ""},
        {"https://github.com/owner/name", "owner", "name", ""},
        {"http://github.com/owner/name", "owner", "name", ""},
        {"https://www.GitHub.com/owner/name.git", "owner", "name", ""},
        {"https://github.com/owner/na.me_2-x/", "owner", "na.me_2-x", ""},
        {"https://github.com/owner/name?tab=readme#top", "owner", "name", ""},
        {"https://github.com/owner/name/tree/main", "owner", "name", "main"},
        {"https://github.com/owner/name/tree/main/", "owner", "name", "main"},
        {"owner/name/tree/main/a/b", "owner", "name", "main/a/b"},
        {"owner/name/tree/v1.2/a%20b", "owner", "name", "v1.2/a b"},
        {"owner/name/tree/feature/x", "owner", "name", "feature/x"},
        {"owner/name/commit/0123456789abcdef0123456789abcdef01234567", "owner", "name",
         "0123456789abcdef0123456789abcdef01234567"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct repo_spec spec;
        struct dc_err err;

        if (repo_spec_parse(cases[i].text, strlen(cases[i].text), "github.com", &spec, &err) < 0)
            fail_msg("'%s' was refused: %s", cases[i].text, err.text);
        assert_string_equal(spec.owner, cases[i].owner);
        assert_string_equal(spec.name, cases[i].name);
        assert_string_equal(spec.rest, cases[i].rest);
    }
}

static void test_spec_refused(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"", "must be"},
        {"owner", "must be"},
        {"/name", "must be"},
        {"owner/", "must be"},
        {"owner/..", "must be"},
        {"owner/..git", "must be"},
        {"owner/...git", "must be"},
        {"owner/...git/tree/main", "must be"},
        {"owner/name\nx", "must be"},
        {"https://github.com/", "must be"},
        {"https://github.com", "another host"},
        {"../name", "must be"},
        {"ow ner/name", "must be"},
        {"owner/na%2fme", "must be"},
        {"o23456789012345678901234567890123456789x/name", "must be"},
        {"git@github.com:owner/name", "must be"},
        {"file:///etc/passwd", "must be"},
        {"https://evil.example/owner/name", "another host"},
        {"https://github.com.evil.example/owner/name", "another host"},
        {"https://github.com@evil.example/owner/name", "another host"},
        {"https://evil.example/github.com/owner/name", "another host"},
        {"https://github.com:444/owner/name", "another host"},
        {"owner/name/blob/main/a.py", "names one file"},
        {"owner/name/pull/3", "neither"},
        {"owner/name/tree/", "no valid"},
        {"owner/name/tree/main/../..", "no valid"},
        {"owner/name/tree/main/%2e%2e/x", "no valid"},
        {"owner/name/tree/main//x", "no valid"},
        {"owner/name/tree/-x", "no valid"},
        {"owner/name/tree/a%0d%0ab", "no valid"},
        {"owner/name/tree/a%zz", "no valid"},
        {"owner/name/tree/a%ff", "no valid"},
        {"owner/name/tree/a~1", "no valid"},
        {"owner/name/tree/a@{1}", "no valid"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct repo_spec spec;
        struct dc_err err;

        if (repo_spec_parse(cases[i].text, strlen(cases[i].text), "github.com", &spec, &err) == 0)
            fail_msg("'%s' was taken", cases[i].text);
        assert_int_equal(err.code, DC_INVALID);
        if (!strstr(err.text, cases[i].said))
            fail_msg("'%s': %s", cases[i].text, err.text);
    }
}

static void test_spec_cuts(void **state)
{
    static const char text[] = "o/n/tree/a/b/c";
    struct repo_spec spec;
    struct dc_err err;
    char ref[REPO_REST_MAX_BYTES + 1];
    const char *folder;

    (void)state;
    assert_int_equal(repo_spec_parse("o/n", 3, "github.com", &spec, &err), 0);
    assert_int_equal(repo_spec_cuts(&spec), 0);
    assert_int_equal(repo_spec_parse(text, strlen(text), "github.com", &spec, &err), 0);
    assert_int_equal(repo_spec_cuts(&spec), 3);
    repo_spec_cut(&spec, 0, ref, &folder);
    assert_string_equal(ref, "a");
    assert_string_equal(folder, "b/c");
    repo_spec_cut(&spec, 1, ref, &folder);
    assert_string_equal(ref, "a/b");
    assert_string_equal(folder, "c");
    repo_spec_cut(&spec, 2, ref, &folder);
    assert_string_equal(ref, "a/b/c");
    assert_string_equal(folder, "");
}

/* ---- archives ---- */

enum { ARCHIVE_BYTES = 4 << 20 };

struct made {
    struct archive *archive;
    char *bytes;
    size_t length;
};

static void begin(struct made *made)
{
    made->bytes = malloc(ARCHIVE_BYTES);
    made->archive = archive_write_new();
    assert_non_null(made->bytes);
    assert_int_equal(archive_write_set_format_pax_restricted(made->archive), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter_gzip(made->archive), ARCHIVE_OK);
    assert_int_equal(archive_write_set_options(made->archive, "gzip:!timestamp"), ARCHIVE_OK);
    assert_int_equal(
        archive_write_open_memory(made->archive, made->bytes, ARCHIVE_BYTES, &made->length),
        ARCHIVE_OK);
}

static void add(struct made *made, const char *path, const char *content, size_t length)
{
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)length);
    assert_int_equal(archive_write_header(made->archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(made->archive, content, length), (la_ssize_t)length);
    archive_entry_free(entry);
}

static void add_text(struct made *made, const char *path, const char *content)
{
    add(made, path, content, strlen(content));
}

static void add_link(struct made *made, const char *path, const char *to, bool hard)
{
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, hard ? AE_IFREG : AE_IFLNK);
    if (hard)
        archive_entry_set_hardlink(entry, to);
    else
        archive_entry_set_symlink(entry, to);
    assert_int_equal(archive_write_header(made->archive, entry), ARCHIVE_OK);
    archive_entry_free(entry);
}

static void end(struct made *made)
{
    assert_int_equal(archive_write_close(made->archive), ARCHIVE_OK);
    (void)archive_write_free(made->archive);
}

static const struct repo_file *find(const struct repo_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->files[i].path, path) == 0)
            return &files->files[i];
    return NULL;
}

static void test_contents(void **state)
{
    DC_AUTO(repo_files_release) struct repo_files files = {0};
    struct made made;
    struct dc_err err;

    (void)state;
    begin(&made);
    add_text(&made, "o-n-0123456/main.py", "print(1)");
    add_text(&made, "o-n-0123456/pkg/mod.py", "x = 1");
    add_text(&made, "o-n-0123456/pkg/deep/er/data.json", "{}");
    add_text(&made, "o-n-0123456/logo.png", "not wanted");
    add_text(&made, "o-n-0123456/.git/config.txt", "not wanted");
    add_text(&made, "o-n-0123456/sub/.git/hooks/a.py", "not wanted");
    add_text(&made, "o-n-0123456/.github/ci.yml", "on: push");
    add_text(&made, "o-n-0123456/empty.txt", "");
    add(&made, "o-n-0123456/nul.txt", "a\0b", 3);
    add_link(&made, "o-n-0123456/link.py", "/etc/passwd", false);
    add_link(&made, "o-n-0123456/hard.py", "o-n-0123456/main.py", true);
    end(&made);
    assert_int_equal(repo_contents_read(made.bytes, made.length, "", &files, &err), 0);
    free(made.bytes);
    assert_int_equal(files.count, 6);
    assert_string_equal(find(&files, "main.py")->content, "print(1)");
    assert_string_equal(find(&files, "pkg/deep/er/data.json")->content, "{}");
    assert_int_equal(find(&files, "empty.txt")->length, 0);
    assert_int_equal(find(&files, "nul.txt")->length, 3);
    assert_memory_equal(find(&files, "nul.txt")->content, "a\0b", 4);
    assert_non_null(find(&files, ".github/ci.yml"));
    assert_string_equal(files.files[0].path, ".github/ci.yml"); /* by path */
    assert_int_equal(files.bytes, 8 + 5 + 2 + 8 + 0 + 3);
    assert_true(files.has_folder);
}

static void test_folder(void **state)
{
    static const struct {
        const char *folder;
        size_t count;
        bool there;
    } cases[] = {{"pkg", 2, true}, {"pkg/deep", 1, true}, {"pk", 0, false}, {"pkg/none", 0, false}};
    struct made made;
    struct dc_err err;

    (void)state;
    begin(&made);
    add_text(&made, "o-n/main.py", "1");
    add_text(&made, "o-n/pkg/a.py", "2");
    add_text(&made, "o-n/pkg/deep/b.py", "3");
    end(&made);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        DC_AUTO(repo_files_release) struct repo_files files = {0};

        assert_int_equal(repo_contents_read(made.bytes, made.length, cases[i].folder, &files, &err),
                         0);
        assert_int_equal(files.count, cases[i].count);
        assert_int_equal(files.has_folder, cases[i].there);
        if (i == 1)
            assert_string_equal(files.files[0].path, "b.py");
    }
    free(made.bytes);
}

static void test_limits(void **state)
{
    DC_AUTO(repo_files_release) struct repo_files files = {0};
    char *large = calloc(1, REPO_FILE_MAX_BYTES + 1);
    struct made made;
    struct dc_err err;
    char path[64];

    (void)state;
    assert_non_null(large);
    begin(&made);
    add(&made, "o-n/exact.txt", large, REPO_FILE_MAX_BYTES);
    add(&made, "o-n/over.txt", large, REPO_FILE_MAX_BYTES + 1);
    for (int i = 0; i < REPO_FILES_MAX - 1; i++) {
        (void)snprintf(path, sizeof(path), "o-n/f%d.py", i);
        add_text(&made, path, "1");
    }
    end(&made);
    assert_int_equal(repo_contents_read(made.bytes, made.length, "", &files, &err), 0);
    assert_int_equal(files.count, REPO_FILES_MAX);
    assert_int_equal(files.large, 1);
    assert_null(find(&files, "over.txt"));
    assert_int_equal(find(&files, "exact.txt")->length, REPO_FILE_MAX_BYTES);
    free(made.bytes);
    free(large);
}

static void test_too_many(void **state)
{
    DC_AUTO(repo_files_release) struct repo_files files = {0};
    struct made made;
    struct dc_err err;
    char path[64];

    (void)state;
    begin(&made);
    for (int i = 0; i < 137; i++) {
        (void)snprintf(path, sizeof(path), "o-n/f%d.py", i);
        add_text(&made, path, "1");
    }
    end(&made);
    assert_int_equal(repo_contents_read(made.bytes, made.length, "", &files, &err), -DC_LIMIT);
    assert_string_equal(err.text, "Too many files in repository (137). Maximum allowed: 100");
    free(made.bytes);
}

static void test_hostile_paths(void **state)
{
    static const char *const paths[] = {"o-n/../../etc/cron.py", "o-n/a/../b.py", "o-n//etc/x.py",
                                        "o-n/./a.py", "o-n/a/b/../../../../c.py"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        DC_AUTO(repo_files_release) struct repo_files files = {0};
        struct made made;
        struct dc_err err;

        begin(&made);
        add_text(&made, "o-n/main.py", "1");
        add_text(&made, paths[i], "2");
        end(&made);
        assert_int_equal(repo_contents_read(made.bytes, made.length, "", &files, &err),
                         -DC_INVALID);
        free(made.bytes);
    }
}

static void test_twice(void **state)
{
    DC_AUTO(repo_files_release) struct repo_files files = {0};
    struct made made;
    struct dc_err err;

    (void)state;
    begin(&made);
    add_text(&made, "o-n/main.py", "first");
    add_text(&made, "o-n/main.py", "2nd");
    end(&made);
    assert_int_equal(repo_contents_read(made.bytes, made.length, "", &files, &err), 0);
    assert_int_equal(files.count, 1);
    assert_string_equal(files.files[0].content, "2nd");
    assert_int_equal(files.bytes, 3);
    free(made.bytes);
}

/* Every length of a good archive: an error or, where only the padding is cut, all of it. */
static void test_cut_off(void **state)
{
    struct made made;
    struct dc_err err;

    (void)state;
    begin(&made);
    add_text(&made, "o-n/main.py", "print('a program that is long enough to be cut')");
    add_text(&made, "o-n/other.py", "print('another one')");
    end(&made);
    for (size_t length = 0; length < made.length; length++) {
        DC_AUTO(repo_files_release) struct repo_files files = {0};

        if (repo_contents_read(made.bytes, length, "", &files, &err) == 0)
            assert_int_equal(files.count, 2);
        else
            assert_int_equal(err.code, DC_INVALID);
    }
    free(made.bytes);
}

static void test_no_archive(void **state)
{
    static const char *const texts[] = {"", "<html>not found</html>", "PK\3\4", "\x1f\x8b"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        DC_AUTO(repo_files_release) struct repo_files files = {0};
        struct dc_err err;

        assert_int_equal(repo_contents_read(texts[i], strlen(texts[i]), "", &files, &err),
                         -DC_INVALID);
    }
}

/* ---- how it is run ---- */

static void files_of(struct repo_files *files, const char *const *paths, const char *package_json)
{
    *files = (struct repo_files){0};
    for (; *paths; paths++) {
        const char *content = strcmp(*paths, "package.json") == 0 ? package_json : "";

        files->files[files->count++] = (struct repo_file){*paths, content, strlen(content)};
    }
}

static void test_detect(void **state)
{
    static const struct {
        const char *paths[6];
        const char *package_json;
        enum run_lang lang;
        const char *entrypoint;
    } cases[] = {
        {{"a.py", "main.py"}, "", RUN_PYTHON, "main.py"},
        {{"app.py", "run.py"}, "", RUN_PYTHON, "app.py"},
        {{"__main__.py", "z.py"}, "", RUN_PYTHON, "__main__.py"},
        {{"b.py", "c.py"}, "", RUN_PYTHON, "b.py"},
        {{"a.js", "b.js", "c.py"}, "", RUN_NODE, "a.js"},
        {{"a.js", "requirements.txt", "b.js", "x.py"}, "", RUN_PYTHON, "x.py"},
        {{"package.json", "a.py", "b.py", "index.js"}, "{}", RUN_NODE, "index.js"},
        {{"package.json", "lib/start.js"},
         "{\"main\":\"./lib/start.js\"}",
         RUN_NODE,
         "lib/start.js"},
        {{"package.json", "lib/start.js"}, "{\"main\":\"lib/start\"}", RUN_NODE, "lib/start.js"},
        {{"package.json", "lib/index.js"}, "{\"main\":\"lib\"}", RUN_NODE, "lib/index.js"},
        {{"package.json", "z.js"}, "{\"main\":\"../../etc/passwd\"}", RUN_NODE, "z.js"},
        {{"package.json", "z.js"}, "{\"main\":[", RUN_NODE, "z.js"},
        {{"main.ts", "lib.ts"}, "", RUN_NODE, "main.ts"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct repo_files files;
        enum run_lang lang;

        files_of(&files, cases[i].paths, cases[i].package_json);
        assert_true(repo_detect_lang(&files, &lang));
        assert_int_equal(lang, cases[i].lang);
        assert_string_equal(repo_detect_entrypoint(&files, lang), cases[i].entrypoint);
    }
}

static void test_detect_nothing(void **state)
{
    static const char *const paths[] = {"README.md", "notes.txt", NULL};
    struct repo_files files;
    enum run_lang lang;

    (void)state;
    files_of(&files, paths, "");
    assert_false(repo_detect_lang(&files, &lang));
    assert_null(repo_detect_entrypoint(&files, RUN_PYTHON));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_taken),     cmocka_unit_test(test_spec_refused),
        cmocka_unit_test(test_spec_cuts),      cmocka_unit_test(test_contents),
        cmocka_unit_test(test_folder),         cmocka_unit_test(test_limits),
        cmocka_unit_test(test_too_many),       cmocka_unit_test(test_hostile_paths),
        cmocka_unit_test(test_twice),          cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_no_archive),     cmocka_unit_test(test_detect),
        cmocka_unit_test(test_detect_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
