#include "runs/engine_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "runs/job_build.h"

#include "base/poison.h"

enum { TICK_MS = 200, QUEUED_MAX = 1000, WAIT_MAX_MS = 60000, GRACE_MS = 20000, LISTEN_MS = 4 };

struct engine {
    uv_loop_t *loop;
    struct engine_options options;
    struct admission *admission;
    struct launcher_client *launcher;
    struct egress_client *egress; /* NULL: no network */
    uv_timer_t tick;
    uv_timer_t listen;
    bool ticking;
    bool taking;
    bool pumping;
    bool has_problem;
    struct dc_err problem;
    struct {
        struct launch_warm wish;
        int names_fd; /* owned; 0: there is none (it is never standard input) */
    } warm[DC_WARM_MAX];
    struct engine_run *runs; /* all that were begun and not ended */
    size_t run_count;
    struct engine_stats stats;
    void (*closed)(void *context);
    void *closed_context;
    int closing; /* handles still to close */
};

const uint32_t engine_bucket_bounds_ms[ENGINE_BUCKETS - 1] = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000,
};

static void pump(struct engine *engine);
static void listen_later(struct engine *engine);

void engine_histogram_add(struct engine_histogram *histogram, int64_t ns)
{
    size_t i = 0;

    while (i < ENGINE_BUCKETS - 1 && ns > (int64_t)engine_bucket_bounds_ms[i] * DC_NS_PER_MS)
        i++;
    histogram->buckets[i]++;
    histogram->count++;
    histogram->sum_ns += (uint64_t)(ns > 0 ? ns : 0);
}

static bool version_matches(const char *have, const char *want)
{
    size_t length = strlen(want);

    return strncmp(have, want, length) == 0 && (have[length] == '\0' || have[length] == '.');
}

int engine_runtime(const struct launch_hello *hello, const struct run_request *request)
{
    for (int i = 0; i < hello->runtime_count; i++) {
        const struct launch_runtime *runtime = &hello->runtimes[i];

        if (strcmp(runtime->name, run_lang_name(request->lang)) == 0 &&
            (!request->version || version_matches(runtime->version, request->version)))
            return i;
    }
    return -1;
}

static int no_runtime(const struct launch_hello *hello, const struct run_request *request,
                      struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf have;

    dc_buf_init(&have, 160);
    for (int i = 0; i < hello->runtime_count; i++)
        (void)dc_buf_printf(&have, "%s%s %s", i ? ", " : "", hello->runtimes[i].name,
                            hello->runtimes[i].version);
    return dc_fail(err, DC_INVALID, 0, "no %s %s on this server; there is: %s",
                   run_lang_name(request->lang), request->version ? request->version : "",
                   have.length ? dc_buf_str(&have) : "nothing");
}

static void link_run(struct engine *engine, struct engine_run *run)
{
    run->prev = NULL;
    run->next = engine->runs;
    if (run->next)
        run->next->prev = run;
    engine->runs = run;
    engine->run_count++;
}

static void unlink_run(struct engine *engine, struct engine_run *run)
{
    *(run->prev ? &run->prev->next : &engine->runs) = run->next;
    if (run->next)
        run->next->prev = run->prev;
    engine->run_count--;
}

/* Gives its place back and tells the owner. */
static void settle(struct engine_run *run)
{
    struct engine *engine = run->engine;
    int64_t now = dc_now();

    if (run->entry.state == ADMISSION_RUNNING)
        admission_done(engine->admission, &run->entry,
                       run->launched_ns ? now - run->launched_ns : -1);
    run->phase = ENGINE_DONE;
    if (run->failure.code == DC_OK) {
        engine->stats.runs[run->request->lang][run->result->outcome]++;
        engine_histogram_add(&engine->stats.latency[run->request->lang], now - run->begun_ns);
    }
    run->changed(run);
}

static void fail(struct engine_run *run, enum dc_code code, const char *text)
{
    dc_ignore(dc_fail(&run->failure, code, 0, "%s", text));
    settle(run);
}

static void take_artifacts(struct engine_run *run)
{
    struct artifacts *artifacts = malloc(sizeof(*artifacts));
    size_t length;
    const char *stream = artifact_reader_finish(run->artifacts, &length);

    (void)dc_buf_byte(&run->result->members, ',');
    if (!artifacts) {
        (void)dc_buf_text(&run->result->members, "\"files\":[],\"filesTruncated\":true");
        return;
    }
    artifacts_parse(stream, length, run->request->artifacts, run->request->artifact_count,
                    artifacts);
    (void)artifacts_print(artifacts, &run->result->members);
    free(artifacts);
}

