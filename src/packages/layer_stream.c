#include "packages/layer_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "proto/job.h"
#include "store/hash.h"

#include "base/poison.h"

enum { BUFFER_BYTES = 64 * 1024, PAGE_BYTES = 4096, LINK_MAX_BYTES = 1024 };

static const char magic[] = "DOCLE-LAYER-1\n";

struct record {
    char kind;
    uint16_t path_length;
    uint32_t content_length;
    char path[DC_PATH_MAX_BYTES + 1];
};

/* A link that is made at the end: while files are made, none is there to be followed. */
struct link {
    struct link *next;
    char *target;
    char path[];
};

struct reader {
    int stream_fd;
    int tree_fd;
    const struct layer_rules *rules;
    struct layer_written *written;
    struct store_hash *hash;
    struct link *links;
    size_t at, end; /* in buffer */
    char buffer[BUFFER_BYTES];
};

void layer_written_release(struct layer_written *written)
{
    dc_buf_release(&written->manifest);
    dc_buf_release(&written->resolved);
}

static int broken(struct dc_err *err, const char *why)
{
    return dc_fail(err, DC_INVALID, 0, "the installer's result %s", why);
}

static int failed_to(struct dc_err *err, const char *what)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return dc_fail(err, DC_LIMIT, errno, "the server's disk is full");
    return dc_fail_errno(err, "layer: %s", what);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static int fill(struct reader *reader, struct dc_err *err)
{
    ssize_t n;

    do
        n = read(reader->stream_fd, reader->buffer, sizeof(reader->buffer));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return dc_fail_errno(err, "read the layer's stream");
    if (n == 0)
        return broken(err, "ends early");
    reader->at = 0;
    reader->end = (size_t)n;
    return 0;
}

/* The next bytes, at least one and at most max of them, where they lie. */
static int next_piece(struct reader *reader, size_t max, const char **ret_bytes, size_t *ret_length,
                      struct dc_err *err)
{
    if (reader->at == reader->end && fill(reader, err) < 0)
        return -err->code;
    *ret_bytes = reader->buffer + reader->at;
    *ret_length = reader->end - reader->at < max ? reader->end - reader->at : max;
    reader->at += *ret_length;
    return 0;
}

static int take(struct reader *reader, void *out, size_t length, struct dc_err *err)
{
    char *to = out;

    while (length) {
        const char *bytes = NULL;
        size_t n = 0;

        if (next_piece(reader, length, &bytes, &n, err) < 0)
            return -err->code;
        memcpy(to, bytes, n);
        to += n;
        length -= n;
    }
    return 0;
}

static int take_record(struct reader *reader, struct record *record, struct dc_err *err)
{
    uint8_t head[8];

    if (take(reader, head, sizeof(head), err) < 0)
        return -err->code;
    record->kind = (char)head[0];
    memcpy(&record->path_length, head + 2, 2);
    memcpy(&record->content_length, head + 4, 4);
    if (record->path_length > DC_PATH_MAX_BYTES)
        return broken(err, "has a path that is too long");
    if (take(reader, record->path, record->path_length, err) < 0)
        return -err->code;
    record->path[record->path_length] = '\0';
    return 0;
}

/* --- what may be ------------------------------------------------------------------------------ */

static size_t depth_of(const char *path)
{
    size_t depth = 1;

    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

static int check_path(const struct record *record, struct dc_err *err)
{
    if (!job_path_valid(record->path, record->path_length))
        return broken(err, "has a path that leads outside or is none");
    for (size_t i = 0; i < record->path_length; i++)
        if ((unsigned char)record->path[i] < 0x20 || record->path[i] == 0x7f)
            return broken(err, "has a control character in a path");
    if (depth_of(record->path) > LAYER_DEPTH_MAX)
        return broken(err, "has folders nested too deep");
    return 0;
}

/* A relative target that stays inside, taken word by word. */
static bool link_stays_inside(const char *path, const char *target)
{
    long depth = (long)depth_of(path) - 1;

    if (*target == '/' || !*target)
        return false;
    while (*target) {
        size_t length = strcspn(target, "/");

        if (length == 2 && memcmp(target, "..", 2) == 0)
            depth--;
        else if (length && !(length == 1 && *target == '.'))
            depth++;
        if (depth < 0)
            return false;
        target += length;
        target += strspn(target, "/");
    }
    return true;
}

static int count_bytes(struct reader *reader, uint64_t bytes, struct dc_err *err)
{
    uint64_t pages = bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);

    reader->written->bytes += pages * PAGE_BYTES;
    if (reader->written->bytes > reader->rules->bytes_max)
        return dc_fail(err, DC_LIMIT, 0, "the packages take more than %llu MB",
                       (unsigned long long)(reader->rules->bytes_max >> 20));
    return 0;
}

