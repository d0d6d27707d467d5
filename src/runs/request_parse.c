/*
 * From a JSON body to a run request. Types and forms are looked at here; ranges, paths and what
 * hangs together in request_check.c, which the CLI's requests pass too.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "runs/request.h"
#include "runs/request_internal.h"

#include "base/poison.h"

enum { PATH_TEXT = 96 };

struct parser {
    struct run_request *request;
    struct problems *problems;
    bool no_memory;
};

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

static void wrong_type(struct parser *parser, const char *path, const char *wanted,
                       const json_t *value)
{
    problems_add(parser->problems, PROBLEM_TYPE, path, "must be %s, not %s", wanted,
                 type_name(value));
}

/* A string, borrowed from the tree. nul: may hold NUL characters. */
static bool take_text(struct parser *parser, const char *path, const json_t *value, bool nul,
                      struct run_text *ret_text)
{
    if (!json_is_string(value)) {
        wrong_type(parser, path, "a string", value);
        return false;
    }
    *ret_text = (struct run_text){json_string_value(value), json_string_length(value)};
    if (!nul && memchr(ret_text->bytes, '\0', ret_text->length)) {
        problems_add(parser->problems, PROBLEM_VALUE, path, "must not hold a NUL character");
        return false;
    }
    return true;
}

static void take_code(struct parser *parser, const json_t *value)
{
    parser->request->has_code = take_text(parser, "code", value, true, &parser->request->code);
}

static void take_lang(struct parser *parser, const json_t *value)
{
    struct run_text text;
    char quoted[72];

    if (!take_text(parser, "lang", value, false, &text))
        return;
    parser->request->has_lang = run_lang_from_name(text.bytes, &parser->request->lang);
    if (!parser->request->has_lang)
        problems_add(parser->problems, PROBLEM_VALUE, "lang",
                     "must be \"python\" or \"node\", not \"%s\"",
                     problem_quote(text.bytes, text.length, quoted));
}

static void take_entrypoint(struct parser *parser, const json_t *value)
{
    struct run_text text;

    if (take_text(parser, "entrypoint", value, false, &text))
        parser->request->entrypoint = text.bytes;
}

static void take_version(struct parser *parser, const json_t *value)
{
    struct run_text text;

    if (!take_text(parser, "version", value, false, &text))
        return;
    if (text.length < 1 || text.length > 15 || strspn(text.bytes, "0123456789.") != text.length) {
        problems_add(parser->problems, PROBLEM_VALUE, "version",
                     "must be a version number such as \"20\" or \"3.11\"");
        return;
    }
    parser->request->version = text.bytes;
}

static void take_stdin(struct parser *parser, const json_t *value)
{
    (void)take_text(parser, "stdin", value, true, &parser->request->stdin_bytes);
}

static bool decode_content(struct parser *parser, const char *path, struct run_text *content)
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

