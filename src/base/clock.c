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
