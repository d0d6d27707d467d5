/*
 * The artifact stream: what the collector inside the slot writes for the API process. Hostile data:
 * the reader bounds and checks everything. Records { uint16 path_length, uint16 flags, uint32
 * content_length, path, content }, ended by end of file. A record with ARTIFACT_TRUNCATED stands
 * for files left out because of a cap (no content).
 */
#ifndef DOCLE_PROTO_ARTIFACT_H
#define DOCLE_PROTO_ARTIFACT_H

#include <stdint.h>

struct artifact_head {
    uint16_t path_length; /* of a workspace path */
    uint16_t flags;       /* enum artifact_flags */
    uint32_t content_length;
};

enum artifact_flags {
    ARTIFACT_TRUNCATED = 1u << 0,
};

#endif
