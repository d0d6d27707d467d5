#include "cli/run_input.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/limits.h"

#include "base/poison.h"

static int read_stream(int fd, const char *name, size_t max, char **ret_bytes, size_t *ret_length,
                       struct dc_err *err)
{
    size_t capacity = 64 * 1024;
    size_t length = 0;
    size_t got;
    DC_AUTO(dc_free) char *bytes = NULL;

    do {
        char *more = realloc(bytes, capacity);

        if (!more)
            return dc_fail(err, DC_KERNEL, ENOMEM, "'%.100s'", name);
        bytes = more;
        if (dc_read_full(fd, bytes + length, capacity - length, &got, err) < 0)
            return dc_context(err, "'%.100s'", name);
        length += got;
        if (length > max)
            return dc_fail(err, DC_INVALID, 0, "'%.100s' is larger than %zu bytes", name, max);
        capacity *= 2;
    } while (length == capacity / 2);
    *ret_bytes = dc_take(bytes);
    *ret_length = length;
    return 0;
}

int run_input_read(const char *path, size_t max, char **ret_bytes, size_t *ret_length,
                   struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = -1;

    if (strcmp(path, "-") == 0)
        return read_stream(STDIN_FILENO, "standard input", max, ret_bytes, ret_length, err);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return dc_fail(err, dc_code_from_errno(errno), errno, "open '%.150s'", path);
    return read_stream(fd, path, max, ret_bytes, ret_length, err);
}

static int add_file(struct run_request *request, const char *path, const char *name,
                    struct dc_err *err)
{
    DC_AUTO(dc_free) char *bytes = NULL;
    size_t length;

    if (run_input_read(path, DC_BODY_MAX_BYTES, &bytes, &length, err) < 0)
        return -err->code;
    return run_request_add_file(request, name, bytes, length, err);
}

static bool is_skipped(const char *name)
{
    return strcmp(name, ".git") == 0 || strcmp(name, "__pycache__") == 0;
}

static int by_name(const FTSENT **one, const FTSENT **two)
{
    return strcmp((*one)->fts_name, (*two)->fts_name);
}

static int add_entry(struct run_request *request, FTS *tree, FTSENT *entry, size_t root_length,
                     struct dc_err *err)
{
    switch (entry->fts_info) {
    case FTS_D:
        if (entry->fts_level > 0 && is_skipped(entry->fts_name))
            (void)fts_set(tree, entry, FTS_SKIP);
        return 0;
    case FTS_F:
        return add_file(request, entry->fts_accpath, entry->fts_path + root_length + 1, err);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return dc_fail(err, dc_code_from_errno(entry->fts_errno), entry->fts_errno, "read '%.150s'",
                       entry->fts_path);
    default:
        return 0; /* links, sockets, devices, folders on the way back */
    }
}

static int add_folder(struct run_request *request, const char *folder, struct dc_err *err)
{
    DC_AUTO(dc_free) char *root = strdup(folder);
    char *roots[] = {root, NULL};
    FTS *tree;
    FTSENT *entry;
    int result = 0;

    if (!root)
        return dc_fail(err, DC_KERNEL, ENOMEM, "'%.100s'", folder);
    for (size_t n = strlen(root); n > 1 && root[n - 1] == '/'; n--)
        root[n - 1] = '\0';
    tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, by_name);
    if (!tree)
        return dc_fail_errno(err, "read '%.150s'", folder);
    errno = 0;
    while (result == 0 && (entry = fts_read(tree)))
        result = add_entry(request, tree, entry, strlen(root), err);
    (void)fts_close(tree);
    return result;
}

/* The entry point's language, else that of the first file that could be one by its name. */
static void guess_lang(struct run_request *request)
{
    if (request->entrypoint) {
        request->has_lang = run_lang_from_path(request->entrypoint, &request->lang);
        return;
    }
    for (size_t i = 0; i < request->file_count && !request->has_lang; i++) {
        const char *path = request->files[i].path.bytes;

        if (strncmp(path, "main.", 5) == 0 || strncmp(path, "index.", 6) == 0)
            request->has_lang = run_lang_from_path(path, &request->lang);
    }
}

static int add_code(struct run_request *request, const char *path, struct dc_err *err)
{
    DC_AUTO(dc_free) char *bytes = NULL;
    size_t length;

    if (!request->has_lang)
        return dc_fail(err, DC_INVALID, 0, "code on standard input needs --lang python or node");
    if (run_input_read(path, DC_BODY_MAX_BYTES, &bytes, &length, err) < 0)
        return -err->code;
    return run_request_set_code(request, bytes, length, err);
}

int run_input_add(struct run_request *request, const char *operand, struct dc_err *err)
{
    const char *slash = strrchr(operand, '/');
    const char *name = slash ? slash + 1 : operand;
    struct stat info;

    if (strcmp(operand, "-") == 0)
        return add_code(request, operand, err);
    if (stat(operand, &info) < 0)
        return dc_fail(err, dc_code_from_errno(errno), errno, "'%.150s'", operand);
    if (S_ISDIR(info.st_mode)) {
        if (add_folder(request, operand, err) < 0)
            return -err->code;
        if (!request->has_lang)
            guess_lang(request);
        return 0;
    }
    if (!request->has_lang)
        request->has_lang = run_lang_from_path(name, &request->lang);
    if (!request->has_lang)
        return dc_fail(err, DC_INVALID, 0,
                       "the ending of '%.100s' names no language; give --lang python or node",
                       name);
    if (!S_ISREG(info.st_mode))
        return add_code(request, operand, err); /* a pipe such as <(…) */
    if (add_file(request, operand, name, err) < 0)
        return -err->code;
    return request->entrypoint ? 0 : run_request_set_text(request, &request->entrypoint, name, err);
}
