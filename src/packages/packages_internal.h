/* What the files of the installer share. Internal to src/packages. */
#ifndef DOCLE_PACKAGES_PACKAGES_INTERNAL_H
#define DOCLE_PACKAGES_PACKAGES_INTERNAL_H

#include "packages/packages.h"
#include "runs/await.h"

/* One install under way, and who waits for it. */
struct install {
    struct packages *packages;
    char key[LAYER_KEY_SIZE];
    struct package_wish wish;
    char project[64]; /* of the first asker, in whose turn it runs */
    struct admission_share share;
    char runtime[40]; /* "python 3.11.2" */
    unsigned holders; /* tasks that still look at it */
    bool done;
    int result; /* 0 or -DC_code */
    struct dc_err err;
    struct engine_refusal refusal;
    struct package_failure failure; /* with -DC_CONFLICT */
    struct install *next;
};

/* One who waits; the memory is his. */
struct asking {
    const struct package_asker *asker;
    struct install *install; /* NULL: none yet */
    struct await_flag news;  /* the install is done, or: */
    bool cancelled;
    bool told;
    struct asking *next;
};

struct packages {
    uv_loop_t *loop;
    struct engine *engine;
    struct packages_options options; /* defaults filled in */
    struct layer_store *store;
    struct install *installs;
    struct asking *asking;
    struct await_list idle; /* who waits for the last one to end */
    bool evicting;
    struct packages_stats stats;
};

/* In a task: runs work(arg) on a thread of the loop's pool. */
void packages_in_thread(uv_loop_t *loop, void (*work)(void *arg), void *arg);

/* In a task: the whole of one install, published. Fills result, err, failure, refusal. */
void install_carry_out(struct install *install);

#endif
