/* How many of something are under way, per identifier: counted up and down, remembered while not 0.
 * Pure; API process, on the loop's thread. */
#ifndef DOCLE_LIMITS_COUNTERS_H
#define DOCLE_LIMITS_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

enum { COUNTER_ID_SIZE = 40, COUNTER_PLACES = 1024 };

struct counter;

/* Zero-initialised: empty. */
struct counters {
    struct counter *places[COUNTER_PLACES];
};

/* One more, unless that would be more than max. False: it is max already, or without memory. */
bool counters_enter(struct counters *counters, const char *id, uint32_t max);
/* One less of what was entered. */
void counters_leave(struct counters *counters, const char *id);
uint32_t counters_value(const struct counters *counters, const char *id);
void counters_release(struct counters *counters);

#endif
