#include "store_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/db.h"
#include "store/store_internal.h"

struct counter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int done;
    int failed;
};

static struct counter counter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void count_done(struct store_op *op)
{
    (void)pthread_mutex_lock(&counter.lock);
    counter.done++;
    counter.failed += op->result < 0;
    (void)pthread_cond_signal(&counter.wake);
    (void)pthread_mutex_unlock(&counter.lock);
}

static void wait_done(int count)
{
    (void)pthread_mutex_lock(&counter.lock);
    while (counter.done < count)
        (void)pthread_cond_wait(&counter.wake, &counter.lock);
    (void)pthread_mutex_unlock(&counter.lock);
}

struct work {
    struct fixture base;
    struct store_worker *worker;
};

static int setup(void **state)
{
    static struct work work;
    void *fixture;
    struct dc_err err;

    if (fixture_setup(&fixture) < 0)
        return -1;
    work = (struct work){.base = *(struct fixture *)fixture};
    counter.done = counter.failed = 0;
    *state = &work;
    return store_worker_start(work.base.path, &work.worker, &err);
}

static int teardown(void **state)
{
    struct work *w = *state;
    void *fixture = &w->base;

    store_worker_free(w->worker);
    return fixture_teardown(&fixture);
}

/* One run: admitted and finished as two operations. */
struct job {
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_run_result result;
    struct store_op admit;
    struct store_op finish;
};

static int run_admit(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct job *job = arg;
    struct store_admission admission;

    return store_run_admit(conn, &job->run, &admission, err);
}

static int run_finish(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct job *job = arg;

    return store_run_finish(conn, &job->result, err);
}

static void job_init(struct job *job, const struct fixture *f)
{
    int64_t now = dc_wall_now();

    *job = (struct job){0};
    dc_uuid7(now, job->id);
    job->run = fixture_run(f, job->id, now);
    job->result = fixture_result(job->id, now + 1);
    job->admit = (struct store_op){.run = run_admit, .done = count_done, .arg = job};
    job->finish = (struct store_op){.run = run_finish, .done = count_done, .arg = job};
}

/* An operation that holds the writer until it is let go, so that others queue behind it. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool entered;
    bool open;
    struct store_op op;
};

static int run_gate(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct gate *gate = arg;

    (void)conn;
    (void)err;
    (void)pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    (void)pthread_cond_broadcast(&gate->wake);
    while (!gate->open)
        (void)pthread_cond_wait(&gate->wake, &gate->lock);
    (void)pthread_mutex_unlock(&gate->lock);
    return 0;
}

static void gate_close(struct gate *gate, struct store_worker *worker)
{
    struct dc_err err;

    *gate = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    gate->op = (struct store_op){.run = run_gate, .done = count_done, .arg = gate};
    assert_ok(store_write(worker, &gate->op, &err), err);
    (void)pthread_mutex_lock(&gate->lock);
    while (!gate->entered)
        (void)pthread_cond_wait(&gate->wake, &gate->lock);
    (void)pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->open = true;
    (void)pthread_cond_broadcast(&gate->wake);
    (void)pthread_mutex_unlock(&gate->lock);
}

static void test_waiting_calls(void **state)
{
    struct work *w = *state;
    struct job job;
    struct dc_err err;

    job_init(&job, &w->base);
    assert_code(store_write_wait(w->worker, run_finish, &job, &err), DC_NOT_FOUND);
    assert_non_null(strstr(err.text, "never admitted"));
    assert_ok(store_write_wait(w->worker, run_admit, &job, &err), err);
    assert_ok(store_write_wait(w->worker, run_finish, &job, &err), err);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"), 1);
}

static void test_what_queues_is_committed_together(void **state)
{
    enum { JOBS = 100 };
    struct work *w = *state;
    static struct job jobs[JOBS];
    struct gate gate;
    struct store_stats stats;
    struct dc_err err;

    gate_close(&gate, w->worker);
    for (int i = 0; i < JOBS; i++) {
        job_init(&jobs[i], &w->base);
        assert_ok(store_write(w->worker, &jobs[i].admit, &err), err);
        assert_ok(store_write(w->worker, &jobs[i].finish, &err), err);
    }
    gate_open(&gate);
    wait_done(2 * JOBS + 1);
    assert_int_equal(counter.failed, 0);
    store_worker_stats(w->worker, &stats);
    assert_int_equal(stats.writes, 2 * JOBS + 1);
    assert_int_equal(stats.commits, 2); /* the gate's and the others' */
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"), JOBS);
}

