#include "runs/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "runs/await.h"
#include "runs/glance.h"

#include "base/poison.h"

enum { POLICY_TEXT_MAX = 1024, LIMITS_TEXT_MAX = 128, TEST_MEMBER_MAX = 64 };

/* A run with an idempotency key that has not ended here: others may wait for its result. */
struct claimed {
    char id[DC_UUID_SIZE];
    struct await_list waiting;
    struct claimed *next;
};

struct history {
    struct store_worker *worker;
    struct claimed *claimed;
    enum store_metering metering;
};

int history_open(struct store_worker *worker, struct history **ret_history, struct dc_err *err)
{
    struct history *history = calloc(1, sizeof(*history));

    if (!history)
        return dc_fail(err, DC_KERNEL, ENOMEM, "history");
    history->worker = worker;
    *ret_history = history;
    return 0;
}

void history_set_metering(struct history *history, enum store_metering metering)
{
    history->metering = metering;
}

void history_free(struct history *history)
{
    free(history);
}

/* ---- writes that nobody waits for: op, arguments and texts in memory of their own ---- */

struct lazy {
    struct store_op op;
    char id[DC_UUID_SIZE];
    int64_t at;
    /* For an admission. */
    struct store_run_new run;
    char project_id[DC_UUID_SIZE];
    char key_id[DC_UUID_SIZE];
    char user_id[DC_USER_ID_MAX_BYTES + 1];
    struct dc_buf policy;
    struct dc_buf request;
    struct dc_buf head;
};

static void free_lazy(struct lazy *lazy)
{
    if (!lazy)
        return;
    dc_buf_release(&lazy->policy);
    dc_buf_release(&lazy->request);
    dc_buf_release(&lazy->head);
    free(lazy);
}

DC_AUTO_DEFINE(struct lazy *, free_lazy)

static void lazy_done(struct store_op *op)
{
    struct lazy *lazy = op->arg;

    if (op->result < 0)
        dc_log_err(DC_LOG_ERROR, lazy->id, &op->err, "a write to the history failed");
    free_lazy(lazy);
}

static int lazy_submit(struct history *history, struct lazy *lazy,
                       int (*run)(struct store_conn *conn, void *arg, struct dc_err *err),
                       struct dc_err *err)
{
    lazy->op =
        (struct store_op){.run = run, .done = lazy_done, .arg = lazy, .patience_ms = STORE_LAZY_MS};
    return store_write(history->worker, &lazy->op, err);
}

/* ---- runs that others may wait for ---- */

static struct claimed **find_claimed(struct history *history, const char *run_id)
{
    struct claimed **at = &history->claimed;

    while (*at && strcmp((*at)->id, run_id) != 0)
        at = &(*at)->next;
    return at;
}

static int add_claimed(struct history *history, const char *run_id, struct dc_err *err)
{
    struct claimed *claimed = calloc(1, sizeof(*claimed));

    if (!claimed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "history");
    (void)snprintf(claimed->id, sizeof(claimed->id), "%s", run_id);
    claimed->next = history->claimed;
    history->claimed = claimed;
    return 0;
}

static void remove_claimed(struct history *history, const char *run_id)
{
    struct claimed **at = find_claimed(history, run_id);
    struct claimed *claimed = *at;

    if (!claimed)
        return;
    *at = claimed->next;
    await_list_wake(&claimed->waiting);
    free(claimed);
}

/* ---- admission ---- */

static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text ? text : "");
}

/* The row to insert, with everything it points to. */
static int make_admission(const struct run_request *request, const struct history_run *run,
                          struct lazy **ret_lazy, struct dc_err *err)
{
    DC_AUTO(free_lazy) struct lazy *lazy = calloc(1, sizeof(*lazy));
    struct run_text head;

