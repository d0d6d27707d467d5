#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void dc_buf_init(struct dc_buf *buf, size_t max)
{
    *buf = (struct dc_buf){.max = max};
}

void dc_buf_release(struct dc_buf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    *buf = (struct dc_buf){.max = buf->max};
}

char *dc_buf_reserve(struct dc_buf *buf, size_t length)
{
    size_t wanted;
    size_t capacity = buf->capacity ? buf->capacity : 256;
    char *data;

    if (length > buf->max || buf->length > buf->max - length) {
        buf->failed = true;
        return NULL;
    }
    wanted = buf->length + length + 1;
    if (wanted <= buf->capacity)
        return buf->data + buf->length;
    while (capacity < wanted)
        capacity = capacity > SIZE_MAX / 2 ? wanted : capacity * 2;
    data = realloc(buf->data, capacity);
    if (!data) {
        buf->failed = true;
        return NULL;
    }
    buf->data = data;
    buf->capacity = capacity;
    return data + buf->length;
}

void dc_buf_commit(struct dc_buf *buf, size_t length)
{
    assert(buf->data && length < buf->capacity - buf->length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

bool dc_buf_append(struct dc_buf *buf, const void *bytes, size_t length)
{
    char *room = dc_buf_reserve(buf, length);

    if (!room)
        return false;
    if (length)
        memcpy(room, bytes, length);
    dc_buf_commit(buf, length);
    return true;
}

bool dc_buf_text(struct dc_buf *buf, const char *text)
{
    return dc_buf_append(buf, text, strlen(text));
}

bool dc_buf_byte(struct dc_buf *buf, char byte)
{
    return dc_buf_append(buf, &byte, 1);
}

bool dc_buf_printf(struct dc_buf *buf, const char *format, ...)
{
    va_list args;
    va_list again;
    char *room;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    room = length < 0 ? NULL : dc_buf_reserve(buf, (size_t)length);
    if (room) {
        (void)vsnprintf(room, (size_t)length + 1, format, again);
        dc_buf_commit(buf, (size_t)length);
    }
    va_end(again);
    return room != NULL;
}

void dc_buf_consume(struct dc_buf *buf, size_t length)
{
    assert(length <= buf->length);
    if (!length)
        return;
    buf->length -= length;
    memmove(buf->data, buf->data + length, buf->length + 1);
}

const char *dc_buf_str(const struct dc_buf *buf)
{
    return buf->data ? buf->data : "";
}
