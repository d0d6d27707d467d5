/* V8 marks its heaps MADV_DONTFORK; a zygote's children need them. Used in the addon alone. */
#ifndef DOCLE_RUNTIMES_NODE_FORK_MAPS_H
#define DOCLE_RUNTIMES_NODE_FORK_MAPS_H

#include "base/error.h"

/* Undoes MADV_DONTFORK on every mapping of this process. */
DC_MUST int fork_maps_allow(struct dc_err *err);

#endif