    if (!lazy)
        return dc_fail(err, DC_KERNEL, ENOMEM, "history");
    dc_buf_init(&lazy->policy, POLICY_TEXT_MAX);
    dc_buf_init(&lazy->request, SIZE_MAX / 4);
    dc_buf_init(&lazy->head, GLANCE_PROGRAM_MAX_BYTES + 1);
    head = request->no_store ? (struct run_text){0} : glance_program(request);
    if ((head.length && !dc_buf_append(&lazy->head, head.bytes, head.length)) ||
        !run_policy_print(&request->policy, &lazy->policy) ||
        (!request->no_store && !run_request_print(request, &lazy->request)))
        return dc_fail(err, DC_KERNEL, ENOMEM, "history");
    copy_text(lazy->id, sizeof(lazy->id), run->id);
    copy_text(lazy->project_id, sizeof(lazy->project_id), run->project_id);
    copy_text(lazy->key_id, sizeof(lazy->key_id), run->key_id);
    copy_text(lazy->user_id, sizeof(lazy->user_id), request->user.id);
    lazy->run = (struct store_run_new){
        .id = lazy->id,
        .project_id = lazy->project_id,
        .key_id = run->key_id ? lazy->key_id : NULL,
        .user_id = request->user.id ? lazy->user_id : NULL,
        .lang = run_lang_name(request->lang),
        .created_at = run->created_ns,
        .test = run->test,
        .has_quota = run->has_quota,
        .quota_limit = run->quota_limit,
        .follows_quota = run->follows_quota,
        .policy = {lazy->policy.data, lazy->policy.length},
        .request = {lazy->request.data, lazy->request.length},
        .head = {lazy->head.data, lazy->head.length},
        .packages = (int64_t)request->package_count,
    };
    *ret_lazy = dc_take(lazy);
    return 0;
}

static int run_lazy_admission(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct lazy *lazy = arg;
    struct store_admission unused; /* without a key there is nothing to lose */

    return store_run_admit(conn, &lazy->run, &unused, err);
}

struct claim {
    const struct store_run_new *run;
    struct store_admission admission;
};

static int run_claim(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct claim *claim = arg;

    return store_run_admit(conn, claim->run, &claim->admission, err);
}

static enum history_verdict verdict_of(enum store_claim claim)
{
    switch (claim) {
    case STORE_CLAIM_SAME:
        return HISTORY_SAME;
    case STORE_CLAIM_CONFLICT:
        return HISTORY_CONFLICT;
    case STORE_CLAIM_OVER_BUDGET:
        return HISTORY_OVER_BUDGET;
    case STORE_CLAIM_OVER_QUOTA:
        return HISTORY_OVER_QUOTA;
    case STORE_CLAIM_NEW:
        break;
    }
    return HISTORY_NEW;
}

/* An admission whose verdict decides. */
static int admit_and_wait(struct history *history, const struct run_request *request,
                          struct lazy *lazy, const struct history_run *run, struct claim *claim,
                          struct dc_err *err)
{
    bool has_key = run->idempotency_key != NULL;

    claim->run = &lazy->run;
    lazy->run.budgets = store_budgets_stop(&run->budgets) ? &run->budgets : NULL;
    lazy->run.hold_micros = history_hold_micros(run, &request->policy);
    lazy->run.price_micros = run->price_run_micros > 0 ? run->price_run_micros : 0;
    lazy->run.idempotency_key = run->idempotency_key;
    memcpy(lazy->run.body_hash, run->body_hash, sizeof(lazy->run.body_hash));
    /* Before the claim can be seen, so that who meets it finds whom to wait for. */
    if (has_key && add_claimed(history, run->id, err) < 0)
        return -err->code;
    if (await_store(history->worker, AWAIT_WRITE, run_claim, claim, err) < 0) {
        if (has_key)
            remove_claimed(history, run->id);
        return -err->code;
    }
    if (has_key && claim->admission.claim != STORE_CLAIM_NEW)
        remove_claimed(history, run->id);
    return 0;
}

int history_admit(struct history *history, const struct run_request *request,
                  const struct history_run *run, enum history_verdict *ret_verdict,
                  struct history_admission *ret_admission, struct dc_err *err)
{
    DC_AUTO(free_lazy) struct lazy *lazy = NULL;
    struct claim claim = {0};

