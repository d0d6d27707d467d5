/*
 * Crash consistency: children write through the worker and are killed at random moments. Whatever a
 * child reported as done, through a pipe, must be in the file afterwards; and no run may have two
 * rows in the ledger, or a row without its result.
 *
 * SIGKILL keeps the page cache, so this shows the order of report and commit and the recovery of
 * the log, not the disk's own honesty: that rests on synchronous=FULL (test_store.c).
 */
#include "store_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/io.h"

enum { ROUNDS = 80, PRODUCERS = 4 };

struct producer {
    const struct fixture *f;
    struct store_worker *worker;
    int pipe_fd;
};

struct step {
    struct store_run_new run;
    struct store_run_result result;
};

static int run_admit(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct step *step = arg;
    struct store_admission admission;

    return store_run_admit(conn, &step->run, &admission, err);
}

static int run_finish(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct step *step = arg;

    return store_run_finish(conn, &step->result, err);
}

/* Until killed: admit and finish runs, and report each id once its finish is durable. */
static void *produce(void *arg)
{
    struct producer *me = arg;
    struct dc_err err;

    for (;;) {
        char id[DC_UUID_SIZE];
        int64_t now = dc_wall_now();
        struct step step;

        dc_uuid7(now, id);
        step = (struct step){.run = fixture_run(me->f, id, now),
                             .result = fixture_result(id, now + 1)};
        if (store_write_wait(me->worker, run_admit, &step, &err) < 0 ||
            store_write_wait(me->worker, run_finish, &step, &err) < 0 ||
            dc_write_all(me->pipe_fd, id, sizeof(id), &err) < 0)
            _exit(1);
    }
    return NULL;
}

static void run_child(const struct fixture *f, int pipe_fd)
{
    struct producer producers[PRODUCERS];
    struct store_worker *worker;
    struct store_conn *conn;
    pthread_t thread;
    struct dc_err err;
    int runs;

    if (store_open(f->path, &conn, &err) < 0 ||
        store_recover(conn, dc_wall_now(), &runs, &err) < 0 ||
        store_worker_start(f->path, &worker, &err) < 0) {
        (void)fprintf(stderr, "# %s\n", err.text);
        _exit(1);
    }
    store_conn_free(conn);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){f, worker, pipe_fd};
        if (pthread_create(&thread, NULL, produce, &producers[i]) != 0)
            _exit(1);
    }
    for (;;)
        (void)pause();
}

struct reported {
    char (*ids)[DC_UUID_SIZE];
    size_t count;
    size_t capacity;
};

static void collect(int fd, struct reported *all)
{
    for (;;) {
        struct dc_err err;
        size_t length;

        if (all->count == all->capacity) {
            all->capacity = all->capacity ? all->capacity * 2 : 1024;
            all->ids = reallocarray(all->ids, all->capacity, DC_UUID_SIZE);
            assert_non_null(all->ids);
        }
        assert_ok(dc_read_full(fd, all->ids[all->count], DC_UUID_SIZE, &length, &err), err);
        if (length < DC_UUID_SIZE)
            return;
        all->count++;
    }
}

/* Starts a child and kills it at a moment drawn from 0 to 20 ms after it reported its first run or,
 * early, after its start: while it opens the file and recovers what the one before left. */
static void crash_once(const struct fixture *f, bool early, unsigned *seed, struct reported *all)
{
    int ends[2];
    struct timespec delay = {0, (long)(rand_r(seed) % 20000) * 1000};
    int status;
    pid_t child;
    char first[DC_UUID_SIZE];
    size_t length;
    struct dc_err err;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        run_child(f, ends[1]);
    }
    (void)close(ends[1]);
    if (!early) {
        assert_ok(dc_read_full(ends[0], first, sizeof(first), &length, &err), err);
        assert_int_equal(length, sizeof(first));
    }
    (void)nanosleep(&delay, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    collect(ends[0], all);
    if (!early)
        memcpy(all->ids[all->count++], first, sizeof(first));
    (void)close(ends[0]);
}

static void check_reported(struct fixture *f, const struct reported *all)
{
    struct store_conn *conn;
    struct dc_err err;

    assert_ok(store_open(f->path, &conn, &err), err);
    for (size_t i = 0; i < all->count; i++) {
        DC_AUTO(store_run_release) struct store_run run = {0};

        assert_ok(store_run_get(conn, f->project.id, all->ids[i], &run, &err), err);
        assert_string_equal(run.outcome, "ok");
        assert_string_equal(run.out, "1\n");
    }
    store_conn_free(conn);
}

static void test_killed_at_random(void **state)
{
    struct fixture *f = *state;
    struct reported all = {0};
    unsigned seed = 20240607;
    int64_t done;
    int runs;
    struct dc_err err;

    store_conn_free(dc_take(f->conn));
    for (int round = 0; round < ROUNDS; round++) {
        crash_once(f, round % 4 == 3, &seed, &all);
        assert_int_equal(fixture_number(f->path, "SELECT integrity_check = 'ok' FROM "
                                                 "pragma_integrity_check"),
                         1);
    }
    assert_true(all.count >= ROUNDS / 4 * 3);
    check_reported(f, &all);

    /* Each finished run has its ledger row, and each row its run; STRICT keys make both unique. */
    assert_ok(store_open(f->path, &f->conn, &err), err);
    assert_ok(store_recover(f->conn, dc_wall_now(), &runs, &err), err);
    done = fixture_number(f->path, "SELECT COUNT(*) FROM runs WHERE status = 'done'");
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM runs"), done);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(DISTINCT run_id) FROM ledger"), done);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger"), done);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM ledger l JOIN runs r ON r.id = "
                                             "l.run_id WHERE l.outcome <> r.outcome"),
                     0);
    assert_int_equal(fixture_number(f->path, "SELECT COUNT(*) FROM runs r LEFT JOIN run_outputs o "
                                             "ON o.run_id = r.id WHERE r.outcome = 'ok' AND "
                                             "o.run_id IS NULL"),
                     0);
    print_message("# %zu reported, %d kills\n", all.count, ROUNDS);
    free(all.ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_at_random, fixture_setup, fixture_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_crash", tests, NULL, NULL);
}
