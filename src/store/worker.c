/*
 * How it works: two queues of operations under one mutex. The writer takes all writes that wait and
 * commits them together; readers take one read each. Checkpoints of the log run on a reader, so
 * that writes do not wait for them; only when the log grew far too long the writer does it itself,
 * since the log can start over only while nobody appends to it.
 */
#include "store/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_internal.h"

#include "base/poison.h"

enum {
    WORKER_LOG_PAGES = 1000,         /* 4 MB: fold the log into the file on a reader */
    WORKER_LOG_PAGES_URGENT = 16000, /* 64 MB: the writer itself */
};

struct op_queue {
    struct store_op *head;
    struct store_op *tail;
    unsigned count;
    int64_t due; /* monotonic; when the least patient of them wants to be done */
};

struct reader {
    struct store_worker *worker;
    struct store_conn *conn;
    pthread_t thread;
    bool started;
};

struct store_worker {
    pthread_mutex_t lock;
    pthread_cond_t write_wake;
    pthread_cond_t read_wake;
    struct op_queue writes;
    struct op_queue reads;
    bool stopping;
    bool checkpoint_due;
    int pages_seen; /* length of the log when a checkpoint was last asked for */
    struct store_stats stats;
    struct store_conn *writer;
    pthread_t writer_thread;
    bool writer_started;
    struct reader readers[STORE_READERS];
};

static int64_t due_of(const struct store_op *op)
{
    return op->queued_at + op->patience_ms * DC_NS_PER_MS;
}

/* True when the queue wants to be served sooner than before: for an impatient one, or a full batch.
 */
static bool push(struct op_queue *queue, struct store_op *op)
{
    bool sooner = !queue->head || due_of(op) < queue->due;

    if (sooner)
        queue->due = due_of(op);
    op->next = NULL;
    if (queue->tail)
        queue->tail->next = op;
    else
        queue->head = op;
    queue->tail = op;
    queue->count++;
    return sooner || queue->count == STORE_BATCH_MAX;
}

/* Takes the first max operations, a list of its own. */
static struct store_op *pop(struct op_queue *queue, unsigned max)
{
    struct store_op *first = queue->head;
    struct store_op *last = NULL;

    for (unsigned i = 0; i < max && queue->head; i++) {
        last = queue->head;
        queue->head = last->next;
        queue->count--;
    }
    if (last)
        last->next = NULL;
    if (!queue->head)
        queue->tail = NULL;
    else
        queue->due = 0; /* what is left over has waited for a whole batch */
    return first;
}

static int submit(struct store_worker *worker, struct op_queue *queue, pthread_cond_t *wake,
                  struct store_op *op, struct dc_err *err)
{
    int result = 0;
    bool wanted = false;

    op->queued_at = dc_now();
    (void)pthread_mutex_lock(&worker->lock);
    if (queue->count >= STORE_QUEUE_MAX)
        result = dc_fail(err, DC_BUSY, 0, "the store has %d operations waiting", STORE_QUEUE_MAX);
    else
        wanted = push(queue, op) || queue == &worker->reads; /* each read may have its reader */
    (void)pthread_mutex_unlock(&worker->lock);
    if (wanted)
        (void)pthread_cond_signal(wake);
    return result;
}

int store_write(struct store_worker *worker, struct store_op *op, struct dc_err *err)
{
    return submit(worker, &worker->writes, &worker->write_wake, op, err);
}

int store_read(struct store_worker *worker, struct store_op *op, struct dc_err *err)
{
    return submit(worker, &worker->reads, &worker->read_wake, op, err);
}

static void run_op(struct store_conn *conn, struct store_op *op)
{
    op->err = (struct dc_err){0};
    op->result = op->run(conn, op->arg, &op->err);
}

static void fail_op(struct store_op *op, const struct dc_err *err)
{
    op->err = *err;
    op->result = -err->code;
}

/* Runs op under a savepoint. Fails only when the transaction as a whole is lost. */
static int run_guarded(struct store_conn *conn, struct store_op *op, struct dc_err *err)
{
    if (db_savepoint(conn->db, err) < 0)
        return -err->code;
    run_op(conn, op);
    if (!db_in_transaction(conn->db))
        return dc_fail(err, DC_KERNEL, EIO, "the database undid the transaction");
    return op->result < 0 ? db_undo(conn->db, err) : db_release(conn->db, err);
}

static int run_together(struct store_conn *conn, struct store_op *ops, struct dc_err *err)
{
    int result = 0;

    if (conn_begin(conn, err) < 0)
        return -err->code;
    for (struct store_op *op = ops; op && result == 0; op = op->next)
        result = run_guarded(conn, op, err);
    return conn_end(conn, result, err);
}

static void run_alone(struct store_conn *conn, struct store_op *op)
{
    struct dc_err err;

    if (conn_begin(conn, &err) < 0) {
        fail_op(op, &err);
        return;
    }
    run_op(conn, op);
    if (conn_end(conn, op->result, &err) < 0 && op->result == 0)
        fail_op(op, &err);
}