    if (make_admission(request, run, &lazy, err) < 0)
        return -err->code;
    if (run->idempotency_key || run->has_quota || store_budgets_stop(&run->budgets)) {
        if (admit_and_wait(history, request, lazy, run, &claim, err) < 0)
            return -err->code;
        *ret_verdict = verdict_of(claim.admission.claim);
        ret_admission->quota_used = claim.admission.quota_used;
        ret_admission->budget = claim.admission.budget;
        memcpy(ret_admission->id, claim.admission.run_id, DC_UUID_SIZE);
        return 0;
    }
    if (lazy_submit(history, lazy, run_lazy_admission, err) < 0)
        return dc_context(err, "history");
    (void)dc_take(lazy); /* the operation's now */
    *ret_verdict = HISTORY_NEW;
    copy_text(ret_admission->id, sizeof(ret_admission->id), run->id);
    return 0;
}

struct asking {
    struct store_run_new run;
    bool held;
};

static int run_asking(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct asking *asking = arg;

    return store_claim_held(conn, &asking->run, &asking->held, err);
}

int history_claimed(struct history *history, const struct history_run *run, bool *ret_claimed,
                    struct dc_err *err)
{
    struct asking asking = {.run = {.project_id = run->project_id,
                                    .idempotency_key = run->idempotency_key,
                                    .created_at = run->created_ns}};

    if (await_store(history->worker, AWAIT_READ, run_asking, &asking, err) < 0)
        return dc_context(err, "history");
    *ret_claimed = asking.held;
    return 0;
}

static int run_withdrawal(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_run_withdraw(conn, arg, err);
}

static int run_lazy_withdrawal(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct lazy *lazy = arg;

    return store_run_withdraw(conn, lazy->id, err);
}

static int run_lazy_start(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct lazy *lazy = arg;

    return store_run_started(conn, lazy->id, lazy->at, err);
}

static int submit_for_id(struct history *history, const char *run_id,
                         int (*run)(struct store_conn *conn, void *arg, struct dc_err *err),
                         struct dc_err *err)
{
    DC_AUTO(free_lazy) struct lazy *lazy = calloc(1, sizeof(*lazy));

    if (!lazy)
        return dc_fail(err, DC_KERNEL, ENOMEM, "history");
    copy_text(lazy->id, sizeof(lazy->id), run_id);
    lazy->at = dc_wall_now();
    if (lazy_submit(history, lazy, run, err) < 0)
        return dc_context(err, "history");
    (void)dc_take(lazy);
    return 0;
}

int history_withdraw(struct history *history, const struct history_run *run, struct dc_err *err)
{
    int result;

    if (!run->idempotency_key)
        return submit_for_id(history, run->id, run_lazy_withdrawal, err);
    result =
        await_store(history->worker, AWAIT_WRITE, run_withdrawal, (void *)(uintptr_t)run->id, err);
    remove_claimed(history, run->id);
    return result;
}

void history_started(struct history *history, const char *run_id)
{
    struct dc_err err;

    if (submit_for_id(history, run_id, run_lazy_start, &err) < 0)
        dc_log_err(DC_LOG_WARN, run_id, &err, "a run is not marked as running");
}

/* ---- the end ---- */

/* Of one run: a billion units, as of any setting with an amount. Prices that lead there are wrong;
 * sums of such amounts still fit. */
#define AMOUNT_MAX_MICROS (INT64_C(1000000000) * 1000000)

static bool is_costless(const struct run_result *result)
{
    return result->outcome == OUTCOME_SANDBOX_ERROR || result->outcome == OUTCOME_INSTALL_FAILED;
}

