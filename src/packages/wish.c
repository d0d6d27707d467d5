#include "packages/wish.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hash.h"

#include "base/io.h"
#include "base/poison.h"

enum { PATH_TEXT = 96, DEPTH_MAX = 32 };

void package_wish_init(struct package_wish *wish, enum package_kind kind)
{
    *wish = (struct package_wish){.kind = kind};
}

void package_wish_release(struct package_wish *wish)
{
    if (!wish)
        return;
    dc_arena_release(&wish->arena);
    *wish = (struct package_wish){.kind = wish->kind};
}

bool package_wish_any(const struct package_wish *wish)
{
    return wish->count || wish->pyproject.length || wish->lock.length;
}

bool package_wish_pinned(const struct package_wish *wish)
{
    if (wish->pyproject.length)
        return false;
    if (wish->lock.length)
        return true;
    /* What a pinned package needs itself is seldom pinned, but its author's business. */
    for (size_t i = 0; i < wish->count; i++)
        if (!package_spec_pinned(wish->kind, wish->specs[i]))
            return false;
    return true;
}

static int no_memory(struct dc_err *err)
{
    return dc_fail(err, DC_KERNEL, ENOMEM, "packages of a run");
}

static int keep(struct package_wish *wish, const struct dc_buf *normal, struct dc_err *err)
{
    const char *copy = dc_arena_copy(&wish->arena, dc_buf_str(normal), normal->length);

    if (!copy)
        return no_memory(err);
    if (wish->count == DC_PACKAGES_MAX)
        return dc_fail(err, DC_LIMIT, 0,
                       "more than %d packages; name those that the program imports, what they "
                       "need comes by itself",
                       DC_PACKAGES_MAX);
    wish->specs[wish->count++] = copy;
    return 0;
}

int package_wish_add(struct package_wish *wish, const char *text, size_t length, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf normal;

    dc_buf_init(&normal, 2 * PACKAGE_SPEC_MAX_BYTES);
    if (package_spec_normalise(wish->kind, text, length, &normal, err) < 0)
        return -err->code;
    return keep(wish, &normal, err);
}

static int compare_specs(const void *one, const void *two)
{
    return strcmp(*(const char *const *)one, *(const char *const *)two);
}

static bool same_package(const struct package_wish *wish, const char *one, const char *two)
{
    size_t length = package_spec_name_length(wish->kind, one);

    return length == package_spec_name_length(wish->kind, two) && memcmp(one, two, length) == 0;
}

int package_wish_settle(struct package_wish *wish, struct dc_err *err)
{
    size_t kept = 0;

    qsort(wish->specs, wish->count, sizeof(wish->specs[0]), compare_specs);
    for (size_t i = 0; i < wish->count; i++) {
        if (kept && strcmp(wish->specs[kept - 1], wish->specs[i]) == 0)
            continue;
        /* pip weighs several wishes for one package; npm would take the last. */
        if (kept && wish->kind == PACKAGE_NPM &&
            same_package(wish, wish->specs[kept - 1], wish->specs[i]))
            return dc_fail(err, DC_INVALID, 0,
                           "%.80s and %.80s are one package with two ranges; name it once",
                           wish->specs[kept - 1], wish->specs[i]);
        wish->specs[kept++] = wish->specs[i];
    }
    wish->count = kept;
    return 0;
}

static bool copy_text(struct package_wish *copy, const struct run_text *from, struct run_text *to)
{
    if (!from->length)
        return true;
    *to = (struct run_text){dc_arena_copy(&copy->arena, from->bytes, from->length), from->length};
    return to->bytes != NULL;
}

int package_wish_copy(const struct package_wish *wish, struct package_wish *ret_copy,
                      struct dc_err *err)
{
    bool good;

    package_wish_init(ret_copy, wish->kind);
    good = copy_text(ret_copy, &wish->pyproject, &ret_copy->pyproject) &&
           copy_text(ret_copy, &wish->lock, &ret_copy->lock);
    for (size_t i = 0; good && i < wish->count; i++) {
        ret_copy->specs[i] =
            dc_arena_copy(&ret_copy->arena, wish->specs[i], strlen(wish->specs[i]));
        good = ret_copy->specs[i] != NULL;
    }
    ret_copy->count = good ? wish->count : 0;
    return good ? 0 : no_memory(err);
}

