#include "runs/engine_internal.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#include "base/poison.h"

enum { TICK_MS = 200, QUEUED_MAX = 1000, WAIT_MAX_MS = 60000, GRACE_MS = 20000 };

const uint32_t engine_bucket_bounds_ms[ENGINE_BUCKETS - 1] = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000,
};

void engine_histogram_add(struct engine_histogram *histogram, int64_t ns)
{
    size_t i = 0;

    while (i < ENGINE_BUCKETS - 1 && ns > (int64_t)engine_bucket_bounds_ms[i] * DC_NS_PER_MS)
        i++;
    histogram->buckets[i]++;
    histogram->count++;
    histogram->sum_ns += (uint64_t)(ns > 0 ? ns : 0);
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
void engine_settle(struct engine_run *run)
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
    engine_settle(run);
}

/* Starts what may start. A run that fails at once comes back here through settle and `changed`. */
void engine_pump(struct engine *engine)
{
    if (engine->pumping)
        return;
    engine->pumping = true;
    while (launcher_client_ready(engine->launcher)) {
        struct admission_entry *entry = admission_next(engine->admission);

        if (!entry)
            break;
        engine_launch(
            (struct engine_run *)(void *)((char *)entry - offsetof(struct engine_run, entry)));
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

static void on_ready(void *context, const struct launch_hello *hello)
{
    struct engine *engine = context;

    for (size_t set = 0; set < DC_WARM_ALL; set++)
        engine_send_warm(engine, set);

    engine->has_problem = false;
    set_slots(engine, hello->slots);
    engine_pump(engine);
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
    for (size_t set = 0; set < DC_WARM_ALL; set++)
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
        return engine_no_runtime(hello, run->request, err);
    run->engine = engine;
    run->begun_ns = dc_now();
    if (submit(engine, run, ret_refusal, err) < 0)
        return -err->code;
    (void)snprintf(result->id, sizeof(result->id), "%s", run->caller->run_id);
    result->created_ns = run->caller->created_ns;
    result->lang = run->request->lang;
    result->policy = run->request->policy;
    link_run(engine, run);
    start_ticking(engine);
    engine_pump(engine);
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
        engine_settle(run);
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
    return engine->taking && launcher_client_ready(engine->launcher);
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
    return !engine->egress || egress_client_ready(engine->egress);
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
    launcher_client_stats(engine->launcher, &ret_stats->launcher);
    ret_stats->network = engine->egress != NULL;
    if (engine->egress)
        egress_client_stats(engine->egress, &ret_stats->egress);
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
