/*
 * How long a durable finish takes, alone and with many producers: bench_store [FOLDER] [SECONDS].
 * Each run costs an admission that nobody waits for (lazy) and a finish that is waited for, as in
 * the server. Prints one line per figure.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/keys.h"
#include "store/runs.h"
#include "store/worker.h"

enum { PRODUCERS_MAX = 64, SAMPLES_MAX = 1 << 20 };

struct bench {
    struct store_worker *worker;
    struct store_project project;
    int64_t until;
};

struct producer {
    struct bench *bench;
    int64_t *samples;
    size_t count;
};

struct job {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int pending;
    struct store_run_new run;
    struct store_run_result result;
    struct store_op admit;
    struct store_op finish;
};

static int run_admit(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct store_admission admission;

    return store_run_admit(conn, &((struct job *)arg)->run, &admission, err);
}

static int run_finish(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_run_finish(conn, &((struct job *)arg)->result, err);
}

static void done(struct store_op *op)
{
    struct job *job = op->arg;

    if (op->result < 0) {
        (void)fprintf(stderr, "%s\n", op->err.text);
        abort();
    }
    (void)pthread_mutex_lock(&job->lock);
    job->pending--;
    (void)pthread_cond_signal(&job->wake);
    (void)pthread_mutex_unlock(&job->lock);
}

static void check(int result, const struct dc_err *err)
{
    if (result < 0) {
        (void)fprintf(stderr, "%s\n", err->text);
        exit(1);
    }
}

static void one_run(struct bench *bench, struct job *job)
{
    static const char request[] = "{\"code\":\"print('hi')\",\"lang\":\"python\"}";
    int64_t now = dc_wall_now();
    char id[DC_UUID_SIZE];
    struct dc_err err;

    dc_uuid7(now, id);
    job->pending = 2;
    job->run = (struct store_run_new){.id = id,
                                      .project_id = bench->project.id,
                                      .lang = "python",
                                      .created_at = now,
                                      .request = {request, sizeof(request) - 1}};
    job->result = (struct store_run_result){
        .id = id, .outcome = "ok", .out = {"hi\n", 3}, .finished_at = now + 1};
    job->admit =
        (struct store_op){.run = run_admit, .done = done, .arg = job, .patience_ms = STORE_LAZY_MS};
    job->finish = (struct store_op){.run = run_finish, .done = done, .arg = job};
    check(store_write(bench->worker, &job->admit, &err), &err);
    check(store_write(bench->worker, &job->finish, &err), &err);
    (void)pthread_mutex_lock(&job->lock);
    while (job->pending)
        (void)pthread_cond_wait(&job->wake, &job->lock);
    (void)pthread_mutex_unlock(&job->lock);
}

static void *produce(void *arg)
{
    struct producer *me = arg;
    struct job job = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

    while (me->count < SAMPLES_MAX) {
        int64_t start = dc_now();

        if (start >= me->bench->until)
            break;
        one_run(me->bench, &job);
        me->samples[me->count++] = dc_now() - start;
    }
    return NULL;
}

static int by_value(const void *one, const void *two)
{
    int64_t a = *(const int64_t *)one;
    int64_t b = *(const int64_t *)two;

    return (a > b) - (a < b);
}

static void measure(struct bench *bench, int producers, int64_t seconds)
{
    static struct producer all[PRODUCERS_MAX];
    static pthread_t threads[PRODUCERS_MAX];
    int64_t *samples = calloc(SAMPLES_MAX, sizeof(*samples));
    int64_t start = dc_now();
    struct store_stats before;
    struct store_stats after;
    size_t count = 0;
    double taken;

    store_worker_stats(bench->worker, &before);
    bench->until = start + seconds * DC_NS_PER_S;
    for (int i = 0; i < producers; i++) {
        all[i] = (struct producer){bench, calloc(SAMPLES_MAX, sizeof(int64_t)), 0};
        if (pthread_create(&threads[i], NULL, produce, &all[i]) != 0)
            exit(1);
    }
    for (int i = 0; i < producers; i++) {
        (void)pthread_join(threads[i], NULL);
        for (size_t k = 0; k < all[i].count && count < SAMPLES_MAX; k++)
            samples[count++] = all[i].samples[k];
        free(all[i].samples);
    }
    taken = (double)(dc_now() - start) / 1e9;
    store_worker_stats(bench->worker, &after);
    qsort(samples, count, sizeof(*samples), by_value);
    printf("store: %2d producers: %7.0f runs/s, finish p50 %6.3f ms, p99 %6.3f ms, max %7.3f ms, "
           "%.1f writes a commit, %llu checkpoints\n",
           producers, (double)count / taken, (double)samples[count / 2] / 1e6,
           (double)samples[count * 99 / 100] / 1e6, (double)samples[count - 1] / 1e6,
           (double)(after.writes - before.writes) / (double)(after.commits - before.commits),
           (unsigned long long)(after.checkpoints - before.checkpoints));
    free(samples);
}

int main(int argc, char **argv)
{
    char folder[256];
    char path[300];
    int64_t seconds = argc > 2 ? strtol(argv[2], NULL, 10) : 5;
    struct bench bench = {0};
    struct store_conn *conn;
    struct dc_err err;

    (void)snprintf(folder, sizeof(folder), "%s/docle-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof(path), "%s/docle.db", folder);
    check(store_open(path, &conn, &err), &err);
    check(store_project_ensure(conn, "bench", dc_wall_now(), &bench.project, &err), &err);
    store_conn_free(conn);
    check(store_worker_start(path, &bench.worker, &err), &err);
    measure(&bench, 1, seconds);
    measure(&bench, 4, seconds);
    measure(&bench, 16, seconds);
    measure(&bench, 64, seconds);
    store_worker_free(bench.worker);
    for (int i = 0; i < 5; i++) {
        static const char *const suffixes[] = {"", "-wal", "-shm", "-changes", "-server"};
        char name[320];

        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    return rmdir(folder) < 0;
}
