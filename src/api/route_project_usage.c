/* GET /api/projects/{id}/usage, with the fields of the later original. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/change.h"
#include "api/routes.h"
#include "base/clock.h"
#include "store/usage.h"

#include "base/poison.h"

enum { SNIPPET_CHARS = 500, RUN_MAX_BYTES = 16 * 1024 };

struct reading {
    const char *project_id;
    struct store_usage_ever ever;
    struct store_recent *runs;
    size_t count;
};

static int run_reading(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct reading *reading = arg;

    if (store_usage_ever(conn, reading->project_id, &reading->ever, err) < 0)
        return -err->code;
    return store_usage_recent(conn, reading->project_id, &reading->runs, &reading->count, err);
}

/* The program: the code, or the file that is run, or the first. "" where it was not kept. */
static const char *code_of(const json_t *request)
{
    const char *code = json_string_value(json_object_get(request, "code"));
    const char *entry = json_string_value(json_object_get(request, "entrypoint"));
    const json_t *files = json_object_get(request, "files");
    const char *first = NULL;

    for (size_t i = 0; !code && i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        const char *path = json_string_value(json_object_get(file, "path"));
        const char *content = json_string_value(json_object_get(file, "content"));

        if (json_object_get(file, "encoding"))
            continue; /* base64: nothing to read */
        if (!first)
            first = content;
        if (entry && path && strcmp(entry, path) == 0)
            code = content;
    }
    return code ? code : first ? first : "";
}

/* At most SNIPPET_CHARS characters, and dots where there is more. */
static void print_snippet(const char *code, struct dc_buf *out)
{
    DC_AUTO(dc_buf_release) struct dc_buf text;
    size_t length = 0;
    size_t chars = 0;

    for (; code[length]; length++) {
        if (((unsigned char)code[length] & 0xc0) != 0x80 && chars++ == SNIPPET_CHARS)
            break;
    }
    dc_buf_init(&text, length + 3);
    (void)dc_buf_append(&text, code, length);
    if (code[length])
        (void)dc_buf_text(&text, "...");
    (void)dc_buf_json_string(out, dc_buf_str(&text), text.length);
}

static void print_run(const struct store_recent *run, struct dc_buf *out)
{
    json_t *request = run->request ? json_loads(run->request, 0, NULL) : NULL;
    char created[25];

    dc_format_iso8601(run->created_at, created);
    (void)dc_buf_printf(out, "{\"id\":\"%s\",\"language\":\"%s\",\"code_snippet\":", run->id,
                        run->lang);
    print_snippet(code_of(request), out);
    (void)dc_buf_printf(out,
                        ",\"status\":\"%s\",\"exit_code\":%d,\"execution_time_ms\":%" PRId64
                        ",\"created_at\":\"%s\"%s}",
                        strcmp(run->outcome, "ok") == 0 ? "success" : "error", run->exit_code,
                        run->duration_ms, created, run->test ? ",\"test\":true" : "");
    json_decref(request);
}

void route_project_usage(struct call *call)
{
    struct reading reading = {.project_id = call->project_id};
    DC_AUTO(dc_free) struct store_recent *runs = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    int64_t tenths;

    if (!change_read(call, run_reading, &reading, "Project not found"))
        return;
    runs = reading.runs;
    dc_buf_init(&body, (reading.count + 1) * RUN_MAX_BYTES);
    tenths = reading.ever.runs
                 ? (reading.ever.ok_runs * 1000 + reading.ever.runs / 2) / reading.ever.runs
                 : 0;
    (void)dc_buf_printf(&body,
                        "{\"total_runs\":%" PRId64 ",\"python_runs\":%" PRId64
                        ",\"nodejs_runs\":%" PRId64 ",\"success_rate\":%" PRId64 ".%" PRId64
                        ",\"history\":[",
                        reading.ever.runs, reading.ever.python_runs, reading.ever.node_runs,
                        tenths / 10, tenths % 10);
    for (size_t i = 0; i < reading.count; i++) {
        if (i)
            (void)dc_buf_byte(&body, ',');
        print_run(&runs[i], &body);
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}
