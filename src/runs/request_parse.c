/*
 * From a JSON body to a run request. Types and forms are looked at here; ranges, paths and what
 * hangs together in request_check.c, which the CLI's requests pass too.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "runs/request.h"
#include "runs/request_internal.h"
#include "runs/request_parse.h"

#include "base/poison.h"

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

void request_wrong_type(struct request_parser *parser, const char *path, const char *wanted,
                        const json_t *value)
{
    problems_add(parser->problems, PROBLEM_TYPE, path, "must be %s, not %s", wanted,
                 type_name(value));
}

bool request_take_text(struct request_parser *parser, const char *path, const json_t *value,
                       bool nul, struct run_text *ret_text)
{
    if (!json_is_string(value)) {
        request_wrong_type(parser, path, "a string", value);
        return false;
    }
    *ret_text = (struct run_text){json_string_value(value), json_string_length(value)};
    if (!nul && memchr(ret_text->bytes, '\0', ret_text->length)) {
        problems_add(parser->problems, PROBLEM_VALUE, path, "must not hold a NUL character");
        return false;
    }
    return true;
}

static void take_code(struct request_parser *parser, const json_t *value)
{
    parser->request->has_code =
        request_take_text(parser, "code", value, true, &parser->request->code);
}

static void take_lang(struct request_parser *parser, const json_t *value)
{
    struct run_text text;
    char quoted[72];

    if (!request_take_text(parser, "lang", value, false, &text))
        return;
    parser->request->has_lang = run_lang_from_name(text.bytes, &parser->request->lang);
    if (!parser->request->has_lang)
        problems_add(parser->problems, PROBLEM_VALUE, "lang",
                     "must be \"python\" or \"node\", not \"%s\"",
                     problem_quote(text.bytes, text.length, quoted));
}

static void take_entrypoint(struct request_parser *parser, const json_t *value)
{
    struct run_text text;

    if (request_take_text(parser, "entrypoint", value, false, &text))
        parser->request->entrypoint = text.bytes;
}

static void take_version(struct request_parser *parser, const json_t *value)
{
    struct run_text text;

    if (!request_take_text(parser, "version", value, false, &text))
        return;
    if (text.length < 1 || text.length > 15 || strspn(text.bytes, "0123456789.") != text.length) {
        problems_add(parser->problems, PROBLEM_VALUE, "version",
                     "must be a version number such as \"20\" or \"3.11\"");
        return;
    }
    parser->request->version = text.bytes;
}

static void take_stdin(struct request_parser *parser, const json_t *value)
{
    (void)request_take_text(parser, "stdin", value, true, &parser->request->stdin_bytes);
}

static bool decode_content(struct request_parser *parser, const char *path,
                           struct run_text *content)
{
    char *bytes = dc_arena_alloc(&parser->request->arena, content->length / 4 * 3 + 1);
    size_t length;

    if (!bytes) {
        parser->no_memory = true;
        return false;
    }
    if (!dc_base64_decode(content->bytes, content->length, bytes, &length)) {
        problems_add(parser->problems, PROBLEM_ENCODING, path,
                     "is not base64 with padding (RFC 4648, section 4)");
        return false;
    }
    *content = (struct run_text){bytes, length};
    return true;
}

static bool wants_base64(struct request_parser *parser, const char *path, const json_t *value,
                         bool *ret_base64)
{
    const char *name = json_string_value(value);

    *ret_base64 = name && strcmp(name, "base64") == 0;
    if (!value || *ret_base64 ||
        (name && (strcmp(name, "utf8") == 0 || strcmp(name, "utf-8") == 0)))
        return true;
    problems_add(parser->problems, PROBLEM_VALUE, path, "must be \"utf8\" or \"base64\"");
    return false;
}

static const char *file_field(char out[static REQUEST_PATH_TEXT], size_t index, const char *field)
{
    (void)snprintf(out, REQUEST_PATH_TEXT, "files[%zu]%s", index, field);
    return out;
}

static void take_file(struct request_parser *parser, size_t index, const json_t *value)
{
    struct run_request *request = parser->request;
    struct run_file file = {.index = index};
    const json_t *path = json_object_get(value, "path");
    const json_t *content = json_object_get(value, "content");
    char at[REQUEST_PATH_TEXT];
    bool base64;

    if (!json_is_object(value)) {
        request_wrong_type(parser, file_field(at, index, ""), "an object with path and content",
                           value);
        return;
    }
    if (!path || !content) {
        problems_add(parser->problems, PROBLEM_MISSING, file_field(at, index, ""), "needs %s",
                     path ? "content" : "path");
        return;
    }
    if (!json_is_string(path)) {
        request_wrong_type(parser, file_field(at, index, ".path"), "a string", path);
        return;
    }
    file.path = (struct run_text){json_string_value(path), json_string_length(path)};
    if (!request_take_text(parser, file_field(at, index, ".content"), content, true,
                           &file.content) ||
        !wants_base64(parser, file_field(at, index, ".encoding"),
                      json_object_get(value, "encoding"), &base64) ||
        (base64 && !decode_content(parser, file_field(at, index, ".content"), &file.content)))
        return;
    request->files[request->file_count++] = file;
}

static void take_files(struct request_parser *parser, const json_t *value)
{
    struct run_request *request = parser->request;
    size_t count = json_array_size(value);

    if (!json_is_array(value)) {
        request_wrong_type(parser, "files", "an array", value);
        return;
    }
    if (count > DC_FILES_MAX) {
        problems_add(parser->problems, PROBLEM_TOO_MANY, "files",
                     "%zu files; at most %d can be sent", count, DC_FILES_MAX);
        return;
    }
    request->files = dc_arena_alloc(&request->arena, (count + 1) * sizeof(*request->files));
    if (!request->files) {
        parser->no_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        take_file(parser, i, json_array_get(value, i));
}

void request_take_list(struct request_parser *parser, const char *name, const json_t *value,
                       size_t max, struct run_text **ret_list, size_t *ret_count)
{
    size_t count = json_array_size(value);
    char at[REQUEST_PATH_TEXT];

    if (!json_is_array(value)) {
        request_wrong_type(parser, name, "an array of strings", value);
        return;
    }
    if (count > max) {
        problems_add(parser->problems, PROBLEM_TOO_MANY, name, "%zu entries; at most %zu are taken",
                     count, max);
        return;
    }
    *ret_list = dc_arena_alloc(&parser->request->arena, (count + 1) * sizeof(**ret_list));
    if (!*ret_list) {
        parser->no_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(at, sizeof(at), "%s[%zu]", name, i);
        if (request_take_text(parser, at, json_array_get(value, i), false,
                              &(*ret_list)[*ret_count]))
            (*ret_count)++;
    }
}

static void take_args(struct request_parser *parser, const json_t *value)
{
    request_take_list(parser, "args", value, DC_ARGS_MAX, &parser->request->args,
                      &parser->request->arg_count);
}

static void take_artifacts(struct request_parser *parser, const json_t *value)
{
    request_take_list(parser, "artifacts", value, DC_ARTIFACT_GLOBS_MAX,
                      &parser->request->artifacts, &parser->request->artifact_count);
}

static void take_variable(struct request_parser *parser, const char *name, const json_t *value)
{
    struct run_request *request = parser->request;
    struct run_text text;
    char quoted[72];
    char at[REQUEST_PATH_TEXT];
    size_t name_length = strlen(name);
    char *joined;

    (void)snprintf(at, sizeof(at), "env.%s", problem_quote(name, name_length, quoted));
    if (!request_take_text(parser, at, value, false, &text))
        return;
    if (strchr(name, '=')) { /* joined to its value it would pass for a shorter name */
        problems_add(parser->problems, PROBLEM_VALUE, at, "has an equals sign in its name");
        return;
    }
    joined = dc_arena_alloc(&request->arena, name_length + text.length + 2);
    if (!joined) {
        parser->no_memory = true;
        return;
    }
    memcpy(joined, name, name_length);
    joined[name_length] = '=';
    memcpy(joined + name_length + 1, text.bytes, text.length);
    request->env[request->env_count++] = (struct run_text){joined, name_length + 1 + text.length};
}

