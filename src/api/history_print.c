#include "api/history_print.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "limits/money.h"
#include "runs/glance.h"
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

/* By a key that has been deleted, or in a session: only what is known. */
static void print_key(const struct store_run *run, struct dc_buf *out)
{
    if (!*run->key_id)
        return;
    (void)dc_buf_printf(out, ",\"key\":{\"id\":\"%s\"", run->key_id);
    print_text("prefix", run->key_prefix, out);
    print_text("name", run->key_name, out);
    (void)dc_buf_byte(out, '}');
}

static void print_cost(const struct store_run *run, const char *currency, struct dc_buf *out)
{
    char cost[MONEY_SIZE];

    if (run->amount_micros < 0 || !*run->outcome)
        return;
    (void)dc_buf_printf(out, ",\"cost\":%s", money_print(run->amount_micros, cost));
    print_text("currency", currency, out);
}

static void print_preview(const struct store_run *run, struct dc_buf *out)
{
    struct run_text line = glance_line(run->head ? run->head : "");

    if (!line.length)
        return;
    (void)dc_buf_text(out, ",\"preview\":");
    (void)dc_buf_json_string(out, line.bytes, line.length);
}

void history_print_summary(const struct store_run *run, const char *status, const char *currency,
                           struct dc_buf *out)
{
    (void)dc_buf_printf(out, "{\"id\":\"%s\",\"lang\":\"%s\",\"status\":\"%s\"", run->id, run->lang,
                        status);
    print_moment("createdAt", run->created_at, out);
    print_text("userId", run->user_id, out);
    if (run->test)
        (void)dc_buf_text(out, ",\"test\":true");
    print_key(run, out);
    print_preview(run, out);
    if (run->packages)
        (void)dc_buf_printf(out, ",\"packages\":%" PRId64, run->packages);
    if (*run->outcome)
        print_end(run, out);
    print_text("errorLine", run->error_line, out);
    print_cost(run, currency, out);
    (void)dc_buf_byte(out, '}');
}

static int64_t in_ms(int64_t ns)
{
    return ns > 0 ? ns / DC_NS_PER_MS : 0;
}

static void print_timeline(const struct store_run *run, struct dc_buf *out)
{
    char created[25];

    dc_format_iso8601(run->created_at, created);
    (void)dc_buf_printf(out, "\"timeline\":{\"createdAt\":\"%s\"", created);
    print_moment("startedAt", run->started_at, out);
    print_moment("finishedAt", run->finished_at, out);
    if (run->packages && *run->outcome)
        (void)dc_buf_printf(out, ",\"installMs\":%" PRId64, in_ms(run->install_ns));
    if (run->started_at)
        (void)dc_buf_printf(out, ",\"queueMs\":%" PRId64,
                            in_ms(run->started_at - run->created_at - run->install_ns));
    if (run->started_at && *run->outcome)
        (void)dc_buf_printf(out, ",\"runMs\":%" PRId64, run->duration_ms);
    (void)dc_buf_byte(out, '}');
}

/* Both are JSON of our own making. */
static void print_json(const char *name, const char *json, size_t length, struct dc_buf *out)
{
    if (!json || !length)
        return;
    (void)dc_buf_printf(out, ",\"%s\":", name);
    (void)dc_buf_append(out, json, length);
}

void history_print_details(const struct store_run *run, const char *currency, struct dc_buf *out)
{
    (void)dc_buf_text(out, ",\"details\":{");
    print_timeline(run, out);
    print_text("userId", run->user_id, out);
    print_key(run, out);
    print_text("errorLine", run->error_line, out);
    print_cost(run, currency, out);
    if (*run->outcome)
        (void)dc_buf_printf(out, ",\"egressBytes\":%" PRId64, run->egress_bytes);
    print_json("policy", run->policy, run->policy ? strlen(run->policy) : 0, out);
    print_json("request", run->request, run->request_length, out);
    (void)dc_buf_byte(out, '}');
}
