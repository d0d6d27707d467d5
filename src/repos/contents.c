#include "repos/contents.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "proto/job.h"

#include "base/poison.h"

struct reading {
    struct archive *archive;
    const char *folder;
    struct repo_files *files;
    size_t matching; /* those beyond REPO_FILES_MAX too */
    size_t entries;
    size_t unpacked;
};

void repo_files_release(struct repo_files *files)
{
    if (files)
        dc_arena_release(&files->arena);
}

bool repo_path_taken(const char *path)
{
    static const char *const endings[] = {".py",   ".js",  ".ts",  ".json", ".txt", ".md",
                                          ".jsx",  ".tsx", ".mjs", ".cjs",  ".yml", ".yaml",
                                          ".toml", ".ini", ".cfg", ".conf"};
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash + 1 : path, '.');

    for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static int fail_memory(struct dc_err *err)
{
    return dc_fail(err, DC_KERNEL, ENOMEM, "the files of a repository");
}

/* What libarchive says of a bad archive is for logs: it may quote the archive. */
static int fail_archive(struct reading *reading, struct dc_err *err)
{
    if (archive_errno(reading->archive) == ENOMEM)
        return fail_memory(err);
    return dc_fail(err, DC_INVALID, 0, "the archive of the repository is damaged or cut off");
}

/* What is skipped counts too: it has to be unpacked. */
static int count_bytes(struct reading *reading, size_t bytes, struct dc_err *err)
{
    reading->unpacked += bytes;
    if (reading->unpacked <= REPO_UNPACKED_MAX_BYTES)
        return 0;
    return dc_fail(err, DC_LIMIT, 0, "the repository has more than %zu MB of files",
                   REPO_UNPACKED_MAX_BYTES >> 20);
}

/* The path inside the folder that is asked for, or NULL when it lies elsewhere. */
static const char *inside(struct reading *reading, const char *path)
{
    size_t length = strlen(reading->folder);
    const char *slash = strchr(path, '/'); /* behind the part that the host makes up */

    if (!slash || !slash[1])
        return NULL;
    path = slash + 1;
    if (!length) {
        reading->files->has_folder = true;
        return path;
    }
    if (strncmp(path, reading->folder, length) != 0 || path[length] != '/')
        return NULL;
    reading->files->has_folder = true;
    return path[length + 1] ? path + length + 1 : NULL;
}

static bool in_git_folder(const char *path)
{
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncasecmp(at, ".git/", 5) == 0)
            return true;
    }
    return false;
}

/* SECURITY: git makes no such paths, so an archive with one is not to be trusted at all. */
static int check_path(const char *path, struct dc_err *err)
{
    size_t length = strlen(path);

    if (!job_path_valid(path, length) || !dc_utf8_valid(path, length))
        return dc_fail(err, DC_INVALID, 0,
                       "the archive of the repository holds a path that no workspace takes");
    return 0;
}

static int read_content(struct reading *reading, char *content, size_t length, struct dc_err *err)
{
    size_t done = 0;

    while (done < length) {
        la_ssize_t n = archive_read_data(reading->archive, content + done, length - done);

        if (n <= 0)
            return fail_archive(reading, err);
        done += (size_t)n;
    }
    return 0;
}

/* A path that comes twice stands for its last content, as for tar. */
static struct repo_file *place_of(struct repo_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->files[i].path, path) == 0)
            return &files->files[i];
    if (files->count == REPO_FILES_MAX)
        return NULL;
    return &files->files[files->count];
}

static int take_file(struct reading *reading, const char *path, size_t length, struct dc_err *err)
{
    struct repo_files *files = reading->files;
    struct repo_file *place = place_of(files, path);
    char *content;

    if (!place) {
        reading->matching++; /* to be told, not to be kept */
        return 0;
    }
    content = dc_arena_alloc(&files->arena, length + 1);
    path = dc_arena_copy(&files->arena, path, strlen(path));
    if (!content || !path)
        return fail_memory(err);
    if (read_content(reading, content, length, err) < 0)
        return -err->code;
    if (place == &files->files[files->count]) {
        files->count++;
        reading->matching++;
    } else {
        files->bytes -= place->length;
    }
    files->bytes += length;
    *place = (struct repo_file){path, content, length};
    return 0;
}