static void judge(struct engine_run *run, const struct launch_ended *ended)
{
    char tail[4096];
    struct result_evidence evidence = {.ended = ended, .stderr_tail = tail};

    if (run->output) {
        output_finish(run->output);
        evidence.stderr_tail_length = output_stderr_tail(run->output, tail, sizeof(tail));
        for (int i = 0; i < OUTPUT_STREAMS; i++)
            evidence.truncated[i] = output_truncated(run->output, (enum output_stream)i);
    }
    run_result_judge(run->result, &evidence);
}

static void on_ended(struct launcher_run *launched, const struct launch_ended *ended)
{
    struct engine_run *run =
        (struct engine_run *)(void *)((char *)launched - offsetof(struct engine_run, launched));
    struct engine *engine = run->engine;

    if (ended->kind == END_SANDBOX_ERROR)
        dc_log(DC_LOG_ERROR, "run %s: the launcher says: %s", run->result->id, ended->text);
    judge(run, ended);
    if (run->artifacts)
        take_artifacts(run);
    if (run->has_egress) { /* its log is due first */
        egress_client_end(&run->egress);
        return;
    }
    settle(run);
    pump(engine);
}

static void on_egress_closed(struct egress_session *session)
{
    struct engine_run *run =
        (struct engine_run *)(void *)((char *)session - offsetof(struct engine_run, egress));
    struct engine *engine = run->engine;

    run->has_egress = false;
    (void)dc_buf_byte(&run->result->members, ',');
    (void)egress_session_print(session, &run->result->members);
    egress_session_release(session);
    settle(run);
    pump(engine);
}

static int open_network(struct engine_run *run, int *ret_fd, struct dc_err *err)
{
    if (!run->request->network)
        return 0;
    if (!run->engine->egress)
        return dc_fail(err, DC_BUG, 0, "this server gives no network");
    run->egress = (struct egress_session){.closed = on_egress_closed};
    if (egress_client_begin(run->engine->egress, run->request->network, &run->egress, ret_fd, err) <
        0)
        return -err->code;
    run->has_egress = true;
    return 0;
}

static void on_started(struct launcher_run *launched, bool warm)
{
    struct engine_run *run =
        (struct engine_run *)(void *)((char *)launched - offsetof(struct engine_run, launched));

    run->started = true;
    run->result->warm = warm;
    run->engine->stats.warm += warm;
    run->changed(run);
}

static void on_output(void *context)
{
    struct engine_run *run = context;

    if (run->phase == ENGINE_RUNNING)
        run->changed(run);
}

static int open_streams(struct engine_run *run, int fds[static LAUNCH_RUN_FDS], struct dc_err *err)
{
    const uint32_t max = run->request->policy.value[POLICY_OUTPUT_BYTES];

    if (job_build(run->request, &fds[RUN_FD_JOB], err) < 0 ||
        job_stdin(run->request, &fds[RUN_FD_STDIN], err) < 0 ||
        output_open(max, on_output, run, &run->output, err) < 0)
        return -err->code;
    fds[RUN_FD_STDOUT] =
        run->request->wired ? run->request->stdout_fd : output_writer(run->output, OUTPUT_STDOUT);
    fds[RUN_FD_STDERR] = output_writer(run->output, OUTPUT_STDERR);
    if (!run->request->artifact_count) {
        fds[RUN_FD_ARTIFACTS] = open("/dev/null", O_WRONLY | O_CLOEXEC);
        return fds[RUN_FD_ARTIFACTS] < 0 ? dc_fail_errno(err, "open /dev/null") : 0;
    }
    if (artifact_reader_open(run->engine->loop, &run->artifacts, err) < 0)
        return -err->code;
    fds[RUN_FD_ARTIFACTS] = artifact_reader_writer(run->artifacts);
    return 0;
}

/* What the launcher has now is its own; ours would keep the pipes open. */
static void close_streams(struct engine_run *run, const int fds[static LAUNCH_RUN_FDS])
{
    dc_close(fds[RUN_FD_JOB]);
    dc_close(fds[RUN_FD_STDIN]);
    if (run->output)
        output_close_writers(run->output);
    if (run->artifacts)
        artifact_reader_close_writer(run->artifacts);
    else
        dc_close(fds[RUN_FD_ARTIFACTS]);
}

