#include "packages/layer_store.h"

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
#include "packages/layer_internal.h"

#include "base/poison.h"

enum { TOUCH_SECONDS = 60 };

bool layer_name_valid(const char *name)
{
    return strspn(name, "0123456789abcdef") == LAYER_HEX_SIZE - 1 && !name[LAYER_HEX_SIZE - 1];
}

/* --- opening ---------------------------------------------------------------------------------- */

static int make_folder(int dir_fd, const char *name, mode_t mode, int *ret_fd, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = -1;

    if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
        return dc_fail_errno(err, "make '%s'", name);
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return dc_fail_errno(err, "open '%s'", name);
    if (fchmod(fd, mode) < 0)
        return dc_fail_errno(err, "rights of '%s'", name);
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

int layer_store_open(const char *dir, struct layer_store **ret_store, struct dc_err *err)
{
    DC_AUTO(layer_store_free) struct layer_store *store = calloc(1, sizeof(*store));

    if (!store)
        return dc_fail(err, DC_KERNEL, ENOMEM, "package layers");
    store->dir_fd = store->layers_fd = store->keys_fd = -1;
    (void)pthread_mutex_init(&store->lock, NULL); /* never fails */
    /* Runs get one layer mounted, by name: the folder itself needs no more than to be passed. */
    if (make_folder(AT_FDCWD, dir, 0711, &store->dir_fd, err) < 0 ||
        make_folder(store->dir_fd, "layers", 0711, &store->layers_fd, err) < 0 ||
        make_folder(store->dir_fd, "keys", 0700, &store->keys_fd, err) < 0)
        return dc_context(err, "package layers in '%s'", dir);
    layer_store_sweep(store);
    if (layer_store_each(store, NULL, NULL, err) < 0)
        return -err->code;
    *ret_store = dc_take(store);
    return 0;
}

void layer_store_free(struct layer_store *store)
{
    if (!store)
        return;
    dc_close(store->dir_fd);
    dc_close(store->layers_fd);
    dc_close(store->keys_fd);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

void layer_store_totals(struct layer_store *store, uint64_t *ret_bytes, uint32_t *ret_count)
{
    (void)pthread_mutex_lock(&store->lock);
    *ret_bytes = store->bytes;
    *ret_count = store->count;
    (void)pthread_mutex_unlock(&store->lock);
}

/* --- finding ---------------------------------------------------------------------------------- */

void layer_release(struct layer *layer)
{
    dc_close_clear(&layer->lock_fd); /* and with it the lock */
    free(layer->record);
    free(layer->packages);
    *layer = LAYER_NONE;
}

int layer_read_text(int dir_fd, const char *name, size_t max, char **ret_text, size_t *ret_length,
                    struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    DC_AUTO(dc_free) char *text = NULL;
    struct stat info;

    if (fd < 0 || fstat(fd, &info) < 0)
        return dc_fail_errno(err, "open '%s'", name);
    if (!S_ISREG(info.st_mode) || info.st_size < 0 || (uint64_t)info.st_size > max)
        return dc_fail(err, DC_INVALID, 0, "'%s' has no good size", name);
    text = malloc((size_t)info.st_size + 1);
    if (!text)
        return dc_fail(err, DC_KERNEL, ENOMEM, "read '%s'", name);
    if (dc_read_full(fd, text, (size_t)info.st_size, ret_length, err) < 0)
        return -err->code;
    text[*ret_length] = '\0';
    *ret_text = dc_take(text);
    return 0;
}

void layer_key_target(const struct layer_store *store, const char *key,
                      char ret_id[static LAYER_HEX_SIZE])
{
    char target[LAYER_HEX_SIZE + 1];
    ssize_t n = readlinkat(store->keys_fd, key, target, sizeof(target));

    ret_id[0] = '\0';
    if (n != LAYER_HEX_SIZE - 1)
        return;
    target[n] = '\0';
    if (layer_name_valid(target))
        memcpy(ret_id, target, LAYER_HEX_SIZE);
}

static void unhex(const char *hex, uint8_t *out, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned high = (unsigned)(hex[2 * i] <= '9' ? hex[2 * i] - '0' : hex[2 * i] - 'a' + 10);
        unsigned low =
            (unsigned)(hex[2 * i + 1] <= '9' ? hex[2 * i + 1] - '0' : hex[2 * i + 1] - 'a' + 10);

        out[i] = (uint8_t)(high << 4 | low);
    }
}

static int parse_record(struct layer *layer, const char *key, struct dc_err *err)
{
    json_t *record = json_loads(layer->record, 0, NULL);
    const char *its_key = json_string_value(json_object_get(record, "key"));
    const json_t *packages = json_object_get(record, "packages");
    int result = 0;

    if (!json_is_array(packages) || !its_key || (key && strcmp(key, its_key) != 0))
        result = dc_fail(err, DC_INVALID, 0, "the record of a layer is not of its key");
    layer->resolved_ns =
        (int64_t)json_integer_value(json_object_get(record, "resolvedMs")) * DC_NS_PER_MS;
    layer->pinned = json_is_true(json_object_get(record, "pinned"));
    if (result == 0) {
        layer->packages = json_dumps(packages, JSON_COMPACT);
        if (!layer->packages)
            result = dc_fail(err, DC_KERNEL, ENOMEM, "record of a layer");
    }
    json_decref(record);
    return result;
}

/* Opens the folder and locks it; it may have been moved away in between. */
static int lock_layer(const struct layer_store *store, const char *id, int operation, int *ret_fd,
                      struct dc_err *err)
{
    DC_AUTO(dc_close)
    int fd = openat(store->layers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat locked;
    struct stat named;

    if (fd < 0)
        return dc_fail(err, dc_code_from_errno(errno), errno, "layer %s", id);
    if (flock(fd, operation | LOCK_NB) < 0)
        return dc_fail(err, DC_BUSY, errno, "layer %s is in use", id);
    if (fstat(fd, &locked) < 0 || fstatat(store->layers_fd, id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
        locked.st_ino != named.st_ino)
        return dc_fail(err, DC_NOT_FOUND, 0, "layer %s was removed", id);
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

/* For the order of eviction; not for each of many runs a second. */
static void touch(int fd)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    struct stat info;

    if (fstat(fd, &info) == 0 && dc_wall_now() / DC_NS_PER_S - info.st_mtim.tv_sec > TOUCH_SECONDS)
        (void)futimens(fd, times); /* a wrong order hurts little */
}

static int open_layer(const struct layer_store *store, const char *id, const char *key,
                      struct layer *ret_layer, struct dc_err *err)
{
    DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
    size_t length;

    if (lock_layer(store, id, LOCK_SH, &layer.lock_fd, err) < 0 ||
        layer_read_text(layer.lock_fd, "record.json", LAYER_RECORD_MAX_BYTES, &layer.record,
                        &length, err) < 0 ||
        parse_record(&layer, key, err) < 0)
        return -err->code;
    unhex(id, layer.id, sizeof(layer.id));
    touch(layer.lock_fd);
    *ret_layer = layer;
    layer = LAYER_NONE;
    return 0;
}

int layer_store_find(struct layer_store *store, const char *key, struct layer *ret_layer,
                     struct dc_err *err)
{
    char id[LAYER_HEX_SIZE];

    layer_key_target(store, key, id);
    if (!id[0])
        return dc_fail(err, DC_NOT_FOUND, 0, "no layer for this key");
    if (open_layer(store, id, key, ret_layer, err) < 0) {
        /* Whatever is wrong with it: a new one takes its place. */
        err->code = err->code == DC_KERNEL ? DC_KERNEL : DC_NOT_FOUND;
        return dc_context(err, "layer %s", id);
    }
    return 0;
}

/* --- verifying -------------------------------------------------------------------------------- */

bool layer_store_verified(struct layer_store *store, const struct layer *layer)
{
    bool found = false;

    (void)pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->verified_count; i++)
        found |= memcmp(store->verified[i], layer->id, sizeof(layer->id)) == 0;
    (void)pthread_mutex_unlock(&store->lock);
    return found;
}

static void remember(struct layer_store *store, const uint8_t *id)
{
    (void)pthread_mutex_lock(&store->lock);
    if (store->verified_count == LAYER_VERIFIED_MAX)
        memmove(store->verified[0], store->verified[1],
                --store->verified_count * sizeof(store->verified[0]));
    memcpy(store->verified[store->verified_count++], id, DC_LAYER_ID_BYTES);
    (void)pthread_mutex_unlock(&store->lock);
}

/* The ID is made of the manifest, so neither can be changed alone. */
static void make_id(const char *key, const char *manifest, size_t length,
                    uint8_t ret_id[static DC_LAYER_ID_BYTES])
{
    struct store_hash *hash = store_hash_new();
    uint8_t full[STORE_HASH_BYTES];

    if (!hash)
        abort();
    store_hash_add(hash, key, strlen(key));
    store_hash_add(hash, manifest, length);
    store_hash_end(hash, full);
    store_hash_free(hash);
    memcpy(ret_id, full, DC_LAYER_ID_BYTES);
}

int layer_store_verify(struct layer_store *store, const struct layer *layer, struct dc_err *err)
{
    DC_AUTO(dc_free) char *manifest = NULL;
    DC_AUTO(dc_close) int tree = -1;
    uint8_t id[DC_LAYER_ID_BYTES];
    json_t *record;
    const char *key;
    size_t length;

    if (layer_store_verified(store, layer))
        return 0;
    if (layer_read_text(layer->lock_fd, "manifest", LAYER_MANIFEST_MAX_BYTES, &manifest, &length,
                        err) < 0)
        return -err->code;
    record = json_loads(layer->record, 0, NULL);
    key = json_string_value(json_object_get(record, "key"));
    make_id(key ? key : "", manifest, length, id);
    json_decref(record);
    if (memcmp(id, layer->id, sizeof(id)) != 0)
        return dc_fail(err, DC_INVALID, 0, "the manifest is not that of the layer");
    tree = openat(layer->lock_fd, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tree < 0)
        return dc_fail(err, DC_INVALID, errno, "the layer has no tree");
    if (layer_verify(tree, manifest, length, err) < 0)
        return -err->code;
    remember(store, layer->id);
    return 0;
}

/* --- making ----------------------------------------------------------------------------------- */

int layer_stage_begin(struct layer_store *store, struct layer_stage *stage, struct dc_err *err)
{
    uint8_t random[DC_LAYER_ID_BYTES];
    char hex[LAYER_HEX_SIZE];

    *stage = LAYER_STAGE_NONE;
    dc_random_bytes(random, sizeof(random));
    dc_hex(random, sizeof(random), hex);
    (void)snprintf(stage->name, sizeof(stage->name), ".new.%s", hex);
    stage->store = store;
    if (make_folder(store->layers_fd, stage->name, 0711, &stage->dir_fd, err) < 0)
        return -err->code;
    if (flock(stage->dir_fd, LOCK_EX | LOCK_NB) < 0)
        return dc_fail_errno(err, "lock a new layer");
    return make_folder(stage->dir_fd, "tree", 0755, &stage->tree_fd, err);
}

void layer_stage_release(struct layer_stage *stage)
{
    if (stage->name[0] && stage->store)
        layer_remove_tree(stage->store->layers_fd, stage->name);
    dc_close_clear(&stage->dir_fd);
    dc_close_clear(&stage->tree_fd);
    *stage = LAYER_STAGE_NONE;
}

static int write_text(const struct layer_stage *stage, const char *name, const char *text,
                      size_t length, struct dc_err *err)
{
    DC_AUTO(dc_close)
    int fd = openat(stage->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return dc_fail_errno(err, "make '%s'", name);
    return dc_write_all(fd, text, length, err);
}

/* [{name, version, hash?}, …], nothing else, of sane sizes: it goes into results. */
static json_t *checked_packages(const struct dc_buf *resolved)
{
    json_t *list = json_loadb(dc_buf_str(resolved), resolved->length, 0, NULL);
    json_t *clean = json_is_array(list) ? json_array() : NULL;
    size_t i;
    json_t *entry;

    json_array_foreach(list, i, entry)
    {
        static const char *const names[] = {"name", "version", "hash"};
        json_t *one = json_object();

        for (size_t n = 0; n < 3; n++) {
            json_t *value = json_object_get(entry, names[n]);

            if (json_is_string(value) && json_string_length(value) <= 256)
                (void)json_object_set(one, names[n], value);
        }
        if (json_object_get(one, "name") && json_object_get(one, "version"))
            (void)json_array_append(clean, one);
        json_decref(one);
    }
    json_decref(list);
    return clean;
}

static int make_record(const struct layer_about *about, const struct layer_written *written,
                       int64_t now_ns, char **ret_text, struct dc_err *err)
{
    json_t *packages = checked_packages(&written->resolved);
    json_t *record =
        packages ? json_pack("{s:i,s:s,s:s,s:s,s:o?,s:o,s:I,s:b,s:I,s:i}", "version", 1, "key",
                             about->key, "kind", about->kind, "runtime", about->runtime, "specs",
                             json_loads(about->specs, 0, NULL), "packages", packages, "resolvedMs",
                             (json_int_t)(now_ns / DC_NS_PER_MS), "pinned", about->pinned, "bytes",
                             (json_int_t)written->bytes, "entries", (int)written->entries)
                 : NULL;

    *ret_text = record ? json_dumps(record, JSON_COMPACT) : NULL;
    json_decref(record);
    if (!packages)
        return dc_fail(err, DC_INVALID, 0, "the installer does not say what it installed");
    return *ret_text ? 0 : dc_fail(err, DC_KERNEL, ENOMEM, "record of a layer");
}

/* One rename: readers of the key see the old layer or the new one. */
static int point_key(const struct layer_store *store, const char *key, const char *id,
                     struct dc_err *err)
{
    char temporary[LAYER_KEY_SIZE + 8];

    (void)snprintf(temporary, sizeof(temporary), ".new.%.32s", id);
    (void)unlinkat(store->keys_fd, temporary, 0);
    if (symlinkat(id, store->keys_fd, temporary) < 0 ||
        renameat(store->keys_fd, temporary, store->keys_fd, key) < 0)
        return dc_fail_errno(err, "point the key at layer %s", id);
    return 0;
}

/* EEXIST: an install gave the very same as an older one; then that one stays and gets the newer
 * record. */
static int put_in_place(struct layer_stage *stage, const char *id, struct dc_err *err)
{
    struct layer_store *store = stage->store;

    if (syncfs(stage->dir_fd) < 0)
        return dc_fail_errno(err, "write a layer to disk");
    if (renameat2(store->layers_fd, stage->name, store->layers_fd, id, RENAME_NOREPLACE) < 0) {
        char record[LAYER_HEX_SIZE + 16];

        if (errno != EEXIST)
            return dc_fail_errno(err, "put layer %s in place", id);
        (void)snprintf(record, sizeof(record), "%s/record.json", id);
        if (renameat(stage->dir_fd, "record.json", store->layers_fd, record) < 0)
            return dc_fail_errno(err, "renew layer %s", id);
        layer_remove_tree(store->layers_fd, stage->name);
    }
    stage->name[0] = '\0';
    return fsync(store->layers_fd) < 0 ? dc_fail_errno(err, "write a layer to disk") : 0;
}

int layer_stage_publish(struct layer_stage *stage, const struct layer_about *about,
                        const struct layer_written *written, struct layer *ret_layer,
                        struct dc_err *err)
{
    const char *manifest = dc_buf_str(&written->manifest);
    DC_AUTO(dc_free) char *record = NULL;
    uint8_t id[DC_LAYER_ID_BYTES];
    char hex[LAYER_HEX_SIZE];

    make_id(about->key, manifest, written->manifest.length, id);
    dc_hex(id, sizeof(id), hex);
    if (make_record(about, written, dc_wall_now(), &record, err) < 0 ||
        write_text(stage, "manifest", manifest, written->manifest.length, err) < 0 ||
        write_text(stage, "record.json", record, strlen(record), err) < 0 ||
        put_in_place(stage, hex, err) < 0 || point_key(stage->store, about->key, hex, err) < 0)
        return -err->code;
    remember(stage->store, id);
    dc_close_clear(&stage->dir_fd); /* gives the exclusive lock up */
    return open_layer(stage->store, hex, about->key, ret_layer, err);
}
