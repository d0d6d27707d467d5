/* The console's files: found, read from a folder, bounded. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "ui/ui.h"

enum { PATH_SIZE = 128 };

static char folder[PATH_SIZE];

static const char *below(const char *name)
{
    static char path[2 * PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    struct dc_err err;
    int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(dc_write_all(fd, text, strlen(text), &err), 0);
    dc_close(fd);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/docle-ui-XXXXXX");
    return mkdtemp(folder) && mkdir(below("assets"), 0700) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"assets/a.js",      "assets/a.js.br", "assets/a.js.gz",
                                        "assets/lone.gz",   "assets/link.js", "index.html",
                                        "index.html.br.br", "assets"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (unlink(below(names[i])) < 0)
            (void)rmdir(below(names[i]));
    return rmdir(folder);
}

static void test_codings_join(void **state)
{
    struct ui_files files = {0};
    struct dc_err err;
    const struct ui_file *script;

    (void)state;
    write_file("index.html", "<p>");
    write_file("assets/a.js", "plain");
    write_file("assets/a.js.br", "brotli");
    write_file("assets/a.js.gz", "gz");
    write_file("assets/lone.gz", "a file of its own");
    assert_int_equal(ui_load_folder(folder, &files, &err), 0);
    assert_int_equal(files.count, 3);
    script = ui_find(&files, "/assets/a.js");
    assert_non_null(script);
    assert_true(script->immutable);
    assert_int_equal(script->brotli.length, 6);
    assert_memory_equal(script->brotli.bytes, "brotli", 6);
    assert_int_equal(script->gzip.length, 2);
    assert_non_null(ui_find(&files, "/assets/lone.gz"));
    assert_null(ui_find(&files, "/assets/a.js.br"));
    assert_null(ui_find(&files, "/assets/../index.html"));
    assert_false(ui_find(&files, "/index.html")->immutable);
    assert_string_not_equal(ui_find(&files, "/index.html")->etag, script->etag);
    ui_files_release(&files);
}

static void test_without_index(void **state)
{
    struct ui_files files = {0};
    struct dc_err err;

    (void)state;
    assert_int_equal(ui_load_folder(folder, &files, &err), -DC_INVALID);
    assert_non_null(strstr(err.text, "index.html"));
    assert_int_equal(ui_load_folder("/nonexistent", &files, &err), -DC_NOT_FOUND);
}

/* A link could lead to any file that whoever starts the server can read. */
static void test_links_are_refused(void **state)
{
    struct ui_files files = {0};
    struct dc_err err;

    (void)state;
    write_file("index.html", "<p>");
    assert_int_equal(symlink("/etc/passwd", below("assets/link.js")), 0);
    assert_true(ui_load_folder(folder, &files, &err) < 0);
    assert_int_equal(files.count, 0);
}

static void test_pages(void **state)
{
    (void)state;
    assert_true(ui_is_page("/login"));
    assert_true(ui_is_page("/dashboard/billing"));
    assert_true(ui_is_page("/runs/0192f0c1-2345-7abc-8def-0123456789ab"));
    assert_false(ui_is_page("/"));
    assert_false(ui_is_page("/loginx"));
    assert_false(ui_is_page("/api/runs"));
    assert_false(ui_is_page("/log"));
}

static void test_media_types(void **state)
{
    (void)state;
    assert_string_equal(ui_media_type("/assets/a.b.js"), "text/javascript; charset=utf-8");
    assert_string_equal(ui_media_type("/favicon.svg"), "image/svg+xml");
    assert_string_equal(ui_media_type("/none"), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_codings_join, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_without_index, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_links_are_refused, make_folder, remove_folder),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_media_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
