/* Layers: the stream that makes them, the store that keeps them, and what must not get into either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "packages/layer_store.h"
#include "packages/source.h"

#include "base/poison.h"

enum { PATH_BYTES = 512, BIG_BYTES = 3 * 1024 * 1024 };

struct world {
    char top[64];
    struct layer_store *store;
};

static const char key_one[] = "1111111111111111111111111111111111111111111111111111111111111111";
static const char key_two[] = "2222222222222222222222222222222222222222222222222222222222222222";

static void remove_all(const char *path)
{
    char command[PATH_BYTES];
    pid_t pid = fork();

    (void)snprintf(command, sizeof(command), "%s", path);
    if (pid == 0) {
        (void)execl("/bin/rm", "rm", "-rf", command, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
}

static void open_store(struct world *world)
{
    struct dc_err err;
    char dir[PATH_BYTES];

    layer_store_free(world->store);
    world->store = NULL;
    (void)snprintf(dir, sizeof(dir), "%s/packages", world->top);
    if (layer_store_open(dir, &world->store, &err) < 0)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    (void)snprintf(world->top, sizeof(world->top), "/tmp/docle-layers-XXXXXX");
    if (!mkdtemp(world->top))
        return -1;
    open_store(world);
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    layer_store_free(world->store);
    remove_all(world->top);
    free(world);
    return 0;
}

/* --- streams ---------------------------------------------------------------------------------- */

static void put(struct dc_buf *out, char kind, const char *path, const void *content, size_t length)
{
    uint8_t head[8] = {(uint8_t)kind};
    uint16_t path_length = (uint16_t)strlen(path);
    uint32_t content_length = (uint32_t)length;

    memcpy(head + 2, &path_length, 2);
    memcpy(head + 4, &content_length, 4);
    assert_true(dc_buf_append(out, head, sizeof(head)));
    assert_true(dc_buf_append(out, path, path_length));
    assert_true(dc_buf_append(out, content, length));
}

static void put_text(struct dc_buf *out, char kind, const char *path, const char *text)
{
    put(out, kind, path, text, strlen(text));
}

static void begin(struct dc_buf *out)
{
    dc_buf_init(out, 64 << 20);
    assert_true(dc_buf_text(out, "DOCLE-LAYER-1\n"));
}

static void end(struct dc_buf *out)
{
    put_text(out, 'r', "", "[{\"name\":\"a\",\"version\":\"1\",\"hash\":\"sha256:00\",\"x\":1}]");
    put_text(out, 'e', "", "");
}