/* --- making ----------------------------------------------------------------------------------- */

/* Splits off the last component; the parent is opened without following any link. */
static int open_parent(struct reader *reader, const char *path, const char **ret_name,
                       struct dc_err *err)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    const char *slash = strrchr(path, '/');
    char parent[DC_PATH_MAX_BYTES + 1] = ".";
    int fd;

    if (slash) {
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
    }
    *ret_name = slash ? slash + 1 : path;
    fd = (int)syscall(SYS_openat2, reader->tree_fd, parent, &how, sizeof(how));
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? broken(err, "has an entry before its folder")
                                                   : failed_to(err, "open a folder");
    return fd;
}

static void note(struct reader *reader, char kind, const uint8_t hash[static STORE_HASH_BYTES],
                 uint32_t size, const char *path)
{
    char hex[2 * STORE_HASH_BYTES + 1];

    dc_hex(hash, STORE_HASH_BYTES, hex);
    (void)dc_buf_printf(&reader->written->manifest, "%c %s %u %s\n", kind, hex, size, path);
}

static int make_folder(struct reader *reader, const struct record *record, struct dc_err *err)
{
    static const uint8_t none[STORE_HASH_BYTES];
    const char *name;
    DC_AUTO(dc_close) int parent = open_parent(reader, record->path, &name, err);

    if (parent < 0)
        return -err->code;
    if (record->content_length)
        return broken(err, "has a folder with content");
    if (mkdirat(parent, name, 0755) < 0)
        return errno == EEXIST ? broken(err, "has an entry twice")
                               : failed_to(err, "make a folder");
    if (fchmodat(parent, name, 0755, 0) < 0) /* whatever the umask */
        return failed_to(err, "set a folder's rights");
    note(reader, 'd', none, 0, record->path);
    return 0;
}

static int copy_content(struct reader *reader, int fd, uint32_t length, struct dc_err *err)
{
    while (length) {
        const char *bytes = NULL;
        size_t n = 0;

        if (next_piece(reader, length, &bytes, &n, err) < 0)
            return -err->code;
        if (dc_write_all(fd, bytes, n, err) < 0) {
            errno = err->errnum;
            return failed_to(err, "write a file");
        }
        store_hash_add(reader->hash, bytes, n);
        length -= (uint32_t)n;
    }
    return 0;
}

static int make_file(struct reader *reader, const struct record *record, struct dc_err *err)
{
    const mode_t mode = record->kind == 'x' ? 0755 : 0644;
    uint8_t hash[STORE_HASH_BYTES];
    const char *name;
    DC_AUTO(dc_close) int parent = open_parent(reader, record->path, &name, err);
    DC_AUTO(dc_close) int fd = -1;

    if (parent < 0 || count_bytes(reader, record->content_length, err) < 0)
        return -err->code;
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return errno == EEXIST ? broken(err, "has an entry twice") : failed_to(err, "make a file");
    if (fchmod(fd, mode) < 0) /* whatever the umask */
        return failed_to(err, "set a file's rights");
    if (copy_content(reader, fd, record->content_length, err) < 0)
        return -err->code;
    store_hash_end(reader->hash, hash);
    note(reader, record->kind, hash, record->content_length, record->path);
    return 0;
}

static int keep_link(struct reader *reader, const struct record *record, struct dc_err *err)
{
    DC_AUTO(dc_free)
    struct link *link =
        calloc(1, sizeof(*link) + record->path_length + 1 + (size_t)LINK_MAX_BYTES + 1);

    if (record->content_length > LINK_MAX_BYTES)
        return broken(err, "has a link that is too long");
    if (!link)
        return dc_fail(err, DC_KERNEL, ENOMEM, "layer");
    memcpy(link->path, record->path, record->path_length);
    link->target = link->path + record->path_length + 1;
    if (take(reader, link->target, record->content_length, err) < 0)
        return -err->code;
    if (strlen(link->target) != record->content_length ||
        !link_stays_inside(link->path, link->target))
        return broken(err, "has a link that leads outside");
    link->next = reader->links;
    reader->links = dc_take(link);
    return 0;
}