/* Returns how many commits it took. */
static unsigned run_batch(struct store_conn *conn, struct store_op *ops)
{
    unsigned commits = 0;
    struct dc_err err;

    if (!ops->next) {
        run_alone(conn, ops);
        return 1;
    }
    if (run_together(conn, ops, &err) == 0)
        return 1;
    for (struct store_op *op = ops; op; op = op->next) {
        run_alone(conn, op);
        commits++;
    }
    return commits;
}

/* With the lock held. The log shrinks only when it starts over, so what counts is its growth. */
static void ask_for_checkpoint(struct store_worker *worker, int pages)
{
    if (pages < worker->pages_seen)
        worker->pages_seen = 0;
    if (pages - worker->pages_seen < WORKER_LOG_PAGES)
        return;
    worker->pages_seen = pages;
    worker->checkpoint_due = true;
    (void)pthread_cond_signal(&worker->read_wake);
}

static void finish_batch(struct store_worker *worker, struct store_op *ops, unsigned commits)
{
    unsigned count = 0;
    unsigned failed = 0;
    int pages = db_log_pages(worker->writer->db);

    for (struct store_op *op = ops; op; op = op->next) {
        count++;
        failed += op->result < 0;
    }
    (void)pthread_mutex_lock(&worker->lock);
    worker->stats.writes += count - failed;
    worker->stats.failed += failed;
    worker->stats.commits += commits;
    ask_for_checkpoint(worker, pages);
    (void)pthread_mutex_unlock(&worker->lock);
    while (ops) {
        struct store_op *op = ops;

        ops = op->next; /* done gives op away */
        op->done(op);
    }
}

/* Waits, with the lock held, until there is something to commit or the end. */
static bool wait_for_writes(struct store_worker *worker)
{
    for (;;) {
        struct timespec until;
        int64_t due = worker->writes.due;

        if (worker->stopping)
            return worker->writes.head != NULL;
        if (!worker->writes.head) {
            (void)pthread_cond_wait(&worker->write_wake, &worker->lock);
            continue;
        }
        if (due <= dc_now() || worker->writes.count >= STORE_BATCH_MAX)
            return true;
        until = (struct timespec){.tv_sec = due / DC_NS_PER_S, .tv_nsec = due % DC_NS_PER_S};
        (void)pthread_cond_timedwait(&worker->write_wake, &worker->lock, &until);
    }
}

static void checkpoint(struct store_worker *worker, struct store_conn *conn)
{
    struct dc_err err;
    int left;

    /* A failure shows again, and with a caller to tell, in the commits that follow. */
    dc_ignore(db_checkpoint(conn->db, &left, &err));
    (void)pthread_mutex_lock(&worker->lock);
    worker->stats.checkpoints++;
    (void)pthread_mutex_unlock(&worker->lock);
}

static void *write_loop(void *arg)
{
    struct store_worker *worker = arg;

    for (;;) {
        struct store_op *ops = NULL;

        (void)pthread_mutex_lock(&worker->lock);
        if (wait_for_writes(worker))
            ops = pop(&worker->writes, STORE_BATCH_MAX);
        (void)pthread_mutex_unlock(&worker->lock);
        if (!ops)
            return NULL;
        finish_batch(worker, ops, run_batch(worker->writer, ops));
        if (db_log_pages(worker->writer->db) >= WORKER_LOG_PAGES_URGENT)
            checkpoint(worker, worker->writer);
    }
}

/* The next read; NULL with *ret_checkpoint set for a checkpoint, NULL alone at the end. */
static struct store_op *next_read(struct store_worker *worker, bool *ret_checkpoint)
{
    struct store_op *op = NULL;

    *ret_checkpoint = false;
    (void)pthread_mutex_lock(&worker->lock);
    while (!worker->reads.head && !worker->stopping && !worker->checkpoint_due)
        (void)pthread_cond_wait(&worker->read_wake, &worker->lock);
    if (worker->reads.head) {
        op = pop(&worker->reads, 1);
        worker->stats.reads++;
    } else if (worker->checkpoint_due && !worker->stopping) {
        worker->checkpoint_due = false;
        *ret_checkpoint = true;
    }
    (void)pthread_mutex_unlock(&worker->lock);
    return op;
}

static void *read_loop(void *arg)
{
    struct reader *reader = arg;

    for (;;) {
        bool due;
        struct store_op *op = next_read(reader->worker, &due);

        if (op) {
            run_op(reader->conn, op);
            op->done(op);
        } else if (due) {
            checkpoint(reader->worker, reader->conn);
        } else {
            return NULL;
        }
    }
}

static int init_sync(struct store_worker *worker, struct dc_err *err)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);

    if (rc == 0)
        rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_mutex_init(&worker->lock, NULL);
    if (rc == 0)
        rc = pthread_cond_init(&worker->write_wake, &attr);
    if (rc == 0)
        rc = pthread_cond_init(&worker->read_wake, NULL);
    (void)pthread_condattr_destroy(&attr);
    return rc == 0 ? 0 : dc_fail(err, DC_KERNEL, rc, "locks of the store");
}

