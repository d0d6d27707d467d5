/* What a browser says of the console's files: first line a path, the rest an Accept-Encoding. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/ui.h"

#include "base/poison.h"

enum { INPUT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ui_file files[] = {{.path = "/assets/a.js"}, {.path = "/index.html"}};

static void try_path(const char *path)
{
    char longer[INPUT_MAX + 8];
    const struct ui_file *found = ui_find(&(struct ui_files){.files = files, .count = 2}, path);

    assert(!found || strcmp(found->path, path) == 0);
    assert(ui_media_type(path));
    if (path[0] == '/') {
        (void)snprintf(longer, sizeof(longer), "%s/x", path);
        assert(ui_is_page(path) == ui_is_page(longer) || strcmp(path, "/") == 0);
    }
}

static void try_codings(const char *list)
{
    char more[INPUT_MAX + 8];
    bool accepted = ui_accepts(list, "br");

    assert(!accepted || strstr(list, "br"));
    /* Further items do not take back what was said. */
    (void)snprintf(more, sizeof(more), "%s,gzip", list);
    assert(ui_accepts(more, "br") == accepted);
    if (!strstr(list, "gzip"))
        assert(ui_accepts(more, "gzip"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size < INPUT_MAX ? size : INPUT_MAX);
    char *list;

    assert(text);
    list = strchr(text, '\n');
    if (list)
        *list++ = '\0';
    try_path(text);
    try_codings(list ? list : "");
    free(text);
    return 0;
}
