#include "ui/ui.h"

#include <string.h>

#include "base/poison.h"

const struct ui_file *ui_find(const struct ui_files *files, const char *path)
{
    size_t low = 0;
    size_t high = files->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path, files->files[middle].path);

        if (order == 0)
            return &files->files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool ui_is_page(const char *path)
{
    /* First parts of the paths in web/apps/console/src/app/router.ts, which a test compares. */
    static const char *const pages[] = {"login",    "dashboard", "playground",  "runs",
                                        "keys",     "usage",     "settings",    "docs",
                                        "snippets", "projects",  "invitations", "s"};
    size_t length = strcspn(path + 1, "/");

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (strlen(pages[i]) == length && memcmp(path + 1, pages[i], length) == 0)
            return true;
    return false;
}

const char *ui_media_type(const char *path)
{
    static const struct {
        const char *ending;
        const char *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".txt", "text/plain; charset=utf-8"},
        {".webmanifest", "application/manifest+json"},
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(dot, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}
