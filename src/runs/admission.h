/*
 * Who runs next. Each project has a FIFO; the projects with something waiting take turns. Caps on
 * running and waiting, in all and per project, keep one project from starving the others and the
 * queue from growing without bound. A pure data structure: no I/O, no clock of its own, time comes
 * in. Server and CLI.
 *
 * Lifecycle of an entry (the caller's memory): admission_submit queues it; admission_next hands out
 * the entry that may start; admission_done gives its place back. A waiting one leaves by
 * admission_remove or, after its deadline, by admission_expired.
 */
#ifndef DOCLE_RUNS_ADMISSION_H
#define DOCLE_RUNS_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/error.h"

struct admission;
struct admission_project;

struct admission_limits {
    uint32_t running_max; /* launcher slots; 0 while the launcher is away: nothing starts */
    uint32_t queued_max;
};

/* A project's own caps, given with each run since they may change. */
struct admission_share {
    uint32_t running_max; /* at least 1 */
    uint32_t queued_max;
};

enum admission_state { ADMISSION_OUT, ADMISSION_QUEUED, ADMISSION_RUNNING };

struct admission_entry {
    enum admission_state state;
    int64_t queued_ns;
    int64_t deadline_ns; /* of waiting */
    struct admission_project *project;
    struct admission_entry *prev, *next;   /* in the project's queue */
    struct admission_entry *older, *newer; /* of all that wait, by arrival */
};

enum admission_verdict {
    ADMISSION_OK,
    ADMISSION_OWN_LIMIT, /* the caller's project waits with too much: 429 */
    ADMISSION_FULL,      /* the server does: 503 */
    ADMISSION_NO_MEMORY,
};

struct admission *admission_new(const struct admission_limits *limits);
void admission_free(struct admission *admission); /* accepts NULL; entries are the caller's */
DC_AUTO_DEFINE(struct admission *, admission_free)

void admission_set_limits(struct admission *admission, const struct admission_limits *limits);

/* Queues. project: an id, copied. wait_ns: how long it may wait. */
enum admission_verdict admission_submit(struct admission *admission, struct admission_entry *entry,
                                        const char *project, const struct admission_share *share,
                                        int64_t now_ns, int64_t wait_ns);

/* The next entry to start, now counted as running, or NULL. */
struct admission_entry *admission_next(struct admission *admission);

/* A running entry ended after ran_ns. ran_ns < 0: do not learn from it. */
void admission_done(struct admission *admission, struct admission_entry *entry, int64_t ran_ns);

/* Takes a waiting entry out; false when it is not waiting. */
bool admission_remove(struct admission *admission, struct admission_entry *entry);

/* Takes out one entry whose deadline has passed, or returns NULL. */
struct admission_entry *admission_expired(struct admission *admission, int64_t now_ns);

/* The earliest waiting deadline, INT64_MAX when nothing waits. Linear in what waits. */
int64_t admission_next_deadline(const struct admission *admission);

/* Seconds after which asking again makes sense, 1 to 60: from the mean time of recent runs and what
 * waits. */
uint32_t admission_retry_after_s(const struct admission *admission);

uint32_t admission_running(const struct admission *admission);
uint32_t admission_queued(const struct admission *admission);

#endif
