/*
 * How it works, with GitHub's API (https://docs.github.com/en/rest, version 2022-11-28):
 *   1. git/matching-refs, only where a ref with slashes and a folder could be meant
 *   2. commits/REF as text: the commit's id, so that cache and result name one state
 *   3. tarball/COMMIT, which redirects to a host of archives; the token stays behind
 * The archive is read in a thread.
 */
#include "repos/fetch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/task.h"

#include "base/poison.h"

enum {
    URL_MAX = 4096,
    RETRY_S = 30,
    RETRY_MAX_S = 900,
    ARCHIVE_MS = 60000,
    ASK_MS = 15000,
    ARCHIVE_MAX_BYTES = 64 * 1024 * 1024,
    JSON_DEPTH = 8
};

struct fetch {
    struct outbound *outbound;
    const struct repos_options *options;
    struct repo_tree *tree;
    uint32_t retry_s;
};

/* --- asking ------------------------------------------------------------------------------------
 */

/* Appends a path with everything encoded that is not plain. */
static void add_path(struct dc_buf *url, const char *path)
{
    static const char plain[] =
        "-._~/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (; *path; path++) {
        if (strchr(plain, *path))
            (void)dc_buf_byte(url, *path);
        else
            (void)dc_buf_printf(url, "%%%02X", (unsigned char)*path);
    }
}

static uint32_t number_header(const struct outbound_response *response, const char *name,
                              bool *ret_there)
{
    char text[32];
    unsigned long long number;

    *ret_there =
        outbound_header(response, name, text, sizeof(text)) && *text >= '0' && *text <= '9';
    if (!*ret_there)
        return 0;
    number = strtoull(text, NULL, 10);
    return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static uint32_t bounded(int64_t seconds)
{
    return seconds < 1 ? 1 : seconds > RETRY_MAX_S ? RETRY_MAX_S : (uint32_t)seconds;
}

/* Does a 403 or 429 mean "too often"? */
static bool rate_limited(struct fetch *fetch, const struct outbound_response *response)
{
    bool there;
    bool has_reset;
    uint32_t wait = number_header(response, "retry-after", &there);
    uint32_t left;
    uint32_t reset;

    if (there) {
        fetch->retry_s = bounded(wait);
        return true;
    }
    left = number_header(response, "x-ratelimit-remaining", &there);
    reset = number_header(response, "x-ratelimit-reset", &has_reset);
    fetch->retry_s = has_reset ? bounded((int64_t)reset - time(NULL)) : 60;
    return response->status == 429 || (there && left == 0);
}

/* Everything but success and "no such thing". */
static int refuse(struct fetch *fetch, const struct outbound_response *response, struct dc_err *err)
{
    const struct repo_spec *spec = &fetch->tree->spec;
    int status = response->status;

    if ((status == 403 || status == 429) && rate_limited(fetch, response))
        return dc_fail(err, DC_BUSY, 0,
                       "The repository host limits how often this server may ask. Try again in %u "
                       "seconds",
                       fetch->retry_s);
    if (status == 401)
        return dc_fail(err, DC_BUSY, 0,
                       "The repository host does not accept this server's token; "
                       "tell its operator (repos.token)");
    if (status == 403 || status == 451)
        return dc_fail(err, DC_DENIED, 0, "Access to the repository is blocked: %s/%s", spec->owner,
                       spec->name);
    if (status >= 500 || (status >= 300 && status < 400))
        return dc_fail(err, DC_BUSY, 0, "The repository host fails now (%d). Try again later",
                       status);
    return dc_fail(err, DC_BUSY, 0, "The repository host answers in an unexpected way (%d)",
                   status);
}

static int ask(struct fetch *fetch, const char *below, const char *ref, const char *accept,
               size_t max, uint32_t total_ms, struct outbound_response *ret_response,
               struct dc_err *err)
{
    const struct repos_options *options = fetch->options;
    DC_AUTO(dc_buf_release) struct dc_buf url;
    char authorization[512];
    struct outbound_request request = {.total_ms = total_ms,
                                       .idle_ms = 10000,
                                       .redirects_max = 5,
                                       .response_max = max,
                                       .compressed = max <= OUTBOUND_RESPONSE_MAX_BYTES};

    dc_buf_init(&url, URL_MAX);
    (void)dc_buf_printf(&url, "%s/repos/%s/%s/%s/", options->api_url, fetch->tree->spec.owner,
                        fetch->tree->spec.name, below);
    add_path(&url, ref);
    request.url = dc_buf_str(&url);
    request.fields[0] = (struct outbound_field){"Accept", accept};
    request.fields[1] = (struct outbound_field){"X-GitHub-Api-Version", "2022-11-28"};
    if (options->token) {
        (void)snprintf(authorization, sizeof(authorization), "Bearer %s", options->token);
        request.fields[2] = (struct outbound_field){"Authorization", authorization};
    }
    if (url.failed) /* a spec is bounded: it fits */
        return dc_fail(err, DC_KERNEL, ENOMEM, "URL of a repository");
    fetch->retry_s = RETRY_S;
    if (outbound_http(fetch->outbound, &request, ret_response, err) == 0)
        return 0;
    if (err->code == DC_TIMEOUT)
        return dc_fail(err, DC_TIMEOUT, 0, "The repository host does not answer in time");
    if (err->code == DC_LIMIT && max == ARCHIVE_MAX_BYTES)
        return dc_fail(err, DC_LIMIT, 0,
                       "Repository too large. Maximum allowed: %zu MB as an "
                       "archive",
                       max >> 20);
    if (err->code != DC_KERNEL)
        return dc_fail(err, DC_BUSY, 0,
                       "The repository host cannot be reached now. Try again "
                       "later");
    return -err->code;
}

/* --- the commit --------------------------------------------------------------------------------
 */

static bool is_commit(const char *text, size_t length)
{
    return (length == 40 || length == 64) && strspn(text, "0123456789abcdef") >= length;
}

/* 0: tree->commit. 1: the host knows no such ref, or no such repository. */
static int resolve(struct fetch *fetch, const char *ref, struct dc_err *err)
{
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};
    const char *text;
    size_t length;

    if (ask(fetch, "commits", ref, "application/vnd.github.sha", 65536, ASK_MS, &response, err) < 0)
        return -err->code;
    if (response.status == 404 || response.status == 422)
        return 1;
    if (response.status == 409)
        return dc_fail(err, DC_NOT_FOUND, 0, "The repository is empty: %s/%s",
                       fetch->tree->spec.owner, fetch->tree->spec.name);
    if (response.status != 200)
        return refuse(fetch, &response, err);
    text = dc_buf_str(&response.body);
    length = strcspn(text, "\r\n");
    if (!is_commit(text, length) || strlen(text) > length + 2)
        return dc_fail(err, DC_BUSY, 0, "The repository host answers in an unexpected way");
    memcpy(fetch->tree->commit, text, length);
    (void)snprintf(fetch->tree->ref, sizeof(fetch->tree->ref), "%s", ref);
    return 0;
}

