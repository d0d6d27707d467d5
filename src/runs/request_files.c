/* The files of a request: paths, sizes, and which of them is run. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runs/request.h"
#include "runs/request_internal.h"

#include "base/poison.h"

enum { PAGE_BYTES = 4096, PATH_TEXT = 96 };

static void check_path(const struct run_file *file, struct problems *problems)
{
    char at[PATH_TEXT];
    char quoted[72];

    if (run_path_valid(file->path.bytes, file->path.length))
        return;
    (void)snprintf(at, sizeof(at), "files[%zu].path", file->index);
    problems_add(problems, PROBLEM_PATH, at,
                 "\"%s\" is not a path inside the workspace: relative, at most %d bytes and %d "
                 "levels, no \"..\", no empty part, no control character",
                 problem_quote(file->path.bytes, file->path.length, quoted), DC_PATH_MAX_BYTES,
                 DC_PATH_DEPTH_MAX);
}

/* Orders paths so that what lies in a directory follows right after its name: "/" is lowest. */
static int compare_paths(const void *one, const void *two)
{
    const char *a = (*(const struct run_file *const *)one)->path.bytes;
    const char *b = (*(const struct run_file *const *)two)->path.bytes;

    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (*a == '/' ? 1 : (unsigned char)*a) - (*b == '/' ? 1 : (unsigned char)*b);
}

static void check_pair(const struct run_file *first, const struct run_file *second,
                       struct problems *problems)
{
    size_t length = first->path.length;
    const struct run_file *later = first->index > second->index ? first : second;
    char at[PATH_TEXT];
    char quoted[72];

    (void)snprintf(at, sizeof(at), "files[%zu].path", later->index);
    if (strcmp(first->path.bytes, second->path.bytes) == 0)
        problems_add(problems, PROBLEM_DUPLICATE_PATH, at, "\"%s\" is there twice",
                     problem_quote(first->path.bytes, length, quoted));
    else if (second->path.length > length && second->path.bytes[length] == '/' &&
             memcmp(first->path.bytes, second->path.bytes, length) == 0)
        problems_add(problems, PROBLEM_DUPLICATE_PATH, at,
                     "\"%s\" is a file and a directory at once",
                     problem_quote(first->path.bytes, length, quoted));
}

/* All paths are valid. */
static int check_unique(const struct run_request *request, struct problems *problems,
                        struct dc_err *err)
{
    DC_AUTO(dc_free)
    const struct run_file **sorted = calloc(request->file_count + 1, sizeof(struct run_file *));

    if (!sorted)
        return run_request_no_memory(err);
    for (size_t i = 0; i < request->file_count; i++)
        sorted[i] = &request->files[i];
    qsort(sorted, request->file_count, sizeof(struct run_file *), compare_paths);
    for (size_t i = 1; i < request->file_count; i++)
        check_pair(sorted[i - 1], sorted[i], problems);
    return 0;
}

/* The file system counts whole pages. */
static void check_sizes(const struct run_request *request, const struct run_limits *limits,
                        struct problems *problems)
{
    const uint64_t body_max = limits->body_max_bytes ? limits->body_max_bytes : DC_BODY_MAX_BYTES;
    const uint64_t disk = (uint64_t)request->policy.value[POLICY_DISK_MB] << 20;
    const char *field = request->has_code && request->code.bytes == request->files[0].content.bytes
                            ? "code"
                            : "files";
    uint64_t bytes = 0;
    uint64_t pages = 0;

    for (size_t i = 0; i < request->file_count; i++) {
        bytes += request->files[i].content.length;
        pages += (request->files[i].content.length + PAGE_BYTES - 1) / PAGE_BYTES;
    }
    if (bytes > body_max)
        problems_add(problems, PROBLEM_TOO_LARGE, field,
                     "%llu bytes together; at most %llu are taken", (unsigned long long)bytes,
                     (unsigned long long)body_max);
    else if (pages * PAGE_BYTES > disk)
        problems_add(problems, PROBLEM_DISK, field,
                     "need %llu MB of disk but the run has %u; raise policy.diskMB (at most half "
                     "of memoryMB)",
                     (unsigned long long)((pages * PAGE_BYTES + (1 << 20) - 1) >> 20),
                     request->policy.value[POLICY_DISK_MB]);
}

/* `code` alone becomes the one file. */
static int file_of_code(struct run_request *request, struct problems *problems, struct dc_err *err)
{
    static const char *const names[RUN_LANGS] = {"main.py", "main.js"};
    const char *name = request->entrypoint;
    char quoted[72];

    if (name && !run_path_valid(name, strlen(name))) {
        problems_add(problems, PROBLEM_PATH, "entrypoint",
                     "\"%s\" is not a path inside the workspace",
                     problem_quote(name, strlen(name), quoted));
        return 0;
    }
    if (!name)
        name = names[request->lang];
    request->files = dc_arena_alloc(&request->arena, sizeof(*request->files));
    if (!request->files)
        return run_request_no_memory(err);
    request->files[0] = (struct run_file){{name, strlen(name)}, request->code, 0};
    request->file_count = 1;
    request->entrypoint = name;
    return 0;
}

