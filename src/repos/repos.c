/*
 * How it works: one list of entries, by what was asked for. The first task that asks for one
 * fetches it, those that come meanwhile wait for it, those that come within five minutes get what
 * is there. Failures are kept too, for a moment, so that a repository that is not there costs the
 * host little.
 */
#include "repos/repos.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "repos/fetch.h"
#include "runs/await.h"

#include "base/poison.h"

enum { KEY_MAX = REPO_OWNER_MAX_BYTES + REPO_NAME_MAX_BYTES + REPO_REST_MAX_BYTES + 3 };

struct entry {
    char key[KEY_MAX];
    bool loading;
    unsigned waiting;
    struct await_list waiters;
    struct repo_tree *tree; /* NULL: it failed */
    struct dc_err err;
    int64_t retry_at;
    int64_t until; /* monotonic */
    struct entry *next;
};

struct repos {
    struct outbound *outbound;
    struct repos_options options;
    struct entry *entries; /* newest first */
    unsigned count;
    struct repos_stats stats;
};

int repos_new(struct outbound *outbound, const struct repos_options *options,
              struct repos **ret_repos, struct dc_err *err)
{
    struct repos *repos = calloc(1, sizeof(*repos));

    if (!repos)
        return dc_fail(err, DC_KERNEL, ENOMEM, "repositories");
    repos->outbound = outbound;
    repos->options = *options;
    *ret_repos = repos;
    return 0;
}

void repo_tree_unref(struct repo_tree *tree)
{
    if (!tree || --tree->users)
        return;
    repo_files_release(&tree->files);
    free(tree);
}

static void drop(struct repos *repos, struct entry **at)
{
    struct entry *entry = *at;

    *at = entry->next;
    repos->count--;
    if (entry->tree)
        repos->stats.bytes -= entry->tree->files.bytes;
    repo_tree_unref(entry->tree);
    free(entry);
}

void repos_free(struct repos *repos)
{
    if (!repos)
        return;
    while (repos->entries)
        drop(repos, &repos->entries);
    free(repos);
}

void repos_snapshot(const struct repos *repos, struct repos_stats *ret_stats)
{
    *ret_stats = repos->stats;
}

/* --- what is kept ------------------------------------------------------------------------------
 */

static bool busy(const struct entry *entry)
{
    return entry->loading || entry->waiting;
}

/* What is too old, then from the oldest on what is too much. */
static void evict(struct repos *repos)
{
    struct entry **at = &repos->entries;
    int64_t now = dc_now();

    while (*at) {
        if (!busy(*at) && (*at)->until <= now)
            drop(repos, at);
        else
            at = &(*at)->next;
    }
    while (repos->stats.bytes > repos->options.cache_bytes || repos->count > REPOS_ENTRIES_MAX) {
        struct entry **last = NULL;

        for (at = &repos->entries; *at; at = &(*at)->next)
            if (!busy(*at) && (repos->count > REPOS_ENTRIES_MAX || (*at)->tree))
                last = at;
        if (!last)
            return;
        drop(repos, last);
    }
}

static struct entry *find(const struct repos *repos, const char *key)
{
    for (struct entry *entry = repos->entries; entry; entry = entry->next)
        if (strcmp(entry->key, key) == 0)
            return entry;
    return NULL;
}

/* Owner and name are the same in any case; refs and folders are not. */
static void make_key(const struct repo_spec *spec, char out[static KEY_MAX])
{
    int length = snprintf(out, KEY_MAX, "%s/%s", spec->owner, spec->name);

    for (int i = 0; i < length; i++)
        out[i] = (char)tolower((unsigned char)out[i]);
    (void)snprintf(out + length, KEY_MAX - (size_t)length, "\n%s", spec->rest);
}

static int give(const struct entry *entry, struct repo_tree **ret_tree, uint32_t *ret_retry_s,
                struct dc_err *err)
{
    int64_t left = (entry->retry_at - dc_now()) / DC_NS_PER_S;

