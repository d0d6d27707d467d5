/* ui_load_folder: every file below a folder, into one arena. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/io.h"
#include "store/hash.h"
#include "ui/ui.h"

#include "base/poison.h"

enum { DEPTH_MAX = 4, ETAG_HEX = 20 };

struct folder {
    struct dc_arena arena;
    struct ui_file files[UI_FILES_MAX];
    bool is_coding[UI_FILES_MAX]; /* of another one */
    size_t count;
    size_t bytes;
};

static void folder_free(struct folder *folder)
{
    if (folder)
        dc_arena_release(&folder->arena);
    free(folder);
}
DC_AUTO_DEFINE(struct folder *, folder_free)

static int read_bytes(struct folder *folder, int fd, struct ui_bytes *ret_bytes, struct dc_err *err)
{
    struct stat status;
    size_t length = 0;
    void *bytes;

    if (fstat(fd, &status) < 0)
        return dc_fail_errno(err, "stat");
    if (!S_ISREG(status.st_mode))
        return dc_fail(err, DC_INVALID, 0, "is no regular file");
    folder->bytes += (size_t)status.st_size;
    if (folder->bytes > (size_t)UI_FOLDER_MAX_MB << 20)
        return dc_fail(err, DC_LIMIT, 0, "the folder holds more than %d MB", UI_FOLDER_MAX_MB);
    bytes = dc_arena_alloc(&folder->arena, (size_t)status.st_size + 1);
    if (!bytes)
        return dc_fail(err, DC_KERNEL, ENOMEM, "read");
    if (dc_read_full(fd, bytes, (size_t)status.st_size, &length, err) < 0)
        return -err->code;
    *ret_bytes = (struct ui_bytes){bytes, length};
    return 0;
}

static int add_file(struct folder *folder, int dir_fd, const char *name, const char *path,
                    struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct ui_file *file = &folder->files[folder->count];
    uint8_t hash[STORE_HASH_BYTES];
    char hex[2 * STORE_HASH_BYTES + 1];

    if (fd < 0)
        return dc_fail_errno(err, "open '%.80s'", path);
    if (folder->count == UI_FILES_MAX)
        return dc_fail(err, DC_LIMIT, 0, "the folder holds more than %d files", UI_FILES_MAX);
    file->path = dc_arena_copy(&folder->arena, path, strlen(path));
    if (!file->path)
        return dc_fail(err, DC_KERNEL, ENOMEM, "read");
    if (read_bytes(folder, fd, &file->plain, err) < 0)
        return dc_context(err, "'%.80s'", path);
    store_sha256(file->plain.bytes, file->plain.length, hash);
    dc_hex(hash, sizeof(hash), hex);
    (void)snprintf(file->etag, sizeof(file->etag), "\"%.*s\"", ETAG_HEX, hex);
    file->immutable = strncmp(path, "/assets/", strlen("/assets/")) == 0;
    folder->count++;
    return 0;
}

static int read_folder(struct folder *folder, int fd, const char *below, int depth,
                       struct dc_err *err);

static int add_entry(struct folder *folder, int dir_fd, const char *name, const char *below,
                     int depth, struct dc_err *err)
{
    char path[UI_PATH_MAX_BYTES];
    struct stat status;

    if (snprintf(path, sizeof(path), "%s/%s", below, name) >= (int)sizeof(path))
        return dc_fail(err, DC_LIMIT, 0, "a path is longer than %d bytes", UI_PATH_MAX_BYTES - 1);
    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return dc_fail_errno(err, "stat '%.80s'", path);
    if (!S_ISDIR(status.st_mode))
        return add_file(folder, dir_fd, name, path, err);
    if (depth == DEPTH_MAX)
        return dc_fail(err, DC_LIMIT, 0, "folders are nested more than %d deep", DEPTH_MAX);
    return read_folder(folder,
                       openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), path,
                       depth + 1, err);
}

static void close_dir(DIR *dir)
{
    if (dir)
        (void)closedir(dir);
}
DC_AUTO_DEFINE(DIR *, close_dir)

/* Takes fd. */
static int read_folder(struct folder *folder, int fd, const char *below, int depth,
                       struct dc_err *err)
{
    DC_AUTO(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        int failed = errno;

        dc_close(fd);
        return dc_fail(err, dc_code_from_errno(failed), failed, "open '%.80s'", below);
    }
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' &&
            add_entry(folder, dirfd(dir), entry->d_name, below, depth, err) < 0)
            return -err->code;
    return 0;
}

static int compare_paths(const void *one, const void *two)
{
    return strcmp(((const struct ui_file *)one)->path, ((const struct ui_file *)two)->path);
}

/* Gives the bytes of a file with that ending to the file that it is a coding of. */
static void join_coding(struct folder *folder, size_t at, const char *ending, size_t coding_offset)
{
    const struct ui_file *file = &folder->files[at];
    size_t length = strlen(file->path);
    char path[UI_PATH_MAX_BYTES];
    struct ui_file *plain;

    if (length <= strlen(ending) || strcmp(file->path + length - strlen(ending), ending) != 0)
        return;
    (void)snprintf(path, sizeof(path), "%.*s", (int)(length - strlen(ending)), file->path);
    plain = bsearch(&(struct ui_file){.path = path}, folder->files, folder->count,
                    sizeof(folder->files[0]), compare_paths);
    if (!plain)
        return;
    *(struct ui_bytes *)((char *)plain + coding_offset) = file->plain;
    folder->is_coding[at] = true;
}

/* Files that are codings of others become part of those. */
static void join_codings(struct folder *folder)
{
    size_t kept = 0;

    qsort(folder->files, folder->count, sizeof(folder->files[0]), compare_paths);
    for (size_t i = 0; i < folder->count; i++) {
        join_coding(folder, i, ".br", offsetof(struct ui_file, brotli));
        join_coding(folder, i, ".gz", offsetof(struct ui_file, gzip));
    }
    for (size_t i = 0; i < folder->count; i++)
        if (!folder->is_coding[i])
            folder->files[kept++] = folder->files[i];
    folder->count = kept;
}

int ui_load_folder(const char *path, struct ui_files *ret_files, struct dc_err *err)
{
    DC_AUTO(folder_free) struct folder *folder = calloc(1, sizeof(*folder));
    struct ui_files files;

    if (!folder)
        return dc_fail(err, DC_KERNEL, ENOMEM, "'%.80s'", path);
    if (read_folder(folder, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", 0, err) < 0)
        return dc_context(err, "'%.80s'", path);
    join_codings(folder);
    files = (struct ui_files){.files = folder->files, .count = folder->count};
    if (!ui_find(&files, "/index.html"))
        return dc_fail(err, DC_INVALID, 0, "'%.80s' holds no index.html", path);
    files.owned = dc_take(folder);
    *ret_files = files;
    return 0;
}

void ui_files_release(struct ui_files *files)
{
    folder_free(files->owned);
    *files = (struct ui_files){0};
}
