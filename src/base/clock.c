#include "base/clock.h"

#include <stdio.h>

void dc_format_iso8601(int64_t wall_ns, char out[static 25])
{
    time_t seconds = (time_t)(wall_ns / DC_NS_PER_S);
    int millis = (int)(wall_ns % DC_NS_PER_S / DC_NS_PER_MS);
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(out, 20, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + 19, 6, ".%03dZ", (int)((unsigned)millis % 1000));
}

int64_t dc_month_of(int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / DC_NS_PER_S);
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    return (tm.tm_year + 1900) * INT64_C(100) + tm.tm_mon + 1;
}

int64_t dc_month_begin(int64_t month)
{
    struct tm tm = {
        .tm_year = (int)(month / 100) - 1900, .tm_mon = (int)(month % 100) - 1, .tm_mday = 1};

    return (int64_t)timegm(&tm) * DC_NS_PER_S;
}

int64_t dc_month_add(int64_t month, int months)
{
    int64_t count = month / 100 * 12 + month % 100 - 1 + months;

    return count / 12 * 100 + count % 12 + 1;
}
