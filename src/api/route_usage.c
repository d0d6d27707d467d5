/* GET /api/usage and /api/usage/trends: what a project used, from the sums beside the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/clock.h"
#include "limits/money.h"
#include "store/usage.h"

#include "base/poison.h"

enum { TRENDS_DEFAULT = 6, TRENDS_MAX = 24, ROW_MAX_BYTES = 2048, FIRST_YEAR = 1970 };

struct reading {
    const char *project_id;
    int64_t period;
    struct store_usage_month months[TRENDS_MAX];
    int month_count;
    bool detailed;
    int64_t p95_ms;
    struct store_usage_row *rows[STORE_USAGE_BYS];
    size_t counts[STORE_USAGE_BYS];
};

static void reading_release(struct reading *reading)
{
    for (int i = 0; i < STORE_USAGE_BYS; i++)
        free(reading->rows[i]);
}

static inline void reading_release_auto(struct reading *reading)
{
    reading_release(reading);
}

static int run_reading(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct reading *reading = arg;

    for (int i = 0; i < reading->month_count; i++)
        if (store_usage_month(conn, reading->project_id,
                              dc_month_add(reading->period, i - reading->month_count + 1),
                              &reading->months[i], err) < 0)
            return -err->code;
    if (reading->detailed &&
        store_usage_p95(conn, reading->project_id, reading->period, &reading->p95_ms, err) < 0)
        return -err->code;
    for (int i = 0; reading->detailed && i < STORE_USAGE_BYS; i++)
        if (store_usage_by(conn, reading->project_id, reading->period, (enum store_usage_by)i,
                           &reading->rows[i], &reading->counts[i], err) < 0)
            return -err->code;
    return 0;
}

/* ---- printing ---- */

static void print_sums(const struct store_usage_sums *sums, struct dc_buf *out)
{
    char cost[MONEY_SIZE];

    (void)dc_buf_printf(out,
                        "\"runs\":%" PRId64 ",\"cpuMs\":%" PRId64 ",\"memMb\":%" PRId64
                        ",\"durationMs\":%" PRId64 ",\"cost\":%s",
                        sums->runs, sums->cpu_ms, sums->mem_mb, sums->duration_ms,
                        money_print(sums->amount_micros, cost));
    (void)dc_buf_printf(out, ",\"memMbMs\":%" PRId64 ",\"egressBytes\":%" PRId64, sums->mem_mb_ms,
                        sums->egress_bytes);
}

static void print_rows(const char *name, const char *label, const struct store_usage_row *rows,
                       size_t count, struct dc_buf *out)
{
    (void)dc_buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        (void)dc_buf_printf(out, "%s{\"%s\":", i ? "," : "", label);
        (void)dc_buf_json_string(out, rows[i].label, strlen(rows[i].label));
        (void)dc_buf_byte(out, ',');
        print_sums(&rows[i].sums, out);
        (void)dc_buf_byte(out, '}');
    }
    (void)dc_buf_byte(out, ']');
}

static const struct {
    const char *name;
    const char *label;
} parts[STORE_USAGE_BYS] = {
    [STORE_USAGE_DAY] = {"byDay", "day"},
    [STORE_USAGE_LANG] = {"byLang", "lang"},
    [STORE_USAGE_OUTCOME] = {"byOutcome", "outcome"},
    [STORE_USAGE_KEY] = {"byKey", "keyId"},
    [STORE_USAGE_USER] = {"byUser", "userId"},
};

static int64_t mean(int64_t sum, int64_t count)
{
    return count ? (sum + count / 2) / count : 0;
}

static void print_month(const struct app *app, const struct reading *reading, struct dc_buf *out)
{
    const struct store_usage_month *month = &reading->months[0];
    const struct store_usage_sums *sums = &month->sums;

    (void)dc_buf_printf(out, "{\"period\":\"%04" PRId64 "-%02" PRId64 "\",", reading->period / 100,
                        reading->period % 100);
    print_sums(sums, out);
    (void)dc_buf_printf(out,
                        ",\"avgDurationMs\":%" PRId64 ",\"avgCpuMs\":%" PRId64
                        ",\"currency\":\"%s\",\"testRuns\":%" PRId64 ",\"freeRuns\":%" PRId64,
                        mean(sums->duration_ms, sums->runs), mean(sums->cpu_ms, sums->runs),
                        app->options.price.currency, month->test_runs, month->free_runs);
    if (reading->p95_ms < 0)
        (void)dc_buf_text(out, ",\"p95DurationMs\":null");
    else
        (void)dc_buf_printf(out, ",\"p95DurationMs\":%" PRId64, reading->p95_ms);
    for (int i = 0; i < STORE_USAGE_BYS; i++)
        print_rows(parts[i].name, parts[i].label, reading->rows[i], reading->counts[i], out);
    (void)dc_buf_byte(out, '}');
}

/* RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
static void csv_text(const char *text, struct dc_buf *out)
{
    (void)dc_buf_byte(out, '"');
    if (*text && strchr("=+-@\t\r", *text))
        (void)dc_buf_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '"')
            (void)dc_buf_byte(out, '"');
        (void)dc_buf_byte(out, *text);
    }
    (void)dc_buf_byte(out, '"');
}

static void print_csv(const struct reading *reading, struct dc_buf *out)
{
    (void)dc_buf_text(out, "period,by,value,runs,cpu_ms,mem_mb,duration_ms,mem_mb_ms,egress_bytes,"
                           "cost\r\n");
    for (int by = 0; by < STORE_USAGE_BYS; by++) {
        for (size_t i = 0; i < reading->counts[by]; i++) {
            const struct store_usage_row *row = &reading->rows[by][i];
            char cost[MONEY_SIZE];

            (void)dc_buf_printf(out, "%04" PRId64 "-%02" PRId64 ",%s,", reading->period / 100,
                                reading->period % 100, parts[by].label);
            csv_text(row->label, out);
            (void)dc_buf_printf(out,
                                ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                                ",%" PRId64 ",%s\r\n",
                                row->sums.runs, row->sums.cpu_ms, row->sums.mem_mb,
                                row->sums.duration_ms, row->sums.mem_mb_ms, row->sums.egress_bytes,
                                money_print(row->sums.amount_micros, cost));
        }
    }
}

/* ---- routes ---- */

/* "2025-11". */
static bool read_period(const char *text, int64_t *ret_period)
{
    int64_t year = 0;

    if (strlen(text) != 7 || strspn(text, "0123456789") != 4 || text[4] != '-' ||
        strspn(text + 5, "0123456789") != 2)
        return false;
    for (int i = 0; i < 4; i++)
        year = year * 10 + (text[i] - '0');
    *ret_period = year * 100 + (text[5] - '0') * 10 + (text[6] - '0');
    return year >= FIRST_YEAR && year < 2200 && *ret_period % 100 >= 1 && *ret_period % 100 <= 12;
}

static size_t size_of(const struct reading *reading)
{
    size_t rows = 2;

    for (int i = 0; i < STORE_USAGE_BYS; i++)
        rows += reading->counts[i];
    return rows * ROW_MAX_BYTES;
}

static bool load(struct call *call, struct reading *reading)
{
    struct dc_err err;

    if (await_store(call->app->worker, AWAIT_READ, run_reading, reading, &err) == 0)
        return true;
    call_fail_err(call, &err, "usage could not be read");
    return false;
}

void route_usage(struct call *call)
{
    static const char *const names[] = {"period", "format", NULL};
    DC_AUTO(problems_release) struct problems problems;
    DC_AUTO(reading_release)
    struct reading reading = {
        .project_id = call->project_id,
        .period = dc_month_of(call->begun_ns),
        .month_count = 1,
        .detailed = true,
    };
    DC_AUTO(dc_buf_release) struct dc_buf body;
    struct call_head head = {.status = 200};
    struct query query;
    const char *period;
    const char *format;

    problems_init(&problems);
    dc_buf_init(&body, 0);
    query_parse(call->query, &call->arena, &query, &problems);
    query_only(&query, names, &problems);
    period = query_get(&query, "period");
    format = query_get(&query, "format");
    if (period && !read_period(period, &reading.period))
        problems_add(&problems, PROBLEM_VALUE, "period", "must be a month such as 2025-10");
    if (format && strcmp(format, "json") != 0 && strcmp(format, "csv") != 0)
        problems_add(&problems, PROBLEM_VALUE, "format", "must be json or csv");
    if (problems.total) {
        call_fail_problems(call, &problems);
        return;
    }
    if (!load(call, &reading))
        return;
    dc_buf_init(&body, size_of(&reading));
    if (format && strcmp(format, "csv") == 0) {
        print_csv(&reading, &body);
        head.type = "text/csv; charset=utf-8";
        head.fields[0] =
            (struct call_field){"Content-Disposition", "attachment; filename=\"usage.csv\""};
    } else {
        print_month(call->app, &reading, &body);
    }
    call_reply(call, &head, &body);
}

void route_usage_trends(struct call *call)
{
    static const char *const names[] = {"months", NULL};
    DC_AUTO(problems_release) struct problems problems;
    struct reading reading = {
        .project_id = call->project_id,
        .period = dc_month_of(call->begun_ns),
        .month_count = TRENDS_DEFAULT,
    };
    DC_AUTO(dc_buf_release) struct dc_buf body;
    struct query query;
    const char *months;

    problems_init(&problems);
    dc_buf_init(&body, (TRENDS_MAX + 1) * ROW_MAX_BYTES);
    query_parse(call->query, &call->arena, &query, &problems);
    query_only(&query, names, &problems);
    months = query_get(&query, "months");
    if (months)
        (void)query_number("months", months, 1, TRENDS_MAX, &reading.month_count, &problems);
    if (problems.total) {
        call_fail_problems(call, &problems);
        return;
    }
    if (!load(call, &reading))
        return;
    (void)dc_buf_text(&body, "{\"trends\":[");
    for (int i = 0; i < reading.month_count; i++) {
        int64_t period = dc_month_add(reading.period, i - reading.month_count + 1);
        char cost[MONEY_SIZE];

        (void)dc_buf_printf(&body,
                            "%s{\"period\":\"%04" PRId64 "-%02" PRId64 "\",\"runs\":%" PRId64
                            ",\"cost\":%s}",
                            i ? "," : "", period / 100, period % 100, reading.months[i].sums.runs,
                            money_print(reading.months[i].sums.amount_micros, cost));
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}