static int send_run(struct engine_run *run, int runtime, struct dc_err *err)
{
    struct launch_run fields;
    int fds[LAUNCH_RUN_FDS_MAX] = {-1, -1, -1, -1, -1, -1};
    int result = open_streams(run, fds, err);

    job_launch_fields(run->request, &fields);
    fields.runtime = (uint32_t)runtime;
    if (result == 0)
        result = open_network(run, &fds[RUN_FD_NETWORK], err);
    if (result == 0)
        result = launcher_client_run(run->engine->launcher, &fields, fds, &run->launched, err);
    close_streams(run, fds);
    dc_close(fds[RUN_FD_NETWORK]);
    return result;
}

static void listen_to(struct engine_run *run)
{
    struct dc_err err;

    run->listening = true;
    if (output_listen(run->output, run->engine->loop, &err) < 0)
        dc_log_err(DC_LOG_ERROR, run->result->id, &err, "the output is read at the end only");
}

/* Runs that have not ended within the first milliseconds are listened to: most never are. */
static void on_listen(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    int64_t before = dc_now() - (int64_t)LISTEN_MS * DC_NS_PER_MS / 2;
    bool again = false;

    for (struct engine_run *run = engine->runs; run; run = run->next) {
        if (run->phase != ENGINE_RUNNING || run->listening)
            continue;
        if (run->launched_ns <= before)
            listen_to(run);
        else
            again = true;
    }
    if (again)
        listen_later(engine);
}

static void listen_later(struct engine *engine)
{
    if (!uv_is_active((uv_handle_t *)&engine->listen))
        (void)uv_timer_start(&engine->listen, on_listen, LISTEN_MS, 0);
}

static void print_warnings(struct engine_run *run)
{
    struct dc_buf *out = &run->result->members;

    for (size_t i = 0; i < run->request->warning_count; i++) {
        const struct run_text *text = &run->request->warnings[i];

        (void)dc_buf_text(out, i ? "," : ",\"warnings\":[");
        (void)dc_buf_json_string(out, text->bytes, text->length);
    }
    if (run->request->warning_count)
        (void)dc_buf_byte(out, ']');
}

static void launch(struct engine_run *run)
{
    struct engine *engine = run->engine;
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    int runtime = engine_runtime(hello, run->request);
    int64_t now = dc_now();
    struct dc_err err;

    run->result->queued_ns = (uint64_t)(now - run->begun_ns);
    engine_histogram_add(&engine->stats.waiting, now - run->begun_ns);
    if (runtime < 0) { /* known to be there when it was taken, but the launcher was replaced */
        dc_ignore(no_runtime(hello, run->request, &run->failure));
        settle(run);
        return;
    }
    (void)dc_buf_text(&run->result->members, "\"runtime\":");
    (void)dc_buf_json_string(&run->result->members, hello->runtimes[runtime].version,
                             strlen(hello->runtimes[runtime].version));
    print_warnings(run);
    run->phase = ENGINE_RUNNING;
    if (send_run(run, runtime, &err) < 0) {
        struct launch_ended ended = {.kind = END_SANDBOX_ERROR};

        dc_log_err(DC_LOG_ERROR, run->result->id, &err, "a run could not be launched");
        judge(run, &ended);
        if (run->has_egress)
            egress_client_end(&run->egress);
        else
            settle(run);
        return;
    }
    run->launched_ns = now;
    if (run->request->stream)
        listen_to(run);
    else
        listen_later(engine);
    run->hung_ns =
        now + ((int64_t)run->request->policy.value[POLICY_TIMEOUT_MS] + engine->options.grace_ms) *
                  DC_NS_PER_MS;
}

/* Starts what may start. A run that fails at once comes back here through settle and `changed`. */
static void pump(struct engine *engine)
{
    if (engine->pumping)
        return;
    engine->pumping = true;
    while (launcher_client_state(engine->launcher) == LAUNCHER_READY) {
        struct admission_entry *entry = admission_next(engine->admission);

        if (!entry)
            break;
        launch((struct engine_run *)(void *)((char *)entry - offsetof(struct engine_run, entry)));
    }
    engine->pumping = false;
}

