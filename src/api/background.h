/* Tasks that are not requests: counted, so that the server ends after them. API process. */
#ifndef DOCLE_API_BACKGROUND_H
#define DOCLE_API_BACKGROUND_H

#include <stdbool.h>
#include <stdint.h>

struct app;

/* Runs work(arg) in a task of its own, from the next turn of the loop on. False without memory. */
bool background_spawn(struct app *app, void (*work)(void *arg), void *arg);

/* In a task: suspends it. */
void background_sleep(struct app *app, uint64_t ms);

#endif
