/* What the files of the installer share. Internal to src/packages. */
#ifndef DOCLE_PACKAGES_PACKAGES_INTERNAL_H
#define DOCLE_PACKAGES_PACKAGES_INTERNAL_H

#include "packages/packages.h"
#include "runs/await.h"

/* One install under way, and who waits for it. */
struct install {
    struct packages *packages;
    char key[LAYER_KEY_SIZE];
    const struct package_wish *wish; /* of the first asker, who waits until the end */
    const struct package_asker *asker;
    char runtime[40]; /* "python 3.11.2" */
    struct await_list waiters;
    unsigned holders; /* tasks that still look at it */
    bool done;
    int result; /* 0 or -DC_code */
    struct dc_err err;
    struct engine_refusal refusal;
    struct package_failure failure; /* with -DC_CONFLICT */
    struct install *next;
};

struct packages {
    uv_loop_t *loop;
    struct engine *engine;
    struct packages_options options; /* defaults filled in */
    struct layer_store *store;
    struct install *installs;
    struct await_list idle; /* who waits for the last one to end */
    bool evicting;
    struct packages_stats stats;
};

/* In a task: runs work(arg) on a thread of the loop's pool. */
void packages_in_thread(uv_loop_t *loop, void (*work)(void *arg), void *arg);

/* In a task: the whole of one install, published. Fills result, err, failure, refusal. */
void install_carry_out(struct install *install);

#endif
