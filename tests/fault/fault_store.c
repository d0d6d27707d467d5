#include "fault.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/keys.h"
#include "store/runs.h"
#include "store/store.h"
#include "store/worker.h"

static char folder[32];
static char path[64];
static char fresh[64];
static struct store_project project;

/* What the last run of a scenario was told to be durable. */
static char promised[8][DC_UUID_SIZE];
static int promised_count;

static struct store_run_new a_run(const char *id)
{
    return (struct store_run_new){.id = id,
                                  .project_id = project.id,
                                  .user_id = "u",
                                  .lang = "python",
                                  .created_at = dc_wall_now(),
                                  .policy = {"{}", 2},
                                  .request = {"{}", 2}};
}

static struct store_run_result a_result(const char *id)
{
    return (struct store_run_result){.id = id,
                                     .outcome = "ok",
                                     .message = "m",
                                     .out = {"1\n", 2},
                                     .err = {"e", 1},
                                     .limits = {"[]", 2},
                                     .artifacts = {"[]", 2},
                                     .finished_at = dc_wall_now(),
                                     .amount_micros = 1000};
}

static int remove_entry(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(name);
}

static void remove_fresh(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-changes"};

    for (size_t i = 0; i < 4; i++) {
        char name[80];

        (void)snprintf(name, sizeof(name), "%s%s", fresh, suffixes[i]);
        (void)unlink(name);
    }
}

static int make_a_file(struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;

    remove_fresh();
    return store_open(fresh, &conn, err);
}

/* A file that could not be made whole is made whole by the next attempt. */
static bool the_file_can_be_made(int result)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    struct store_project found;
    struct dc_err err;

    (void)result;
    return store_open(fresh, &conn, &err) == 0 &&
           store_project_ensure(conn, "p", 1, &found, &err) == 0;
}

static int keep_keys(struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_key *keys = NULL;
    char raw[STORE_RAW_KEY_SIZE];
    const struct store_key_rules rules = {.domains = "example.com", .networks = "192.0.2.1"};
    DC_AUTO(dc_free) struct store_key *rolled = NULL;
    struct store_key key;
    struct store_key_use use = {.at = 5};
    struct store_project found;
    size_t count;
    int64_t version;

    if (store_open(path, &conn, err) < 0 || store_project_find(conn, "default", &found, err) < 0 ||
        store_key_create(conn, &(struct store_key_new){found.id, "k", STORE_KEY_LIVE, rules}, 1,
                         raw, &key, err) < 0)
        return -err->code;
    memcpy(use.key_id, key.id, sizeof(key.id));
    if (store_keys_touch(conn, &use, 1, err) < 0 ||
        store_key_roll(conn, found.id, key.id, 10, 1, raw, &rolled, err) < 0 ||
        store_keys_load(conn, &keys, &count, &version, err) < 0 ||
        store_key_revoke(conn, found.id, rolled->id, 2, err) < 0 ||
        store_key_revoke(conn, found.id, key.id, 2, err) < 0)
        return -err->code;
    if (strcmp(rolled->rules.domains, rules.domains) != 0)
        return dc_fail(err, DC_BUG, 0, "a rolled key was read wrong");
    if (count < 1 || !dc_uuid_valid(found.id) || strcmp(found.id, project.id) != 0)
        return dc_fail(err, DC_BUG, 0, "%zu keys, project '%s'", count, found.id);
    for (size_t i = 0; i < count; i++) {
        if (!dc_uuid_valid(keys[i].id) || strlen(keys[i].prefix) != 12)
            return dc_fail(err, DC_BUG, 0, "key %zu was read wrong: '%s'", i, keys[i].id);
    }
    return 0;
}

static int read_back(struct store_conn *conn, const char *id, struct dc_err *err)
{
    DC_AUTO(store_run_release) struct store_run run = {0};
    DC_AUTO(store_run_page_release) struct store_run_page page = {0};
    struct store_run_filter filter = {.project_id = project.id, .limit = 3};

    if (store_run_get(conn, project.id, id, &run, err) < 0 ||
        store_runs_list(conn, &filter, &page, err) < 0)
        return -err->code;
    if (strcmp(run.status, "done") != 0 || strcmp(run.outcome, "ok") != 0 || !run.out ||
        strcmp(run.out, "1\n") != 0 || strcmp(run.lang, "python") != 0)
        return dc_fail(err, DC_BUG, 0, "run read wrong: '%s' '%s'", run.status, run.outcome);
    if (page.count < 1 || strcmp(page.runs[0].lang, "python") != 0)
        return dc_fail(err, DC_BUG, 0, "page read wrong");
    return 0;
}

static int keep_a_run(struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_run_result result;
    struct store_admission admission;

    promised_count = 0;
    dc_uuid7(dc_wall_now(), id);
    run = a_run(id);
    run.idempotency_key = id;
    result = a_result(id);
    if (store_open(path, &conn, err) < 0 || store_run_admit(conn, &run, &admission, err) < 0)
        return -err->code;
    if (admission.claim != STORE_CLAIM_NEW || strcmp(admission.run_id, id) != 0)
        return dc_fail(err, DC_BUG, 0, "claim read wrong: '%s'", admission.run_id);
    if (store_run_finish(conn, &result, err) < 0)
        return -err->code;
    memcpy(promised[promised_count++], id, sizeof(id));
    return read_back(conn, id, err);
}