static void take_env(struct request_parser *parser, const json_t *value)
{
    struct run_request *request = parser->request;
    size_t count = json_object_size(value);
    const char *name;
    json_t *entry;

    if (!json_is_object(value)) {
        request_wrong_type(parser, "env", "an object of strings", value);
        return;
    }
    if (count > DC_ENV_MAX) {
        problems_add(parser->problems, PROBLEM_TOO_MANY, "env",
                     "%zu variables; at most %d are taken", count, DC_ENV_MAX);
        return;
    }
    request->env = dc_arena_alloc(&request->arena, (count + 1) * sizeof(*request->env));
    if (!request->env) {
        parser->no_memory = true;
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, entry) take_variable(parser, name, entry);
}

bool request_take_flag(struct request_parser *parser, const char *path, const json_t *value,
                       bool *ret_flag)
{
    if (!json_is_boolean(value)) {
        request_wrong_type(parser, path, "true or false", value);
        return false;
    }
    *ret_flag = json_is_true(value);
    return true;
}

static void take_stream(struct request_parser *parser, const json_t *value)
{
    (void)request_take_flag(parser, "stream", value, &parser->request->stream);
}

static void take_store(struct request_parser *parser, const json_t *value)
{
    bool store;

    if (request_take_flag(parser, "store", value, &store))
        parser->request->no_store = !store;
}

