/* Time. Inside, time is int64_t nanoseconds; deadlines use the monotonic clock. All processes. */
#ifndef DOCLE_BASE_CLOCK_H
#define DOCLE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define DC_NS_PER_MS INT64_C(1000000)
#define DC_NS_PER_S INT64_C(1000000000)

static inline int64_t dc_clock_read(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts); /* cannot fail for the two clocks used below */
    return (int64_t)ts.tv_sec * DC_NS_PER_S + ts.tv_nsec;
}

/* Monotonic nanoseconds: for deadlines and durations. */
static inline int64_t dc_now(void)
{
    return dc_clock_read(CLOCK_MONOTONIC);
}

/* Nanoseconds since the Unix epoch: for what is stored and shown. */
static inline int64_t dc_wall_now(void)
{
    return dc_clock_read(CLOCK_REALTIME);
}

/* Writes "2025-10-25T12:00:00.123Z" (24 characters and the NUL) for wall nanoseconds. */
void dc_format_iso8601(int64_t wall_ns, char out[static 25]);

/* Months in UTC, as numbers: 202511. */
int64_t dc_month_of(int64_t wall_ns);
int64_t dc_month_begin(int64_t month); /* its first moment, wall nanoseconds */
int64_t dc_month_add(int64_t month, int months);

#endif
