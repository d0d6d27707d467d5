#include "runs/engine_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "runs/job_build.h"

#include "base/poison.h"

enum { LISTEN_MS = 4 };

static void listen_later(struct engine *engine);

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
    engine_settle(run);
    engine_pump(engine);
}

static void on_egress_closed(struct egress_session *session)
{
    struct engine_run *run =
        (struct engine_run *)(void *)((char *)session - offsetof(struct engine_run, egress));
    struct engine *engine = run->engine;

    run->has_egress = false;
    run->result->egress_bytes = session->bytes;
    (void)dc_buf_byte(&run->result->members, ',');
    (void)egress_session_print(session, &run->result->members);
    egress_session_release(session);
    engine_settle(run);
    engine_pump(engine);
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
    /* Packages may look at the environment when they are imported, which is too early in a spare.
     */
    if (run_request_has_layer(run->request) && !run->request->env_count)
        engine_owner(run->caller->project, fields.owner);
    if (result == 0)
        result = open_network(run, &fds[RUN_FD_NETWORK], err);
    run->launched = (struct launcher_run){.started = on_started, .ended = on_ended};
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

void engine_launch(struct engine_run *run)
{
    struct engine *engine = run->engine;
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    int runtime = engine_runtime(hello, run->request);
    int64_t now = dc_now();
    struct dc_err err;

    run->result->queued_ns = (uint64_t)(now - run->begun_ns);
    engine_histogram_add(&engine->stats.waiting, now - run->begun_ns);
    if (runtime < 0) { /* known to be there when it was taken, but the launcher was replaced */
        dc_ignore(engine_no_runtime(hello, run->request, &run->failure));
        engine_settle(run);
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
            engine_settle(run);
        return;
    }
    run->launched_ns = now;
    run->result->started_ns = dc_wall_now();
    if (run->request->stream)
        listen_to(run);
    else
        listen_later(engine);
    run->hung_ns =
        now + ((int64_t)run->request->policy.value[POLICY_TIMEOUT_MS] + engine->options.grace_ms) *
                  DC_NS_PER_MS;
}
