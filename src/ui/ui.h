/*
 * The files of the web console, as `tools/web` built them: part of the program, or read once from a
 * folder (ui_load_folder) in their stead. API process; read-only after loading, so any thread.
 */
#ifndef DOCLE_UI_UI_H
#define DOCLE_UI_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/error.h"

enum {
    UI_ETAG_SIZE = 24,       /* with quotes and NUL */
    UI_FILES_MAX = 1000,     /* of a folder */
    UI_FOLDER_MAX_MB = 64,   /* of its files together */
    UI_PATH_MAX_BYTES = 256, /* of a file's path below it */
};

/* One file in one coding. bytes NULL: not there in it. */
struct ui_bytes {
    const void *bytes;
    size_t length;
};

struct ui_file {
    const char *path; /* as in a URL: "/assets/app-1a2b3c4d.js" */
    char etag[UI_ETAG_SIZE];
    struct ui_bytes plain; /* always there */
    struct ui_bytes brotli;
    struct ui_bytes gzip;
    bool immutable; /* its name changes with its content */
};

/* A set of files, sorted by path. */
struct ui_files {
    const struct ui_file *files;
    size_t count;
    void *owned; /* of ui_load_folder */
};

/* The files that the program was built with; count 0: it was built without. */
extern const struct ui_files ui_embedded;

/* Reads every file below path, those that end in .br and .gz as codings of the one they are named
 * after. DC_LIMIT: more than the maxima above; DC_INVALID: no index.html. */
DC_MUST int ui_load_folder(const char *path, struct ui_files *ret_files, struct dc_err *err);
void ui_files_release(struct ui_files *files); /* accepts zeros */

/* NULL: there is no such file. */
const struct ui_file *ui_find(const struct ui_files *files, const char *path);

/* Is this path a page of the console, which its index.html shows? */
bool ui_is_page(const char *path);

/* Does an Accept-Encoding such as "gzip, br;q=0.5" name the coding, with a weight other than 0? */
bool ui_accepts(const char *list, const char *coding);

/* The media type of a file by its ending; never NULL. */
const char *ui_media_type(const char *path);

#endif