static int stream_of(const struct dc_buf *bytes)
{
    int fd = memfd_create("stream", MFD_CLOEXEC);
    struct dc_err err;

    assert_true(fd >= 0);
    assert_int_equal(dc_write_all(fd, dc_buf_str(bytes), bytes->length, &err), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* Into a stage of the store; the stage's tree is kept for a look when wanted. */
static int read_stream(struct world *world, const struct dc_buf *bytes, uint64_t bytes_max,
                       struct layer_stage *stage, struct layer_written *written, struct dc_err *err)
{
    const struct layer_rules rules = {.bytes_max = bytes_max};
    DC_AUTO(dc_close) int fd = stream_of(bytes);

    assert_int_equal(layer_stage_begin(world->store, stage, err), 0);
    return layer_stream_read(fd, stage->tree_fd, &rules, written, err);
}

static void refused(struct world *world, struct dc_buf *bytes, int code, const char *why)
{
    DC_AUTO(layer_stage_release) struct layer_stage stage = LAYER_STAGE_NONE;
    DC_AUTO(layer_written_release) struct layer_written written = {0};
    struct dc_err err = {0};

    assert_int_equal(read_stream(world, bytes, 1 << 20, &stage, &written, &err), -code);
    if (!strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
    dc_buf_release(bytes);
}

static size_t count_in(const struct world *world, const char *folder)
{
    char path[PATH_BYTES];
    size_t count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/packages/%s", world->top, folder);
    dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return count;
}

static void test_good_stream(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_stage_release) struct layer_stage stage = LAYER_STAGE_NONE;
    DC_AUTO(layer_written_release) struct layer_written written = {0};
    DC_AUTO(dc_buf_release) struct dc_buf bytes;
    DC_AUTO(dc_free) char *big = malloc(BIG_BYTES);
    struct stat info;
    struct dc_err err;
    char target[16];

    memset(big, 'b', BIG_BYTES);
    begin(&bytes);
    put_text(&bytes, 'l', "alias", "pkg/__init__.py");
    put_text(&bytes, 'd', "pkg", "");
    put_text(&bytes, 'd', "pkg/sub", "");
    put_text(&bytes, 'f', "pkg/__init__.py", "x = 1\n");
    put(&bytes, 'f', "pkg/big", big, BIG_BYTES);
    put_text(&bytes, 'x', "pkg/sub/tool", "#!/bin/sh\n");
    put_text(&bytes, 'l', "pkg/sub/up", "../__init__.py");
    put_text(&bytes, 'f', "pkg/empty", "");
    end(&bytes);
    (void)umask(077); /* must not show */
    assert_int_equal(read_stream(world, &bytes, 64 << 20, &stage, &written, &err), 0);
    (void)umask(022);
    assert_int_equal(written.entries, 8);
    assert_int_equal(fstatat(stage.tree_fd, "pkg/sub/tool", &info, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(info.st_mode & 07777, 0755);
    assert_int_equal(fstatat(stage.tree_fd, "pkg/big", &info, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(info.st_mode & 07777, 0644);
    assert_int_equal(info.st_size, BIG_BYTES);
    assert_int_equal(fstatat(stage.tree_fd, "pkg", &info, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(info.st_mode & 07777, 0755);
    assert_int_equal(readlinkat(stage.tree_fd, "pkg/sub/up", target, sizeof(target)), 14);
    assert_int_equal(
        layer_verify(stage.tree_fd, dc_buf_str(&written.manifest), written.manifest.length, &err),
        0);
}

/* Everything that a package might try: each is a stream of its own. */
static void test_bad_entries(void **state)
{
    static const struct {
        char kind;
        const char *path;
        const char *content;
        const char *why;
    } all[] = {
        {'f', "../up", "x", "leads outside"},
        {'f', "a/../../up", "x", "leads outside"},
        {'f', "/etc/passwd", "x", "leads outside"},
        {'f', "", "x", "leads outside"},
        {'f', "a//b", "x", "leads outside"},
        {'f', "./a", "x", "leads outside"},
        {'d', "..", "", "leads outside"},
        {'d', ".", "", "leads outside"},
        {'f', "no/folder", "x", "before its folder"},
        {'f', "new\nline", "x", "control character"},
        {'d', "folder", "content", "folder with content"},
        {'l', "link", "/etc/passwd", "leads outside"},
        {'l', "link", "..", "leads outside"},
        {'l', "link", "a/../../b", "leads outside"},
        {'l', "link", "", "leads outside"},
        {'b', "device", "", "neither file"},
        {'c', "device", "", "neither file"},
        {'p', "fifo", "", "neither file"},
        {'s', "setuid", "x", "neither file"},
        {'h', "hardlink", "a", "neither file"},
        {'\0', "nothing", "", "neither file"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct dc_buf bytes;

        begin(&bytes);
        put_text(&bytes, all[i].kind, all[i].path, all[i].content);
        end(&bytes);
        refused(world, &bytes, DC_INVALID, all[i].why);
    }
    assert_int_equal(count_in(world, "layers"), 0);
}

/* A link of the package's that later entries would go through. */
static void test_no_way_through_links(void **state)
{
    struct world *world = *state;
    char outside[PATH_BYTES];
    struct dc_buf bytes;

    begin(&bytes);
    put_text(&bytes, 'l', "way", ".");
    put_text(&bytes, 'f', "way/file", "x");
    end(&bytes);
    refused(world, &bytes, DC_INVALID, "before its folder");
    begin(&bytes);
    put_text(&bytes, 'd', "way", "");
    put_text(&bytes, 'l', "way", "other");
    end(&bytes);
    refused(world, &bytes, DC_INVALID, "twice");
    begin(&bytes);
    put_text(&bytes, 'f', "file", "x");
    put_text(&bytes, 'f', "file", "y");
    end(&bytes);
    refused(world, &bytes, DC_INVALID, "twice");
    begin(&bytes);
    put_text(&bytes, 'd', "d", "");
    put_text(&bytes, 'l', "d/a", "b");
    put_text(&bytes, 'l', "d/a/c", "x");
    end(&bytes);
    refused(world, &bytes, DC_INVALID, "folder");
    (void)snprintf(outside, sizeof(outside), "%s/file", world->top);
    assert_int_equal(access(outside, F_OK), -1);
}

static void test_broken_streams(void **state)
{
    struct world *world = *state;
    struct dc_buf whole;
    struct dc_buf bytes;

    begin(&whole);
    put_text(&whole, 'd', "a", "");
    put_text(&whole, 'f', "a/b", "content");
    end(&whole);
    for (size_t length = 0; length < whole.length; length++) {
        dc_buf_init(&bytes, 1 << 20);
        assert_true(dc_buf_append(&bytes, dc_buf_str(&whole), length));
        refused(world, &bytes, DC_INVALID, "ends early");
    }
    dc_buf_release(&whole);
    dc_buf_init(&bytes, 1 << 20);
    assert_true(dc_buf_text(&bytes, "DOCLE-LAYER-2\nxxxxxxxxxxxxx"));
    refused(world, &bytes, DC_INVALID, "is none");
    begin(&bytes);
    put_text(&bytes, 'r', "", "[]");
    put_text(&bytes, 'r', "", "[]");
    end(&bytes);
    refused(world, &bytes, DC_INVALID, "twice");
}

static void test_too_large(void **state)
{
    struct world *world = *state;
    DC_AUTO(dc_free) char *big = calloc(1, 600 * 1024);
    struct dc_buf bytes;
    char path[32];

    begin(&bytes);
    put(&bytes, 'f', "a", big, 600 * 1024);
    put(&bytes, 'f', "b", big, 600 * 1024);
    end(&bytes);
    refused(world, &bytes, DC_LIMIT, "more than 1 MB");
    begin(&bytes); /* small files count as well */
    for (int i = 0; i < 300; i++) {
        (void)snprintf(path, sizeof(path), "f%d", i);
        put_text(&bytes, 'f', path, "x");
    }
    end(&bytes);
    refused(world, &bytes, DC_LIMIT, "more than 1 MB");
    begin(&bytes);
    for (int i = 0; i < 70; i++) {
        char deep[PATH_BYTES] = "d";

        for (int j = 0; j < i; j++)
            memcpy(deep + strlen(deep), "/d", 3);
        put_text(&bytes, 'd', deep, "");
    }
    end(&bytes);
    refused(world, &bytes, DC_INVALID, "too deep");
}

/* --- the store -------------------------------------------------------------------------------- */

static void make_layer(struct world *world, const char *key, const char *content, bool pinned,
                       struct layer *ret_layer)
{
    DC_AUTO(layer_stage_release) struct layer_stage stage = LAYER_STAGE_NONE;
    DC_AUTO(layer_written_release) struct layer_written written = {0};
    DC_AUTO(dc_buf_release) struct dc_buf bytes;
    const struct layer_about about = {
        .key = key, .kind = "pip", .runtime = "python 3", .specs = "[\"a\"]", .pinned = pinned};
    struct dc_err err;

    begin(&bytes);
    put_text(&bytes, 'd', "pkg", "");
    put_text(&bytes, 'f', "pkg/file", content);
    put_text(&bytes, 'l', "link", "pkg/file");
    end(&bytes);
    if (read_stream(world, &bytes, 1 << 20, &stage, &written, &err) < 0 ||
        layer_stage_publish(&stage, &about, &written, ret_layer, &err) < 0)
        fail_msg("%s", err.text);
}

static void path_of(const struct world *world, const struct layer *layer, const char *name,
                    char out[static PATH_BYTES])
{
    char id[LAYER_HEX_SIZE];

    dc_hex(layer->id, sizeof(layer->id), id);
    (void)snprintf(out, PATH_BYTES, "%s/packages/layers/%s/%s", world->top, id, name);
}

static void test_publish_and_find(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_release) struct layer made = LAYER_NONE;
    DC_AUTO(layer_release) struct layer found = LAYER_NONE;
    char path[PATH_BYTES];
    struct dc_err err;

    assert_int_equal(layer_store_find(world->store, key_one, &found, &err), -DC_NOT_FOUND);
    make_layer(world, key_one, "one", true, &made);
    assert_int_equal(layer_store_find(world->store, key_one, &found, &err), 0);
    assert_memory_equal(made.id, found.id, sizeof(made.id));
    assert_true(found.pinned);
    assert_string_equal(found.packages,
                        "[{\"name\":\"a\",\"version\":\"1\",\"hash\":\"sha256:00\"}]");
    assert_true(dc_wall_now() - found.resolved_ns < 600 * DC_NS_PER_S);
    path_of(world, &found, "tree/pkg/file", path);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(layer_store_find(world->store, key_two, &made, &err), -DC_NOT_FOUND);
}

/* Resolved again: a new layer for the key, or the same one with a new date. */
static void test_replace(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_release) struct layer first = LAYER_NONE;
    DC_AUTO(layer_release) struct layer second = LAYER_NONE;
    DC_AUTO(layer_release) struct layer third = LAYER_NONE;
    struct dc_err err;
    uint32_t removed;

    make_layer(world, key_one, "one", false, &first);
    make_layer(world, key_one, "two", false, &second);
    assert_memory_not_equal(first.id, second.id, sizeof(first.id));
    make_layer(world, key_one, "two", false, &third);
    assert_memory_equal(second.id, third.id, sizeof(second.id));
    assert_int_equal(count_in(world, "layers"), 2);
    assert_int_equal(layer_store_evict(world->store, UINT64_MAX, &removed, &err), 0);
    assert_int_equal(removed, 0); /* the old one is in use */
    layer_release(&first);
    assert_int_equal(layer_store_evict(world->store, UINT64_MAX, &removed, &err), 0);
    assert_int_equal(removed, 1);
    assert_int_equal(count_in(world, "layers"), 1);
}

static void test_spoilt(void **state)
{
    static const char *const ways[] = {"content", "size",    "added",  "removed",
                                       "mode",    "symlink", "record", "manifest"};
    struct world *world = *state;
    struct dc_err err;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
        DC_AUTO(layer_release) struct layer again = LAYER_NONE;
        char path[PATH_BYTES];
        char id[LAYER_HEX_SIZE];
        FILE *file;
        int result;

        make_layer(world, key_one, "one", true, &layer);
        open_store(world); /* forgets what it has verified */
        path_of(world, &layer, "tree/pkg/file", path);
        switch (i) {
        case 0:
        case 1:
            file = fopen(path, "we");
            assert_non_null(file);
            (void)fputs(i == 0 ? "two" : "longer", file);
            (void)fclose(file);
            break;
        case 2:
            path_of(world, &layer, "tree/pkg/new", path);
            assert_int_equal(mkdir(path, 0755), 0);
            break;
        case 3:
            assert_int_equal(unlink(path), 0);
            break;
        case 4:
            assert_int_equal(chmod(path, 04755), 0);
            break;
        case 5:
            assert_int_equal(unlink(path), 0);
            assert_int_equal(symlink("/etc/passwd", path), 0);
            break;
        case 6:
            path_of(world, &layer, "record.json", path);
            assert_int_equal(truncate(path, 10), 0);
            break;
        default:
            path_of(world, &layer, "manifest", path);
            assert_int_equal(truncate(path, 0), 0);
            break;
        }
        result = layer_store_find(world->store, key_one, &again, &err);
        if (result == 0)
            result = layer_store_verify(world->store, &again, &err);
        if (result == 0)
            fail_msg("'%s' was not noticed", ways[i]);
        dc_hex(layer.id, sizeof(layer.id), id);
        layer_release(&layer);
        layer_release(&again);
        assert_int_equal(layer_store_remove(world->store, id, &err), 0);
    }
}

static void test_verify_good(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
    struct dc_err err;

    make_layer(world, key_one, "one", true, &layer);
    assert_true(layer_store_verified(world->store, &layer));
    open_store(world);
    assert_false(layer_store_verified(world->store, &layer));
    assert_int_equal(layer_store_verify(world->store, &layer, &err), 0);
    assert_true(layer_store_verified(world->store, &layer));
}

static void age(const struct world *world, const struct layer *layer, time_t seconds)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    char path[PATH_BYTES];

    path_of(world, layer, "", path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_evict_the_longest_unused(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_release) struct layer old = LAYER_NONE;
    DC_AUTO(layer_release) struct layer young = LAYER_NONE;
    DC_AUTO(layer_release) struct layer found = LAYER_NONE;
    uint64_t bytes;
    uint32_t count;
    struct dc_err err;

    make_layer(world, key_one, "one", true, &old);
    make_layer(world, key_two, "two", true, &young);
    layer_release(&young);
    age(world, &old, 5000);
    assert_int_equal(layer_store_find(world->store, key_two, &young, &err), 0);
    age(world, &young, 3000);
    layer_release(&young);
    assert_int_equal(layer_store_evict(world->store, 0, &count, &err), 0);
    assert_int_equal(count, 1); /* `old` is held: a run may use it */
    assert_int_equal(layer_store_find(world->store, key_two, &found, &err), -DC_NOT_FOUND);
    make_layer(world, key_two, "two", true, &young);
    layer_release(&old);
    layer_release(&young);
    assert_int_equal(layer_store_each(world->store, NULL, NULL, &err), 0);
    layer_store_totals(world->store, &bytes, &count);
    assert_int_equal(count, 2);
    assert_int_equal(layer_store_evict(world->store, bytes - 1, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(layer_store_find(world->store, key_one, &found, &err), -DC_NOT_FOUND);
    assert_int_equal(layer_store_find(world->store, key_two, &found, &err), 0);
    /* Use makes it young again. */
    assert_true(found.lock_fd >= 0);
    layer_store_totals(world->store, &bytes, &count);
    assert_int_equal(count, 1);
}

static void test_remove_in_use(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
    char id[LAYER_HEX_SIZE];
    struct dc_err err;

    make_layer(world, key_one, "one", true, &layer);
    dc_hex(layer.id, sizeof(layer.id), id);
    assert_int_equal(layer_store_remove(world->store, id, &err), -DC_BUSY);
    layer_release(&layer);
    assert_int_equal(layer_store_remove(world->store, id, &err), 0);
    assert_int_equal(layer_store_remove(world->store, id, &err), -DC_NOT_FOUND);
    assert_int_equal(layer_store_remove(world->store, "../keys", &err), -DC_NOT_FOUND);
}

/* Killed at any point of making a layer: the next start finds nothing half-made. */
static void test_killed_while_making(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_release) struct layer found = LAYER_NONE;
    struct dc_err err;

    for (int i = 0; i < 12; i++) {
        struct timespec wait = {.tv_nsec = i * 700 * 1000};
        pid_t pid = fork();
        int result;

        if (pid == 0) {
            for (;;) {
                struct layer layer = LAYER_NONE;

                make_layer(world, key_one, i % 2 ? "one" : "two", true, &layer);
                layer_release(&layer);
            }
        }
        (void)nanosleep(&wait, NULL);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        open_store(world);
        result = layer_store_find(world->store, key_one, &found, &err);
        if (result == 0)
            assert_int_equal(layer_store_verify(world->store, &found, &err), 0);
        else
            assert_int_equal(result, -DC_NOT_FOUND);
        layer_release(&found);
        {
            char path[PATH_BYTES];
            DIR *dir;

            (void)snprintf(path, sizeof(path), "%s/packages/layers", world->top);
            dir = opendir(path);
            assert_non_null(dir);
            for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
                assert_false(strncmp(entry->d_name, ".new.", 5) == 0);
            (void)closedir(dir);
        }
    }
}

/* Another process makes one: its unfinished work is not swept away. */
static void test_sweep_leaves_the_living(void **state)
{
    struct world *world = *state;
    DC_AUTO(layer_stage_release) struct layer_stage stage = LAYER_STAGE_NONE;
    struct layer_store *second = NULL;
    char dir[PATH_BYTES];
    struct dc_err err;

    assert_int_equal(layer_stage_begin(world->store, &stage, &err), 0);
    (void)snprintf(dir, sizeof(dir), "%s/packages", world->top);
    assert_int_equal(layer_store_open(dir, &second, &err), 0);
    assert_int_equal(count_in(world, "layers"), 1);
    layer_store_free(second);
}

static void test_rights(void **state)
{
    struct world *world = *state;
    char path[PATH_BYTES];
    struct stat info;

    (void)snprintf(path, sizeof(path), "%s/packages/layers", world->top);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0711); /* runs pass, and cannot list */
    (void)snprintf(path, sizeof(path), "%s/packages/keys", world->top);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
}

/* --- sources ---------------------------------------------------------------------------------- */

static void test_sources(void **state)
{
    static const char conf[] = "pip\tpython\n"
                               "pip.index\thttps://user:secret@index.example:8443/simple\n"
                               "pip.more\thttp://other.example/simple\n"
                               "pip.hosts\tindex.example:8443 files.example\n"
                               "pip.cert\t/usr/lib/docle/installers/pip.pem\n"
                               "npm\t10.0.0\nnpm.registry\thttps://registry.example/\n";
    const struct package_source_options none = {0};
    const struct package_source_options own = {.pip_index = "http://127.0.0.1:3141/root",
                                               .hosts = "cdn.example, 10.0.0.7:81"};
    struct package_sources sources;
    const struct package_source *pip = &sources.of[PACKAGE_PIP];
    struct dc_err err;

    (void)state;
    assert_int_equal(package_sources_parse(conf, &none, &sources, &err), 0);
    assert_true(pip->available);
    assert_string_equal(pip->index, "https://user:secret@index.example:8443/simple");
    assert_int_equal(pip->more_count, 1);
    assert_int_equal(pip->host_count, 3);
    assert_string_equal(pip->hosts[0].name, "index.example");
    assert_int_equal(pip->hosts[0].port, 8443);
    assert_string_equal(pip->hosts[1].name, "other.example");
    assert_int_equal(pip->hosts[1].port, 80);
    assert_string_equal(pip->hosts[2].name, "files.example");
    assert_int_equal(pip->hosts[2].port, 443);
    assert_string_equal(sources.of[PACKAGE_NPM].hosts[0].name, "registry.example");
    package_sources_release(&sources);
    assert_int_equal(package_sources_parse(conf, &own, &sources, &err), 0);
    assert_string_equal(pip->index, "http://127.0.0.1:3141/root");
    assert_int_equal(pip->more_count, 0); /* the host's own do not come in beside it */
    assert_int_equal(pip->host_count, 3);
    assert_int_equal(pip->hosts[0].port, 3141);
    assert_int_equal(pip->hosts[2].port, 81);
    package_sources_release(&sources);
    assert_int_equal(package_sources_parse("", &none, &sources, &err), 0);
    assert_false(pip->available);
    package_sources_release(&sources);
    assert_int_equal(package_sources_parse("pip.index\tftp://x/\n", &none, &sources, &err),
                     -DC_INVALID);
    package_sources_release(&sources);
    assert_int_equal(
        package_sources_parse("", &(struct package_source_options){.hosts = "a:0"}, &sources, &err),
        -DC_INVALID);
    package_sources_release(&sources);
}

static int parse_lines(const char *lines, struct package_sources *ret_sources, struct dc_err *err)
{
    const struct package_source_options options = {.npm_config = lines};

    return package_sources_parse("npm\t10\nnpm.line\t//host.example/:_authToken=of-the-host\n",
                                 &options, ret_sources, err);
}

static void test_npm_lines(void **state)
{
    static const char *const wrong[] = {
        "_authToken=x",     "//host", "@scope", "@scope:registry", "@scope:registry=ftp://x",
        "registry=http://x"};
    const char *two =
        "@own:registry=https://own.example:8443/npm/;\n//own.example/:_authToken=a=b;";
    struct package_sources sources;
    struct dc_err err;

    (void)state;
    assert_int_equal(parse_lines(NULL, &sources, &err), 0);
    assert_int_equal(sources.of[PACKAGE_NPM].line_count, 1);
    package_sources_release(&sources);
    assert_int_equal(parse_lines(two, &sources, &err), 0);
    assert_int_equal(sources.of[PACKAGE_NPM].line_count, 2);
    assert_string_equal(sources.of[PACKAGE_NPM].lines[1], "//own.example/:_authToken=a=b");
    assert_int_equal(sources.of[PACKAGE_NPM].host_count, 1);
    assert_string_equal(sources.of[PACKAGE_NPM].hosts[0].name, "own.example");
    assert_int_equal(sources.of[PACKAGE_NPM].hosts[0].port, 8443);
    package_sources_release(&sources);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse_lines(wrong[i], &sources, &err), -DC_INVALID);
        package_sources_release(&sources);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npm_lines),
        cmocka_unit_test_setup_teardown(test_good_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_way_through_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publish_and_find, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spoilt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verify_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_evict_the_longest_unused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_making, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sweep_leaves_the_living, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
