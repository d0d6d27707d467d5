#include "api/run_stream.h"

#include <string.h>

#include "api/app_internal.h"
#include "api/background.h"
#include "base/clock.h"
#include "net/task.h"
#include "runs/await.h"

#include "base/poison.h"

static const char heartbeat[] = ":\n\n";

struct stream {
    struct run_flow *flow;
    struct app *app;
    struct dc_buf queue;    /* events that the client has not been sent */
    struct await_flag news; /* for the call's task */
    bool finished;          /* the run's task is over */
    bool cancelled;
    int64_t quiet_since; /* monotonic; when something was sent last */
    uv_timer_t beat;
};

static void push(struct stream *stream, const char *event, const struct dc_buf *json)
{
    (void)dc_buf_printf(&stream->queue, "event: %s\ndata: ", event);
    (void)dc_buf_append(&stream->queue, dc_buf_str(json), json->length);
    (void)dc_buf_text(&stream->queue, "\n\n");
    await_flag_set(&stream->news);
}

static void push_text(struct stream *stream, enum output_stream which, const char *bytes,
                      size_t length)
{
    DC_AUTO(dc_buf_release) struct dc_buf json;

    dc_buf_init(&json, 6 * length + 64);
    (void)dc_buf_text(&json, "{\"text\":");
    (void)dc_buf_json_string(&json, bytes, length);
    (void)dc_buf_byte(&json, '}');
    push(stream, which == OUTPUT_STDOUT ? "stdout" : "stderr", &json);
}

static void push_start(struct stream *stream, const char *id, int64_t created_ns, bool warm)
{
    DC_AUTO(dc_buf_release) struct dc_buf json;
    char created[25];

    dc_buf_init(&json, 256);
    dc_format_iso8601(created_ns, created);
    (void)dc_buf_printf(&json, "{\"id\":\"%s\",\"createdAt\":\"%s\",\"warm\":%s}", id, created,
                        warm ? "true" : "false");
    push(stream, "start", &json);
}

/* ---- the run's task ---- */

static void on_started(void *context, bool warm)
{
    struct stream *stream = context;

    push_start(stream, stream->flow->id, stream->flow->history.created_ns, warm);
}

static void on_installing(void *context)
{
    struct stream *stream = context;
    DC_AUTO(dc_buf_release) struct dc_buf json;

    dc_buf_init(&json, 256);
    (void)dc_buf_printf(&json, "{\"id\":\"%s\"}", stream->flow->id);
    push(stream, "install", &json);
}

static void on_output(void *context, enum output_stream which, const char *bytes, size_t length)
{
    struct stream *stream = context;

    if (!call_stream_gone(stream->flow->call))
        push_text(stream, which, bytes, length);
}

static void run_task(void *arg)
{
    struct stream *stream = arg;

    run_flow_run(stream->flow);
    stream->finished = true;
    await_flag_set(&stream->news); /* the last touch: the memory is the call's */
}

/* ---- the call's task ---- */

static void on_beat(uv_timer_t *timer)
{
    await_flag_set(&((struct stream *)timer->data)->news);
}

static void on_gone(void *arg)
{
    await_flag_set(&((struct stream *)arg)->news);
}

static void begin(struct stream *stream)
{
    if (!call_stream_begun(stream->flow->call))
        call_stream_begin(stream->flow->call, stream->flow->replayed);
}

static void send_queue(struct stream *stream)
{
    struct dc_buf sending = stream->queue;

    dc_buf_init(&stream->queue, sending.max);
    begin(stream);
    call_stream_write(stream->flow->call, dc_buf_str(&sending), sending.length);
    dc_buf_release(&sending);
    stream->quiet_since = dc_now();
}

static bool beat_is_due(const struct stream *stream)
{
    return dc_now() - stream->quiet_since >= APP_HEARTBEAT_MS * DC_NS_PER_MS;
}

/* Nobody reads any more. Only a run that nobody can ask for again ends with its client. */
static void handle_gone(struct stream *stream)
{
    struct dc_err err;

    dc_buf_consume(&stream->queue, stream->queue.length);
    if (stream->flow->idempotency_key || stream->cancelled || stream->finished)
        return;
    stream->cancelled = run_flow_cancel(stream->app, NULL, stream->flow->id, &err) == 0;
}

static void send_while_running(struct stream *stream)
{
    while (!stream->finished) {
        if (call_stream_gone(stream->flow->call)) {
            handle_gone(stream);
        } else if (stream->queue.length) {
            send_queue(stream);
            continue;
        } else if (beat_is_due(stream)) {
            begin(stream);
            call_stream_write(stream->flow->call, heartbeat, sizeof(heartbeat) - 1);
            stream->quiet_since = dc_now();
            continue;
        }
        await_flag_wait(&stream->news);
    }
}

static void push_result(struct stream *stream)
{
    const struct run_result *result = &stream->flow->result;
    DC_AUTO(dc_buf_release) struct dc_buf json;

    if (stream->flow->replayed) {
        push_start(stream, result->id, result->created_ns, false);
        for (int i = 0; i < OUTPUT_STREAMS; i++)
            if (result->streams[i].length)
                push_text(stream, (enum output_stream)i, dc_buf_str(&result->streams[i]),
                          result->streams[i].length);
    }
    dc_buf_init(&json, run_result_print_max(result));
    (void)run_result_print(result, &json);
    push(stream, "result", &json);
}

static void send_end(struct stream *stream)
{
    struct call *call = stream->flow->call;
    DC_AUTO(dc_buf_release) struct dc_buf json;

    dc_buf_init(&json, 4096);
    if (stream->flow->has_result) {
        push_result(stream);
    } else if (!call_stream_begun(call)) {
        run_flow_fail(stream->flow);
        return;
    } else {
        (void)call_print_error(call, &stream->flow->failure, &json);
        push(stream, "error", &json);
    }
    send_queue(stream);
    call_stream_end(call);
}

void run_stream(struct run_flow *flow)
{
    struct stream stream = {.flow = flow, .app = flow->call->app, .quiet_since = dc_now()};

    flow->request.stream = true; /* also when asked for by the Accept header: output at once */
    dc_buf_init(&stream.queue, SIZE_MAX / 4);
    flow->observer =
        (struct engine_observer){.started = on_started, .output = on_output, .context = &stream};
    flow->installing = on_installing;
    if (!background_spawn(stream.app, run_task, &stream)) {
        call_fail_err(flow->call, &(struct dc_err){.code = DC_KERNEL, .text = "no memory"},
                      "a stream could not be begun");
        return;
    }
    (void)uv_timer_init(&stream.app->loop, &stream.beat); /* never fails */
    stream.beat.data = &stream;
    (void)uv_timer_start(&stream.beat, on_beat, APP_HEARTBEAT_MS, APP_HEARTBEAT_MS);
    call_on_gone(flow->call, on_gone, &stream);
    stream.app->metrics.streams++;
    send_while_running(&stream);
    send_end(&stream);
    stream.app->metrics.streams--;
    call_on_gone(flow->call, NULL, NULL);
    task_close_handle((uv_handle_t *)&stream.beat);
    dc_buf_release(&stream.queue);
}
