/*
 * Packages for runs: finds the layer that a wish stands for, or has it installed first, once for
 * all who ask at the same time. On the loop's thread, in tasks where said; what blocks is done by
 * threads of the loop's pool. Server and CLI.
 *
 * An install is a run of the engine like any other, sealed in the same way, whose program is ours
 * (installers/), whose network reaches the registries alone, and whose output is the layer's
 * stream.
 *
 * Lifecycle: packages_open, before the launcher starts, which wants to see the folder; then
 * packages_attach; packages_ensure any number of times at once; packages_drain once the engine
 * takes no more runs; packages_free.
 */
#ifndef DOCLE_PACKAGES_PACKAGES_H
#define DOCLE_PACKAGES_PACKAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"
#include "packages/layer_store.h"
#include "packages/source.h"
#include "packages/wish.h"
#include "runs/engine.h"

struct packages;

/* Zero means the default where one is named. */
struct packages_options {
    const char *dir;                       /* of the layers; borrowed for packages_open */
    const struct package_sources *sources; /* borrowed until packages_free */
    uint32_t cache_mb;                     /* all layers together; 0: 10240 */
    uint32_t layer_mb;                     /* one layer; 0: 512 */
    uint32_t install_s;                    /* one install; 0: 60 */
    uint32_t memory_mb;                    /* one install; 0: 1024 */
    uint32_t age_s;                        /* of what has no exact version; 0: a day */
    bool pip_source;                       /* also what has to be built, which runs its code */
    bool npm_scripts;                      /* run the packages' own install scripts */
};

DC_MUST int packages_open(uv_loop_t *loop, const struct packages_options *options,
                          struct packages **ret_packages, struct dc_err *err);
void packages_attach(struct packages *packages, struct engine *engine);
void packages_drain(struct packages *packages); /* in a task: waits for installs to end */
void packages_free(struct packages *packages);  /* accepts NULL */

/* Is there an installer for this language? Else why: a text for callers. */
bool packages_available(const struct packages *packages, enum package_kind kind,
                        const char **ret_why);

/* How an install failed. Zero-initialise; release. */
struct package_failure {
    bool cancelled; /* the asker was; nothing else is filled */
    int exit_code;  /* the installer's */
    char message[256];
    struct dc_buf text; /* its last lines */
};

void package_failure_release(struct package_failure *failure);

static inline void package_failure_release_auto(struct package_failure *failure)
{
    package_failure_release(failure);
}

/* Who asks and for what; borrowed for the call. */
struct package_asker {
    const struct run_request *request; /* language and version */
    const char *project;
    const char *run_id; /* for packages_cancel; may be NULL */
    struct admission_share share;
    uint32_t install_s; /* how long it may have an install run; 0, or more than the operator's
                           ceiling: as long as that */
    void (*installing)(void *context); /* called once when it takes an install; may be NULL */
    void *context;
};

/* In a task. 0: *ret_layer is held. -DC_CONFLICT: the install failed, or did not end within
 * asker->install_s, *failure says how.
 * Else as engine_run. */
DC_MUST int packages_ensure(struct packages *packages, const struct package_wish *wish,
                            const struct package_asker *asker, struct layer *ret_layer,
                            struct package_failure *failure, struct engine_refusal *ret_refusal,
                            struct dc_err *err);

/* Is the run waiting for its packages? project NULL: any. */
bool packages_asked(const struct packages *packages, const char *project, const char *run_id);
/* Ends its wait: its packages_ensure returns -DC_CONFLICT, failure->cancelled. */
bool packages_cancel(struct packages *packages, const char *project, const char *run_id);

/* Makes a result of a failed install. */
DC_MUST int packages_fail_result(const struct package_failure *failure, struct run_result *result,
                                 struct dc_err *err);

/* Appends the member of a run's answer: ,"packages":{"resolved":[…]}. */
bool packages_print(const struct layer *layer, struct dc_buf *out);

/* In a task: layers out of use, the longest unused first, until the budget holds. */
DC_MUST int packages_evict(struct packages *packages, uint64_t bytes_max, uint32_t *ret_removed,
                           struct dc_err *err);

struct layer_store *packages_store(struct packages *packages);

struct packages_stats {
    uint64_t hits;
    uint64_t installs;
    uint64_t failures;
    uint64_t joined; /* askers who waited for an install of somebody else's */
    uint64_t evictions;
    uint64_t spoilt; /* layers that differed from their manifests */
    uint64_t install_ns;
    uint32_t installing;
    uint32_t layers;
    uint64_t bytes;
};

void packages_snapshot(struct packages *packages, struct packages_stats *ret_stats);

#endif
