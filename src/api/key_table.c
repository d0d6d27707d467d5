#include "api/key_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

void key_table_init(struct key_table *table)
{
    *table = (struct key_table){0};
}

void key_table_release(struct key_table *table)
{
    free(table->keys);
    free(table->used_at);
    free(table->places);
    free(table->projects);
    domain_set_release(&table->domains);
    *table = (struct key_table){0};
}

static size_t place_of(const struct key_table *table, const uint8_t hash[static STORE_HASH_BYTES])
{
    uint64_t head;

    memcpy(&head, hash, sizeof(head));
    return (size_t)head & (table->place_count - 1);
}

static const struct store_key *find_hash(const struct key_table *table,
                                         const uint8_t hash[static STORE_HASH_BYTES])
{
    if (!table->place_count)
        return NULL;
    for (size_t at = place_of(table, hash); table->places[at];
         at = (at + 1) & (table->place_count - 1)) {
        const struct store_key *key = &table->keys[table->places[at] - 1];

        if (store_equal(key->hash, hash, STORE_HASH_BYTES))
            return key;
    }
    return NULL;
}

static void place_all(struct key_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t at = place_of(table, table->keys[i].hash);

        while (table->places[at])
            at = (at + 1) & (table->place_count - 1);
        table->places[at] = (uint32_t)(i + 1);
    }
}

/* Keys that are still there keep what was remembered of them. */
static void carry_uses(const struct key_table *from, struct key_table *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct store_key *key = from->used_at[i] ? find_hash(to, from->keys[i].hash) : NULL;

        if (key)
            to->used_at[key - to->keys] = from->used_at[i];
    }
}

static int place_domains(struct key_table *table, struct dc_err *err)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->keys[i].rules.domains &&
            domain_set_add(&table->domains, table->keys[i].rules.domains, err) < 0)
            return -err->code;
    return 0;
}

void key_table_set_projects(struct key_table *table, struct store_project *projects, size_t count)
{
    free(table->projects);
    table->projects = projects;
    table->project_count = count;
}

static int compare_id(const void *id, const void *project)
{
    return strcmp(id, ((const struct store_project *)project)->id);
}

const struct store_project *key_table_project(const struct key_table *table, const char *id)
{
    if (!table->project_count)
        return NULL;
    return bsearch(id, table->projects, table->project_count, sizeof(*table->projects), compare_id);
}

int key_table_replace(struct key_table *table, struct store_key *keys, size_t count,
                      struct dc_err *err)
{
    struct key_table made = {.count = count, .place_count = 16};

    while (made.place_count < count * 2)
        made.place_count *= 2;
    made.used_at = calloc(count ? count : 1, sizeof(*made.used_at));
    made.places = calloc(made.place_count, sizeof(*made.places));
    if (!made.used_at || !made.places) {
        key_table_release(&made);
        return dc_fail(err, DC_KERNEL, ENOMEM, "a table of %zu keys", count);
    }
    made.keys = keys;
    if (place_domains(&made, err) < 0) {
        made.keys = NULL; /* the caller's still */
        key_table_release(&made);
        return -err->code;
    }
    place_all(&made);
    carry_uses(table, &made);
    made.projects = table->projects;
    made.project_count = table->project_count;
    table->projects = NULL;
    key_table_release(table);
    *table = made;
    return 0;
}

const struct store_key *key_table_find(const struct key_table *table, const char *text,
                                       size_t length)
{
    uint8_t hash[STORE_HASH_BYTES];

    store_sha256(text, length, hash);
    return find_hash(table, hash);
}

void key_table_use(struct key_table *table, const struct store_key *key, int64_t now)
{
    table->used_at[key - table->keys] = now;
}

size_t key_table_collect(struct key_table *table, struct store_key_use *uses, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count && count < max; i++) {
        if (!table->used_at[i])
            continue;
        memcpy(uses[count].key_id, table->keys[i].id, sizeof(uses[count].key_id));
        uses[count++].at = table->used_at[i];
        table->used_at[i] = 0;
    }
    return count;
}
