/* Tasks that are not requests: counted, so that the server ends after them. API process. */
#ifndef DOCLE_API_BACKGROUND_H
#define DOCLE_API_BACKGROUND_H

#include <stdbool.h>
#include <stdint.h>

struct app;

/* Runs run(arg) in a task of its own until it first suspends, then returns. False without memory;
 * it is not called then. */
bool background_spawn(struct app *app, void (*run)(void *arg), void *arg);

/* In a task: suspends it. */
void background_sleep(uint64_t ms);

#endif