static bool wants_base64(struct parser *parser, const char *path, const json_t *value,
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

static const char *file_field(char out[static PATH_TEXT], size_t index, const char *field)
{
    (void)snprintf(out, PATH_TEXT, "files[%zu]%s", index, field);
    return out;
}

static void take_file(struct parser *parser, size_t index, const json_t *value)
{
    struct run_request *request = parser->request;
    struct run_file file = {.index = index};
    const json_t *path = json_object_get(value, "path");
    const json_t *content = json_object_get(value, "content");
    char at[PATH_TEXT];
    bool base64;

    if (!json_is_object(value)) {
        wrong_type(parser, file_field(at, index, ""), "an object with path and content", value);
        return;
    }
    if (!path || !content) {
        problems_add(parser->problems, PROBLEM_MISSING, file_field(at, index, ""), "needs %s",
                     path ? "content" : "path");
        return;
    }
    if (!json_is_string(path)) {
        wrong_type(parser, file_field(at, index, ".path"), "a string", path);
        return;
    }
    file.path = (struct run_text){json_string_value(path), json_string_length(path)};
    if (!take_text(parser, file_field(at, index, ".content"), content, true, &file.content) ||
        !wants_base64(parser, file_field(at, index, ".encoding"),
                      json_object_get(value, "encoding"), &base64) ||
        (base64 && !decode_content(parser, file_field(at, index, ".content"), &file.content)))
        return;
    request->files[request->file_count++] = file;
}

static void take_files(struct parser *parser, const json_t *value)
{
    struct run_request *request = parser->request;
    size_t count = json_array_size(value);

    if (!json_is_array(value)) {
        wrong_type(parser, "files", "an array", value);
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

/* An array of strings without NUL. */
static void take_list(struct parser *parser, const char *name, const json_t *value, size_t max,
                      struct run_text **ret_list, size_t *ret_count)
{
    size_t count = json_array_size(value);
    char at[PATH_TEXT];

    if (!json_is_array(value)) {
        wrong_type(parser, name, "an array of strings", value);
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
        if (take_text(parser, at, json_array_get(value, i), false, &(*ret_list)[*ret_count]))
            (*ret_count)++;
    }
}

static void take_args(struct parser *parser, const json_t *value)
{
    take_list(parser, "args", value, DC_ARGS_MAX, &parser->request->args,
              &parser->request->arg_count);
}

static void take_artifacts(struct parser *parser, const json_t *value)
{
    take_list(parser, "artifacts", value, DC_ARTIFACT_GLOBS_MAX, &parser->request->artifacts,
              &parser->request->artifact_count);
}

static void take_variable(struct parser *parser, const char *name, const json_t *value)
{
    struct run_request *request = parser->request;
    struct run_text text;
    char quoted[72];
    char at[PATH_TEXT];
    size_t name_length = strlen(name);
    char *joined;

    (void)snprintf(at, sizeof(at), "env.%s", problem_quote(name, name_length, quoted));
    if (!take_text(parser, at, value, false, &text))
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

static void take_env(struct parser *parser, const json_t *value)
{
    struct run_request *request = parser->request;
    size_t count = json_object_size(value);
    const char *name;
    json_t *entry;

    if (!json_is_object(value)) {
        wrong_type(parser, "env", "an object of strings", value);
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

static bool take_flag(struct parser *parser, const char *path, const json_t *value, bool *ret_flag)
{
    if (!json_is_boolean(value)) {
        wrong_type(parser, path, "true or false", value);
        return false;
    }
    *ret_flag = json_is_true(value);
    return true;
}

static void take_stream(struct parser *parser, const json_t *value)
{
    (void)take_flag(parser, "stream", value, &parser->request->stream);
}

static void take_store(struct parser *parser, const json_t *value)
{
    bool store;

    if (take_flag(parser, "store", value, &store))
        parser->request->no_store = !store;
}

static void take_packages(struct parser *parser, const json_t *value)
{
    const json_t *list = json_is_object(value) ? json_object_get(value, "packages") : value;

    if (!list)
        return;
    parser->request->has_packages = true;
    take_list(parser, json_is_object(value) ? "packages.packages" : "packages", list,
              DC_PACKAGES_MAX, &parser->request->packages, &parser->request->package_count);
}

static void take_repo(struct parser *parser, const json_t *value)
{
    struct run_text text;

    if (take_text(parser, "repo", value, false, &text) && text.length)
        parser->request->repo = text.bytes;
}

static void take_user(struct parser *parser, const json_t *value)
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
    char at[PATH_TEXT];

    if (!json_is_object(value)) {
        wrong_type(parser, "userContext", "an object", value);
        return;
    }
    if (!json_object_get(value, "id"))
        problems_add(parser->problems, PROBLEM_MISSING, "userContext.id", "is required");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const json_t *entry = json_object_get(value, texts[i].name);
        struct run_text text;

        (void)snprintf(at, sizeof(at), "userContext.%s", texts[i].name);
        if (entry && !json_is_null(entry) && take_text(parser, at, entry, false, &text))
            *(const char **)(void *)((char *)parser->request + texts[i].offset) = text.bytes;
    }
    if (!metadata || json_is_null(metadata))
        return;
    if (!json_is_object(metadata)) {
        wrong_type(parser, "userContext.metadata", "an object", metadata);
        return;
    }
    {
        DC_AUTO(dc_free) char *dump = json_dumps(metadata, JSON_COMPACT);

        parser->request->user.metadata =
            dump ? dc_arena_copy(&parser->request->arena, dump, strlen(dump)) : NULL;
        parser->no_memory |= !parser->request->user.metadata;
    }
}

/* A JSON number times scale as a whole number; JavaScript knows no other numbers, so 3000.0 and 3e3
 * are as good as 3000. */
static bool whole_number(const json_t *value, double scale, bool round_it, double *ret_number)
{
    double number = json_number_value(value) * scale;

    if (round_it)
        number = round(number);
    *ret_number = number;
    return json_is_number(value) && isfinite(number) && floor(number) == number;
}

static void take_policy_number(struct parser *parser, enum policy_field field, const char *path,
                               const json_t *value)
{
    bool is_cpus = field == POLICY_CPUS_CENTI;
    double number;

    if (!json_is_number(value)) {
        wrong_type(parser, path, is_cpus ? "a number" : "an integer", value);
    } else if (!whole_number(value, is_cpus ? 100 : 1, is_cpus, &number)) {
        problems_add(parser->problems, PROBLEM_TYPE, path, "must be an integer");
    } else if (number < 0 || number > UINT32_MAX) {
        /* Kept as a value that is above or below every range, for the check to word. */
        run_request_set_policy(parser->request, field, number < 0 ? 0 : UINT32_MAX);
    } else {
        run_request_set_policy(parser->request, field, (uint32_t)number);
    }
}

/* allowNet and allowNetwork are one. */
static void take_allow(struct parser *parser, const char *path, const json_t *value)
{
    struct run_request *request = parser->request;
    enum run_wish before = request->allow_net;
    bool wanted;

    if (!take_flag(parser, path, value, &wanted))
        return;
    request->allow_net = wanted ? RUN_SAYS_YES : RUN_SAYS_NO;
    if (strcmp(path, "policy.allowNetwork") == 0)
        request->allow_net_name = "policy.allowNetwork";
    if (before != RUN_SAYS_NOTHING && before != request->allow_net)
        problems_add(parser->problems, PROBLEM_VALUE, path,
                     "says otherwise than its other name; send one of allowNet and allowNetwork");
}

static void take_hosts(struct parser *parser, const char *path, const json_t *value)
{
    parser->request->has_hosts = true;
    take_list(parser, path, value, DC_NET_HOSTS_MAX, &parser->request->hosts,
              &parser->request->host_count);
}

static void take_ports(struct parser *parser, const char *path, const json_t *value)
{
    struct run_request *request = parser->request;
    size_t count = json_array_size(value);
    char at[PATH_TEXT + 24];
    double number;

    if (!json_is_array(value)) {
        wrong_type(parser, path, "an array of port numbers", value);
        return;
    }
    if (count > DC_NET_PORTS_MAX) {
        problems_add(parser->problems, PROBLEM_TOO_MANY, path, "%zu ports; at most %d are taken",
                     count, DC_NET_PORTS_MAX);
        return;
    }
    request->has_ports = true;
    for (size_t i = 0; i < count; i++) {
        const json_t *port = json_array_get(value, i);

        (void)snprintf(at, sizeof(at), "%.90s[%zu]", path, i);
        if (!whole_number(port, 1, false, &number))
            wrong_type(parser, at, "a port number", port);
        else /* what is out of range is kept out of range, for the check to word */
            request->ports[request->port_count++] =
                number < 0 || number > UINT16_MAX ? 0 : (uint32_t)number;
    }
}

static void take_policy_field(struct parser *parser, const char *name, const json_t *value)
{
    char quoted[72];
    char path[PATH_TEXT];

    (void)snprintf(path, sizeof(path), "policy.%s", problem_quote(name, strlen(name), quoted));
    for (int field = 0; field < POLICY_FIELDS; field++) {
        if (strcmp(name, policy_field_name((enum policy_field)field)) == 0) {
            take_policy_number(parser, (enum policy_field)field, path, value);
            return;
        }
    }
    if (strcmp(name, "allowNet") == 0 || strcmp(name, "allowNetwork") == 0)
        take_allow(parser, path, value);
    else if (strcmp(name, "allowedHosts") == 0)
        take_hosts(parser, path, value);
    else if (strcmp(name, "allowedPorts") == 0)
        take_ports(parser, path, value);
    else
        problems_add(parser->problems, PROBLEM_UNKNOWN_FIELD, path,
                     "is not a policy; known are timeoutMs, memoryMB, diskMB, maxProcesses, cpus, "
                     "cpuMs, maxOutputBytes, allowNet, allowedHosts, allowedPorts");
}

static void take_policy(struct parser *parser, const json_t *value)
{
    const char *name;
    json_t *entry;

    if (!json_is_object(value)) {
        wrong_type(parser, "policy", "an object", value);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, entry)
        take_policy_field(parser, name, entry);
}

static const struct {
    const char *name;
    void (*take)(struct parser *parser, const json_t *value);
} top_level[] = {
    {"code", take_code},           {"files", take_files},       {"entrypoint", take_entrypoint},
    {"lang", take_lang},           {"version", take_version},   {"policy", take_policy},
    {"stdin", take_stdin},         {"args", take_args},         {"env", take_env},
    {"artifacts", take_artifacts}, {"userContext", take_user},  {"stream", take_stream},
    {"store", take_store},         {"packages", take_packages}, {"repo", take_repo},
};

static bool load(struct parser *parser, const char *body, size_t length)
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
    struct parser parser = {.request = request, .problems = problems};
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
