/* The operator's sets of packages: installed once the server can run, kept fresh, and those of
 * Python kept imported in a zygote. API process, loop thread. */
#ifndef DOCLE_API_WARM_H
#define DOCLE_API_WARM_H

struct app;

/* Starts the task that does it, when there are such sets; it ends with the server. */
void warm_start(struct app *app);

#endif