static void take_packages(struct request_parser *parser, const json_t *value)
{
    const json_t *list = json_is_object(value) ? json_object_get(value, "packages") : value;

    if (!list)
        return;
    parser->request->has_packages = true;
    request_take_list(parser, json_is_object(value) ? "packages.packages" : "packages", list,
                      DC_PACKAGES_MAX, &parser->request->packages, &parser->request->package_count);
}

static void take_repo(struct request_parser *parser, const json_t *value)
{
    struct run_text text;

    if (request_take_text(parser, "repo", value, false, &text) && text.length)
        parser->request->repo = text.bytes;
}

static void take_user(struct request_parser *parser, const json_t *value)
{
    static const struct {
        const char *name;
        size_t offset;
    } texts[] = {
        {"id", offsetof(struct run_request, user.id)},
        {"email", offsetof(struct run_request, user.email)},
        {"name", offsetof(struct run_request, user.name)},
        {"tier", offsetof(struct run_request, user.tier)},
    };
    const json_t *metadata = json_object_get(value, "metadata");
    char at[REQUEST_PATH_TEXT];

    if (!json_is_object(value)) {
        request_wrong_type(parser, "userContext", "an object", value);
        return;
    }
    if (!json_object_get(value, "id"))
        problems_add(parser->problems, PROBLEM_MISSING, "userContext.id", "is required");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const json_t *entry = json_object_get(value, texts[i].name);
        struct run_text text;

        (void)snprintf(at, sizeof(at), "userContext.%s", texts[i].name);
        if (entry && !json_is_null(entry) && request_take_text(parser, at, entry, false, &text))
            *(const char **)(void *)((char *)parser->request + texts[i].offset) = text.bytes;
    }
    if (!metadata || json_is_null(metadata))
        return;
    if (!json_is_object(metadata)) {
        request_wrong_type(parser, "userContext.metadata", "an object", metadata);
        return;
    }
    {
        DC_AUTO(dc_free) char *dump = json_dumps(metadata, JSON_COMPACT);

        parser->request->user.metadata =
            dump ? dc_arena_copy(&parser->request->arena, dump, strlen(dump)) : NULL;
        parser->no_memory |= !parser->request->user.metadata;
    }
}

static const struct {
    const char *name;
    void (*take)(struct request_parser *parser, const json_t *value);
} top_level[] = {
    {"code", take_code},           {"files", take_files},       {"entrypoint", take_entrypoint},
    {"lang", take_lang},           {"version", take_version},   {"policy", request_take_policy},
    {"stdin", take_stdin},         {"args", take_args},         {"env", take_env},
    {"artifacts", take_artifacts}, {"userContext", take_user},  {"stream", take_stream},
    {"store", take_store},         {"packages", take_packages}, {"repo", take_repo},
};

static bool load(struct request_parser *parser, const char *body, size_t length)
{
    json_error_t error;
    char quoted[72];
    json_t *tree;

    if (run_json_depth(body, length) > DC_JSON_DEPTH_MAX) {
        problems_add(parser->problems, PROBLEM_TOO_DEEP, "",
                     "the JSON is nested deeper than %d levels", DC_JSON_DEPTH_MAX);
        return false;
    }
    tree = json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    parser->request->json = tree;
    if (!tree && json_error_code(&error) == json_error_out_of_memory)
        parser->no_memory = true;
    else if (!tree)
        problems_add(parser->problems, PROBLEM_INVALID_JSON, "",
                     "the body is not valid JSON: %s (line %d, column %d)",
                     problem_quote(error.text, strlen(error.text), quoted), error.line,
                     error.column);
    else if (!json_is_object(tree))
        problems_add(parser->problems, PROBLEM_TYPE, "", "the body must be a JSON object");
    return json_is_object(tree);
}

int run_request_read(struct run_request *request, const char *body, size_t length,
                     struct problems *problems, struct dc_err *err)
{
    struct request_parser parser = {.request = request, .problems = problems};
    bool loaded = load(&parser, body, length);

    for (size_t i = 0; loaded && i < sizeof(top_level) / sizeof(top_level[0]); i++) {
        const json_t *value = json_object_get(request->json, top_level[i].name);

        if (value && !json_is_null(value)) /* null: as if it were absent */
            top_level[i].take(&parser, value);
    }
    if (parser.no_memory)
        return run_request_no_memory(err);
    return loaded ? 0 : dc_fail(err, DC_INVALID, 0, "invalid request");
}

int run_request_parse(struct run_request *request, const char *body, size_t length,
                      const struct run_limits *limits, struct problems *problems,
                      struct dc_err *err)
{
    if (run_request_read(request, body, length, problems, err) < 0)
        return -err->code;
    return run_request_check(request, limits, problems, err);
}
