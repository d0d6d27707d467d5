#include "accounts/cookie.h"

#include <string.h>

#include "base/poison.h"

static void trim(const char **text, size_t *length)
{
    while (*length && (**text == ' ' || **text == '\t')) {
        (*text)++;
        (*length)--;
    }
    while (*length && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
        (*length)--;
}

/* The value when this pair has that name. */
static bool is_named(const char *pair, size_t length, const char *name, const char **ret_value,
                     size_t *ret_length)
{
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals ? (size_t)(equals - pair) : 0;

    if (!equals || name_length != strlen(name) || memcmp(pair, name, name_length) != 0)
        return false;
    *ret_value = equals + 1;
    *ret_length = length - name_length - 1;
    if (*ret_length >= 2 && **ret_value == '"' && (*ret_value)[*ret_length - 1] == '"') {
        (*ret_value)++;
        *ret_length -= 2;
    }
    return true;
}

bool cookie_find(const char *header, const char *name, char *ret_value, size_t size)
{
    bool found = false;

    while (header && *header) {
        size_t length = strcspn(header, ";");
        const char *pair = header;
        size_t pair_length = length;
        const char *value;
        size_t value_length;

        header += length + (header[length] == ';');
        trim(&pair, &pair_length);
        if (!is_named(pair, pair_length, name, &value, &value_length))
            continue;
        if (value_length >= size)
            return false;
        if (found &&
            (strlen(ret_value) != value_length || memcmp(ret_value, value, value_length) != 0))
            return false;
        memcpy(ret_value, value, value_length);
        ret_value[value_length] = '\0';
        found = true;
    }
    return found;
}