int64_t history_amount_micros(const struct history_run *run, const struct run_result *result)
{
    int64_t of_cpu = 0;
    int64_t amount = 0;

    if (run->price_run_micros < 0 && run->price_cpu_ms_micros < 0)
        return -1;
    if (run->test || is_costless(result))
        return 0;
    if (run->price_run_micros > 0)
        amount = run->price_run_micros;
    if ((run->price_cpu_ms_micros > 0 &&
         __builtin_mul_overflow(run->price_cpu_ms_micros, run_result_cpu_ms(result), &of_cpu)) ||
        __builtin_add_overflow(amount, of_cpu, &amount) || amount > AMOUNT_MAX_MICROS)
        return AMOUNT_MAX_MICROS;
    return amount;
}

int64_t history_hold_micros(const struct history_run *run, const struct run_policy *policy)
{
    int64_t wall_ms = policy->value[POLICY_TIMEOUT_MS];
    int64_t cpu_ms = (wall_ms * policy->value[POLICY_CPUS_CENTI] + 99) / 100;
    int64_t micros = run->price_run_micros > 0 ? run->price_run_micros : 0;

    if (policy->value[POLICY_CPU_MS] && policy->value[POLICY_CPU_MS] < cpu_ms)
        cpu_ms = policy->value[POLICY_CPU_MS];
    if (run->price_cpu_ms_micros > 0 &&
        (__builtin_mul_overflow(cpu_ms, run->price_cpu_ms_micros, &cpu_ms) ||
         __builtin_add_overflow(micros, cpu_ms, &micros)))
        return INT64_MAX / 4;
    return micros < INT64_MAX / 4 ? micros : INT64_MAX / 4;
}

static int run_finish(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_run_finish(conn, arg, err);
}

static struct store_bytes bytes_of(const struct dc_buf *buf)
{
    return (struct store_bytes){buf->data, buf->length};
}

/* Where no message of ours says it. */
static struct store_bytes error_line(const struct run_result *result)
{
    const struct dc_buf *said = &result->streams[OUTPUT_STDERR];
    struct run_text line;

    if (result->outcome != OUTCOME_ERROR && result->outcome != OUTCOME_SIGNAL &&
        result->outcome != OUTCOME_INSTALL_FAILED)
        return (struct store_bytes){0};
    line = glance_error(dc_buf_str(said), said->length);
    return (struct store_bytes){line.bytes, line.length};
}

int history_finish(struct history *history, const struct history_run *run,
                   const struct run_request *request, const struct run_result *result,
                   struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf limits;
    struct store_run_result row = {
        .id = run->id,
        .outcome = run_outcome_name(result->outcome),
        .message = *result->message ? result->message : NULL,
        .exit_code = result->exit_code,
        .signal = result->signal,
        .out = bytes_of(&result->streams[OUTPUT_STDOUT]),
        .err = bytes_of(&result->streams[OUTPUT_STDERR]),
        .out_truncated = result->truncated[OUTPUT_STDOUT],
        .err_truncated = result->truncated[OUTPUT_STDERR],
        .artifacts = bytes_of(&result->members),
        .cpu_ms = (int64_t)run_result_cpu_ms(result),
        .mem_mb = (int64_t)run_result_mem_mb(result),
        .duration_ms = (int64_t)run_result_duration_ms(result),
        .cpu_ns = (int64_t)result->cpu_ns,
        .egress_bytes = (int64_t)result->egress_bytes,
        .peak_bytes = (int64_t)result->peak_bytes,
        .wall_ns = (int64_t)result->wall_ns,
        .started_at = result->started_ns,
        .install_ns = request->package_count ? result->install_ns : 0,
        .error_line = error_line(result),
        .finished_at = dc_wall_now(),
        .price_run_micros = run->price_run_micros,
        .price_cpu_ms_micros = run->price_cpu_ms_micros,
        .amount_micros = history_amount_micros(run, result),
        .metering = history->metering,
        .forget = request->no_store,
        .budgets = store_budgets_any(&run->budgets) ? &run->budgets : NULL,
        .costless = is_costless(result),
        .release = result->outcome == OUTCOME_SANDBOX_ERROR,
    };

    int finished;

    dc_buf_init(&limits, LIMITS_TEXT_MAX);
    if (result->limits)
        (void)run_result_print_limits(result->limits, &limits); /* no memory: they are left out */
    row.limits = bytes_of(&limits);
    finished = await_store(history->worker, run->loaded ? AWAIT_WRITE_LOADED : AWAIT_WRITE,
                           run_finish, &row, err);
    if (run->idempotency_key)
        remove_claimed(history, run->id);
    return finished;
}

