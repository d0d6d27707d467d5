#include "net/http_path.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/poison.h"

static int hex(char c)
{
    if (!isxdigit((unsigned char)c))
        return -1;
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The character at *at, decoded, and moves on; -1 for an escape that is none. */
static int next_character(const char **at)
{
    const char *text = *at;
    int high;
    int low;

    if (text[0] != '%') {
        *at = text + 1;
        return (unsigned char)text[0];
    }
    high = hex(text[1]);
    low = high < 0 ? -1 : hex(text[2]);
    *at = text + 3;
    return low < 0 ? -1 : high * 16 + low;
}

static bool query_well_formed(const char *query)
{
    while (*query) {
        bool plain = *query != '%';
        int c = next_character(&query);

        if (c <= 0 || (plain && c == '#'))
            return false;
    }
    return true;
}

/* Of a path's characters: does c, which came encoded or not, mean itself and nothing else? */
static bool character_allowed(int c, bool encoded)
{
    if (c < 0x20 || c == 0x7f || c == '\\')
        return false;
    return encoded ? c != '/' && c != '%' : c != '#';
}

bool http_path_well_formed(const char *target)
{
    size_t length = 0; /* of the segment so far */
    size_t dots = 0;

    while (*target && *target != '?') {
        bool encoded = *target == '%';
        int c = next_character(&target);

        if (!character_allowed(c, encoded))
            return false;
        if (c != '/') {
            length++;
            dots += c == '.';
        } else {
            length = dots = 0;
        }
        if (length && length == dots && length <= 2 &&
            (*target == '/' || *target == '?' || !*target))
            return false;
    }
    return query_well_formed(target);
}