/* The longest name in the list that the wanted text is, or is below. "" when none is. */
static void choose_ref(const json_t *list, const char *prefix, const char *wanted,
                       char out[static REPO_REST_MAX_BYTES + 1])
{
    size_t index;
    json_t *entry;

    out[0] = '\0';
    json_array_foreach((json_t *)(uintptr_t)list, index, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "ref"));
        size_t length;

        if (!name || strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        name += strlen(prefix);
        length = strlen(name);
        if (length > strlen(out) && length <= REPO_REST_MAX_BYTES &&
            strncmp(wanted, name, length) == 0 && (wanted[length] == '/' || !wanted[length]))
            memcpy(out, name, length + 1);
    }
}

/* The parser calls itself for each level, and a task's stack is small. Brackets in strings count
 * too: no ref has any. */
static bool shallow(const struct dc_buf *json)
{
    unsigned depth = 0;

    for (size_t i = 0; i < json->length && depth <= JSON_DEPTH; i++) {
        depth += json->data[i] == '[' || json->data[i] == '{';
        depth -= depth && (json->data[i] == ']' || json->data[i] == '}');
    }
    return json->length && depth <= JSON_DEPTH;
}

/* Refs of a kind that begin as the tree does. 1: the repository is not there. */
static int find_ref(struct fetch *fetch, const char *kind, char out[static REPO_REST_MAX_BYTES + 1],
                    struct dc_err *err)
{
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};
    const char *tree = fetch->tree->spec.rest;
    char wanted[REPO_REST_MAX_BYTES + 16];
    char prefix[32];
    json_t *list;

    (void)snprintf(wanted, sizeof(wanted), "%s/%.*s", kind, (int)strcspn(tree, "/"), tree);
    (void)snprintf(prefix, sizeof(prefix), "refs/%s/", kind);
    out[0] = '\0';
    if (ask(fetch, "git/matching-refs", wanted, "application/vnd.github+json",
            OUTBOUND_RESPONSE_MAX_BYTES, ASK_MS, &response, err) < 0)
        return -err->code;
    if (response.status == 404)
        return 1;
    if (response.status != 200)
        return response.status == 409 ? 0 : refuse(fetch, &response, err);
    list = shallow(&response.body) ? json_loadb(response.body.data, response.body.length, 0, NULL)
                                   : NULL;
    choose_ref(list, prefix, tree, out);
    json_decref(list);
    return 0;
}