    if (entry->tree) {
        entry->tree->users++;
        *ret_tree = entry->tree;
        return 0;
    }
    *err = entry->err;
    *ret_retry_s = left < 1 ? 1 : (uint32_t)left;
    return -err->code;
}

/* --- fetching ----------------------------------------------------------------------------------
 */

static void fill(struct repos *repos, struct entry *entry, const struct repo_spec *spec)
{
    struct repo_tree *tree = calloc(1, sizeof(*tree));
    int64_t kept_s = REPOS_KEPT_S;
    uint32_t retry_s = 1;
    int result;

    repos->stats.fetching++;
    if (tree) {
        tree->users = 1;
        tree->spec = *spec;
        result = repo_fetch(repos->outbound, &repos->options, tree, &retry_s, &entry->err);
    } else {
        result = dc_fail(&entry->err, DC_KERNEL, ENOMEM, "repository");
    }
    repos->stats.fetching--;
    if (result < 0) {
        /* While the host says "later", nobody asks it again for this. */
        kept_s = entry->err.code == DC_BUSY && retry_s < REPOS_KEPT_S ? retry_s : REPOS_FAILED_S;
        entry->retry_at = dc_now() + (int64_t)retry_s * DC_NS_PER_S;
        if (entry->err.code == DC_KERNEL)
            kept_s = 0;
        repos->stats.failed++;
        repo_tree_unref(tree);
    } else {
        entry->tree = tree;
        repos->stats.fetched++;
        repos->stats.bytes += tree->files.bytes;
    }
    entry->until = dc_now() + kept_s * DC_NS_PER_S;
}

/* The caller's task fetches for all. */
static int fetch(struct repos *repos, const char *key, const struct repo_spec *spec,
                 struct repo_tree **ret_tree, uint32_t *ret_retry_s, struct dc_err *err)
{
    struct entry *entry;
    int result;

    *ret_retry_s = 1;
    if (repos->stats.fetching >= REPOS_FETCHES_MAX)
        return dc_fail(err, DC_BUSY, 0,
                       "This server fetches as many repositories as it may now. "
                       "Try again in a moment");
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return dc_fail(err, DC_KERNEL, ENOMEM, "repository");
    memcpy(entry->key, key, KEY_MAX);
    entry->loading = true;
    entry->next = repos->entries;
    repos->entries = entry;
    repos->count++;
    fill(repos, entry, spec);
    entry->loading = false;
    entry->waiting++; /* ours */
    await_list_wake(&entry->waiters);
    result = give(entry, ret_tree, ret_retry_s, err);
    entry->waiting--;
    evict(repos);
    return result;
}

static int wait_for(struct repos *repos, struct entry *entry, struct repo_tree **ret_tree,
                    uint32_t *ret_retry_s, struct dc_err *err)
{
    int result;

    repos->stats.hits++;
    entry->waiting++;
    while (entry->loading)
        await_list_wait(&entry->waiters);
    result = give(entry, ret_tree, ret_retry_s, err);
    entry->waiting--;
    return result;
}

int repos_load(struct repos *repos, const char *text, struct repo_tree **ret_tree,
               uint32_t *ret_retry_s, struct dc_err *err)
{
    struct repo_spec spec;
    char key[KEY_MAX] = {0};
    struct entry *entry;

    *ret_retry_s = 0;
    if (repo_spec_parse(text, strlen(text), repos->options.host, &spec, err) < 0) {
        struct dc_err why = *err;

        return dc_fail(err, (enum dc_code)why.code, why.errnum, "repo %.240s", why.text);
    }
    evict(repos);
    make_key(&spec, key);
    entry = find(repos, key);
    return entry ? wait_for(repos, entry, ret_tree, ret_retry_s, err)
                 : fetch(repos, key, &spec, ret_tree, ret_retry_s, err);
}