/* Every third finish fails: its run was never admitted, or is finished twice. */
static void test_failing_rows_do_not_sink_their_batch(void **state)
{
    enum { JOBS = 90 };
    struct work *w = *state;
    static struct job jobs[JOBS];
    static struct job twice[JOBS];
    struct gate gate;
    struct store_stats stats;
    struct dc_err err;
    int submitted = 1;

    gate_close(&gate, w->worker);
    for (int i = 0; i < JOBS; i++) {
        job_init(&jobs[i], &w->base);
        if (i % 3 != 0) {
            assert_ok(store_write(w->worker, &jobs[i].admit, &err), err);
            submitted++;
        }
        assert_ok(store_write(w->worker, &jobs[i].finish, &err), err);
        submitted++;
        if (i % 3 == 1) {
            twice[i] = jobs[i];
            twice[i].result.outcome = "timeout";
            twice[i].finish.arg = &twice[i];
            assert_ok(store_write(w->worker, &twice[i].finish, &err), err);
            submitted++;
        }
    }
    gate_open(&gate);
    wait_done(submitted);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].finish.result, i % 3 ? 0 : -DC_NOT_FOUND);
        if (i % 3 == 1)
            assert_int_equal(twice[i].finish.result, -DC_CONFLICT);
    }
    store_worker_stats(w->worker, &stats);
    assert_int_equal(stats.commits, 2);
    assert_int_equal(stats.failed, JOBS / 3 * 2);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger WHERE outcome='ok'"),
                     JOBS / 3 * 2);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"), JOBS / 3 * 2);
}

/* Writes a project, then fails: the savepoint takes the project back. */
static int run_half(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct store_project project;

    (void)arg;
    if (store_project_ensure(conn, "half", 1, &project, err) < 0)
        return -err->code;
    return dc_fail(err, DC_LIMIT, 0, "on purpose");
}

static void test_a_failed_operation_leaves_nothing(void **state)
{
    struct work *w = *state;
    struct store_op half[2] = {{.run = run_half, .done = count_done},
                               {.run = run_half, .done = count_done}};
    struct job job;
    struct gate gate;
    struct dc_err err;

    gate_close(&gate, w->worker);
    job_init(&job, &w->base);
    assert_ok(store_write(w->worker, &half[0], &err), err);
    assert_ok(store_write(w->worker, &job.admit, &err), err);
    assert_ok(store_write(w->worker, &half[1], &err), err);
    gate_open(&gate);
    wait_done(4);
    assert_int_equal(half[0].result, -DC_LIMIT);
    assert_string_equal(half[1].err.text, "on purpose");
    assert_int_equal(job.admit.result, 0);
    assert_code(store_write_wait(w->worker, run_half, NULL, &err), DC_LIMIT); /* alone, too */
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM projects"), 1);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM runs"), 1);
}

static void test_full_queue_is_busy(void **state)
{
    struct work *w = *state;
    static struct store_op ops[STORE_QUEUE_MAX + 1];
    struct gate gate;
    struct dc_err err;

    gate_close(&gate, w->worker);
    for (int i = 0; i < STORE_QUEUE_MAX; i++) {
        ops[i] = (struct store_op){.run = run_half, .done = count_done};
        assert_ok(store_write(w->worker, &ops[i], &err), err);
    }
    ops[STORE_QUEUE_MAX] = ops[0];
    assert_code(store_write(w->worker, &ops[STORE_QUEUE_MAX], &err), DC_BUSY);
    gate_open(&gate);
    wait_done(STORE_QUEUE_MAX + 1);
    assert_int_equal(counter.done, STORE_QUEUE_MAX + 1);
}

