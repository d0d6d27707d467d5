#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* Room for the longest message and error with every character escaped: a line is never cut. */
enum { LINE_MAX_BYTES = 16384 };

static const char *log_process = "docle";
static _Atomic enum dc_log_level log_threshold = DC_LOG_INFO; /* threads log too */

void dc_log_setup(const char *process, enum dc_log_level threshold)
{
    log_process = process;
    log_threshold = threshold;
}

static void write_line(enum dc_log_level level, const char *request_id, const struct dc_err *err,
                       const char *message)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char time_text[25];
    DC_AUTO(dc_buf_release) struct dc_buf line;

    dc_buf_init(&line, LINE_MAX_BYTES);
    dc_format_iso8601(dc_wall_now(), time_text);
    (void)dc_buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"%s\",\"pid\":%d",
                        time_text, names[level], log_process, (int)getpid());
    if (request_id) {
        (void)dc_buf_text(&line, ",\"request\":");
        (void)dc_buf_json_string(&line, request_id, strlen(request_id));
    }
    (void)dc_buf_text(&line, ",\"msg\":");
    (void)dc_buf_json_string(&line, message, strlen(message));
    if (err) {
        char text[512];

        (void)dc_err_describe(err, text, sizeof(text));
        (void)dc_buf_printf(&line,
                            ",\"code\":\"%s\",\"error\":", dc_code_name((enum dc_code)err->code));
        (void)dc_buf_json_string(&line, text, strlen(text));
    }
    (void)dc_buf_text(&line, "}\n");
    if (write(STDERR_FILENO, line.data, line.length) < 0)
        return; /* nowhere left to complain */
}

void dc_log(enum dc_log_level level, const char *format, ...)
{
    char message[1024];
    va_list args;

    if (level < log_threshold)
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    write_line(level, NULL, NULL, message);
}

void dc_log_err(enum dc_log_level level, const char *request_id, const struct dc_err *err,
                const char *format, ...)
{
    char message[1024];
    va_list args;

    if (level < log_threshold)
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    write_line(level, request_id, err, message);
}
