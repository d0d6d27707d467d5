/* What the files of the layer store share. Internal to src/packages. */
#ifndef DOCLE_PACKAGES_LAYER_INTERNAL_H
#define DOCLE_PACKAGES_LAYER_INTERNAL_H

#include <pthread.h>

#include "packages/layer_store.h"

enum { LAYER_RECORD_MAX_BYTES = 2 * 1024 * 1024, LAYER_VERIFIED_MAX = 256 };

struct layer_store {
    int dir_fd;
    int layers_fd;
    int keys_fd;
    pthread_mutex_t lock; /* of what follows */
    uint64_t bytes;
    uint32_t count;
    /* Those that this process has compared with their manifests; the oldest are forgotten. */
    uint8_t verified[LAYER_VERIFIED_MAX][DC_LAYER_ID_BYTES];
    size_t verified_count;
};

/* Is name the name of a finished layer? */
bool layer_name_valid(const char *name);

/* Reads a whole small file below dir_fd; the caller frees. */
DC_MUST int layer_read_text(int dir_fd, const char *name, size_t max, char **ret_text,
                            size_t *ret_length, struct dc_err *err);

/* Removes name below dir_fd with all that is in it, following no link. */
void layer_remove_tree(int dir_fd, const char *name);

/* The ID that a key leads to; empty when to none. */
void layer_key_target(const struct layer_store *store, const char *key,
                      char ret_id[static LAYER_HEX_SIZE]);

/* Removes what was left half-made or half-removed, by whoever is no more. */
void layer_store_sweep(struct layer_store *store);

#endif
