#include "egress/http_host.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "egress/host_rule.h"

#include "base/poison.h"

enum { METHOD_MAX = 32 };

static bool token_char(uint8_t c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(marks, c));
}

/* "name" or "name:port" → the lowered name. */
static bool read_authority(const char *text, size_t length,
                           char out[static DC_HOST_NAME_MAX_BYTES + 1])
{
    const char *colon = memchr(text, ':', length);
    size_t name = colon ? (size_t)(colon - text) : length;

    if (colon && length - name > 6)
        return false;
    for (size_t i = name + 1; colon && i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    if (name && text[name - 1] == '.')
        name--;
    if (!name || name > DC_HOST_NAME_MAX_BYTES || memchr(text, '\0', name))
        return false;
    for (size_t i = 0; i < name; i++)
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
    out[name] = '\0';
    return host_name_valid(out);
}

struct request {
    bool has_host;
    bool has_target; /* the target names a host too */
    char host[DC_HOST_NAME_MAX_BYTES + 1];
    char target[DC_HOST_NAME_MAX_BYTES + 1];
};

/* METHOD SP target SP HTTP/1.x */
static bool read_request_line(const char *line, size_t length, struct request *request)
{
    const char *space = memchr(line, ' ', length);
    const char *last = memrchr(line, ' ', length);
    const char *target;
    size_t target_length;

    if (!space || space == last || line + length - last != 9 ||
        (memcmp(last, " HTTP/1.1", 9) != 0 && memcmp(last, " HTTP/1.0", 9) != 0))
        return false;
    for (const char *at = line; at < space; at++)
        if (!token_char((uint8_t)*at))
            return false;
    target = space + 1;
    target_length = (size_t)(last - target);
    if (!target_length || memchr(target, ' ', target_length) || memchr(target, '\t', target_length))
        return false;
    if (target[0] == '/' || (target_length == 1 && target[0] == '*'))
        return true;
    if (target_length < 8 || strncasecmp(target, "http://", 7) != 0)
        return false; /* CONNECT, other schemes */
    target += 7;
    target_length -= 7;
    for (size_t i = 0; i < target_length; i++)
        if (target[i] == '/' || target[i] == '?' || target[i] == '#')
            target_length = i;
    request->has_target = true;
    return read_authority(target, target_length, request->target);
}

static bool read_field(const char *line, size_t length, struct request *request)
{
    const char *colon = memchr(line, ':', length);
    size_t name = colon ? (size_t)(colon - line) : 0;
    const char *value;
    size_t value_length;

    if (!name) /* no name, or a folded line */
        return false;
    for (size_t i = 0; i < name; i++)
        if (!token_char((uint8_t)line[i]))
            return false;
    if (name != 4 || strncasecmp(line, "host", 4) != 0)
        return true;
    value = colon + 1;
    value_length = length - name - 1;
    while (value_length && (*value == ' ' || *value == '\t')) {
        value++;
        value_length--;
    }
    while (value_length && (value[value_length - 1] == ' ' || value[value_length - 1] == '\t'))
        value_length--;
    if (request->has_host)
        return false;
    request->has_host = true;
    return read_authority(value, value_length, request->host);
}

/* Could this be the start of a method? Tells other protocols apart before a line is whole. */
static bool starts_like_request(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length && i <= METHOD_MAX; i++) {
        if (bytes[i] == ' ')
            return i > 0;
        if (!token_char(bytes[i]))
            return false;
    }
    return length <= METHOD_MAX;
}

enum peek_result http_host_name(const uint8_t *bytes, size_t length,
                                char ret_name[static DC_HOST_NAME_MAX_BYTES + 1])
{
    const char *at = (const char *)bytes;
    const char *end = at + length;
    struct request request = {0};
    bool first = true;

    if (!starts_like_request(bytes, length))
        return PEEK_NONE;
    for (;;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t line = feed ? (size_t)(feed - at) : 0;

        if (!feed)
            return PEEK_MORE;
        if (!line || at[line - 1] != '\r' || memchr(at, '\r', line - 1) || memchr(at, '\0', line))
            return PEEK_NONE;
        line--;
        if (!line && !first)
            break;
        if (!(first ? read_request_line(at, line, &request) : read_field(at, line, &request)))
            return PEEK_NONE;
        first = false;
        at = feed + 1;
    }
    if (!request.has_host || (request.has_target && strcmp(request.host, request.target) != 0))
        return PEEK_NONE;
    memcpy(ret_name, request.host, sizeof(request.host));
    return PEEK_FOUND;
}