static void check_hung(struct engine *engine, int64_t now)
{
    for (struct engine_run *run = engine->runs; run; run = run->next) {
        if (run->phase != ENGINE_RUNNING || run->hung_ns > now)
            continue;
        launcher_client_replace(engine->launcher, "it did not end a run in time");
        return;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    int64_t now = dc_now();
    struct admission_entry *entry;

    while ((entry = admission_expired(engine->admission, now))) {
        engine->stats.wait_expired++;
        fail((struct engine_run *)(void *)((char *)entry - offsetof(struct engine_run, entry)),
             DC_BUSY, "no slot became free in time; try again later");
    }
    check_hung(engine, now);
    if (!engine->run_count) {
        (void)uv_timer_stop(timer);
        engine->ticking = false;
    }
}

static void start_ticking(struct engine *engine)
{
    if (engine->ticking)
        return;
    (void)uv_timer_start(&engine->tick, on_tick, TICK_MS, TICK_MS);
    engine->ticking = true;
}

static void set_slots(struct engine *engine, uint32_t slots)
{
    engine->stats.slots = slots;
    admission_set_limits(engine->admission,
                         &(struct admission_limits){slots, engine->options.queued_max});
}

static void send_warm(struct engine *engine, size_t set)
{
    struct dc_err err;

    if (engine->warm[set].names_fd > 0 &&
        launcher_client_warm(engine->launcher, &engine->warm[set].wish, engine->warm[set].names_fd,
                             &err) < 0 &&
        err.code != DC_BUSY) /* then it is sent once the launcher is ready */
        dc_log_err(DC_LOG_WARN, NULL, &err, "packages are not kept imported");
}

int engine_warm(struct engine *engine, uint32_t set, const struct run_request *request,
                const uint8_t layer[static DC_LAYER_ID_BYTES], const char *names,
                struct dc_err *err)
{
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    int runtime = hello ? engine_runtime(hello, request) : -1;
    DC_AUTO(dc_close) int fd = memfd_create("packages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (runtime < 0 || set >= DC_WARM_MAX)
        return dc_fail(err, DC_INVALID, 0, "no runtime for a set of packages");
    if (fd < 0)
        return dc_fail_errno(err, "memfd_create");
    if (dc_write_all(fd, names, strlen(names), err) < 0)
        return -err->code;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return dc_fail_errno(err, "seal the names of packages");
    if (engine->warm[set].names_fd > 0)
        dc_close(engine->warm[set].names_fd);
    engine->warm[set].names_fd = dc_take_fd(&fd);
    engine->warm[set].wish = (struct launch_warm){.set = set, .runtime = (uint32_t)runtime};
    memcpy(engine->warm[set].wish.layer, layer, DC_LAYER_ID_BYTES);
    send_warm(engine, set);
    return 0;
}

static void on_ready(void *context, const struct launch_hello *hello)
{
    struct engine *engine = context;

    for (size_t set = 0; set < DC_WARM_MAX; set++)
        send_warm(engine, set);

    engine->has_problem = false;
    set_slots(engine, hello->slots);
    pump(engine);
}

static void on_down(void *context, const struct dc_err *fatal)
{
    struct engine *engine = context;

    set_slots(engine, 0);
    if (fatal) {
        engine->problem = *fatal;
        engine->has_problem = true;
    }
}

/* Against chosen keys that collide. Left to itself the library would open a device file for it, at
 * the first object, which a sealed server may not. */
static void seed_json(void)
{
    size_t seed = 0;

    while (!seed)
        dc_random_bytes(&seed, sizeof(seed));
    json_object_seed(seed); /* the first call of the process counts */
}

static void free_engine(struct engine *engine)
{
    for (size_t set = 0; set < DC_WARM_MAX; set++)
        if (engine->warm[set].names_fd > 0)
            dc_close(engine->warm[set].names_fd);
    admission_free(engine->admission);
    free(engine);
}

int engine_open(uv_loop_t *loop, struct launcher_keeper *keeper,
                const struct engine_options *options, struct engine **ret_engine,
                struct dc_err *err)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    struct launcher_events events = {on_ready, on_down, engine};

    if (!engine)
        return dc_fail(err, DC_KERNEL, ENOMEM, "engine");
    seed_json();
    engine->loop = loop;
    engine->options = *options;
    engine->options.queued_max = options->queued_max ? options->queued_max : QUEUED_MAX;
    engine->options.wait_max_ms = options->wait_max_ms ? options->wait_max_ms : WAIT_MAX_MS;
    engine->options.grace_ms = options->grace_ms ? options->grace_ms : GRACE_MS;
    engine->taking = true;
    engine->admission = admission_new(&(struct admission_limits){0, engine->options.queued_max});
    if (!engine->admission)
        dc_ignore(dc_fail(err, DC_KERNEL, ENOMEM, "engine"));
    if (!engine->admission ||
        (options->network &&
         egress_client_open(loop, keeper, &options->egress, &engine->egress, err) < 0)) {
        free_engine(engine);
        return -err->code;
    }
    if (launcher_client_open(loop, keeper, &events, &engine->launcher, err) < 0) {
        if (engine->egress)
            egress_client_close(engine->egress, NULL, NULL);
        free_engine(engine);
        return -err->code;
    }
    (void)uv_timer_init(loop, &engine->tick); /* never fails */
    (void)uv_timer_init(loop, &engine->listen);
    engine->tick.data = engine->listen.data = engine;
    *ret_engine = engine;
    return 0;
}

static int refuse(struct engine *engine, bool own, struct engine_refusal *ret_refusal,
                  struct dc_err *err)
{
    *ret_refusal = (struct engine_refusal){own, admission_retry_after_s(engine->admission)};
    if (own) {
        engine->stats.refused_own++;
        return dc_fail(err, DC_LIMIT, 0,
                       "too many runs of this project are waiting; wait for some to end, or have "
                       "its limit raised");
    }
    engine->stats.refused_full++;
    return dc_fail(err, DC_BUSY, 0, "%s",
                   engine->taking ? "the server is full; try again later"
                                  : "the server is stopping; try again later");
}

static int submit(struct engine *engine, struct engine_run *run, struct engine_refusal *ret_refusal,
                  struct dc_err *err)
{
    switch (admission_submit(engine->admission, &run->entry, run->caller->project,
                             &run->caller->share, run->begun_ns,
                             (int64_t)engine->options.wait_max_ms * DC_NS_PER_MS)) {
    case ADMISSION_OK:
        return 0;
    case ADMISSION_OWN_LIMIT:
        return refuse(engine, true, ret_refusal, err);
    case ADMISSION_FULL:
        return refuse(engine, false, ret_refusal, err);
    case ADMISSION_NO_MEMORY:
        break;
    }
    return dc_fail(err, DC_KERNEL, ENOMEM, "admission");
}

int engine_begin(struct engine *engine, struct engine_run *run, struct engine_refusal *ret_refusal,
                 struct dc_err *err)
{
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    struct run_result *result = run->result;

    if (!engine->taking)
        return refuse(engine, false, ret_refusal, err);
    if (hello && engine_runtime(hello, run->request) < 0)
        return no_runtime(hello, run->request, err);
    run->engine = engine;
    run->begun_ns = dc_now();
    run->launched = (struct launcher_run){.started = on_started, .ended = on_ended};
    if (submit(engine, run, ret_refusal, err) < 0)
        return -err->code;
    (void)snprintf(result->id, sizeof(result->id), "%s", run->caller->run_id);
    result->created_ns = run->caller->created_ns;
    result->lang = run->request->lang;
    result->policy = run->request->policy;
    link_run(engine, run);
    start_ticking(engine);
    pump(engine);
    return 0;
}

void engine_end(struct engine_run *run)
{
    assert(run->phase == ENGINE_DONE);
    unlink_run(run->engine, run);
    if (run->output) {
        output_take(run->output, OUTPUT_STDOUT, &run->result->streams[OUTPUT_STDOUT]);
        output_take(run->output, OUTPUT_STDERR, &run->result->streams[OUTPUT_STDERR]);
    }
    output_free(run->output);
    run->output = NULL;
    artifact_reader_free(run->artifacts);
    run->artifacts = NULL;
    if (run->failure.code == DC_OK)
        (void)run_result_explain(run->result); /* no memory: `message` says the same */
}

void engine_cancel_run(struct engine_run *run)
{
    struct launch_ended ended = {.kind = END_CANCELLED};

    if (run->phase == ENGINE_RUNNING && !run->cancelling) {
        run->cancelling = true;
        launcher_client_cancel(run->engine->launcher, &run->launched);
    } else if (run->phase == ENGINE_WAITING &&
               admission_remove(run->engine->admission, &run->entry)) {
        run_result_judge(run->result, &(struct result_evidence){.ended = &ended});
        settle(run);
    }
}

static struct engine_run *find(const struct engine *engine, const char *project, const char *run_id)
{
    for (struct engine_run *run = engine->runs; run; run = run->next)
        if (run->phase != ENGINE_DONE && strcmp(run->caller->run_id, run_id) == 0 &&
            (!project || strcmp(run->caller->project, project) == 0))
            return run;
    return NULL;
}

int engine_cancel(struct engine *engine, const char *project, const char *run_id,
                  struct dc_err *err)
{
    struct engine_run *run = find(engine, project, run_id);

    if (!run)
        return dc_fail(err, DC_NOT_FOUND, 0, "no such run is waiting or running");
    engine_cancel_run(run);
    return 0;
}

bool engine_find(const struct engine *engine, const char *project, const char *run_id,
                 bool *ret_running)
{
    const struct engine_run *run = find(engine, project, run_id);

    if (run)
        *ret_running = run->phase == ENGINE_RUNNING;
    return run != NULL;
}

bool engine_ready(const struct engine *engine)
{
    return engine->taking && launcher_client_state(engine->launcher) == LAUNCHER_READY;
}

int engine_find_runtime(const struct engine *engine, const struct run_request *request,
                        const struct launch_runtime **ret_runtime, struct dc_err *err)
{
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    int index = hello ? engine_runtime(hello, request) : -1;

    if (!hello)
        return dc_fail(err, DC_BUSY, 0, "the server is starting; try again in a moment");
    if (index < 0)
        return no_runtime(hello, request, err);
    *ret_runtime = &hello->runtimes[index];
    return 0;
}

const struct launch_hello *engine_hello(const struct engine *engine)
{
    return launcher_client_hello(engine->launcher);
}

const struct dc_err *engine_problem(const struct engine *engine)
{
    return engine->has_problem ? &engine->problem : NULL;
}

const struct dc_err *engine_network_problem(const struct engine *engine)
{
    return engine->egress ? egress_client_problem(engine->egress) : NULL;
}

bool engine_network_ready(const struct engine *engine)
{
    return !engine->egress || egress_client_stats(engine->egress)->ready;
}

void engine_stop_taking(struct engine *engine)
{
    engine->taking = false;
}

size_t engine_count(const struct engine *engine)
{
    return engine->run_count;
}

static struct engine_run *first_to_cancel(const struct engine *engine)
{
    struct engine_run *run = engine->runs;

    while (run && (run->phase == ENGINE_DONE || run->cancelling))
        run = run->next;
    return run;
}

void engine_cancel_all(struct engine *engine)
{
    struct engine_run *run;

    /* From the start each time: `changed` runs the owner, who may end this run and begin others. */
    while ((run = first_to_cancel(engine)))
        engine_cancel_run(run);
}

void engine_lose_all(struct engine *engine)
{
    for (struct engine_run *run = engine->runs; run; run = run->next) {
        if (run->phase == ENGINE_RUNNING) {
            launcher_client_replace(engine->launcher, "it did not end a run when asked to");
            return;
        }
    }
}

uint32_t engine_retry_after_s(const struct engine *engine)
{
    return admission_retry_after_s(engine->admission);
}

uint32_t engine_grace_ms(const struct engine *engine)
{
    return engine->options.grace_ms;
}

uint32_t engine_queued(const struct engine *engine)
{
    return admission_queued(engine->admission);
}

void engine_snapshot(const struct engine *engine, struct engine_stats *ret_stats)
{
    *ret_stats = engine->stats;
    ret_stats->running = admission_running(engine->admission);
    ret_stats->queued = engine_queued(engine);
    ret_stats->launcher = *launcher_client_stats(engine->launcher);
    ret_stats->network = engine->egress != NULL;
    if (engine->egress)
        ret_stats->egress = *egress_client_stats(engine->egress);
}

static void on_part_closed(void *context)
{
    struct engine *engine = context;
    void (*closed)(void *) = engine->closed;
    void *closed_context = engine->closed_context;

    if (--engine->closing)
        return;
    free_engine(engine);
    if (closed)
        closed(closed_context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void engine_close(struct engine *engine, void (*closed)(void *context), void *context)
{
    assert(!engine->run_count);
    engine->taking = false;
    engine->closed = closed;
    engine->closed_context = context;
    engine->closing = 3 + (engine->egress != NULL);
    launcher_client_close(engine->launcher, on_part_closed, engine);
    if (engine->egress)
        egress_client_close(engine->egress, on_part_closed, engine);
    uv_close((uv_handle_t *)&engine->tick, on_timer_closed);
    uv_close((uv_handle_t *)&engine->listen, on_timer_closed);
}
