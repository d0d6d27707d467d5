#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/config_internal.h"

#include "base/poison.h"

static void translate(const char *name, char separator, bool upper, char *out, size_t size)
{
    size_t i = 0;

    for (; name[i] && i + 1 < size; i++) {
        char c = name[i] == '.' || name[i] == '_' ? separator : name[i];

        out[i] = upper ? (char)toupper((unsigned char)c) : c;
    }
    out[i] = '\0';
}

void config_env_name(enum config_id id, char *out, size_t size)
{
    (void)snprintf(out, size, "DOCLE_");
    translate(config_keys[id].name, '_', true, out + 6, size - 6);
}

void config_flag_name(enum config_id id, char *out, size_t size)
{
    translate(config_keys[id].name, '-', false, out, size);
    if (config_keys[id].type == CONFIG_SECRET)
        (void)snprintf(out + strlen(out), size - strlen(out), "-file");
}

enum config_id config_find(const char *name)
{
    for (unsigned i = 0; i < CONFIG_KEYS; i++)
        if (strcmp(config_keys[i].name, name) == 0)
            return (enum config_id)i;
    return CONFIG_KEYS;
}

/* Levenshtein's distance of short words; words that are longer are never near. */
static size_t distance(const char *one, const char *two)
{
    size_t row[CONFIG_NAME_MAX + 1];
    size_t length = strlen(two);

    if (strlen(one) > CONFIG_NAME_MAX || length > CONFIG_NAME_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; one[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = diagonal + (one[i - 1] != two[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];

            diagonal = row[j];
            row[j] = least + 1 < change ? least + 1 : change;
        }
    }
    return row[length];
}

bool config_nearest(const char *word, const char *const *list, size_t count, const char **ret_near)
{
    size_t best = 4;

    for (size_t i = 0; i < count; i++) {
        size_t slips = distance(word, list[i]);

        if (slips < best && slips < strlen(list[i])) {
            best = slips;
            *ret_near = list[i];
        }
    }
    return best < 4;
}

int config_fail_unknown(const char *kind, const char *name, const char *const *list, size_t count,
                        struct dc_err *err)
{
    const char *near;

    if (config_nearest(name, list, count, &near))
        return dc_fail(err, DC_INVALID, 0, "unknown %s '%.64s'; did you mean '%s'?", kind, name,
                       near);
    return dc_fail(err, DC_INVALID, 0, "unknown %s '%.64s'; docle.conf(5) lists them all", kind,
                   name);
}
