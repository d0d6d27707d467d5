#include "store/rows.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

enum { TEXTS_MAX_BYTES = 256 << 20 };

void rows_init(struct rows *rows, size_t size)
{
    *rows = (struct rows){.size = size};
    dc_buf_init(&rows->texts, TEXTS_MAX_BYTES);
}

void rows_release(struct rows *rows)
{
    free(rows->data);
    dc_buf_release(&rows->texts);
}

void *rows_add(struct rows *rows, struct dc_err *err)
{
    char *row;

    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 16;
        char *data = reallocarray(rows->data, capacity, rows->size);

        if (!data) {
            (void)dc_fail(err, DC_KERNEL, ENOMEM, "%zu rows", capacity);
            return NULL;
        }
        rows->data = data;
        rows->capacity = capacity;
    }
    row = rows->data + rows->count++ * rows->size;
    memset(row, 0, rows->size);
    return row;
}

/* Until the texts have their place, a slot holds how far into them its text begins, plus one. */
static void set_offset(const char **slot, size_t offset)
{
    uintptr_t value = offset + 1;

    memcpy(slot, &value, sizeof(value));
}

static void resolve(char *slot, const char *texts)
{
    const char *text;
    uintptr_t value;

    memcpy(&value, slot, sizeof(value));
    if (!value)
        return;
    text = texts + value - 1;
    memcpy(slot, &text, sizeof(text));
}

int rows_text(struct rows *rows, struct db_query *query, int column, const char **slot,
              struct dc_err *err)
{
    DC_AUTO(dc_free) char *text = NULL;
    size_t length;

    *slot = NULL;
    if (db_copy(query, column, &text, &length, err) < 0)
        return -err->code;
    if (!text)
        return 0;
    set_offset(slot, rows->texts.length);
    if (!dc_buf_append(&rows->texts, text, length + 1))
        return dc_fail(err, DC_KERNEL, ENOMEM, "texts of %zu rows", rows->count);
    return 0;
}

int rows_take(struct rows *rows, const size_t *slots, size_t slot_count, void **ret_data,
              size_t *ret_count, struct dc_err *err)
{
    size_t head = rows->count * rows->size;
    char *data = realloc(rows->data, head + rows->texts.length + 1);

    if (!data)
        return dc_fail(err, DC_KERNEL, ENOMEM, "%zu rows", rows->count);
    rows->data = NULL;
    if (rows->texts.length)
        memcpy(data + head, rows->texts.data, rows->texts.length);
    for (size_t i = 0; i < rows->count; i++)
        for (size_t k = 0; k < slot_count; k++)
            resolve(data + i * rows->size + slots[k], data + head);
    *ret_data = data;
    *ret_count = rows->count;
    return 0;
}

int rows_read(struct db_query *query, size_t size,
              int (*read)(struct db_query *query, void *row, struct dc_err *err), void **ret_rows,
              size_t *ret_count, struct dc_err *err)
{
    DC_AUTO(rows_release) struct rows rows;
    bool more;

    rows_init(&rows, size);
    for (;;) {
        void *row;

        if (db_step(query, &more, err) < 0)
            return -err->code;
        if (!more)
            return rows_take(&rows, NULL, 0, ret_rows, ret_count, err);
        row = rows_add(&rows, err);
        if (!row || read(query, row, err) < 0)
            return -err->code;
    }
}
