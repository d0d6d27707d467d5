#include "limits/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

struct counter {
    char id[COUNTER_ID_SIZE];
    uint32_t value;
    struct counter *next;
};

static struct counter *const *place_of(const struct counters *counters, const char *id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const char *at = id; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return &counters->places[(hash >> 20) % COUNTER_PLACES];
}

static struct counter **find(struct counters *counters, const char *id)
{
    struct counter **slot = (struct counter **)place_of(counters, id);

    while (*slot && strcmp((*slot)->id, id) != 0)
        slot = &(*slot)->next;
    return slot;
}

bool counters_enter(struct counters *counters, const char *id, uint32_t max)
{
    struct counter **slot = find(counters, id);

    if (!max)
        return false;
    if (!*slot) {
        struct counter *made = calloc(1, sizeof(*made));

        if (!made)
            return false;
        (void)snprintf(made->id, sizeof(made->id), "%s", id);
        *slot = made;
    }
    if ((*slot)->value >= max)
        return false;
    (*slot)->value++;
    return true;
}

void counters_leave(struct counters *counters, const char *id)
{
    struct counter **slot = find(counters, id);
    struct counter *counter = *slot;

    if (!counter || --counter->value)
        return;
    *slot = counter->next;
    free(counter);
}

uint32_t counters_value(const struct counters *counters, const char *id)
{
    const struct counter *counter = *place_of(counters, id);

    while (counter && strcmp(counter->id, id) != 0)
        counter = counter->next;
    return counter ? counter->value : 0;
}

void counters_release(struct counters *counters)
{
    for (int i = 0; i < COUNTER_PLACES; i++) {
        while (counters->places[i]) {
            struct counter *next = counters->places[i]->next;

            free(counters->places[i]);
            counters->places[i] = next;
        }
    }
}
