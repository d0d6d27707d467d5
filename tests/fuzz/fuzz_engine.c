/*
 * The API process under a hostile launcher: any messages, outputs and artifact streams, in any
 * order, on real links and pipes. Whatever it does, each run comes to an end once, its answer is
 * JSON with numbers in their ranges, and nothing stays open.
 *
 * The input is a list of operations, one byte each, with what they take behind them.
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/artifact.h"
#include "proto/link.h"
#include "runs/engine_internal.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RUNS = 6, TURNS_MAX = 2000 };

struct one {
    struct engine_run run;
    struct run_request request;
    struct engine_caller caller;
    struct run_result result;
    char id[DC_UUID_SIZE];
    bool used;
    int fds[LAUNCH_RUN_FDS]; /* as the launcher has them */
};

struct world {
    uv_loop_t loop;
    struct launcher_keeper keeper;
    int keeper_fd; /* the keeper's end */
    int link_fd;   /* the launcher's end; -1: none */
    struct engine *engine;
    struct one runs[RUNS];
    int null_fd;
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static uint64_t take_number(struct input *input)
{
    uint64_t number = 0;

    for (uint8_t bytes = take(input) % 9; bytes; bytes--)
        number = number << 8 | take(input);
    return number;
}

static size_t take_bytes(struct input *input, void *out, size_t size)
{
    size_t n = size < input->left ? size : input->left;

    memcpy(out, input->at, n);
    memset((char *)out + n, 0, size - n);
    input->at += n;
    input->left -= n;
    return n;
}

/* --- what the launcher hears ----------------------------------------------------------------- */

static void close_run_fds(struct one *one)
{
    for (size_t i = 0; i < LAUNCH_RUN_FDS; i++)
        dc_close_clear(&one->fds[i]);
}

static void hear_keeper(struct world *world)
{
    struct link_message message;
    struct dc_err err;

    while (link_receive(world->keeper_fd, &message, &err) == 0) {
        dc_close(world->link_fd);
        world->link_fd = link_message_take_fd(&message, 0);
        (void)fcntl(world->link_fd, F_SETFL, O_NONBLOCK);
        link_message_release(&message);
    }
}

static void hear_link(struct world *world)
{
    struct link_message message;
    struct dc_err err;

    while (world->link_fd >= 0 && link_receive(world->link_fd, &message, &err) == 0) {
        struct launch_run request;

        if (message.header.type == LAUNCH_RUN) {
            assert(link_message_is(&message, sizeof(request), LAUNCH_RUN_FDS));
            memcpy(&request, message.body, sizeof(request));
            for (size_t i = 0; i < RUNS; i++) {
                struct one *one = &world->runs[i];

                if (!one->used || one->run.launched.id != request.run)
                    continue;
                close_run_fds(one);
                for (size_t f = 0; f < LAUNCH_RUN_FDS; f++)
                    one->fds[f] = link_message_take_fd(&message, f);
                (void)fcntl(one->fds[RUN_FD_STDOUT], F_SETFL, O_NONBLOCK);
                (void)fcntl(one->fds[RUN_FD_STDERR], F_SETFL, O_NONBLOCK);
                (void)fcntl(one->fds[RUN_FD_ARTIFACTS], F_SETFL, O_NONBLOCK);
            }
        } else {
            assert(message.header.type == LAUNCH_CANCEL || message.header.type == LAUNCH_SHUTDOWN);
        }
        link_message_release(&message);
    }
}

static void check_result(const struct run_result *result)
{
    DC_AUTO(dc_buf_release) struct dc_buf json;
    json_t *tree;

    assert(result->exit_code >= -1 && result->exit_code <= 255);
    assert(result->signal >= 0 && result->signal <= 64);
    assert(result->cpu_ns <= INT64_MAX && result->wall_ns <= INT64_MAX);
    assert(result->peak_bytes <= INT64_MAX);
    dc_buf_init(&json, run_result_print_max(result));
    assert(run_result_print(result, &json));
    tree = json_loadb(dc_buf_str(&json), json.length, JSON_ALLOW_NUL, NULL);
    assert(json_is_object(tree));
    json_decref(tree);
}

static void on_changed(struct engine_run *run)
{
    assert(run->phase == ENGINE_DONE || run->phase == ENGINE_RUNNING);
}

static void end_run(struct one *one)
{
    engine_end(&one->run);
    if (one->run.failure.code == DC_OK)
        check_result(&one->result);
    run_request_release(&one->request);
    run_result_release(&one->result);
    close_run_fds(one);
    one->used = false;
}

static void turn(struct world *world, struct input *input)
{
    (void)input;
    (void)uv_run(&world->loop, UV_RUN_NOWAIT);
    hear_keeper(world);
    hear_link(world);
    for (size_t i = 0; i < RUNS; i++)
        if (world->runs[i].used && world->runs[i].run.phase == ENGINE_DONE)
            end_run(&world->runs[i]);
}

/* --- what the launcher says ------------------------------------------------------------------ */

static void tell(struct world *world, uint8_t type, const void *body, size_t length, size_t fds)
{
    int nulls[DC_MESSAGE_MAX_FDS];
    struct dc_err err;

    for (size_t i = 0; i < DC_MESSAGE_MAX_FDS; i++)
        nulls[i] = world->null_fd;
    if (world->link_fd >= 0)
        dc_ignore(link_send(world->link_fd, type, body, length, nulls, fds, &err));
}

static void say_hello(struct world *world, struct input *input)
{
    struct launch_hello hello = {.slots = 1 + take(input) % 4, .runtime_count = 2};

    memcpy(hello.runtimes[0].name, "python", 7);
    memcpy(hello.runtimes[0].version, "3.11.2", 7);
    memcpy(hello.runtimes[1].name, "node", 5);
    memcpy(hello.runtimes[1].version, "20.20.2", 8);
    tell(world, LAUNCH_HELLO, &hello, sizeof(hello), 0);
}

static void say_odd_hello(struct world *world, struct input *input)
{
    struct launch_hello hello;

    (void)take_bytes(input, &hello, sizeof(hello));
    tell(world, LAUNCH_HELLO, &hello, sizeof(hello), 0);
}

static uint64_t take_run(struct world *world, struct input *input)
{
    uint8_t which = take(input);

    return which < RUNS ? world->runs[which].run.launched.id : which;
}

static void say_started(struct world *world, struct input *input)
{
    struct launch_started started = {.run = take_run(world, input), .warm = take(input)};

    tell(world, LAUNCH_STARTED, &started, sizeof(started), 0);
}

static void say_ended(struct world *world, struct input *input)
{
    struct launch_ended ended = {.run = take_run(world, input), .kind = take(input)};

    ended.status = (int32_t)take_number(input);
    ended.hits = (uint32_t)take_number(input);
    ended.cpu_ns = take_number(input);
    ended.peak_bytes = take_number(input);
    ended.wall_ns = take_number(input);
    memset(ended.text, take(input), sizeof(ended.text));
    tell(world, LAUNCH_ENDED, &ended, sizeof(ended), 0);
}

static void say_stats(struct world *world, struct input *input)
{
    struct launch_stats stats;

    memset(&stats, take(input), sizeof(stats));
    tell(world, LAUNCH_STATS, &stats, sizeof(stats), take(input) & 1);
}

static void say_fatal(struct world *world, struct input *input)
{
    struct dc_err fatal;

    memset(&fatal, take(input), sizeof(fatal));
    tell(world, LAUNCH_FATAL, &fatal, sizeof(fatal), 0);
}

static void say_anything(struct world *world, struct input *input)
{
    uint8_t body[512];
    uint8_t type = take(input);
    uint8_t length = take(input);

    (void)take_bytes(input, body, sizeof(body) < length * 2u ? sizeof(body) : length * 2u);
    if (length & 1)
        tell(world, type, body, length * 2u, length % 17);
    else if (world->link_fd >= 0)
        (void)!write(world->link_fd, body, length * 2u);
}

static void write_output(struct world *world, struct input *input)
{
    struct one *one = &world->runs[take(input) % RUNS];
    uint8_t which = take(input);
    char bytes[256];
    size_t n = take_bytes(input, bytes, take(input));

    for (unsigned again = 1u << (which >> 4); again; again--)
        (void)!write(one->fds[RUN_FD_STDOUT + which % 3], bytes, n); /* closed or full: nothing */
}

static void write_artifact(struct world *world, struct input *input)
{
    struct one *one = &world->runs[take(input) % RUNS];
    struct artifact_head head = {take(input) % 8, 0, take(input)};
    char bytes[300];
    size_t n;

    memcpy(bytes, &head, sizeof(head));
    n = take_bytes(input, bytes + sizeof(head), (size_t)head.path_length + head.content_length);
    (void)!write(one->fds[RUN_FD_ARTIFACTS], bytes, sizeof(head) + n);
}

static void hang_up(struct world *world, struct input *input)
{
    if (take(input) & 1)
        dc_close_clear(&world->link_fd);
    else
        close_run_fds(&world->runs[take(input) % RUNS]);
}

/* --- what the callers do --------------------------------------------------------------------- */

static void fill_request(struct one *one, uint8_t choice)
{
    static const char code[] = "print(1)";
    static const struct run_limits no_limits;
    DC_AUTO(problems_release) struct problems problems;
    struct dc_err err;

    problems_init(&problems);
    run_request_init(&one->request);
    run_result_init(&one->result);
    one->request.has_lang = true;
    one->request.lang = choice & 1 ? RUN_NODE : RUN_PYTHON;
    one->request.stream = choice >> 1 & 1;
    run_request_set_policy(&one->request, POLICY_OUTPUT_BYTES, 1024);
    if (run_request_set_code(&one->request, code, sizeof(code) - 1, &err) < 0 ||
        (choice >> 2 & 1 && run_request_add_artifact(&one->request, "**", &err) < 0) ||
        (choice >> 3 & 1 && run_request_set_stdin(&one->request, code, 4, &err) < 0) ||
        run_request_check(&one->request, &no_limits, &problems, &err) < 0)
        abort();
}

static void begin_run(struct world *world, struct input *input)
{
    struct engine_refusal refusal;
    struct dc_err err;
    struct one *one = world->runs;

    while (one < &world->runs[RUNS] && one->used)
        one++;
    if (one == &world->runs[RUNS])
        return;
    *one = (struct one){.used = true, .fds = {-1, -1, -1, -1, -1}};
    fill_request(one, take(input));
    dc_uuid7(dc_wall_now(), one->id);
    one->caller = (struct engine_caller){"p1", {3, 10}, one->id, dc_wall_now()};
    one->run.request = &one->request;
    one->run.caller = &one->caller;
    one->run.result = &one->result;
    one->run.changed = on_changed;
    if (engine_begin(world->engine, &one->run, &refusal, &err) == 0)
        return;
    run_request_release(&one->request);
    run_result_release(&one->result);
    one->used = false;
}

static void cancel_run(struct world *world, struct input *input)
{
    struct one *one = &world->runs[take(input) % RUNS];

    if (one->used)
        engine_cancel_run(&one->run);
}

static void lose_all(struct world *world, struct input *input)
{
    if (take(input) & 1)
        engine_lose_all(world->engine);
}

/* New ones go to the end: seeds stay what they are. */
static void (*const operations[])(struct world *world, struct input *input) = {
    turn,      begin_run,    say_hello,    say_odd_hello,  say_started, say_ended,  say_stats,
    say_fatal, say_anything, write_output, write_artifact, hang_up,     cancel_run, lose_all,
};

/* --- one input ------------------------------------------------------------------------------- */

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    assert(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

static void open_world(struct world *world)
{
    static const struct engine_options options = {.queued_max = 4};
    int ends[2];
    struct dc_err err;

    dc_log_setup("world", getenv("DOCLE_TEST_LOG") ? DC_LOG_DEBUG : DC_LOG_OFF);
    *world = (struct world){.link_fd = -1, .null_fd = open("/dev/null", O_RDWR | O_CLOEXEC)};
    for (size_t i = 0; i < RUNS; i++)
        world->runs[i] = (struct one){.fds = {-1, -1, -1, -1, -1}};
    if (uv_loop_init(&world->loop) < 0 || link_pair(ends, &err) < 0)
        abort();
    world->keeper = (struct launcher_keeper){.fd = ends[0]};
    world->keeper_fd = ends[1];
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    if (engine_open(&world->loop, &world->keeper, &options, &world->engine, &err) < 0)
        abort();
    hear_keeper(world);
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

static void close_world(struct world *world)
{
    bool closed = false;

    engine_stop_taking(world->engine);
    engine_cancel_all(world->engine);
    dc_close_clear(&world->link_fd); /* ends what the launcher did not */
    for (int i = 0; engine_count(world->engine); i++) {
        turn(world, NULL);
        assert(i < TURNS_MAX);
    }
    engine_close(world->engine, on_closed, &closed);
    for (int i = 0; uv_run(&world->loop, UV_RUN_NOWAIT); i++)
        assert(i < TURNS_MAX);
    assert(closed && uv_loop_close(&world->loop) == 0);
    dc_close(world->keeper.fd);
    dc_close(world->keeper_fd);
    dc_close(world->link_fd);
    dc_close(world->null_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool warm;
    static struct world world;
    struct input input = {data, size < 4096 ? size : 4096};
    size_t fds = count_fds();

    open_world(&world);
    turn(&world, NULL);
    while (input.left) {
        uint8_t operation = take(&input);

        operations[operation % (sizeof(operations) / sizeof(operations[0]))](&world, &input);
    }
    turn(&world, NULL);
    close_world(&world);
    assert(!warm || count_fds() == fds); /* libuv keeps a few of its own from the first loop on */
    warm = true;
    return 0;
}
