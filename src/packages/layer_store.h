/*
 * The layers on disk: finished sets of packages, read-only, found by key, shared by all runs that
 * want the same.
 *
 *   DIR/layers/ID/tree          what runs see; ID is 32 hex digits, from key and content
 *   DIR/layers/ID/manifest      every entry with its hash
 *   DIR/layers/ID/record.json   what it is: key, packages, when resolved, size
 *   DIR/layers/.new.ID          being made; swept at start
 *   DIR/layers/.old.ID          being removed; swept at start
 *   DIR/keys/KEY                a link whose text is an ID: the layer to use for that key
 *
 * A layer is published by one rename, then its key is pointed at it by another; nothing is changed
 * afterwards but its time of last use. Who uses a layer holds flock(2) on its folder, shared; who
 * removes it must get it exclusively. So several processes (a server, commands) may share a DIR.
 * Kill any of them at any moment: what is half-made has a name that nobody looks up.
 *
 * All functions may block on the disk. Any thread. Server and CLI.
 */
#ifndef DOCLE_PACKAGES_LAYER_STORE_H
#define DOCLE_PACKAGES_LAYER_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/limits.h"
#include "packages/layer_stream.h"
#include "store/hash.h"

enum { LAYER_HEX_SIZE = 2 * DC_LAYER_ID_BYTES + 1, LAYER_KEY_SIZE = 2 * STORE_HASH_BYTES + 1 };

struct layer_store;

/* Makes dir and what belongs in it, and sweeps. */
DC_MUST int layer_store_open(const char *dir, struct layer_store **ret_store, struct dc_err *err);
void layer_store_free(struct layer_store *store); /* accepts NULL */
DC_AUTO_DEFINE(struct layer_store *, layer_store_free)

/* A layer in use: it is not removed while this is held. Zero-initialise with LAYER_NONE. */
struct layer {
    uint8_t id[DC_LAYER_ID_BYTES];
    int lock_fd;         /* the folder; -1: none is held */
    char *record;        /* JSON text of record.json */
    char *packages;      /* JSON array of its resolved packages */
    int64_t resolved_ns; /* wall clock */
    bool pinned;         /* asked for by exact versions */
};
#define LAYER_NONE ((struct layer){.lock_fd = -1})

void layer_release(struct layer *layer); /* accepts LAYER_NONE */

static inline void layer_release_auto(struct layer *layer)
{
    layer_release(layer);
}

/* The layer of a key, in hex. -DC_NOT_FOUND: none. *ret_layer is LAYER_NONE before. Cheap. */
DC_MUST int layer_store_find(struct layer_store *store, const char *key, struct layer *ret_layer,
                             struct dc_err *err);

/* Compares every byte with the manifest, once a process and layer. -DC_INVALID: it differs. */
DC_MUST int layer_store_verify(struct layer_store *store, const struct layer *layer,
                               struct dc_err *err);
bool layer_store_verified(struct layer_store *store, const struct layer *layer);

/* A layer being made. */
struct layer_stage {
    char name[8 + LAYER_HEX_SIZE]; /* below layers/; empty: none */
    int dir_fd;                    /* locked exclusively */
    int tree_fd;
    struct layer_store *store;
};
#define LAYER_STAGE_NONE ((struct layer_stage){.dir_fd = -1, .tree_fd = -1})

DC_MUST int layer_stage_begin(struct layer_store *store, struct layer_stage *stage,
                              struct dc_err *err);
void layer_stage_release(struct layer_stage *stage); /* removes what was not published */

static inline void layer_stage_release_auto(struct layer_stage *stage)
{
    layer_stage_release(stage);
}

struct layer_about {
    const char *key;     /* hex */
    const char *kind;    /* "pip", "npm" */
    const char *runtime; /* "python 3.11.2" */
    const char *specs;   /* JSON array of the wishes */
    bool pinned;
};

/* Makes everything durable and visible. -DC_INVALID: what the installer says it resolved is not of
 * the right form. */
DC_MUST int layer_stage_publish(struct layer_stage *stage, const struct layer_about *about,
                                const struct layer_written *written, struct layer *ret_layer,
                                struct dc_err *err);

struct layer_entry {
    char id[LAYER_HEX_SIZE];
    const char *record; /* JSON text; borrowed for the call */
    uint64_t bytes;
    int64_t used_ns;     /* wall clock, to the minute */
    int64_t resolved_ns; /* wall clock */
    bool current;        /* its key leads to it: not replaced by a newer one */
};

/* Calls each for every layer, the longest unused first; true from it ends that. */
DC_MUST int layer_store_each(struct layer_store *store,
                             bool (*each)(void *context, const struct layer_entry *entry),
                             void *context, struct dc_err *err);

/* Removes one that is not in use. -DC_BUSY: it is. -DC_NOT_FOUND. */
DC_MUST int layer_store_remove(struct layer_store *store, const char *id, struct dc_err *err);

/* Removes the longest unused until no more than bytes_max are left, and those whose key leads to a
 * newer one. Layers in use stay. */
DC_MUST int layer_store_evict(struct layer_store *store, uint64_t bytes_max, uint32_t *ret_removed,
                              struct dc_err *err);

/* What was found at the last look over all layers (open, evict). */
void layer_store_totals(struct layer_store *store, uint64_t *ret_bytes, uint32_t *ret_count);

#endif