static int take_entry(struct reading *reading, struct archive_entry *entry, struct dc_err *err)
{
    const char *name = archive_entry_pathname(entry);
    const char *path = name ? inside(reading, name) : NULL;
    la_int64_t size = archive_entry_size(entry);

    if (++reading->entries > REPO_ARCHIVE_ENTRIES_MAX)
        return dc_fail(err, DC_LIMIT, 0, "the repository has more than %d files and folders",
                       REPO_ARCHIVE_ENTRIES_MAX);
    if (size > 0 && count_bytes(reading, (size_t)size, err) < 0)
        return -err->code;
    if (!path || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
        in_git_folder(path) || !repo_path_taken(path))
        return 0;
    if (check_path(path, err) < 0)
        return -err->code;
    if (size < 0 || size > REPO_FILE_MAX_BYTES) {
        reading->files->large++;
        return 0;
    }
    return take_file(reading, path, (size_t)size, err);
}

/* git puts the commit into a global header at the very beginning: "52 comment=HEX". */
static void read_commit(const void *bytes, size_t length, struct repo_files *files)
{
    enum { HEAD_BYTES = 512, TYPE_AT = 156, GZIP_WINDOW = 15 + 16 };
    static const char word[] = " comment=";
    unsigned char head[2 * HEAD_BYTES + 1] = {0};
    z_stream stream = {
        .next_in = (unsigned char *)(uintptr_t)bytes,
        .avail_in = (unsigned)(length < sizeof(head) * 4 ? length : sizeof(head) * 4),
        .next_out = head,
        .avail_out = sizeof(head) - 1,
    };
    const char *found;
    size_t digits;

    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return;
    (void)inflate(&stream, Z_SYNC_FLUSH);
    (void)inflateEnd(&stream);
    found = head[TYPE_AT] == 'g' ? strstr((const char *)head + HEAD_BYTES, word) : NULL;
    if (!found)
        return;
    found += sizeof(word) - 1;
    digits = strspn(found, "0123456789abcdef");
    if ((digits == 40 || digits == 64) && found[digits] == '\n')
        memcpy(files->commit, found, digits);
}

static int compare_files(const void *one, const void *two)
{
    return strcmp(((const struct repo_file *)one)->path, ((const struct repo_file *)two)->path);
}

static int read_entries(struct reading *reading, struct dc_err *err)
{
    struct archive_entry *entry;
    int code;

    while ((code = archive_read_next_header(reading->archive, &entry)) != ARCHIVE_EOF) {
        if (code < ARCHIVE_WARN)
            return fail_archive(reading, err);
        if (take_entry(reading, entry, err) < 0)
            return -err->code;
    }
    if (reading->matching > REPO_FILES_MAX)
        return dc_fail(err, DC_LIMIT, 0, "Too many files in repository (%zu). Maximum allowed: %d",
                       reading->matching, REPO_FILES_MAX);
    return 0;
}

static int open_archive(struct reading *reading, const void *bytes, size_t length,
                        struct dc_err *err)
{
    struct archive *archive = reading->archive;

    /* SECURITY: exactly one gzip. Found out by itself, libarchive would unpack gzip in gzip in
     * gzip, which is out of any proportion to the sizes that the entries tell. */
    if (archive_read_append_filter(archive, ARCHIVE_FILTER_GZIP) < ARCHIVE_WARN ||
        archive_read_support_format_tar(archive) < ARCHIVE_WARN ||
        archive_read_open_memory(archive, bytes, length) != ARCHIVE_OK)
        return fail_archive(reading, err);
    return 0;
}

int repo_contents_read(const void *bytes, size_t length, const char *folder,
                       struct repo_files *ret_files, struct dc_err *err)
{
    struct reading reading = {archive_read_new(), folder, ret_files, 0, 0, 0};
    int result;

    *ret_files = (struct repo_files){0};
    if (!reading.archive)
        return fail_memory(err);
    result = open_archive(&reading, bytes, length, err);
    if (result == 0)
        result = read_entries(&reading, err);
    (void)archive_read_free(reading.archive);
    read_commit(bytes, length, ret_files);
    if (result == 0)
        qsort(ret_files->files, ret_files->count, sizeof(ret_files->files[0]), compare_files);
    return result;
}
