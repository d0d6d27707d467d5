/* Layers that are not wanted any more: leftovers, the replaced, the longest unused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "packages/layer_internal.h"

#include "base/poison.h"

enum { LAYERS_LISTED_MAX = 100000 };

/* --- removing --------------------------------------------------------------------------------- */

static void empty_folder(int dir_fd, size_t depth)
{
    DIR *dir = fdopendir(dir_fd);

    if (!dir) {
        dc_close(dir_fd);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        int fd;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), entry->d_name, 0) == 0 || depth == LAYER_DEPTH_MAX + 2)
            continue;
        fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            empty_folder(fd, depth + 1);
        (void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    (void)closedir(dir);
}

void layer_remove_tree(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        empty_folder(fd, 0);
    if (unlinkat(dir_fd, name, fd >= 0 ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
        dc_log(DC_LOG_WARN, "'%s' of the package layers could not be removed: %s", name,
               strerror(errno));
}

/* Those being made are locked by their makers. */
static bool abandoned(int layers_fd, const char *name)
{
    DC_AUTO(dc_close)
    int fd = openat(layers_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void layer_store_sweep(struct layer_store *store)
{
    int fd = openat(store->layers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir) {
        dc_close(fd);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if ((strncmp(entry->d_name, ".new.", 5) == 0 || strncmp(entry->d_name, ".old.", 5) == 0) &&
            abandoned(store->layers_fd, entry->d_name))
            layer_remove_tree(store->layers_fd, entry->d_name);
    (void)closedir(dir);
}

/* --- listing ---------------------------------------------------------------------------------- */

struct listed {
    struct layer_entry entry;
    char *record;
    char key[LAYER_KEY_SIZE];
};

struct list {
    struct listed *all;
    size_t count;
    size_t capacity;
};

static void free_list(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->all[i].record);
    free(list->all);
}

static int compare_use(const void *one, const void *two)
{
    const struct listed *a = one;
    const struct listed *b = two;

    return (a->entry.used_ns > b->entry.used_ns) - (a->entry.used_ns < b->entry.used_ns);
}

static void read_facts(const struct layer_store *store, struct listed *listed)
{
    json_t *record = json_loads(listed->record, 0, NULL);
    const char *key = json_string_value(json_object_get(record, "key"));
    char target[LAYER_HEX_SIZE];

    listed->entry.bytes = (uint64_t)json_integer_value(json_object_get(record, "bytes"));
    listed->entry.resolved_ns =
        (int64_t)json_integer_value(json_object_get(record, "resolvedMs")) * DC_NS_PER_MS;
    if (key && strlen(key) == LAYER_KEY_SIZE - 1) {
        memcpy(listed->key, key, LAYER_KEY_SIZE);
        layer_key_target(store, key, target);
        listed->entry.current = strcmp(target, listed->entry.id) == 0;
    }
    json_decref(record);
}

static int add_listed(const struct layer_store *store, struct list *list, const char *id,
                      struct dc_err *err)
{
    DC_AUTO(dc_close)
    int fd = openat(store->layers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct listed listed = {0};
    struct stat info;
    struct dc_err ignored;
    size_t length;

    if (fd < 0 || fstat(fd, &info) < 0)
        return 0; /* gone meanwhile */
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct listed *grown = realloc(list->all, capacity * sizeof(*grown));

        if (!grown || capacity > LAYERS_LISTED_MAX)
            return dc_fail(err, DC_KERNEL, ENOMEM, "list of layers");
        list->all = grown;
        list->capacity = capacity;
    }
    memcpy(listed.entry.id, id, LAYER_HEX_SIZE);
    listed.entry.used_ns = info.st_mtim.tv_sec * DC_NS_PER_S + info.st_mtim.tv_nsec;
    if (layer_read_text(fd, "record.json", LAYER_RECORD_MAX_BYTES, &listed.record, &length,
                        &ignored) == 0)
        read_facts(store, &listed);
    listed.entry.record = listed.record ? listed.record : "{}";
    list->all[list->count++] = listed;
    return 0;
}

static void set_totals(struct layer_store *store, const struct list *list)
{
    (void)pthread_mutex_lock(&store->lock);
    store->bytes = 0;
    store->count = 0;
    for (size_t i = 0; i < list->count; i++) {
        store->count += list->all[i].entry.id[0] != '\0'; /* removed ones have none any more */
        store->bytes += list->all[i].entry.id[0] ? list->all[i].entry.bytes : 0;
    }
    (void)pthread_mutex_unlock(&store->lock);
}

static int read_list(struct layer_store *store, struct list *list, struct dc_err *err)
{
    int fd = openat(store->layers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    int result = 0;

    if (!dir) {
        dc_close(fd);
        return dc_fail_errno(err, "list the layers");
    }
    for (struct dirent *entry = readdir(dir); entry && result == 0; entry = readdir(dir))
        if (layer_name_valid(entry->d_name))
            result = add_listed(store, list, entry->d_name, err);
    (void)closedir(dir);
    if (list->count)
        qsort(list->all, list->count, sizeof(*list->all), compare_use);
    set_totals(store, list);
    return result;
}

int layer_store_each(struct layer_store *store,
                     bool (*each)(void *context, const struct layer_entry *entry), void *context,
                     struct dc_err *err)
{
    struct list list = {0};
    int result = read_list(store, &list, err);

    for (size_t i = 0; result == 0 && each && i < list.count; i++)
        if (each(context, &list.all[i].entry))
            break;
    free_list(&list);
    return result;
}

/* --- choosing --------------------------------------------------------------------------------- */

/* Should it be made again, it has to be looked at again. */
static void forget_verified(struct layer_store *store, const char *id)
{
    (void)pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->verified_count; i++) {
        char hex[LAYER_HEX_SIZE];

        dc_hex(store->verified[i], DC_LAYER_ID_BYTES, hex);
        if (strcmp(hex, id) == 0)
            memset(store->verified[i], 0, DC_LAYER_ID_BYTES); /* no layer has this one */
    }
    (void)pthread_mutex_unlock(&store->lock);
}

int layer_store_remove(struct layer_store *store, const char *id, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = -1;
    char old[LAYER_HEX_SIZE + 8];

    if (!layer_name_valid(id))
        return dc_fail(err, DC_NOT_FOUND, 0, "'%.40s' is not the name of a layer", id);
    fd = openat(store->layers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return dc_fail(err, DC_NOT_FOUND, errno, "there is no layer %s", id);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return dc_fail(err, DC_BUSY, errno, "layer %s is in use", id);
    (void)snprintf(old, sizeof(old), ".old.%s", id);
    if (renameat(store->layers_fd, id, store->layers_fd, old) < 0)
        return dc_fail_errno(err, "remove layer %s", id);
    forget_verified(store, id);
    layer_remove_tree(store->layers_fd, old);
    return 0;
}

static void forget_key(struct layer_store *store, const struct listed *listed)
{
    char target[LAYER_HEX_SIZE];

    if (!listed->key[0])
        return;
    layer_key_target(store, listed->key, target);
    if (strcmp(target, listed->entry.id) == 0)
        (void)unlinkat(store->keys_fd, listed->key,
                       0); /* else it leads to nothing, which is fine */
}

int layer_store_evict(struct layer_store *store, uint64_t bytes_max, uint32_t *ret_removed,
                      struct dc_err *err)
{
    struct list list = {0};
    struct dc_err ignored;
    uint64_t left = 0;
    int result = read_list(store, &list, err);

    *ret_removed = 0;
    for (size_t i = 0; i < list.count; i++)
        left += list.all[i].entry.bytes;
    /* First those that nobody will ask for again. */
    for (int round = 0; result == 0 && round < 2; round++) {
        for (size_t i = 0; i < list.count; i++) {
            struct listed *listed = &list.all[i];
            bool unwanted = round == 0 ? !listed->entry.current : left > bytes_max;

            if (!unwanted || !listed->entry.id[0] ||
                layer_store_remove(store, listed->entry.id, &ignored) < 0)
                continue;
            forget_key(store, listed);
            left -= listed->entry.bytes;
            listed->entry.id[0] = '\0';
            ++*ret_removed;
        }
    }
    set_totals(store, &list);
    free_list(&list);
    return result;
}
