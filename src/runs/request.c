#include "runs/request.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "runs/request_internal.h"

#include "base/poison.h"

void run_request_init(struct run_request *request)
{
    *request = (struct run_request){0};
}

bool run_request_has_layer(const struct run_request *request)
{
    static const uint8_t none[DC_LAYER_ID_BYTES];

    return memcmp(request->layer, none, sizeof(none)) != 0;
}

void run_request_release(struct run_request *request)
{
    if (!request)
        return;
    json_decref(request->json);
    dc_arena_release(&request->arena);
    *request = (struct run_request){0};
}

int run_request_no_memory(struct dc_err *err)
{
    return dc_fail(err, DC_KERNEL, ENOMEM, "run request");
}

static bool copy_text(struct run_request *request, const void *bytes, size_t length,
                      struct run_text *ret_text)
{
    const char *copy = dc_arena_copy(&request->arena, bytes, length);

    *ret_text = (struct run_text){copy, length};
    return copy != NULL;
}

int run_request_set_code(struct run_request *request, const void *code, size_t length,
                         struct dc_err *err)
{
    if (!copy_text(request, code, length, &request->code))
        return run_request_no_memory(err);
    request->has_code = true;
    return 0;
}

int run_request_add_file(struct run_request *request, const char *path, const void *content,
                         size_t length, struct dc_err *err)
{
    struct run_file file;

    if (request->file_count == DC_FILES_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d files", DC_FILES_MAX);
    if (!request->files)
        request->files = dc_arena_alloc(&request->arena, DC_FILES_MAX * sizeof(file));
    if (!request->files || !copy_text(request, path, strlen(path), &file.path) ||
        !copy_text(request, content, length, &file.content))
        return run_request_no_memory(err);
    file.index = request->file_count;
    request->files[request->file_count++] = file;
    return 0;
}

static int add_text(struct run_request *request, struct run_text **list, size_t *count, size_t max,
                    const char *text, struct dc_err *err)
{
    if (*count == max)
        return dc_fail(err, DC_LIMIT, 0, "more than %zu", max);
    if (!*list)
        *list = dc_arena_alloc(&request->arena, max * sizeof(**list));
    if (!*list || !copy_text(request, text, strlen(text), &(*list)[*count]))
        return run_request_no_memory(err);
    (*count)++;
    return 0;
}

int run_request_add_arg(struct run_request *request, const char *arg, struct dc_err *err)
{
    if (add_text(request, &request->args, &request->arg_count, DC_ARGS_MAX, arg, err) < 0)
        return dc_context(err, "arguments");
    return 0;
}

int run_request_add_env(struct run_request *request, const char *name_value, struct dc_err *err)
{
    if (add_text(request, &request->env, &request->env_count, DC_ENV_MAX, name_value, err) < 0)
        return dc_context(err, "environment variables");
    return 0;
}

int run_request_add_artifact(struct run_request *request, const char *glob, struct dc_err *err)
{
    if (add_text(request, &request->artifacts, &request->artifact_count, DC_ARTIFACT_GLOBS_MAX,
                 glob, err) < 0)
        return dc_context(err, "artifacts");
    return 0;
}

int run_request_allow_host(struct run_request *request, const char *host, struct dc_err *err)
{
    request->allow_net = RUN_SAYS_YES;
    request->has_hosts = true;
    if (add_text(request, &request->hosts, &request->host_count, DC_NET_HOSTS_MAX, host, err) < 0)
        return dc_context(err, "allowed hosts");
    return 0;
}

int run_request_allow_port(struct run_request *request, uint32_t port, struct dc_err *err)
{
    if (request->port_count == DC_NET_PORTS_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d ports", DC_NET_PORTS_MAX);
    request->has_ports = true;
    request->ports[request->port_count++] = port;
    return 0;
}

int run_request_trust(struct run_request *request, const char *host, uint16_t port,
                      struct dc_err *err)
{
    struct host_policy *policy = request->network;
    struct egress_rule *rule;
    uint32_t notes;

    if (!policy)
        policy = dc_arena_alloc(&request->arena, sizeof(*policy));
    if (!policy)
        return run_request_no_memory(err);
    if (!request->network)
        *policy = (struct host_policy){0};
    request->network = policy;
    if (policy->rule_count == DC_NET_HOSTS_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d hosts", DC_NET_HOSTS_MAX);
    rule = &policy->rules[policy->rule_count];
    if (host_rule_parse(host, strlen(host), rule, &notes, err) < 0)
        return dc_context(err, "host '%.100s'", host);
    if (rule->kind != EGRESS_RULE_EXACT && rule->kind != EGRESS_RULE_ADDRESS)
        return dc_fail(err, DC_INVALID, 0, "host '%.100s' is not one host", host);
    rule->port = port;
    rule->trusted = true;
    policy->rule_count++;
    return 0;
}

int run_request_add_package(struct run_request *request, const char *spec, struct dc_err *err)
{
    request->has_packages = true;
    if (add_text(request, &request->packages, &request->package_count, DC_PACKAGES_MAX, spec, err) <
        0)
        return dc_context(err, "packages");
    return 0;
}

int run_request_set_text(struct run_request *request, const char **slot, const char *text,
                         struct dc_err *err)
{
    *slot = dc_arena_copy(&request->arena, text, strlen(text));
    return *slot ? 0 : run_request_no_memory(err);
}

int run_request_set_stdin(struct run_request *request, const void *bytes, size_t length,
                          struct dc_err *err)
{
    return copy_text(request, bytes, length, &request->stdin_bytes) ? 0
                                                                    : run_request_no_memory(err);
}

void run_request_set_policy(struct run_request *request, enum policy_field field, uint32_t value)
{
    request->policy.value[field] = value;
    request->policy_asked |= 1u << field;
}

const char *run_lang_name(enum run_lang lang)
{
    return lang == RUN_PYTHON ? "python" : "node";
}

bool run_lang_from_name(const char *name, enum run_lang *ret_lang)
{
    for (int lang = 0; lang < RUN_LANGS; lang++) {
        if (strcmp(name, run_lang_name((enum run_lang)lang)) == 0) {
            *ret_lang = (enum run_lang)lang;
            return true;
        }
    }
    return false;
}

bool run_lang_from_path(const char *path, enum run_lang *ret_lang)
{
    static const struct {
        const char *ending;
        enum run_lang lang;
    } all[] = {
        {".py", RUN_PYTHON}, {".js", RUN_NODE},  {".mjs", RUN_NODE}, {".cjs", RUN_NODE},
        {".ts", RUN_NODE},   {".mts", RUN_NODE}, {".cts", RUN_NODE},
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(dot, all[i].ending) == 0) {
            *ret_lang = all[i].lang;
            return true;
        }
    }
    return false;
}

size_t run_json_depth(const char *text, size_t length)
{
    size_t depth = 0;
    size_t deepest = 0;
    bool inside = false;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (inside && c == '\\')
            i++;
        else if (c == '"')
            inside = !inside;
        else if (!inside && (c == '[' || c == '{') && ++depth > deepest)
            deepest = depth;
        else if (!inside && (c == ']' || c == '}') && depth)
            depth--;
    }
    return deepest;
}
