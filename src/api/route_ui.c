/* The web console's files, and its one page for every path that is a page of it. */
#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/base64.h"
#include "base/io.h"

#include "base/poison.h"

enum { NONCE_BYTES = 16, INDEX_MAX_BYTES = 64 * 1024, POLICY_MAX_BYTES = 512 };

/* ---- codings ---- */

static const struct ui_bytes *choose(const struct call *call, const struct ui_file *file,
                                     const char **ret_coding)
{
    const char *list = call_header(call, "Accept-Encoding");

    if (list && file->brotli.bytes && ui_accepts(list, "br")) {
        *ret_coding = "br";
        return &file->brotli;
    }
    if (list && file->gzip.bytes && ui_accepts(list, "gzip")) {
        *ret_coding = "gzip";
        return &file->gzip;
    }
    *ret_coding = NULL;
    return &file->plain;
}

/* ---- answers ---- */

static bool is_fresh(const struct call *call, const struct ui_file *file)
{
    const char *known = call_header(call, "If-None-Match");

    return known && strstr(known, file->etag);
}

static void reply_file(struct call *call, const struct ui_file *file)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    const char *coding = NULL;
    const struct ui_bytes *bytes = choose(call, file, &coding);
    struct call_head head = {.status = is_fresh(call, file) ? 304 : 200,
                             .type = ui_media_type(file->path),
                             .cache = file->immutable ? "public, max-age=31536000, immutable"
                                                      : "no-cache",
                             .fields = {{"ETag", file->etag}, {"Vary", "Accept-Encoding"}}};

    dc_buf_init(&body, bytes->length);
    if (head.status == 200)
        (void)dc_buf_append(&body, bytes->bytes, bytes->length);
    if (coding && head.status == 200)
        head.fields[2] = (struct call_field){"Content-Encoding", coding};
    call_reply(call, &head, &body);
}

/* Whatever the browser sends may be old; it says only whether asking who it is makes sense. */
static const char *session_hint(const struct call *call)
{
    const char *cookie = call_header(call, "Cookie");

    return cookie && strstr(cookie, "docle_session=") ? "maybe" : "none";
}

/* The page with every "__NAME__" of marks replaced. */
static void print_index(const struct ui_file *index, const char *const marks[][2],
                        struct dc_buf *out)
{
    const char *at = index->plain.bytes;
    const char *end = at + index->plain.length;
    const char *mark;

    while ((mark = memmem(at, (size_t)(end - at), "__", 2))) {
        size_t length = 2;
        const char *text = NULL;

        for (int i = 0; marks[i][0] && !text; i++) {
            length = strlen(marks[i][0]);
            if (length <= (size_t)(end - mark) && memcmp(mark, marks[i][0], length) == 0)
                text = marks[i][1];
        }
        (void)dc_buf_append(out, at, (size_t)(mark - at));
        (void)dc_buf_text(out, text ? text : "__");
        at = mark + (text ? length : 2);
    }
    (void)dc_buf_append(out, at, (size_t)(end - at));
}

/* The policy lets only what bears the answer's nonce run. Inline styles are the editor's and the
 * charts', which set them from script; they fetch nothing. */
static void reply_index(struct call *call, const struct ui_file *index, int status)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    DC_AUTO(dc_buf_release) struct dc_buf nonce = {0};
    uint8_t bytes[NONCE_BYTES];
    char policy[POLICY_MAX_BYTES];

    dc_buf_init(&nonce, DC_BASE64_LENGTH(NONCE_BYTES));
    dc_buf_init(&body, INDEX_MAX_BYTES);
    dc_random_bytes(bytes, sizeof(bytes));
    (void)dc_base64_encode(&nonce, bytes, sizeof(bytes));
    /* As they stand in web/apps/console/index.html and vite.config.ts. */
    print_index(index,
                (const char *const[][2]){{"__CSP_NONCE__", dc_buf_str(&nonce)},
                                         {"__SESSION__", session_hint(call)},
                                         {NULL, NULL}},
                &body);
    (void)snprintf(policy, sizeof(policy),
                   "default-src 'none'; script-src 'self' 'nonce-%s'; style-src 'self' 'nonce-%s'; "
                   "style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; "
                   "connect-src 'self'; manifest-src 'self'; frame-src blob:; form-action 'self'; "
                   "base-uri 'none'; frame-ancestors 'none'",
                   dc_buf_str(&nonce), dc_buf_str(&nonce));
    call_reply(call,
               &(struct call_head){.status = status,
                                   .type = "text/html; charset=utf-8",
                                   .fields = {{"Content-Security-Policy", policy},
                                              {"Vary", "Accept"},
                                              {"Cross-Origin-Opener-Policy", "same-origin"}}},
               &body);
}

/* Folders of the API, where an unknown path is a mistake of a program, not of a reader. */
static bool is_of_api(const char *path)
{
    static const char *const folders[] = {"/api/", "/auth/", "/collab/", "/assets/"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return true;
    return false;
}

bool route_ui(struct call *call)
{
    const struct ui_files *files = &call->app->options.ui;
    const struct ui_file *index = ui_find(files, "/index.html");
    const struct ui_file *file = ui_find(files, call->path);

    if (!index || (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0))
        return false;
    if (file && file != index) {
        reply_file(call, file);
        return true;
    }
    if (!page_is_wanted(call) || is_of_api(call->path))
        return false;
    reply_index(call, index, ui_is_page(call->path) ? 200 : 404);
    return true;
}
