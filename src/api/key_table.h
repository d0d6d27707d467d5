/*
 * API keys in memory, found by the SHA-256 of what a client sent. The time of a look-up tells
 * nothing about keys: the place in the table follows from the hash alone, and hashes are compared
 * in constant time. API process, loop thread.
 *
 * Lifecycle: key_table_init; key_table_replace whenever the store's keys changed;
 * key_table_release.
 */
#ifndef DOCLE_API_KEY_TABLE_H
#define DOCLE_API_KEY_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "limits/domains.h"
#include "store/keys.h"

struct key_table {
    struct store_project *projects; /* owned; by id */
    size_t project_count;
    struct domain_set domains; /* of all keys; texts of keys */
    struct store_key *keys;    /* owned; as loaded */
    size_t count;
    int64_t *used_at;   /* by index; 0: not since the last batch */
    uint32_t *places;   /* index + 1, or 0 */
    size_t place_count; /* a power of two, or 0 */
};

void key_table_init(struct key_table *table);
void key_table_release(struct key_table *table); /* accepts an initialised one */

/* Takes projects (malloc'ed, in the order of their ids). */
void key_table_set_projects(struct key_table *table, struct store_project *projects, size_t count);

/* The project with this id, or NULL. Valid until the projects are set. */
const struct store_project *key_table_project(const struct key_table *table, const char *id);

/* Takes keys (malloc'ed) on success. Uses not yet collected are carried over. */
DC_MUST int key_table_replace(struct key_table *table, struct store_key *keys, size_t count,
                              struct dc_err *err);

/* The key with this text, or NULL. Valid until the table is replaced. */
const struct store_key *key_table_find(const struct key_table *table, const char *text,
                                       size_t length);

/* Remembers that a key was used. key: from key_table_find. */
void key_table_use(struct key_table *table, const struct store_key *key, int64_t now);

/* Moves uses not yet collected to uses, at most max; returns how many. */
size_t key_table_collect(struct key_table *table, struct store_key_use *uses, size_t max);

#endif
