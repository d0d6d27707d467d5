/* A repository becomes part of a request: files, language, entry point. */
#include <errno.h>
#include <string.h>

#include "repos/detect.h"
#include "repos/repos.h"

#include "base/poison.h"

static const struct run_file *find(const struct run_request *request, const char *path)
{
    for (size_t i = 0; i < request->file_count; i++)
        if (strcmp(request->files[i].path.bytes, path) == 0)
            return &request->files[i];
    return NULL;
}

/* --- files -------------------------------------------------------------------------------------
 */

/* `code` is one file more: what is run. */
static void place_code(struct run_request *request, struct run_file *file)
{
    static const char *const names[RUN_LANGS] = {"main.py", "main.js"};

    if (!request->entrypoint)
        request->entrypoint = names[request->lang];
    file->path = (struct run_text){request->entrypoint, strlen(request->entrypoint)};
    file->content = request->code;
}

static int merge(const struct repo_tree *tree, struct run_request *request, struct dc_err *err)
{
    const struct repo_files *files = &tree->files;
    struct run_file *list =
        dc_arena_alloc(&request->arena, (files->count + request->file_count + 1) * sizeof(*list));
    size_t count = request->file_count;

    if (!list)
        return dc_fail(err, DC_KERNEL, ENOMEM, "files of a run");
    if (count)
        memcpy(list, request->files, count * sizeof(*list));
    for (size_t i = 0; i < files->count; i++) {
        const struct repo_file *file = &files->files[i];

        if (find(request, file->path))
            continue; /* the caller's own wins */
        list[count] = (struct run_file){
            {file->path, strlen(file->path)}, {file->content, file->length}, count};
        count++;
    }
    request->files = list;
    request->file_count = count;
    return 0;
}

/* Known once the language is. Replaces the repository's file of that name. */
static void merge_code(struct run_request *request)
{
    struct run_file file = {0};

    place_code(request, &file);
    for (size_t i = 0; i < request->file_count; i++) {
        if (strcmp(request->files[i].path.bytes, file.path.bytes) == 0) {
            request->files[i].content = file.content;
            return;
        }
    }
    file.index = request->file_count;
    request->files[request->file_count++] = file; /* merge left room */
}

int repo_tree_apply(const struct repo_tree *tree, struct run_request *request,
                    struct problems *problems, struct dc_err *err)
{
    bool own_files = request->file_count > 0;

    if (merge(tree, request, err) < 0)
        return -err->code;
    if (!request->has_lang && request->entrypoint)
        request->has_lang = run_lang_from_path(request->entrypoint, &request->lang);
    if (!request->has_lang)
        request->has_lang = repo_detect_lang(&tree->files, &request->lang);
    if (!request->has_lang) {
        problems_add(problems, PROBLEM_MISSING, "lang",
                     "is needed: the repository has no Python and no Node.js file");
        return dc_fail(err, DC_INVALID, 0, "no language");
    }
    if (!own_files && request->code.length)
        merge_code(request);
    if (!request
             ->entrypoint) /* NULL: the check says what is missing, or finds one of the caller's */
        request->entrypoint = repo_detect_entrypoint(&tree->files, request->lang);
    return 0;
}

bool repo_tree_print(const struct repo_tree *tree, struct dc_buf *out)
{
    (void)dc_buf_printf(out, "%s\"repo\":{\"owner\":\"%s\",\"name\":\"%s\",\"ref\":",
                        out->length ? "," : "", tree->spec.owner, tree->spec.name);
    (void)dc_buf_json_string(out, tree->ref, strlen(tree->ref));
    (void)dc_buf_printf(out, ",\"commit\":\"%s\"", tree->commit);
    if (*tree->folder) {
        (void)dc_buf_text(out, ",\"folder\":");
        (void)dc_buf_json_string(out, tree->folder, strlen(tree->folder));
    }
    return dc_buf_byte(out, '}');
}
