/* Packages that are imported ahead: the operator's sets, installed once the server can run, kept
 * fresh and imported in zygotes (warm.c), and those that a project uses often, imported in spares
 * of that project's own (warm_used.c). API process, loop thread. */
#ifndef DOCLE_API_WARM_H
#define DOCLE_API_WARM_H

#include "packages/layer_store.h"
#include "packages/wish.h"
#include "runs/request.h"

struct app;
struct warm_used;

/* Starts the task that does it, when there are such sets; it ends with the server. */
void warm_start(struct app *app);

/* NULL: no memory, or the options want none; then nothing is noted. */
struct warm_used *warm_used_new(const struct app *app);
void warm_used_free(struct warm_used *used); /* accepts NULL */

/* A run of the project got the layer, which its request names. */
void warm_used_note(struct app *app, const struct run_request *request,
                    const struct package_wish *wish, const struct layer *layer,
                    const char *project);

#endif