static void test_lazy_writes_keep_company(void **state)
{
    struct work *w = *state;
    struct job job;
    struct store_stats stats;
    struct dc_err err;

    job_init(&job, &w->base);
    job.admit.patience_ms = STORE_LAZY_MS;
    assert_ok(store_write(w->worker, &job.admit, &err), err);
    assert_ok(store_write(w->worker, &job.finish, &err), err);
    wait_done(2);
    assert_int_equal(counter.failed, 0);
    store_worker_stats(w->worker, &stats);
    assert_true(stats.commits <= 2);

    /* Alone, a lazy write is committed all the same. */
    job_init(&job, &w->base);
    job.admit.patience_ms = STORE_LAZY_MS;
    assert_ok(store_write(w->worker, &job.admit, &err), err);
    wait_done(3);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM runs"), 2);
}

static void test_impatient_writes_wait_for_no_batch(void **state)
{
    enum { FOR_EVER_MS = 3600000, LEFT_OVER = 2 };
    struct work *w = *state;
    static struct store_op ops[2 * STORE_BATCH_MAX + LEFT_OVER];
    struct store_op *full = &ops[STORE_BATCH_MAX + LEFT_OVER];
    struct gate gate;
    struct dc_err err;

    /* More than one commit takes, and the last of them will not wait. */
    gate_close(&gate, w->worker);
    for (int i = 0; i < STORE_BATCH_MAX + LEFT_OVER; i++) {
        ops[i] = (struct store_op){.run = run_half, .done = count_done, .patience_ms = FOR_EVER_MS};
        if (i == STORE_BATCH_MAX + LEFT_OVER - 1)
            ops[i].patience_ms = 0;
        assert_ok(store_write(w->worker, &ops[i], &err), err);
    }
    gate_open(&gate);
    wait_done(1 + STORE_BATCH_MAX + LEFT_OVER);

    /* A full batch waits for nobody. */
    for (int i = 0; i < STORE_BATCH_MAX; i++) {
        full[i] =
            (struct store_op){.run = run_half, .done = count_done, .patience_ms = FOR_EVER_MS};
        assert_ok(store_write(w->worker, &full[i], &err), err);
    }
    wait_done(1 + 2 * STORE_BATCH_MAX + LEFT_OVER);
    assert_int_equal(counter.done, 1 + 2 * STORE_BATCH_MAX + LEFT_OVER);
}

static void test_free_finishes_what_was_submitted(void **state)
{
    enum { JOBS = 200 };
    struct work *w = *state;
    static struct job jobs[JOBS];
    struct dc_err err;

    for (int i = 0; i < JOBS; i++) {
        job_init(&jobs[i], &w->base);
        jobs[i].admit.patience_ms = STORE_LAZY_MS;
        assert_ok(store_write(w->worker, &jobs[i].admit, &err), err);
    }
    store_worker_free(dc_take(w->worker));
    assert_int_equal(counter.done, JOBS);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM runs"), JOBS);
}

struct reading {
    struct fixture *f;
    char id[DC_UUID_SIZE];
    char outcome[24];
};

static int run_read(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct reading *reading = arg;
    DC_AUTO(store_run_release) struct store_run run = {0};

    if (store_run_get(conn, reading->f->project.id, reading->id, &run, err) < 0)
        return -err->code;
    memcpy(reading->outcome, run.outcome, sizeof(run.outcome));
    return 0;
}

/* A reader sees what was reported as done, while the writer is at something else. */
static void test_readers_see_commits(void **state)
{
    struct work *w = *state;
    struct job job;
    struct reading reading = {.f = &w->base};
    struct gate gate;
    struct dc_err err;

    for (int i = 0; i < 50; i++) {
        job_init(&job, &w->base);
        assert_ok(store_write_wait(w->worker, run_admit, &job, &err), err);
        assert_ok(store_write_wait(w->worker, run_finish, &job, &err), err);
        memcpy(reading.id, job.id, sizeof(job.id));
        assert_ok(store_read_wait(w->worker, run_read, &reading, &err), err);
        assert_string_equal(reading.outcome, "ok");
    }
    gate_close(&gate, w->worker);
    assert_ok(store_read_wait(w->worker, run_read, &reading, &err), err);
    gate_open(&gate);
    wait_done(1);
}

static void test_reader_refuses_writes(void **state)
{
    struct work *w = *state;
    struct dc_err err;

    assert_true(store_read_wait(w->worker, run_half, NULL, &err) < 0);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM projects"), 1);
}