/* Whatever failed: each finished run has one ledger row, and what was promised is there. */
static bool ledger_and_runs_agree(int result)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(store_run_page_release) struct store_run_page page = {0};
    struct store_run_filter filter = {.project_id = project.id, .outcomes = ",ok,", .limit = 200};
    static struct store_usage last;
    struct store_usage usage;
    struct dc_err err = {0};
    int purged;
    int recovered;
    bool good;

    (void)result;
    if (store_open(path, &conn, &err) < 0 ||
        store_ledger_sum(conn, project.id, 0, INT64_MAX, &usage, &err) < 0 ||
        store_runs_list(conn, &filter, &page, &err) < 0) {
        printf("# afterwards: %s\n", err.text);
        return false;
    }
    good = usage.runs - last.runs == (int64_t)page.count;
    if (!good)
        printf("# %lld new ledger rows for %zu runs\n", (long long)(usage.runs - last.runs),
               page.count);
    for (int i = 0; i < promised_count; i++) {
        bool found = false;

        for (size_t k = 0; k < page.count; k++)
            found |= strcmp(page.runs[k].id, promised[i]) == 0;
        good &= found;
    }
    /* Start the next round without runs: what is unfinished is recovered, what is done purged. */
    if (store_recover(conn, dc_wall_now(), &recovered, &err) < 0 ||
        store_purge(conn, INT64_MAX, dc_wall_now(), 1000, &purged, &err) < 0 ||
        store_ledger_sum(conn, project.id, 0, INT64_MAX, &last, &err) < 0) {
        printf("# afterwards: %s\n", err.text);
        return false;
    }
    return good;
}

struct job {
    char id[DC_UUID_SIZE];
    struct store_run_new run;
    struct store_run_result result;
    struct store_op ops[2];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int pending;

static int admit_op(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct store_admission admission;

    return store_run_admit(conn, &((struct job *)arg)->run, &admission, err);
}

static int finish_op(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_run_finish(conn, &((struct job *)arg)->result, err);
}

static void op_done(struct store_op *op)
{
    (void)op;
    (void)pthread_mutex_lock(&lock);
    pending--;
    (void)pthread_cond_signal(&wake);
    (void)pthread_mutex_unlock(&lock);
}

static int submit(struct store_worker *worker, struct job *job, struct dc_err *err)
{
    dc_uuid7(dc_wall_now(), job->id);
    job->run = a_run(job->id);
    job->result = a_result(job->id);
    job->ops[0] = (struct store_op){.run = admit_op, .done = op_done, .arg = job};
    job->ops[1] = (struct store_op){.run = finish_op, .done = op_done, .arg = job};
    for (int i = 0; i < 2; i++) {
        if (store_write(worker, &job->ops[i], err) < 0)
            return -err->code;
    }
    return 0;
}

static int read_op(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return read_back(conn, arg, err);
}

/* Operations may fail each for itself; an admission that failed makes its finish DC_NOT_FOUND. */
static int keep_runs_by_threads(struct dc_err *err)
{
    enum { JOBS = 4 };
    DC_AUTO(store_worker_free) struct store_worker *worker = NULL;
    static struct job jobs[JOBS];
    int result = 0;

    promised_count = 0;
    if (store_worker_start(path, &worker, err) < 0)
        return -err->code;
    pending = 2 * JOBS;
    for (int i = 0; i < JOBS; i++) {
        if (submit(worker, &jobs[i], err) < 0)
            return dc_fail(err, DC_BUG, 0, "a queue that cannot be full is");
    }
    (void)pthread_mutex_lock(&lock);
    while (pending)
        (void)pthread_cond_wait(&wake, &lock);
    (void)pthread_mutex_unlock(&lock);
    for (int i = 0; i < JOBS; i++) {
        const struct store_op *failed = jobs[i].ops[0].result < 0   ? &jobs[i].ops[0]
                                        : jobs[i].ops[1].result < 0 ? &jobs[i].ops[1]
                                                                    : NULL;

        if (jobs[i].ops[1].result == 0)
            memcpy(promised[promised_count++], jobs[i].id, sizeof(jobs[i].id));
        if (failed) {
            *err = failed->err;
            result = failed->result;
        }
    }
    return result < 0 ? result : store_read_wait(worker, read_op, jobs[0].id, err);
}

static bool prepare(void)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    struct dc_err err = {0};

    /* In memory where possible: thousands of commits are not there to try the disk. */
    (void)snprintf(folder, sizeof(folder), "%s/docle-fault-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        return false;
    (void)snprintf(path, sizeof(path), "%s/docle.db", folder);
    (void)snprintf(fresh, sizeof(fresh), "%s/fresh.db", folder);
    if (store_open(path, &conn, &err) < 0 ||
        store_project_ensure(conn, "default", 1, &project, &err) < 0) {
        printf("# %s\n", err.text);
        return false;
    }
    return true;
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"make a file", make_a_file, the_file_can_be_made, FAULT_HARD | FAULT_BIT(FAULT_INTERRUPT)},
        {"keep keys", keep_keys, NULL, FAULT_HARD},
        {"keep a run", keep_a_run, ledger_and_runs_agree, FAULT_HARD},
        {"keep runs by threads", keep_runs_by_threads, ledger_and_runs_agree, FAULT_HARD},
    };
    int result;

    fault_hook_sqlite();
    if (!prepare())
        return 1;
    result = fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return result;
}
