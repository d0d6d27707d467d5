/*
 * What an install hands out: the finished tree of a layer, as a stream on its standard output. No
 * folder of the host is writable for an install; the server makes the layer from the stream, with
 * its own ideas of names, kinds, rights and sizes. The stream is hostile: packages are.
 *
 * Form: "DOCLE-LAYER-1\n", then records { uint8 kind, uint8 0, uint16 path_length, uint32
 * content_length, path, content }, integers in host order:
 *   'd' a folder; it comes before what is in it
 *   'f' a file, 'x' one that may be executed
 *   'l' a symbolic link; the content is its target
 *   'r' once: what was resolved, a JSON array of {name, version, hash?}; no path
 *   'e' the end, last
 * Blocks; for a thread of its own. Server and CLI.
 */
#ifndef DOCLE_PACKAGES_LAYER_STREAM_H
#define DOCLE_PACKAGES_LAYER_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    LAYER_ENTRIES_MAX = 200000,
    LAYER_DEPTH_MAX = 64,
    LAYER_RESOLVED_MAX_BYTES = 1024 * 1024,
    LAYER_MANIFEST_MAX_BYTES = 64 * 1024 * 1024,
};

struct layer_rules {
    uint64_t bytes_max; /* of files, each counted in whole pages */
};

/* Zero-initialised before, released after, whatever happened between. */
struct layer_written {
    struct dc_buf manifest; /* one line an entry: kind, SHA-256 of content or target, size, path */
    struct dc_buf resolved; /* as the installer said it */
    uint64_t bytes;
    uint32_t entries;
};

void layer_written_release(struct layer_written *written);

static inline void layer_written_release_auto(struct layer_written *written)
{
    layer_written_release(written);
}

/* Reads the stream to its end record and makes the entries below tree_fd, an empty folder.
 * -DC_INVALID: the stream breaks a rule or ends early; -DC_LIMIT: too large, or the disk is full.
 * In either case err->text is for the caller of the run. */
DC_MUST int layer_stream_read(int stream_fd, int tree_fd, const struct layer_rules *rules,
                              struct layer_written *written, struct dc_err *err);

/* Compares a tree with its manifest: every entry, every byte, nothing besides. -DC_INVALID: it
 * differs. */
DC_MUST int layer_verify(int tree_fd, const char *manifest, size_t length, struct dc_err *err);

#endif
