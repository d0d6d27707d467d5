/* Is a layer still what it was when it was made? See layer_verify in layer_stream.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "packages/layer_stream.h"
#include "store/hash.h"

#include "base/poison.h"

struct line {
    char kind;
    char hash[2 * STORE_HASH_BYTES + 1];
    uint64_t size;
    char path[DC_PATH_MAX_BYTES + 1];
};

static int differs(struct dc_err *err, const char *what)
{
    return dc_fail(err, DC_INVALID, 0, "the layer differs from its manifest: %s", what);
}

/* "kind hash size path\n" */
static const char *parse_line(const char *at, const char *end, struct line *line)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    const size_t head = 2 + sizeof(line->hash);
    const char *space;
    char *after;

    if (!stop || (size_t)(stop - at) < head + 3)
        return NULL;
    line->kind = at[0];
    memcpy(line->hash, at + 2, sizeof(line->hash) - 1);
    line->hash[sizeof(line->hash) - 1] = '\0';
    line->size = strtoull(at + head, &after, 10);
    space = after;
    if (*space != ' ' || (size_t)(stop - space - 1) > DC_PATH_MAX_BYTES)
        return NULL;
    memcpy(line->path, space + 1, (size_t)(stop - space - 1));
    line->path[stop - space - 1] = '\0';
    return stop + 1;
}

static int compare_hash(const struct line *line, const void *bytes, size_t length,
                        struct dc_err *err)
{
    uint8_t hash[STORE_HASH_BYTES];
    char hex[2 * STORE_HASH_BYTES + 1];

    store_sha256(bytes, length, hash);
    dc_hex(hash, sizeof(hash), hex);
    return strcmp(hex, line->hash) == 0 ? 0 : differs(err, "content");
}

static int verify_link(int tree_fd, const struct line *line, struct dc_err *err)
{
    char target[DC_PATH_MAX_BYTES + 2];
    ssize_t n = readlinkat(tree_fd, line->path, target, sizeof(target));

    if (n < 0 || (size_t)n != line->size)
        return differs(err, "a link");
    return compare_hash(line, target, (size_t)n, err);
}

static int verify_file(int fd, const struct line *line, const struct stat *info, struct dc_err *err)
{
    const mode_t mode = line->kind == 'x' ? 0755 : 0644;
    void *bytes;
    int result;

    if (!S_ISREG(info->st_mode) || (info->st_mode & 07777) != mode || info->st_nlink != 1 ||
        (uint64_t)info->st_size != line->size)
        return differs(err, "a file's size or rights");
    if (!line->size)
        return compare_hash(line, "", 0, err);
    bytes = mmap(NULL, line->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return dc_fail_errno(err, "map a file of a layer");
    result = compare_hash(line, bytes, line->size, err);
    (void)munmap(bytes, line->size);
    return result;
}

static int verify_entry(int tree_fd, const struct line *line, struct dc_err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    DC_AUTO(dc_close) int fd = -1;
    struct stat info;

    if (line->kind == 'l')
        return verify_link(tree_fd, line, err);
    fd = (int)syscall(SYS_openat2, tree_fd, line->path, &how, sizeof(how));
    if (fd < 0 || fstat(fd, &info) < 0)
        return differs(err, "something is missing");
    if (line->kind != 'd')
        return verify_file(fd, line, &info, err);
    return S_ISDIR(info.st_mode) && (info.st_mode & 07777) == 0755 ? 0 : differs(err, "a folder");
}

/* Entries below dir_fd, which is taken. */
static int count_entries(int dir_fd, size_t depth, size_t *count, struct dc_err *err)
{
    DIR *dir = fdopendir(dir_fd);
    int result = 0;

    if (!dir) {
        dc_close(dir_fd);
        return dc_fail_errno(err, "list a layer");
    }
    for (struct dirent *entry = readdir(dir); entry && result == 0; entry = readdir(dir)) {
        int fd;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ++*count;
        fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && depth == LAYER_DEPTH_MAX) {
            dc_close(fd);
            result = differs(err, "folders nested too deep");
        } else if (fd >= 0) {
            result = count_entries(fd, depth + 1, count, err);
        }
    }
    (void)closedir(dir);
    return result;
}

int layer_verify(int tree_fd, const char *manifest, size_t length, struct dc_err *err)
{
    const char *at = manifest;
    const char *end = manifest + length;
    struct line line;
    size_t listed = 0;
    size_t there = 0;
    int fd;

    while (at < end) {
        at = parse_line(at, end, &line);
        if (!at)
            return differs(err, "the manifest itself");
        if (verify_entry(tree_fd, &line, err) < 0)
            return -err->code;
        listed++;
    }
    fd = openat(tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return dc_fail_errno(err, "list a layer");
    if (count_entries(fd, 0, &there, err) < 0)
        return -err->code;
    return there == listed ? 0 : differs(err, "something was added");
}