/* ---- reading ---- */

static int copy_bytes(struct dc_buf *out, const char *bytes, size_t length, struct dc_err *err)
{
    out->max = length > out->max ? length : out->max;
    if (length && !dc_buf_append(out, bytes, length))
        return dc_fail(err, DC_KERNEL, ENOMEM, "a stored run");
    return 0;
}

int history_result(const struct store_run *run, struct run_result *ret_result, struct dc_err *err)
{
    struct run_result *result = ret_result;

    copy_text(result->id, sizeof(result->id), run->id);
    copy_text(result->message, sizeof(result->message), run->message);
    result->created_ns = run->created_at;
    if (!run_lang_from_name(run->lang, &result->lang) ||
        !run_outcome_from_name(run->outcome, &result->outcome))
        return dc_fail(err, DC_BUG, 0, "run %s is stored with '%s', '%s'", run->id, run->lang,
                       run->outcome);
    result->exit_code = run->exit_code;
    result->signal = run->signal;
    result->limits = run_result_parse_limits(run->limits);
    result->cpu_ns = (uint64_t)run->cpu_ns;
    result->peak_bytes = (uint64_t)run->peak_bytes;
    result->wall_ns = (uint64_t)run->wall_ns;
    result->truncated[OUTPUT_STDOUT] = run->out_truncated;
    result->truncated[OUTPUT_STDERR] = run->err_truncated;
    run_policy_parse(run->policy, &result->policy);
    if (copy_bytes(&result->streams[OUTPUT_STDOUT], run->out, run->out_length, err) < 0 ||
        copy_bytes(&result->streams[OUTPUT_STDERR], run->err, run->err_length, err) < 0 ||
        copy_bytes(&result->members, run->artifacts, run->artifacts_length, err) < 0)
        return -err->code;
    if (run->test && !run->artifacts_length) { /* closed by a start, which writes no members */
        result->members.max = TEST_MEMBER_MAX;
        if (!dc_buf_text(&result->members, "\"test\":true"))
            return dc_fail(err, DC_KERNEL, ENOMEM, "a stored run");
    }
    return 0;
}

void history_entry_release(struct history_entry *entry)
{
    store_run_release(&entry->run);
    run_result_release(&entry->result);
}

struct reading {
    const char *project_id;
    const char *run_id;
    const struct store_run_filter *filter;
    struct store_run run;
    struct store_run_page page;
};

static int read_run(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct reading *reading = arg;

    return store_run_get(conn, reading->project_id, reading->run_id, &reading->run, err);
}

static int read_list(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct reading *reading = arg;

    return store_runs_list(conn, reading->filter, &reading->page, err);
}

int history_get(struct history *history, const char *project_id, const char *run_id, bool wait,
                struct history_entry *ret_entry, struct dc_err *err)
{
    struct reading reading = {.project_id = project_id, .run_id = run_id};
    struct claimed *claimed = wait ? *find_claimed(history, run_id) : NULL;

    if (claimed)
        await_list_wait(&claimed->waiting);
    if (await_store(history->worker, AWAIT_READ, read_run, &reading, err) < 0)
        return -err->code;
    ret_entry->run = reading.run;
    ret_entry->done = strcmp(reading.run.status, "done") == 0;
    run_result_init(&ret_entry->result);
    return ret_entry->done ? history_result(&ret_entry->run, &ret_entry->result, err) : 0;
}

int history_list(struct history *history, const struct store_run_filter *filter,
                 struct store_run_page *ret_page, struct dc_err *err)
{
    struct reading reading = {.filter = filter};

    if (await_store(history->worker, AWAIT_READ, read_list, &reading, err) < 0)
        return -err->code;
    *ret_page = reading.page;
    return 0;
}