bool package_wish_print(const struct package_wish *wish, struct dc_buf *out)
{
    const struct run_text *texts[] = {&wish->pyproject, &wish->lock};

    (void)dc_buf_printf(out, "%s\n", package_kind_name(wish->kind));
    for (size_t i = 0; i < wish->count; i++)
        (void)dc_buf_printf(out, "%s\n", wish->specs[i]);
    for (size_t i = 0; i < 2; i++) {
        uint8_t hash[STORE_HASH_BYTES];
        char hex[2 * STORE_HASH_BYTES + 1];

        if (!texts[i]->length)
            continue;
        store_sha256(texts[i]->bytes, texts[i]->length, hash);
        dc_hex(hash, sizeof(hash), hex);
        (void)dc_buf_printf(out, "%s %s\n", i ? "lock" : "pyproject", hex);
    }
    return !out->failed;
}

/* --- from a request --------------------------------------------------------------------------- */

/* Turns a refusal into a problem; other failures stay failures. */
static int as_problem(struct problems *problems, const char *path, const char *before,
                      struct dc_err *err)
{
    if (err->code != DC_INVALID && err->code != DC_LIMIT)
        return -err->code;
    problems_add(problems, err->code == DC_LIMIT ? PROBLEM_TOO_MANY : PROBLEM_PACKAGE, path, "%s%s",
                 before, err->text);
    return 0;
}

static int read_list(struct package_wish *wish, const struct run_request *request,
                     struct problems *problems, struct dc_err *err)
{
    char path[PATH_TEXT];
    char before[96];
    char quoted[72];

    for (size_t i = 0; i < request->package_count; i++) {
        const struct run_text *text = &request->packages[i];

        (void)snprintf(path, sizeof(path), "packages[%zu]", i);
        (void)snprintf(before, sizeof(before), "\"%s\" ",
                       problem_quote(text->bytes, text->length, quoted));
        if (package_wish_add(wish, text->bytes, text->length, err) < 0 &&
            as_problem(problems, path, before, err) < 0)
            return -err->code;
    }
    return 0;
}

static const struct run_file *find_file(const struct run_request *request, const char *path)
{
    for (size_t i = 0; i < request->file_count; i++)
        if (strcmp(request->files[i].path.bytes, path) == 0)
            return &request->files[i];
    return NULL;
}

static const char *file_path(const struct run_file *file, char out[static PATH_TEXT])
{
    (void)snprintf(out, PATH_TEXT, "files[%zu].content", file->index);
    return out;
}

/* --- requirements.txt ------------------------------------------------------------------------- */

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\f';
}

/* One logical line: continued ones joined, the comment cut off. Returns where the next begins. */
static const char *next_line(const char *at, const char *end, struct dc_buf *line, size_t *number)
{
    bool comment = false;

    line->length = 0;
    line->failed = false;
    for (; at < end && *at != '\n'; at++) {
        if (*at == '\\' && at + 1 < end &&
            (at[1] == '\n' || (at[1] == '\r' && at + 2 < end && at[2] == '\n'))) {
            at += at[1] == '\r' ? 2 : 1;
            ++*number;
            (void)dc_buf_byte(line, ' ');
            continue;
        }
        if (*at == '#' && (!line->length || is_blank(line->data[line->length - 1])))
            comment = true;
        if (!comment)
            (void)dc_buf_byte(line, *at);
    }
    ++*number;
    while (line->length && is_blank(line->data[line->length - 1]))
        line->data[--line->length] = '\0';
    return at < end ? at + 1 : end;
}

/* "--hash=sha256:…" of pip's hash-checking mode, any number of them. */
static bool hashes_valid(const char *text)
{
    static const char option[] = "--hash=";
    static const char *const kinds[] = {"sha256:", "sha384:", "sha512:"};

    while (*text) {
        bool known = false;

        text += strspn(text, " \t");
        if (strncmp(text, option, sizeof(option) - 1) != 0)
            return false;
        text += sizeof(option) - 1;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !known; i++) {
            known = strncmp(text, kinds[i], strlen(kinds[i])) == 0;
            text += known ? strlen(kinds[i]) : 0;
        }
        if (!known || !strspn(text, "0123456789abcdef"))
            return false;
        text += strspn(text, "0123456789abcdef");
        if (*text && !is_blank(*text))
            return false;
        text += strspn(text, " \t");
    }
    return true;
}

