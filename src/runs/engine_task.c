/* The engine for tasks: straight-line functions over engine.c's events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "runs/await.h"
#include "runs/engine_internal.h"

#include "base/poison.h"

enum { CHUNK_BYTES = 16384 };

/* A run and the task that wants it. */
struct waiting_run {
    struct engine_run run; /* first: `changed` gets it */
    struct await_flag flag;
    bool told_started;
    size_t told[OUTPUT_STREAMS]; /* bytes of each stream handed to the observer */
};

static void on_changed(struct engine_run *run)
{
    await_flag_set(&((struct waiting_run *)run)->flag);
}

/* Hands one piece on; false when there is none now. The copy is needed: the task may be suspended
 * in the observer while the capture grows and moves. */
static bool tell_output(struct waiting_run *waiting, const struct engine_observer *observer,
                        char chunk[static CHUNK_BYTES])
{
    if (!waiting->run.output)
        return false;
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        enum output_stream stream = (enum output_stream)i;
        size_t length =
            output_next(waiting->run.output, stream, &waiting->told[i], chunk, CHUNK_BYTES);

        if (!length)
            continue;
        observer->output(observer->context, stream, chunk, length);
        return true;
    }
    return false;
}

static void watch(struct waiting_run *waiting, const struct engine_observer *observer,
                  char chunk[static CHUNK_BYTES])
{
    for (;;) {
        bool done = waiting->run.phase == ENGINE_DONE;
        bool begun = waiting->told_started || !observer->started || done;

        if (waiting->run.started && !waiting->told_started && observer->started) {
            waiting->told_started = true;
            observer->started(observer->context, waiting->run.result->warm);
            continue;
        }
        if (begun && observer->output && tell_output(waiting, observer, chunk))
            continue;
        if (done)
            return;
        await_flag_wait(&waiting->flag);
    }
}

int engine_run(struct engine *engine, const struct run_request *request,
               const struct engine_caller *caller, const struct engine_observer *observer,
               struct run_result *result, struct engine_refusal *ret_refusal, struct dc_err *err)
{
    struct waiting_run waiting = {
        .run = {.request = request, .caller = caller, .result = result, .changed = on_changed}};
    DC_AUTO(dc_free) char *chunk = NULL;

    if (observer && observer->output) {
        chunk = malloc(CHUNK_BYTES);
        if (!chunk)
            return dc_fail(err, DC_KERNEL, ENOMEM, "a run's output");
    }
    if (engine_begin(engine, &waiting.run, ret_refusal, err) < 0)
        return -err->code;
    if (observer)
        watch(&waiting, observer, chunk);
    while (waiting.run.phase != ENGINE_DONE)
        await_flag_wait(&waiting.flag);
    engine_end(&waiting.run);
    if (waiting.run.failure.code == DC_OK)
        return 0;
    *err = waiting.run.failure;
    if (err->code == DC_BUSY)
        *ret_refusal = (struct engine_refusal){false, engine_retry_after_s(engine)};
    return -err->code;
}

int engine_wait_ready(struct engine *engine, uint64_t timeout_ms, struct dc_err *err)
{
    int64_t deadline = dc_now() + (int64_t)timeout_ms * DC_NS_PER_MS;

    while (!engine_ready(engine) || !engine_network_ready(engine)) {
        const struct dc_err *problem = engine_problem(engine);

        if (!problem)
            problem = engine_network_problem(engine);

        if (problem) {
            *err = *problem;
            return -err->code;
        }
        if (dc_now() >= deadline)
            return dc_fail(err, DC_TIMEOUT, 0, "the launcher is not ready");
        task_sleep(5);
    }
    return 0;
}

static void wait_empty(struct engine *engine, uint64_t wait_ms)
{
    int64_t deadline = dc_now() + (int64_t)wait_ms * DC_NS_PER_MS;

    while (engine_count(engine) && dc_now() < deadline)
        task_sleep(10);
}

void engine_drain(struct engine *engine, uint64_t wait_ms)
{
    engine_stop_taking(engine);
    wait_empty(engine, wait_ms);
    engine_cancel_all(engine);
    wait_empty(engine, engine_grace_ms(engine));
    engine_lose_all(engine); /* a launcher that does not even cancel */
    while (engine_count(engine))
        task_sleep(10);
}