static int connect_all(struct store_worker *worker, const char *path, struct dc_err *err)
{
    if (store_connect(path, STORE_READ_WRITE, &worker->writer, err) < 0)
        return -err->code;
    for (int i = 0; i < STORE_READERS; i++) {
        if (store_connect(path, STORE_READ_ONLY, &worker->readers[i].conn, err) < 0)
            return -err->code;
    }
    return 0;
}

static int start_threads(struct store_worker *worker, struct dc_err *err)
{
    int rc = pthread_create(&worker->writer_thread, NULL, write_loop, worker);

    worker->writer_started = rc == 0;
    for (int i = 0; i < STORE_READERS && rc == 0; i++) {
        struct reader *reader = &worker->readers[i];

        reader->worker = worker;
        rc = pthread_create(&reader->thread, NULL, read_loop, reader);
        reader->started = rc == 0;
    }
    return rc == 0 ? 0 : dc_fail(err, DC_KERNEL, rc, "start a thread of the store");
}

int store_worker_start(const char *path, struct store_worker **ret_worker, struct dc_err *err)
{
    DC_AUTO(store_worker_free) struct store_worker *worker = NULL;
    struct store_worker *made = calloc(1, sizeof(*made));
    sigset_t all;
    sigset_t before;
    int result;

    if (!made)
        return dc_fail(err, DC_KERNEL, ENOMEM, "store worker");
    if (init_sync(made, err) < 0) {
        free(made);
        return -err->code;
    }
    worker = made;
    if (connect_all(worker, path, err) < 0)
        return -err->code;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = start_threads(worker, err);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result < 0)
        return result;
    *ret_worker = dc_take(worker);
    return 0;
}

void store_worker_free(struct store_worker *worker)
{
    if (!worker)
        return;
    (void)pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    (void)pthread_cond_broadcast(&worker->write_wake);
    (void)pthread_cond_broadcast(&worker->read_wake);
    (void)pthread_mutex_unlock(&worker->lock);
    if (worker->writer_started)
        (void)pthread_join(worker->writer_thread, NULL);
    for (int i = 0; i < STORE_READERS; i++) {
        if (worker->readers[i].started)
            (void)pthread_join(worker->readers[i].thread, NULL);
        store_conn_free(worker->readers[i].conn);
    }
    store_conn_free(worker->writer);
    (void)pthread_cond_destroy(&worker->read_wake);
    (void)pthread_cond_destroy(&worker->write_wake);
    (void)pthread_mutex_destroy(&worker->lock);
    free(worker);
}

void store_worker_on_change(struct store_worker *worker, void (*changed)(void *arg), void *arg)
{
    store_on_change(worker->writer, changed, arg);
}

void store_worker_stats(struct store_worker *worker, struct store_stats *ret_stats)
{
    (void)pthread_mutex_lock(&worker->lock);
    *ret_stats = worker->stats;
    ret_stats->write_queue = worker->writes.count;
    ret_stats->read_queue = worker->reads.count;
    (void)pthread_mutex_unlock(&worker->lock);
}

/* A caller that blocks on its operation. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool finished;
    struct store_op op;
    int (*run)(struct store_conn *, void *, struct dc_err *);
    void *arg;
};

static int run_for_waiter(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct waiter *waiter = arg;

    return waiter->run(conn, waiter->arg, err);
}

static void wake_waiter(struct store_op *op)
{
    struct waiter *waiter = op->arg;

    (void)pthread_mutex_lock(&waiter->lock);
    waiter->finished = true;
    (void)pthread_cond_signal(&waiter->wake);
    (void)pthread_mutex_unlock(&waiter->lock);
}

static int wait_for(struct waiter *waiter, struct dc_err *err)
{
    (void)pthread_mutex_lock(&waiter->lock);
    while (!waiter->finished)
        (void)pthread_cond_wait(&waiter->wake, &waiter->lock);
    (void)pthread_mutex_unlock(&waiter->lock);
    (void)pthread_cond_destroy(&waiter->wake);
    (void)pthread_mutex_destroy(&waiter->lock);
    if (waiter->op.result < 0)
        *err = waiter->op.err;
    return waiter->op.result;
}

static void init_waiter(struct waiter *waiter,
                        int (*run)(struct store_conn *, void *, struct dc_err *), void *arg)
{
    *waiter = (struct waiter){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .wake = PTHREAD_COND_INITIALIZER,
        .op = {.run = run_for_waiter, .done = wake_waiter, .arg = waiter},
        .run = run,
        .arg = arg,
    };
}

int store_write_wait(struct store_worker *worker,
                     int (*run)(struct store_conn *, void *, struct dc_err *), void *arg,
                     struct dc_err *err)
{
    struct waiter waiter;

    init_waiter(&waiter, run, arg);
    if (store_write(worker, &waiter.op, err) < 0)
        return -err->code;
    return wait_for(&waiter, err);
}

int store_read_wait(struct store_worker *worker,
                    int (*run)(struct store_conn *, void *, struct dc_err *), void *arg,
                    struct dc_err *err)
{
    struct waiter waiter;

    init_waiter(&waiter, run, arg);
    if (store_read(worker, &waiter.op, err) < 0)
        return -err->code;
    return wait_for(&waiter, err);
}