static int add_requirement(struct package_wish *wish, const char *line, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf normal;
    const char *hashes = strstr(line, " --hash=");
    size_t length = hashes ? (size_t)(hashes - line) : strlen(line);

    dc_buf_init(&normal, 16 * PACKAGE_SPEC_MAX_BYTES);
    if (line[0] == '-')
        return dc_fail(err, DC_INVALID, 0,
                       "is an option of pip; options are not taken: name the packages themselves, "
                       "all in this file (the operator chooses the index)");
    if (package_spec_normalise(wish->kind, line, length, &normal, err) < 0)
        return -err->code;
    if (hashes && !hashes_valid(hashes))
        return dc_fail(err, DC_INVALID, 0,
                       "has options behind the package; only --hash=sha256:… is taken");
    for (; hashes && *hashes; hashes++)
        if (!is_blank(*hashes) || hashes[1] == '-') /* one blank before each */
            (void)dc_buf_byte(&normal, *hashes);
    return keep(wish, &normal, err);
}

static int read_requirements(struct package_wish *wish, const struct run_file *file,
                             struct problems *problems, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf line;
    const char *at = file->content.bytes;
    const char *end = at + file->content.length;
    size_t number = 0;
    char path[PATH_TEXT];

    dc_buf_init(&line, 16 * PACKAGE_SPEC_MAX_BYTES);
    while (at < end && problems->total < PROBLEMS_MAX) {
        size_t first = number + 1;
        char before[64];
        const char *text;
        int result = 0;

        at = next_line(at, end, &line, &number);
        text = dc_buf_str(&line) + strspn(dc_buf_str(&line), " \t\r\f");
        (void)snprintf(before, sizeof(before), "line %zu of requirements.txt ", first);
        if (line.failed)
            result = dc_fail(err, DC_INVALID, 0, "is too long");
        else if (*text)
            result = add_requirement(wish, text, err);
        if (result < 0 && as_problem(problems, file_path(file, path), before, err) < 0)
            return -err->code;
        if (result < 0 && err->code == DC_LIMIT)
            return 0;
    }
    return 0;
}

/* --- pyproject.toml --------------------------------------------------------------------------- */

/* Is there a line that begins with `dependencies`, below [project]? The installer, which has a
 * parser of TOML, finds out what it says. */
static bool has_dependencies(const struct run_text *text)
{
    const char *at = text->bytes;
    const char *end = at + text->length;
    bool in_project = false;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);

        while (length && is_blank(*at)) {
            at++;
            length--;
        }
        if (length && *at == '[')
            in_project = length >= 9 && memcmp(at, "[project]", 9) == 0;
        else if (in_project && length >= 12 && memcmp(at, "dependencies", 12) == 0)
            return true;
        at = stop ? stop + 1 : end;
    }
    return false;
}

/* --- package.json ----------------------------------------------------------------------------- */

/* Deepest nesting: the parser calls itself for each level. */
static bool too_deep(const struct run_text *text)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text->length; i++) {
        char byte = text->bytes[i];

        if (quoted) {
            i += byte == '\\';
            quoted = byte != '"';
        } else if (byte == '"') {
            quoted = true;
        } else if (byte == '{' || byte == '[') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if ((byte == '}' || byte == ']') && depth) {
            depth--;
        }
    }
    return false;
}

static int add_dependency(struct package_wish *wish, const char *name, const json_t *range,
                          struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf text;
    const char *value = json_string_value(range);

    dc_buf_init(&text, 2 * PACKAGE_SPEC_MAX_BYTES);
    if (!value)
        return dc_fail(err, DC_INVALID, 0, "has a version that is no text");
    if (strchr(name + (name[0] == '@'), '@'))
        return dc_fail(err, DC_INVALID, 0, "is not the name of a package");
    (void)dc_buf_text(&text, name);
    if (*value)
        (void)dc_buf_printf(&text, "@%s", value);
    if (text.failed)
        return dc_fail(err, DC_INVALID, 0, "is longer than %d bytes", PACKAGE_SPEC_MAX_BYTES);
    return package_wish_add(wish, dc_buf_str(&text), text.length, err);
}