static int run_new_key(struct store_conn *conn, void *arg, struct dc_err *err)
{
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key key;

    return store_key_create(conn, &(struct store_key_new){arg, "", STORE_KEY_LIVE, {0}},
                            dc_wall_now(), raw, &key, err);
}

static void count_change(void *arg)
{
    ++*(int *)arg;
}

static void test_changes_are_told_after_the_commit(void **state)
{
    static char nobody[] = "none";
    struct work *w = *state;
    struct dc_err err;
    int changes = 0;

    store_worker_on_change(w->worker, count_change, &changes);
    assert_ok(store_write_wait(w->worker, run_new_key, w->base.project.id, &err), err);
    assert_int_equal(changes, 1);
    assert_true(store_write_wait(w->worker, run_new_key, nobody, &err) < 0);
    assert_int_equal(changes, 1);
}

static void test_log_is_folded_in(void **state)
{
    struct work *w = *state;
    static char output[200000];
    struct job job;
    struct store_stats stats = {0};
    struct stat st;
    struct dc_err err;

    /* 200 runs of 200 kB are ten times what makes a checkpoint due. */
    memset(output, 'x', sizeof(output));
    for (int i = 0; i < 200; i++) {
        job_init(&job, &w->base);
        job.result.out = (struct store_bytes){output, sizeof(output)};
        assert_ok(store_write_wait(w->worker, run_admit, &job, &err), err);
        assert_ok(store_write_wait(w->worker, run_finish, &job, &err), err);
    }
    while (stats.checkpoints == 0) {
        store_worker_stats(w->worker, &stats);
        (void)sched_yield();
    }
    assert_int_equal(stat(w->base.path, &st), 0);
    assert_true(st.st_size > 1000000);
}

/* Runs SQL on the writer's own connection. */
static int run_script(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return db_script(conn->db, arg, err);
}

/*
 * Two ways in which a batch is lost as a whole: the engine undoes the transaction under an
 * operation, and the commit fails (here by a reference that is checked only then). The neighbours
 * are repeated one by one and survive; the guilty one fails alone.
 */
static void check_guilty_op(struct work *w, char *sql)
{
    enum { JOBS = 5 };
    static struct job jobs[JOBS];
    struct store_op guilty = {.run = run_script, .done = count_done, .arg = sql};
    struct gate gate;
    struct dc_err err;
    int before = counter.done;

    gate_close(&gate, w->worker);
    for (int i = 0; i < JOBS; i++) {
        job_init(&jobs[i], &w->base);
        assert_ok(store_write(w->worker, &jobs[i].admit, &err), err);
        if (i == 2)
            assert_ok(store_write(w->worker, &guilty, &err), err);
        assert_ok(store_write(w->worker, &jobs[i].finish, &err), err);
    }
    gate_open(&gate);
    wait_done(before + 2 * JOBS + 2);
    assert_true(guilty.result < 0);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].admit.result, 0);
        assert_int_equal(jobs[i].finish.result, 0);
    }
}

static void test_lost_batches_are_repeated(void **state)
{
    static char undo[] = "ROLLBACK";
    static char late[] = "PRAGMA defer_foreign_keys=1;"
                         "INSERT INTO run_requests (run_id, request) VALUES ('none', x'00')";
    struct work *w = *state;

    check_guilty_op(w, undo);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"), 5);
    check_guilty_op(w, late);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"), 10);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM run_requests"), 10);
}

/*
 * A batch of small runs and one too large for the disk: that one alone fails, by name, and leaves
 * no ledger row. The batch is repeated one by one, since SQLite may undo all of it.
 */
