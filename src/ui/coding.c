#include <string.h>

#include "ui/ui.h"

#include "base/poison.h"

/* Is the item, of that length, weighted with q=0, q=0.0, …? */
static bool is_refused(const char *item, size_t length)
{
    for (const char *at = item; at < item + length; at++) {
        size_t digits;

        if (*at != ';')
            continue;
        at += 1 + strspn(at + 1, " \t");
        if (strncmp(at, "q=0", 3) != 0)
            continue;
        digits = at[3] == '.' ? 4 + strspn(at + 4, "0") : 3;
        return strchr(",; \t", at[digits]) != NULL;
    }
    return false;
}

bool ui_accepts(const char *list, const char *coding)
{
    size_t name = strlen(coding);

    while (*list) {
        size_t length;

        list += strspn(list, ", \t");
        length = strcspn(list, ",");
        if (length >= name && strncmp(list, coding, name) == 0 && strchr(",; \t", list[name]))
            return !is_refused(list, length);
        list += length;
    }
    return false;
}
