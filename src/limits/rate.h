/*
 * How often somebody asks: a sliding window of a minute per identifier, in bounded memory. What is
 * counted leaves second by second, so that no more than the limit is ever let through in any 60
 * seconds; a refused request does not count. Identifiers that were not seen for longest are
 * forgotten first. Pure: no clock of its own. API process, on the loop's thread.
 */
#ifndef DOCLE_LIMITS_RATE_H
#define DOCLE_LIMITS_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

enum {
    RATE_ID_BYTES = 16,
    RATE_WINDOW_S = 60,
    RATE_LIMIT_MAX = 60000,
};

struct rate_table;

struct rate_verdict {
    bool allowed;
    uint32_t limit;
    uint32_t remaining;
    int64_t wait_ns; /* until one more request fits, or than now do */
};

/* entries_max: identifiers that are remembered at once, about 250 bytes each, taken when needed.
 * NULL without memory. */
struct rate_table *rate_table_new(size_t entries_max);
void rate_table_free(struct rate_table *table); /* accepts NULL */
DC_AUTO_DEFINE(struct rate_table *, rate_table_free)

/* Counts one request if it fits. limit: 1..RATE_LIMIT_MAX. now_ns: monotonic. Without memory the
 * request is let through. */
void rate_take(struct rate_table *table, const uint8_t id[static RATE_ID_BYTES], uint32_t limit,
               int64_t now_ns, struct rate_verdict *ret_verdict);

/* The same without counting. */
void rate_look(const struct rate_table *table, const uint8_t id[static RATE_ID_BYTES],
               uint32_t limit, int64_t now_ns, struct rate_verdict *ret_verdict);

size_t rate_table_count(const struct rate_table *table);

#endif
