#include "api/history_print.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "runs/result.h"

#include "base/poison.h"

static void print_moment(const char *name, int64_t wall_ns, struct dc_buf *out)
{
    char text[25];

    if (!wall_ns)
        return;
    dc_format_iso8601(wall_ns, text);
    (void)dc_buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void print_text(const char *name, const char *text, struct dc_buf *out)
{
    if (!text || !*text)
        return;
    (void)dc_buf_printf(out, ",\"%s\":", name);
    (void)dc_buf_json_string(out, text, strlen(text));
}

void history_print_status(const char *id, bool running, const char *lang, int64_t created_at,
                          struct dc_buf *out)
{
    (void)dc_buf_printf(out, "{\"id\":\"%s\",\"status\":\"%s\",\"lang\":\"%s\"", id,
                        running ? "running" : "queued", lang);
    print_moment("createdAt", created_at, out);
    (void)dc_buf_byte(out, '}');
}

static void print_end(const struct store_run *run, struct dc_buf *out)
{
    const char *name = run->signal ? sigabbrev_np(run->signal) : NULL;

    print_moment("finishedAt", run->finished_at, out);
    (void)dc_buf_printf(out, ",\"ok\":%s,\"exitCode\":%d,\"outcome\":\"%s\"",
                        run->exit_code == 0 ? "true" : "false", run->exit_code, run->outcome);
    if (run->signal)
        (void)dc_buf_printf(out, ",\"signal\":\"SIG%s\"", name ? name : "?");
    print_text("message", run->message, out);
    (void)dc_buf_printf(out,
                        ",\"usage\":{\"cpuMs\":%" PRId64 ",\"memMB\":%" PRId64
                        ",\"durationMs\":%" PRId64 "},\"truncated\":{\"stdout\":%s,\"stderr\":%s}"
                        ",\"limits\":",
                        run->cpu_ms, run->mem_mb, run->duration_ms,
                        run->out_truncated ? "true" : "false",
                        run->err_truncated ? "true" : "false");
    (void)run_result_print_limits(run_result_parse_limits(run->limits), out);
}

void history_print_summary(const struct store_run *run, const char *status, struct dc_buf *out)
{
    (void)dc_buf_printf(out, "{\"id\":\"%s\",\"lang\":\"%s\",\"status\":\"%s\"", run->id, run->lang,
                        status ? status : run->status);
    print_moment("createdAt", run->created_at, out);
    print_text("userId", run->user_id, out);
    if (run->test)
        (void)dc_buf_text(out, ",\"test\":true");
    if (*run->outcome)
        print_end(run, out);
    (void)dc_buf_byte(out, '}');
}
