/*
 * Threads that run store functions for an event loop: one writer with group commit, and readers.
 *
 * The caller embeds a struct store_op (on a suspended task's stack, say), fills run, done and arg,
 * and submits it; the memory stays its own and must live until done is called. done runs on a
 * worker thread: it hands over to the loop and returns. For a write, done is called only after the
 * commit that holds it is durable, or with the error that undid it.
 *
 * The writer takes everything that queued while it was committing, runs each operation under its
 * own savepoint (one that fails does not touch its neighbours) and commits once. A lone operation
 * is committed as soon as its patience is over. Writes happen in the order of submission. When a
 * commit fails as a whole the operations are repeated one by one, each in a transaction of its own:
 * run must be repeatable, that is, not rely on what it left in arg the first time.
 */
#ifndef DOCLE_STORE_WORKER_H
#define DOCLE_STORE_WORKER_H

#include "store/store.h"

enum {
    STORE_READERS = 2,
    STORE_QUEUE_MAX = 4096, /* writes and reads waiting, each */
    STORE_LAZY_MS = 50,     /* patience of a write that nobody waits for */
    STORE_LOADED_MS = 5,    /* patience of one that is waited for, while the server is loaded */
    STORE_BATCH_MAX = 512,  /* operations in one commit */
};

struct store_op {
    /* Mandatory. Runs on a worker thread with its connection; calls functions of the store. */
    int (*run)(struct store_conn *conn, void *arg, struct dc_err *err);
    /* Mandatory. On a worker thread; op and its memory are the caller's again. Must not block and
     * must not submit synchronously to a full queue in a loop. */
    void (*done)(struct store_op *op);
    void *arg;
    /* How long this write may wait for others to be committed with, unless one comes that has none.
     * Admissions without an idempotency key, marks of running and last uses of keys are patient;
     * under load results are a little: a commit is dear, and there is other work. */
    uint32_t patience_ms;

    int result; /* for done: 0 or -DC_code */
    struct dc_err err;

    struct store_op *next; /* the worker's */
    int64_t queued_at;
};

struct store_worker;

/* The file has been prepared by store_open(). Starts the threads with all signals blocked. */
DC_MUST int store_worker_start(const char *path, struct store_worker **ret_worker,
                               struct dc_err *err);

/* Finishes all that was submitted, calls every done, ends the threads. Accepts NULL. */
void store_worker_free(struct store_worker *worker);
DC_AUTO_DEFINE(struct store_worker *, store_worker_free)

/* Any thread. DC_BUSY when the queue is full: done is not called then. */
DC_MUST int store_write(struct store_worker *worker, struct store_op *op, struct dc_err *err);
DC_MUST int store_read(struct store_worker *worker, struct store_op *op, struct dc_err *err);

/* Submits and waits: for threads other than a loop's (tests, tools). Returns the operation's
 * result. */
DC_MUST int store_write_wait(struct store_worker *worker,
                             int (*run)(struct store_conn *, void *, struct dc_err *), void *arg,
                             struct dc_err *err);
DC_MUST int store_read_wait(struct store_worker *worker,
                            int (*run)(struct store_conn *, void *, struct dc_err *), void *arg,
                            struct dc_err *err);

/* Called on the writer's thread after a commit that changed keys or projects; see store.h. Set it
 * before the first write. */
void store_worker_on_change(struct store_worker *worker, void (*changed)(void *arg), void *arg);

struct store_stats {
    uint64_t writes;  /* operations committed */
    uint64_t failed;  /* operations that ended with an error */
    uint64_t commits; /* durable commits; writes / commits is the mean batch */
    uint64_t reads;
    unsigned write_queue;
    unsigned read_queue;
    uint64_t checkpoints;
};
void store_worker_stats(struct store_worker *worker, struct store_stats *ret_stats);

#endif