static int read_dependencies(struct package_wish *wish, const struct run_file *file,
                             const json_t *dependencies, struct problems *problems,
                             struct dc_err *err)
{
    char path[PATH_TEXT];
    char before[128];
    char quoted[72];
    const char *name;
    json_t *range;

    json_object_foreach((json_t *)(uintptr_t)dependencies, name, range)
    {
        (void)snprintf(before, sizeof(before), "the dependency \"%s\" ",
                       problem_quote(name, strlen(name), quoted));
        if (add_dependency(wish, name, range, err) < 0) {
            if (as_problem(problems, file_path(file, path), before, err) < 0)
                return -err->code;
            if (err->code == DC_LIMIT)
                return 0;
        }
    }
    return 0;
}

static int read_package_json(struct package_wish *wish, const struct run_request *request,
                             const struct run_file *file, struct problems *problems,
                             struct dc_err *err)
{
    const struct run_file *lock = find_file(request, "package-lock.json");
    json_t *tree = too_deep(&file->content)
                       ? NULL
                       : json_loadb(file->content.bytes, file->content.length, 0, NULL);
    int result = 0;

    /* What is no JSON is Node's to judge: it may not even be read. */
    if (tree)
        result =
            read_dependencies(wish, file, json_object_get(tree, "dependencies"), problems, err);
    /* A repository is run as its authors run it. */
    if (tree && result == 0 && request->has_repo && problems->total == 0)
        result =
            read_dependencies(wish, file, json_object_get(tree, "devDependencies"), problems, err);
    json_decref(tree);
    if (result == 0 && wish->count && lock && lock->content.length)
        wish->lock = lock->content;
    return result;
}

/* --- all together ----------------------------------------------------------------------------- */

static void check_size(const struct run_file *file, size_t max, struct problems *problems)
{
    char path[PATH_TEXT];

    if (file && file->content.length > max)
        problems_add(problems, PROBLEM_TOO_LARGE, file_path(file, path),
                     "%s is longer than %zu bytes; name the packages in `packages` instead",
                     file->path.bytes, max);
}

static int read_manifest(struct package_wish *wish, const struct run_request *request,
                         struct problems *problems, struct dc_err *err)
{
    static const char *const names[PACKAGE_KINDS] = {"requirements.txt", "package.json"};
    const struct run_file *file = find_file(request, names[wish->kind]);
    const struct run_file *project = find_file(request, "pyproject.toml");
    size_t before = problems->total;

    check_size(file, PACKAGE_MANIFEST_MAX_BYTES, problems);
    if (wish->kind == PACKAGE_NPM)
        check_size(file ? find_file(request, "package-lock.json") : NULL, PACKAGE_LOCK_MAX_BYTES,
                   problems);
    if (problems->total > before)
        return 0;
    if (file && wish->kind == PACKAGE_NPM)
        return read_package_json(wish, request, file, problems, err);
    if (file)
        return read_requirements(wish, file, problems, err);
    if (wish->kind == PACKAGE_PIP && project && has_dependencies(&project->content)) {
        check_size(project, PACKAGE_MANIFEST_MAX_BYTES, problems);
        wish->pyproject = project->content;
    }
    return 0;
}

int package_wish_read(struct package_wish *wish, const struct run_request *request,
                      struct problems *problems, struct dc_err *err)
{
    size_t before = problems->total;
    int result = request->has_packages ? read_list(wish, request, problems, err)
                                       : read_manifest(wish, request, problems, err);

    if (result == 0 && problems->total == before && package_wish_settle(wish, err) < 0)
        result = as_problem(problems, "packages", "", err);
    if (result == 0 && problems->total > before)
        return dc_fail(err, DC_INVALID, 0, "invalid packages");
    return result;
}