static int missing(const struct fetch *fetch, const char *ref, struct dc_err *err)
{
    const struct repo_spec *spec = &fetch->tree->spec;

    if (ref)
        return dc_fail(err, DC_NOT_FOUND, 0,
                       "Repository or branch not found: %s/%s, %.80s. Make sure it's public.",
                       spec->owner, spec->name, ref);
    return dc_fail(err, DC_NOT_FOUND, 0, "Repository not found: %s/%s. Make sure it's public.",
                   spec->owner, spec->name);
}

static int resolve_default(struct fetch *fetch, struct dc_err *err)
{
    int got = resolve(fetch, "main", err);

    if (got == 1)
        got = resolve(fetch, "HEAD", err);
    return got == 1 ? missing(fetch, NULL, err) : got;
}

static int resolve_tree(struct fetch *fetch, struct dc_err *err)
{
    const char *tree = fetch->tree->spec.rest;
    size_t first = strcspn(tree, "/");
    char ref[REPO_REST_MAX_BYTES + 1] = "";
    int got = 0;

    if (tree[first] && !is_commit(tree, first)) {
        got = find_ref(fetch, "heads", ref, err);
        if (got == 0 && !*ref)
            got = find_ref(fetch, "tags", ref, err);
    }
    if (got)
        return got == 1 ? missing(fetch, NULL, err) : got;
    if (!*ref) {
        memcpy(ref, tree, first);
        ref[first] = '\0';
    }
    (void)snprintf(fetch->tree->folder, sizeof(fetch->tree->folder), "%s",
                   tree[strlen(ref)] ? tree + strlen(ref) + 1 : "");
    got = resolve(fetch, ref, err);
    return got == 1 ? missing(fetch, ref, err) : got;
}

/* --- the archive -------------------------------------------------------------------------------
 */

struct reading {
    uv_work_t work;
    struct task *task;
    const struct dc_buf *archive;
    struct repo_tree *tree;
    int result;
    struct dc_err err;
    bool over;
};

static void read_archive(uv_work_t *work)
{
    struct reading *reading = work->data;

    reading->result =
        repo_contents_read(dc_buf_str(reading->archive), reading->archive->length,
                           reading->tree->folder, &reading->tree->files, &reading->err);
}

static void after_reading(uv_work_t *work, int status)
{
    struct reading *reading = work->data;

    (void)status; /* never cancelled */
    reading->over = true;
    task_wake(reading->task);
}

static int read_in_thread(const struct dc_buf *archive, struct repo_tree *tree, struct dc_err *err)
{
    struct reading reading = {.task = task_self(), .archive = archive, .tree = tree};

    reading.work.data = &reading;
    if (uv_queue_work(task_loop(reading.task), &reading.work, read_archive, after_reading) < 0)
        return dc_fail(err, DC_KERNEL, ENOMEM, "thread");
    while (!reading.over)
        task_suspend();
    if (reading.result < 0) {
        *err = reading.err;
        return reading.result;
    }
    if (*tree->folder && !tree->files.has_folder)
        return dc_fail(err, DC_NOT_FOUND, 0, "Folder not found in the repository: %.150s",
                       tree->folder);
    if (!tree->files.count)
        return dc_fail(err, DC_NOT_FOUND, 0, "No files to run in the repository: %s/%s",
                       tree->spec.owner, tree->spec.name);
    return 0;
}

static int fetch_archive(struct fetch *fetch, struct dc_err *err)
{
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};

    if (ask(fetch, "tarball", fetch->tree->commit, "application/vnd.github+json", ARCHIVE_MAX_BYTES,
            ARCHIVE_MS, &response, err) < 0)
        return -err->code;
    if (response.status == 404)
        return missing(fetch, NULL, err);
    if (response.status != 200)
        return refuse(fetch, &response, err);
    return read_in_thread(&response.body, fetch->tree, err);
}

int repo_fetch(struct outbound *outbound, const struct repos_options *options,
               struct repo_tree *tree, uint32_t *ret_retry_s, struct dc_err *err)
{
    struct fetch fetch = {.outbound = outbound, .options = options, .tree = tree};
    int result = *tree->spec.rest ? resolve_tree(&fetch, err) : resolve_default(&fetch, err);

    if (result == 0)
        result = fetch_archive(&fetch, err);
    *ret_retry_s = fetch.retry_s;
    return result;
}
