/* What the files of the installer share. Internal to src/packages. */
#ifndef DOCLE_PACKAGES_PACKAGES_INTERNAL_H
#define DOCLE_PACKAGES_PACKAGES_INTERNAL_H

#include "base/uuid.h"
#include "packages/packages.h"
#include "runs/await.h"

/* One install under way, and who waits for it. It runs for as long as the ceiling of somebody who
 * asked for it reaches. */
struct install {
    struct packages *packages;
    char key[LAYER_KEY_SIZE];
    struct package_wish wish;
    char project[64]; /* of the first asker, in whose turn it runs */
    struct admission_share share;
    char runtime[40]; /* "python 3.11.2" */
    char run_id[DC_UUID_SIZE];
    struct install_clock *clock; /* until it is done */
    uint32_t ceiling_s;          /* the greatest of those who asked before it started */
    int64_t until_ns;            /* from the start on: the end of the last ceiling */
    bool started;                /* it has a slot */
    bool abandoned;              /* nobody waits, and it was ended: nobody joins it either */
    unsigned holders;            /* tasks that still look at it */
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
    bool expired; /* its own ceiling, which is: */
    uint32_t ceiling_s;
    int64_t until_ns; /* INT64_MAX until the install has started */
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

/* In a task: old layers go while the folder is beyond its budget. */
void packages_keep_budget(struct packages *packages);

/* The ceiling of one who asks, in seconds; 0: the operator's holds, and the run of the install has
 * that by itself. */
uint32_t install_ceiling(const struct packages *packages, const struct package_asker *asker);

/* In a task: waits for an install of the key, begun now or by somebody else before. An asker who is
 * cancelled, or has waited for as long as it may, leaves with -DC_CONFLICT; the install goes on,
 * for others and the next time, while the ceiling of one who asked for it reaches. */
DC_MUST int install_await(struct packages *packages, const char *key, const char *runtime,
                          const struct package_wish *wish, struct asking *asking,
                          struct package_failure *failure, struct engine_refusal *ret_refusal,
                          struct dc_err *err);

/* The install has a slot: from now on ceilings count. */
void install_has_started(struct install *install);

/* In a task: the whole of one install, published. Fills result, err, failure, refusal. */
void install_carry_out(struct install *install);

#endif