static const struct run_file *find_file(const struct run_request *request, const char *path)
{
    for (size_t i = 0; i < request->file_count; i++)
        if (strcmp(request->files[i].path.bytes, path) == 0)
            return &request->files[i];
    return NULL;
}

/* What package.json names as `main`, when it is one of the files. */
static const struct run_file *package_main(const struct run_request *request)
{
    const struct run_file *file = find_file(request, "package.json");
    bool deep =
        file && run_json_depth(file->content.bytes, file->content.length) > DC_JSON_DEPTH_MAX;
    json_t *tree =
        file && !deep ? json_loadb(file->content.bytes, file->content.length, 0, NULL) : NULL;
    const char *name = json_string_value(json_object_get(tree, "main"));
    const struct run_file *found = NULL;

    if (name && strncmp(name, "./", 2) == 0)
        name += 2;
    if (name)
        found = find_file(request, name);
    json_decref(tree);
    return found;
}

/* The only file that the language can run, or NULL. */
static const struct run_file *only_program(const struct run_request *request)
{
    const struct run_file *only = NULL;

    for (size_t i = 0; i < request->file_count; i++) {
        enum run_lang lang;

        if (request->file_count > 1 &&
            (!run_lang_from_path(request->files[i].path.bytes, &lang) || lang != request->lang))
            continue;
        if (only)
            return NULL;
        only = &request->files[i];
    }
    return only;
}

static const struct run_file *default_entrypoint(const struct run_request *request)
{
    static const char *const python[] = {"main.py",     "app.py",   "run.py",
                                         "__main__.py", "index.py", NULL};
    static const char *const node[] = {"main.js",  "main.mjs",  "main.cjs",  "main.ts",  "main.mts",
                                       "index.js", "index.mjs", "index.cjs", "index.ts", "app.js",
                                       "app.mjs",  "app.ts",    "server.js", NULL};
    const char *const *names = request->lang == RUN_PYTHON ? python : node;
    const struct run_file *file = NULL;

    for (; *names && !file; names++)
        file = find_file(request, *names);
    if (!file && request->lang == RUN_NODE)
        file = package_main(request);
    return file ? file : only_program(request);
}

/* "a.py, b.py, …" of at most a few files. */
static const char *list_files(const struct run_request *request, char out[static 200])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < request->file_count && used < 120; i++) {
        const struct run_text *path = &request->files[i].path;
        char quoted[72];
        int n = snprintf(out + used, 200 - used, "%s%s", i ? ", " : "",
                         i == 5 ? "..." : problem_quote(path->bytes, path->length, quoted));

        used += n > 0 ? (size_t)n : 0;
        if (i == 5)
            break;
    }
    return out;
}

void run_request_choose_entrypoint(struct run_request *request, struct problems *problems)
{
    const char *wanted = request->entrypoint;
    const struct run_file *file = wanted ? find_file(request, wanted) : default_entrypoint(request);
    char files[200];
    char quoted[72];

    if (file)
        request->entrypoint = file->path.bytes;
    else if (wanted)
        problems_add(problems, PROBLEM_ENTRYPOINT, "entrypoint",
                     "\"%s\" is not one of the files: %s",
                     problem_quote(wanted, strlen(wanted), quoted), list_files(request, files));
    else
        problems_add(problems, PROBLEM_ENTRYPOINT, "entrypoint",
                     "is needed: which of the files is to be run? %s", list_files(request, files));
}

static bool about_files(const struct problems *problems)
{
    return problems_about(problems, "files") || problems_about(problems, "code") ||
           problems_about(problems, "lang");
}

int run_request_check_files(struct run_request *request, const struct run_limits *limits,
                            struct problems *problems, struct dc_err *err)
{
    bool from_code = !request->file_count;

    if (from_code && !about_files(problems) && !request->code.length) {
        problems_add(problems, request->has_code ? PROBLEM_VALUE : PROBLEM_MISSING, "code",
                     request->has_code ? "is empty; send a program, or `files`"
                                       : "is required, or `files`");
        return 0;
    }
    if (from_code && problems_about(problems, "lang") == false && request->code.length &&
        file_of_code(request, problems, err) < 0)
        return -err->code;
    for (size_t i = 0; !from_code && i < request->file_count; i++)
        check_path(&request->files[i], problems);
    if (!request->file_count || about_files(problems))
        return 0;
    if (!from_code && check_unique(request, problems, err) < 0)
        return -err->code;
    check_sizes(request, limits, problems);
    if (!from_code && !problems_about(problems, "files"))
        run_request_choose_entrypoint(request, problems);
    return 0;
}
