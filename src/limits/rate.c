#include "limits/rate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#include "base/poison.h"

/* One more than the window has: a request counts until its whole second is a minute old. */
enum { BUCKETS = RATE_WINDOW_S + 1 };

struct rate_entry {
    uint8_t id[RATE_ID_BYTES];
    int64_t second; /* of the newest bucket */
    uint32_t total; /* of all buckets */
    uint16_t counts[BUCKETS];
    struct rate_entry *next;          /* of the same place */
    struct rate_entry *older, *newer; /* by last use */
};

struct rate_table {
    struct rate_entry **places;
    size_t place_count; /* a power of two */
    size_t count;
    size_t max;
    uint64_t seed; /* so that nobody can choose identifiers that meet in one place */
    struct rate_entry *oldest, *newest;
};

struct rate_table *rate_table_new(size_t entries_max)
{
    struct rate_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->max = entries_max;
    table->place_count = 64;
    while (table->place_count < entries_max)
        table->place_count *= 2;
    table->places = calloc(table->place_count, sizeof(struct rate_entry *));
    if (!table->places) {
        free(table);
        return NULL;
    }
    if (getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) < 0)
        table->seed = 0; /* still correct */
    return table;
}

void rate_table_free(struct rate_table *table)
{
    struct rate_entry *entry = table ? table->oldest : NULL;

    while (entry) {
        struct rate_entry *newer = entry->newer;

        free(entry);
        entry = newer;
    }
    if (table)
        free(table->places);
    free(table);
}

size_t rate_table_count(const struct rate_table *table)
{
    return table->count;
}

/* ---- finding ---- */

static struct rate_entry **find(const struct rate_table *table, const uint8_t *id)
{
    uint64_t halves[2];
    uint64_t hash;
    struct rate_entry **slot;

    memcpy(halves, id, sizeof(halves));
    hash = (halves[0] ^ table->seed) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 29) ^ halves[1]) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 32) ^ table->seed) * UINT64_C(0x94d049bb133111eb);
    slot = &table->places[(hash >> 20) & (table->place_count - 1)];
    while (*slot && memcmp((*slot)->id, id, RATE_ID_BYTES) != 0)
        slot = &(*slot)->next;
    return slot;
}

static void unlink_use(struct rate_table *table, struct rate_entry *entry)
{
    *(entry->older ? &entry->older->newer : &table->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &table->newest) = entry->older;
}

static void link_newest(struct rate_table *table, struct rate_entry *entry)
{
    entry->newer = NULL;
    entry->older = table->newest;
    *(table->newest ? &table->newest->newer : &table->oldest) = entry;
    table->newest = entry;
}

/* Memory for one more: of the longest unseen when there are enough. */
static struct rate_entry *make_room(struct rate_table *table)
{
    struct rate_entry *entry = table->oldest;

    if (table->count < table->max) {
        entry = malloc(sizeof(*entry));
        if (entry) {
            table->count++;
            return entry;
        }
        entry = table->oldest;
    }
    if (!entry)
        return NULL;
    *find(table, entry->id) = entry->next;
    unlink_use(table, entry);
    return entry;
}

static struct rate_entry *enter(struct rate_table *table, const uint8_t *id, int64_t second)
{
    struct rate_entry *entry = *find(table, id);

    if (entry) {
        unlink_use(table, entry);
    } else {
        struct rate_entry **slot;

        entry = make_room(table);
        if (!entry)
            return NULL;
        memset(entry, 0, sizeof(*entry));
        memcpy(entry->id, id, RATE_ID_BYTES);
        entry->second = second;
        slot = find(table, id); /* what made room may have been before it */
        *slot = entry;
    }
    link_newest(table, entry);
    return entry;
}

/* ---- counting ---- */

static size_t bucket_of(int64_t second)
{
    return (size_t)(second % BUCKETS);
}

/* Empties the buckets of seconds that have begun since. */
static void advance(struct rate_entry *entry, int64_t second)
{
    if (second >= entry->second + BUCKETS) {
        memset(entry->counts, 0, sizeof(entry->counts));
        entry->total = 0;
        entry->second = second;
    }
    while (entry->second < second) {
        size_t at = bucket_of(++entry->second);

        entry->total -= entry->counts[at];
        entry->counts[at] = 0;
    }
}

/* When the oldest that counts leaves. */
static int64_t wait_of(const struct rate_entry *entry, int64_t now_ns)
{
    for (int64_t second = entry->second - BUCKETS + 1; second <= entry->second; second++)
        if (second >= 0 && entry->counts[bucket_of(second)])
            return (second + BUCKETS) * DC_NS_PER_S - now_ns;
    return 0;
}

static void judge(const struct rate_entry *entry, uint32_t limit, int64_t now_ns,
                  struct rate_verdict *verdict)
{
    verdict->limit = limit;
    verdict->remaining = entry->total < limit ? limit - entry->total : 0;
    verdict->wait_ns = wait_of(entry, now_ns);
}

void rate_take(struct rate_table *table, const uint8_t id[static RATE_ID_BYTES], uint32_t limit,
               int64_t now_ns, struct rate_verdict *ret_verdict)
{
    int64_t second = now_ns / DC_NS_PER_S;
    struct rate_entry *entry = enter(table, id, second);

    *ret_verdict = (struct rate_verdict){.allowed = true, .limit = limit, .remaining = limit};
    if (!entry)
        return;
    advance(entry, second);
    ret_verdict->allowed = entry->total < limit;
    if (ret_verdict->allowed) {
        entry->total++;
        entry->counts[bucket_of(second)]++;
    }
    judge(entry, limit, now_ns, ret_verdict);
}

void rate_look(const struct rate_table *table, const uint8_t id[static RATE_ID_BYTES],
               uint32_t limit, int64_t now_ns, struct rate_verdict *ret_verdict)
{
    struct rate_entry *entry = *find(table, id);
    struct rate_entry copy;

    *ret_verdict = (struct rate_verdict){.allowed = true, .limit = limit, .remaining = limit};
    if (!entry)
        return;
    copy = *entry;
    advance(&copy, now_ns / DC_NS_PER_S);
    judge(&copy, limit, now_ns, ret_verdict);
    ret_verdict->allowed = ret_verdict->remaining > 0;
}
