#include "runs/glance.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

#include "base/poison.h"

enum { ERROR_TAIL_BYTES = 8192 };

static const struct run_text nothing = {.bytes = ""};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* At most max bytes of it, in whole characters, up to a NUL. */
static struct run_text cut(const char *text, size_t length, size_t max)
{
    size_t end = strnlen(text, length);

    if (end > max) {
        end = max;
        while (end && ((unsigned char)text[end] & 0xc0) == 0x80)
            end--;
    }
    if (!dc_utf8_valid(text, end))
        return nothing;
    return (struct run_text){.bytes = text, .length = end};
}

static struct run_text trimmed(const char *line, size_t length)
{
    while (length && is_blank(*line)) {
        line++;
        length--;
    }
    while (length && is_blank(line[length - 1]))
        length--;
    return cut(line, length, GLANCE_LINE_MAX_BYTES);
}

static const struct run_file *entry_of(const struct run_request *request)
{
    for (size_t i = 0; request->entrypoint && i < request->file_count; i++)
        if (strcmp(request->files[i].path.bytes, request->entrypoint) == 0)
            return &request->files[i];
    return request->file_count ? &request->files[0] : NULL;
}

struct run_text glance_program(const struct run_request *request)
{
    const struct run_file *file = entry_of(request);

    return file ? cut(file->content.bytes, file->content.length, GLANCE_PROGRAM_MAX_BYTES)
                : nothing;
}

struct run_text glance_line(const char *head)
{
    while (*head) {
        size_t length = strcspn(head, "\n");
        struct run_text line = trimmed(head, length);

        if (line.length)
            return line;
        head += length + (head[length] == '\n');
    }
    return nothing;
}

static bool has_word(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80)
            return true;
    }
    return false;
}

static bool says_something(const char *line, size_t length)
{
    static const char version[] = "Node.js v";

    if (!length || is_blank(*line) || !has_word(line, length))
        return false;
    return length < sizeof(version) - 1 || memcmp(line, version, sizeof(version) - 1) != 0;
}

struct run_text glance_error(const char *text, size_t length)
{
    const char *first = length > ERROR_TAIL_BYTES ? text + length - ERROR_TAIL_BYTES : text;
    const char *end = text + length;

    while (end > first) {
        const char *line = memrchr(first, '\n', (size_t)(end - first));

        line = line ? line + 1 : first;
        /* The cut beginning of a long line is none. */
        if ((line > first || first == text) && says_something(line, (size_t)(end - line)))
            return trimmed(line, (size_t)(end - line));
        if (line == first)
            break;
        end = line - 1;
    }
    return nothing;
}