static int make_link(struct reader *reader, const struct link *link, struct dc_err *err)
{
    uint8_t hash[STORE_HASH_BYTES];
    const char *name;
    DC_AUTO(dc_close) int parent = open_parent(reader, link->path, &name, err);

    if (parent < 0)
        return -err->code;
    if (symlinkat(link->target, parent, name) < 0)
        return errno == EEXIST ? broken(err, "has an entry twice") : failed_to(err, "make a link");
    store_sha256(link->target, strlen(link->target), hash);
    note(reader, 'l', hash, (uint32_t)strlen(link->target), link->path);
    return 0;
}

static int make_links(struct reader *reader, struct dc_err *err)
{
    /* No link may be in the way of another one, so none is followed here either. */
    for (const struct link *link = reader->links; link; link = link->next)
        if (make_link(reader, link, err) < 0)
            return -err->code;
    return 0;
}

static void free_links(struct reader *reader)
{
    while (reader->links) {
        struct link *next = reader->links->next;

        free(reader->links);
        reader->links = next;
    }
}

static int take_resolved(struct reader *reader, const struct record *record, struct dc_err *err)
{
    struct dc_buf *resolved = &reader->written->resolved;
    char *to;

    if (resolved->length || record->content_length > LAYER_RESOLVED_MAX_BYTES)
        return broken(err, "names its packages twice, or too many of them");
    to = dc_buf_reserve(resolved, record->content_length);
    if (!to)
        return dc_fail(err, DC_KERNEL, ENOMEM, "layer");
    if (take(reader, to, record->content_length, err) < 0)
        return -err->code;
    dc_buf_commit(resolved, record->content_length);
    return 0;
}

static int take_entry(struct reader *reader, const struct record *record, struct dc_err *err)
{
    if (record->kind == 'r')
        return take_resolved(reader, record, err);
    if (++reader->written->entries > LAYER_ENTRIES_MAX)
        return dc_fail(err, DC_LIMIT, 0, "the packages have more than %d files", LAYER_ENTRIES_MAX);
    if (check_path(record, err) < 0 || count_bytes(reader, 1, err) < 0)
        return -err->code;
    switch (record->kind) {
    case 'd':
        return make_folder(reader, record, err);
    case 'f':
    case 'x':
        return make_file(reader, record, err);
    case 'l':
        return keep_link(reader, record, err);
    default:
        return broken(err, "has an entry that is neither file, folder nor link");
    }
}

static int read_all(struct reader *reader, struct dc_err *err)
{
    char begin[sizeof(magic) - 1];
    struct record record;

    if (take(reader, begin, sizeof(begin), err) < 0)
        return -err->code;
    if (memcmp(begin, magic, sizeof(begin)) != 0)
        return broken(err, "is none");
    for (;;) {
        if (take_record(reader, &record, err) < 0)
            return -err->code;
        if (record.kind == 'e')
            break;
        if (take_entry(reader, &record, err) < 0)
            return -err->code;
    }
    if (make_links(reader, err) < 0)
        return -err->code;
    if (reader->written->manifest.failed)
        return dc_fail(err, DC_LIMIT, 0, "the packages have too many files");
    return 0;
}

int layer_stream_read(int stream_fd, int tree_fd, const struct layer_rules *rules,
                      struct layer_written *written, struct dc_err *err)
{
    DC_AUTO(dc_free) struct reader *reader = calloc(1, sizeof(*reader));
    DC_AUTO(store_hash_free) struct store_hash *hash = store_hash_new();
    int result;

    dc_buf_init(&written->manifest, LAYER_MANIFEST_MAX_BYTES);
    dc_buf_init(&written->resolved, LAYER_RESOLVED_MAX_BYTES);
    if (!reader || !hash)
        return dc_fail(err, DC_KERNEL, ENOMEM, "layer");
    reader->stream_fd = stream_fd;
    reader->tree_fd = tree_fd;
    reader->rules = rules;
    reader->written = written;
    reader->hash = hash;
    result = read_all(reader, err);
    free_links(reader);
    return result;
}
