/*
 * Memory that lives and dies together, for what belongs to one request. Allocations are never freed
 * one by one. All processes.
 */
#ifndef DOCLE_BASE_ARENA_H
#define DOCLE_BASE_ARENA_H

#include <stddef.h>

struct dc_arena_block;

/* Zero-initialised is empty and ready. */
struct dc_arena {
    struct dc_arena_block *blocks;
};

void dc_arena_release(struct dc_arena *arena); /* accepts NULL and an empty one */

/* Zeroed, aligned for any type; NULL without memory. */
void *dc_arena_alloc(struct dc_arena *arena, size_t size);

/* A copy of length bytes with a NUL after them; NULL without memory. */
char *dc_arena_copy(struct dc_arena *arena, const void *bytes, size_t length);

#endif
