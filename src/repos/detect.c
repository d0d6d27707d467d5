#include "repos/detect.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

#include "base/poison.h"

static const struct repo_file *find(const struct repo_files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->files[i].path, path) == 0)
            return &files->files[i];
    return NULL;
}

bool repo_detect_lang(const struct repo_files *files, enum run_lang *ret_lang)
{
    size_t programs[RUN_LANGS] = {0};

    if (find(files, "package.json")) {
        *ret_lang = RUN_NODE;
        return true;
    }
    if (find(files, "requirements.txt") || find(files, "setup.py")) {
        *ret_lang = RUN_PYTHON;
        return true;
    }
    for (size_t i = 0; i < files->count; i++) {
        enum run_lang lang;

        if (run_lang_from_path(files->files[i].path, &lang))
            programs[lang]++;
    }
    *ret_lang = programs[RUN_NODE] > programs[RUN_PYTHON] ? RUN_NODE : RUN_PYTHON;
    return programs[RUN_NODE] + programs[RUN_PYTHON] > 0;
}

/* With the ending that Node would try, or the index of a folder. */
static const char *find_module(const struct repo_files *files, const char *name)
{
    static const char *const endings[] = {"", ".js", "/index.js"};
    char path[DC_PATH_MAX_BYTES + 16];

    if (strncmp(name, "./", 2) == 0)
        name += 2;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        const struct repo_file *file;

        if (strlen(name) > DC_PATH_MAX_BYTES)
            return NULL;
        (void)snprintf(path, sizeof(path), "%s%s", name, endings[i]);
        file = find(files, path);
        if (file)
            return file->path;
    }
    return NULL;
}

static const char *package_main(const struct repo_files *files)
{
    const struct repo_file *file = find(files, "package.json");
    const char *found = NULL;
    const char *name;
    json_t *tree;

    if (!file || run_json_depth(file->content, file->length) > DC_JSON_DEPTH_MAX)
        return NULL;
    tree = json_loadb(file->content, file->length, 0, NULL);
    name = json_string_value(json_object_get(tree, "main"));
    if (name)
        found = find_module(files, name);
    json_decref(tree);
    return found;
}

const char *repo_detect_entrypoint(const struct repo_files *files, enum run_lang lang)
{
    static const char *const python[] = {"main.py",     "app.py",   "run.py",
                                         "__main__.py", "index.py", NULL};
    static const char *const node[] = {"index.js",  "main.js",  "app.js",    "server.js",
                                       "index.mjs", "main.mjs", "index.cjs", "main.cjs",
                                       "index.ts",  "main.ts",  NULL};
    const char *found = NULL;

    for (const char *const *name = lang == RUN_PYTHON ? python : node; *name; name++)
        if (find(files, *name))
            return find(files, *name)->path;
    if (lang == RUN_NODE)
        found = package_main(files);
    for (size_t i = 0; i < files->count && !found; i++) {
        enum run_lang of;

        if (run_lang_from_path(files->files[i].path, &of) && of == lang)
            found = files->files[i].path;
    }
    return found;
}
