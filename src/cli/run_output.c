#include "cli/run_output.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/io.h"
#include "base/limits.h"
#include "cli/data_dir.h"

#include "base/poison.h"

DC_AUTO_DEFINE(json_t *, json_decref)

static int open_beneath(int dir, const char *name, uint64_t flags, uint64_t mode)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

/* Opens the folder that holds path, making those that are missing; *ret_name: the last part. */
static int open_parent(int root, char *path, int *ret_dir, const char **ret_name,
                       struct dc_err *err)
{
    DC_AUTO(dc_close) int dir = dup(root);
    char *part = path;

    for (char *slash = strchr(part, '/'); slash; slash = strchr(part, '/')) {
        int next;

        *slash = '\0';
        if (mkdirat(dir, part, 0755) < 0 && errno != EEXIST)
            return dc_fail_errno(err, "make folder '%.100s'", part);
        next = open_beneath(dir, part, O_DIRECTORY | O_RDONLY, 0);
        if (next < 0)
            return dc_fail_errno(err, "open folder '%.100s'", part);
        dc_close(dir);
        dir = next;
        part = slash + 1;
    }
    if (dir < 0)
        return dc_fail_errno(err, "open folder");
    *ret_name = part;
    *ret_dir = dc_take_fd(&dir);
    return 0;
}

static int save_bytes(int root, const char *path, const void *bytes, size_t length,
                      struct dc_err *err)
{
    DC_AUTO(dc_free) char *copy = strdup(path);
    DC_AUTO(dc_close) int dir = -1;
    DC_AUTO(dc_close) int fd = -1;
    const char *name = NULL;

    if (!copy)
        return dc_fail(err, DC_KERNEL, ENOMEM, "'%.100s'", path);
    if (open_parent(root, copy, &dir, &name, err) < 0)
        return -err->code;
    fd = open_beneath(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd < 0)
        return dc_fail_errno(err, "write '%.100s'", path);
    return dc_write_all(fd, bytes, length, err);
}

static int save_file(int root, const json_t *file, struct dc_err *err)
{
    const json_t *content = json_object_get(file, "content");
    const char *path = json_string_value(json_object_get(file, "path"));
    const char *text = json_string_value(content);
    size_t length = json_string_length(content);
    size_t size;
    DC_AUTO(dc_free) void *bytes = malloc(length + 1);

    if (!bytes)
        return dc_fail(err, DC_KERNEL, ENOMEM, "file");
    if (!path || !text || !dc_base64_decode(text, length, bytes, &size))
        return dc_fail(err, DC_BUG, 0, "a returned file is malformed");
    return save_bytes(root, path, bytes, size, err);
}

/* The result holds members of an object, "files" among them when there are any. */
static int parse_files(const struct run_result *result, json_t **ret_object, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf text = {0};

    dc_buf_init(&text, result->members.length + 2);
    dc_buf_byte(&text, '{');
    dc_buf_append(&text, dc_buf_str(&result->members), result->members.length);
    dc_buf_byte(&text, '}');
    *ret_object = text.failed ? NULL : json_loadb(dc_buf_str(&text), text.length, 0, NULL);
    if (!*ret_object)
        return dc_fail(err, DC_BUG, 0, "the returned files are malformed");
    return 0;
}

int run_output_save(const struct run_result *result, const char *folder, size_t *ret_count,
                    struct dc_err *err)
{
    DC_AUTO(json_decref) json_t *object = NULL;
    DC_AUTO(dc_close) int root = -1;
    const json_t *list;

    *ret_count = 0;
    if (!result->members.length)
        return 0;
    if (parse_files(result, &object, err) < 0)
        return -err->code;
    list = json_object_get(object, "files");
    if (json_array_size(list) == 0)
        return 0;
    if (data_dir_make(folder, 0755, err) < 0)
        return -err->code;
    root = open(folder, O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return dc_fail_errno(err, "open '%.150s'", folder);
    for (size_t i = 0; i < json_array_size(list); i++, (*ret_count)++)
        if (save_file(root, json_array_get(list, i), err) < 0)
            return dc_context(err, "artifacts");
    return 0;
}
