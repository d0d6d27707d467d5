#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

enum { BLOCK_BYTES = 4096 };

struct dc_arena_block {
    struct dc_arena_block *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

void dc_arena_release(struct dc_arena *arena)
{
    struct dc_arena_block *next;

    if (!arena)
        return;
    for (struct dc_arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->blocks = NULL;
}

static struct dc_arena_block *add_block(struct dc_arena *arena, size_t size)
{
    struct dc_arena_block *block;

    if (size < BLOCK_BYTES)
        size = BLOCK_BYTES;
    block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    block->used = 0;
    block->size = size;
    arena->blocks = block;
    return block;
}

void *dc_arena_alloc(struct dc_arena *arena, size_t size)
{
    struct dc_arena_block *block = arena->blocks;
    const size_t align = _Alignof(max_align_t);
    void *at;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + align - 1) / align * align;
    if (!block || block->size - block->used < size)
        block = add_block(arena, size);
    if (!block)
        return NULL;
    at = block->bytes + block->used;
    block->used += size;
    memset(at, 0, size);
    return at;
}

char *dc_arena_copy(struct dc_arena *arena, const void *bytes, size_t length)
{
    char *copy = length < SIZE_MAX ? dc_arena_alloc(arena, length + 1) : NULL;

    if (copy && length)
        memcpy(copy, bytes, length);
    return copy;
}