static void test_full_disk_fails_only_what_does_not_fit(void **state)
{
    enum { JOBS = 9 };
    struct work *w = *state;
    static struct job jobs[JOBS];
    static char output[4 << 20];
    static char small[] = "PRAGMA max_page_count=300";
    static char large_again[] = "PRAGMA max_page_count=100000";
    struct gate gate;
    struct dc_err err;

    memset(output, 'x', sizeof(output));
    gate_close(&gate, w->worker);
    for (int i = 0; i < JOBS; i++) {
        job_init(&jobs[i], &w->base);
        if (i == JOBS / 2)
            jobs[i].result.out = (struct store_bytes){output, sizeof(output)};
        assert_ok(store_write(w->worker, &jobs[i].admit, &err), err);
    }
    gate_open(&gate);
    wait_done(JOBS + 1);
    assert_ok(store_write_wait(w->worker, run_script, small, &err), err);

    gate_close(&gate, w->worker);
    for (int i = 0; i < JOBS; i++)
        assert_ok(store_write(w->worker, &jobs[i].finish, &err), err);
    gate_open(&gate);
    wait_done(2 * JOBS + 2);
    for (int i = 0; i < JOBS; i++) {
        bool large = i == JOBS / 2;

        assert_int_equal(jobs[i].finish.result, large ? -DC_KERNEL : 0);
        assert_int_equal(large ? jobs[i].finish.err.errnum : ENOSPC, ENOSPC);
    }
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"), JOBS - 1);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM runs WHERE status='done'"),
                     JOBS - 1);

    /* Room again: the same finish succeeds. */
    assert_ok(store_write_wait(w->worker, run_script, large_again, &err), err);
    assert_ok(store_write_wait(w->worker, run_finish, &jobs[JOBS / 2], &err), err);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"), JOBS);
}

/* In a child: the kernel itself refuses to let the log grow. Exit status 0 when all is as it should
 * be. */
static int fill_up(struct work *w)
{
    static char output[1 << 20];
    struct rlimit limit = {3 << 20, 3 << 20};
    struct store_worker *worker = NULL;
    struct dc_err err = {0};
    int stored = 0;
    int result = 0;

    memset(output, 'y', sizeof(output));
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) < 0 ||
        store_worker_start(w->base.path, &worker, &err) < 0)
        return 10;
    for (; stored < 20 && result == 0; stored += result == 0) {
        struct job job;

        job_init(&job, &w->base);
        job.result.out = (struct store_bytes){output, sizeof(output)};
        result = store_write_wait(worker, run_admit, &job, &err);
        if (result == 0)
            result = store_write_wait(worker, run_finish, &job, &err);
    }
    if (result == 0 || stored == 0)
        return 11;
    if (err.code != DC_KERNEL || err.errnum == 0)
        return 12;
    if (store_ping(w->base.conn, &err) < 0)
        return 13;
    store_worker_free(worker);
    return 100 + stored;
}

static void test_file_size_limit(void **state)
{
    struct work *w = *state;
    int status = 0;
    pid_t child;

    store_worker_free(dc_take(w->worker)); /* no threads over a fork */
    store_conn_free(dc_take(w->base.conn));
    child = fork();
    if (child == 0) {
        struct dc_err err;

        if (store_connect(w->base.path, STORE_READ_ONLY, &w->base.conn, &err) < 0)
            _exit(9);
        _exit(fill_up(w));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 101, 119);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM ledger"),
                     WEXITSTATUS(status) - 100);
    assert_int_equal(fixture_number(w->base.path, "SELECT COUNT(*) FROM runs r JOIN run_outputs o "
                                                  "ON o.run_id = r.id WHERE status = 'done'"),
                     WEXITSTATUS(status) - 100);
    assert_int_equal(fixture_number(w->base.path, "SELECT integrity_check = 'ok' FROM "
                                                  "pragma_integrity_check"),
                     1);
}

#define with_worker(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_worker(test_waiting_calls),
        with_worker(test_what_queues_is_committed_together),
        with_worker(test_failing_rows_do_not_sink_their_batch),
        with_worker(test_a_failed_operation_leaves_nothing),
        with_worker(test_full_queue_is_busy),
        with_worker(test_lazy_writes_keep_company),
        with_worker(test_impatient_writes_wait_for_no_batch),
        with_worker(test_free_finishes_what_was_submitted),
        with_worker(test_readers_see_commits),
        with_worker(test_reader_refuses_writes),
        with_worker(test_changes_are_told_after_the_commit),
        with_worker(test_log_is_folded_in),
        with_worker(test_lost_batches_are_repeated),
        with_worker(test_full_disk_fails_only_what_does_not_fit),
        with_worker(test_file_size_limit),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_worker", tests, NULL, NULL);
}
