/* A request as it is kept with its result: what was run, without the values of its environment. */
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "runs/request.h"

#include "base/poison.h"

static void print_text(struct dc_buf *out, const struct run_text *text)
{
    (void)dc_buf_json_string(out, text->bytes, text->length);
}

static void print_string(struct dc_buf *out, const char *key, const char *text)
{
    if (!text)
        return;
    (void)dc_buf_printf(out, ",\"%s\":", key);
    (void)dc_buf_json_string(out, text, strlen(text));
}

static void print_list(struct dc_buf *out, const char *key, const struct run_text *list,
                       size_t count)
{
    if (!count)
        return;
    (void)dc_buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        if (i)
            (void)dc_buf_byte(out, ',');
        print_text(out, &list[i]);
    }
    (void)dc_buf_byte(out, ']');
}

static void print_file(struct dc_buf *out, const struct run_file *file)
{
    (void)dc_buf_text(out, "{\"path\":");
    print_text(out, &file->path);
    (void)dc_buf_text(out, ",\"content\":");
    if (dc_utf8_valid(file->content.bytes, file->content.length)) {
        print_text(out, &file->content);
    } else {
        (void)dc_buf_byte(out, '"');
        (void)dc_base64_encode(out, file->content.bytes, file->content.length);
        (void)dc_buf_text(out, "\",\"encoding\":\"base64");
        (void)dc_buf_byte(out, '"');
    }
    (void)dc_buf_byte(out, '}');
}

static void print_program(struct dc_buf *out, const struct run_request *request)
{
    if (request->file_count == 1 && request->files[0].content.bytes == request->code.bytes) {
        (void)dc_buf_text(out, ",\"code\":");
        print_text(out, &request->code);
        return;
    }
    (void)dc_buf_text(out, ",\"files\":[");
    for (size_t i = 0; i < request->file_count; i++) {
        if (i)
            (void)dc_buf_byte(out, ',');
        print_file(out, &request->files[i]);
    }
    (void)dc_buf_byte(out, ']');
}

static void print_env(struct dc_buf *out, const struct run_request *request)
{
    if (!request->env_count)
        return;
    (void)dc_buf_text(out, ",\"env\":{");
    for (size_t i = 0; i < request->env_count; i++) {
        if (i)
            (void)dc_buf_byte(out, ',');
        (void)dc_buf_json_string(out, request->env[i].bytes, strcspn(request->env[i].bytes, "="));
        (void)dc_buf_text(out, ":\"[redacted]\"");
    }
    (void)dc_buf_byte(out, '}');
}

static void print_user(struct dc_buf *out, const struct run_request *request)
{
    if (!request->user.id)
        return;
    (void)dc_buf_text(out, ",\"userContext\":{\"id\":");
    (void)dc_buf_json_string(out, request->user.id, strlen(request->user.id));
    print_string(out, "email", request->user.email);
    print_string(out, "name", request->user.name);
    print_string(out, "tier", request->user.tier);
    if (request->user.metadata) {
        (void)dc_buf_text(out, ",\"metadata\":");
        (void)dc_buf_text(out, request->user.metadata);
    }
    (void)dc_buf_byte(out, '}');
}

/* What the run was let reach, whether its caller or the operator's list named it. */
static void print_network(struct dc_buf *out, const struct host_policy *policy)
{
    char host[DC_HOST_NAME_MAX_BYTES + 12];

    if (!policy)
        return;
    (void)dc_buf_text(out, ",\"policy\":{\"allowNet\":true,\"allowedHosts\":[");
    for (size_t i = 0; i < policy->rule_count; i++) {
        host_rule_print(&policy->rules[i], host);
        (void)dc_buf_text(out, i ? "," : "");
        (void)dc_buf_json_string(out, host, strlen(host));
    }
    (void)dc_buf_text(out, "],\"allowedPorts\":[");
    for (size_t i = 0; i < policy->port_count; i++)
        (void)dc_buf_printf(out, "%s%u", i ? "," : "", policy->ports[i]);
    (void)dc_buf_text(out, "]}");
}

bool run_request_print(const struct run_request *request, struct dc_buf *out)
{
    (void)dc_buf_printf(out, "{\"lang\":\"%s\"", run_lang_name(request->lang));
    print_string(out, "repo", request->repo);
    print_string(out, "version", request->version);
    print_string(out, "entrypoint", request->entrypoint);
    print_program(out, request);
    print_list(out, "args", request->args, request->arg_count);
    print_env(out, request);
    if (request->stdin_bytes.length) {
        (void)dc_buf_text(out, ",\"stdin\":");
        print_text(out, &request->stdin_bytes);
    }
    print_list(out, "artifacts", request->artifacts, request->artifact_count);
    print_network(out, request->network);
    print_list(out, "packages", request->packages, request->package_count);
    print_user(out, request);
    (void)dc_buf_byte(out, '}');
    return !out->failed;
}
