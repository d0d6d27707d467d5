/*
 * The engine, its keeper and launcher client against a launcher peer that speaks the link protocol
 * with real processes: this very program, started again by the keeper under the launcher's name,
 * runs the entry point's content as a shell script. No sandbox: that is the launcher's part.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "net/task.h"
#include "proto/artifact.h"
#include "proto/job.h"
#include "proto/launch.h"
#include "proto/link.h"
#include "runs/engine_internal.h"

#include "base/poison.h"

/* ---- the peer ---- */

enum { PEER_SLOTS = 2 };

struct peer_run {
    uint64_t run;
    pid_t pid; /* 0: free */
    int64_t deadline;
    bool cancelled;
    bool late;
};

static struct peer_run peer_runs[PEER_SLOTS];
static bool peer_never_times_out;
static bool peer_has_odd_statuses;

static void peer_exec(const char *script, size_t length, const int *fds, pid_t parent)
{
    char *text = strndup(script, length);

    (void)close(LAUNCHER_LINK_FD);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it died before the line above */
    (void)setpgid(0, 0);
    (void)dup2(fds[RUN_FD_STDIN], 0);
    (void)dup2(fds[RUN_FD_STDOUT], 1);
    (void)dup2(fds[RUN_FD_STDERR], 2);
    (void)dup2(fds[RUN_FD_ARTIFACTS], 9);
    (void)execl("/bin/sh", "sh", "-c", text, (char *)NULL);
    _exit(127);
}

/* Forks the run; the script is the content of the only file. */
static pid_t peer_start(const int *fds)
{
    struct stat stat;
    struct job_record record;
    struct job_file file = {0};
    struct dc_err err;
    size_t at = 0;
    const char *job;
    pid_t parent = getpid();
    pid_t pid;

    if (fstat(fds[RUN_FD_JOB], &stat) < 0)
        _exit(3);
    job = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fds[RUN_FD_JOB], 0);
    if (job == MAP_FAILED)
        _exit(3);
    while (job_next(job, (size_t)stat.st_size, &at, &record, &err) > 0)
        if (record.kind == JOB_FILE && job_file_split(&record, &file, &err) < 0)
            _exit(3);
    pid = fork();
    if (pid == 0)
        peer_exec(file.content, file.content_length, fds, parent);
    (void)setpgid(pid, pid);
    (void)munmap((void *)(uintptr_t)job, (size_t)stat.st_size);
    return pid;
}

static void peer_take_run(struct link_message *message)
{
    struct launch_run request;
    struct launch_started started;
    struct dc_err err;
    int at = 0;

    if (!link_message_is(message, sizeof(request), LAUNCH_RUN_FDS))
        _exit(4);
    memcpy(&request, message->body, sizeof(request));
    while (at < PEER_SLOTS && peer_runs[at].pid)
        at++;
    if (at == PEER_SLOTS)
        _exit(5); /* more runs than slots: the engine broke the protocol */
    peer_runs[at] = (struct peer_run){
        .run = request.run,
        .pid = peer_start(message->fds),
        .deadline = dc_now() + request.timeout_ms * DC_NS_PER_MS,
    };
    started = (struct launch_started){.run = request.run, .warm = 1};
    if (link_send(LAUNCHER_LINK_FD, LAUNCH_STARTED, &started, sizeof(started), NULL, 0, &err) < 0)
        _exit(6);
}

static void peer_take(struct link_message *message)
{
    struct launch_cancel cancel;

    if (message->header.type == LAUNCH_RUN) {
        peer_take_run(message);
    } else if (message->header.type == LAUNCH_CANCEL) {
        memcpy(&cancel, message->body, sizeof(cancel));
        for (int i = 0; i < PEER_SLOTS; i++) {
            if (peer_runs[i].pid && peer_runs[i].run == cancel.run) {
                peer_runs[i].cancelled = true;
                (void)kill(-peer_runs[i].pid, SIGKILL);
            }
        }
    } else {
        _exit(0);
    }
    link_message_release(message);
}

static void peer_end(struct peer_run *run, int status)
{
    struct launch_ended ended = {
        .run = run->run, .cpu_ns = 1500000, .peak_bytes = 5 << 20, .wall_ns = 2000001};
    struct dc_err err;

    (void)kill(-run->pid, SIGKILL); /* what it left in the background */
    if (run->cancelled)
        ended.kind = END_CANCELLED;
    else if (run->late)
        ended.kind = END_TIMEOUT;
    else
        ended.kind = WIFEXITED(status) ? END_EXITED : END_SIGNALLED;
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    if (peer_has_odd_statuses)
        ended.status = INT32_MAX;
    run->pid = 0;
    if (link_send(LAUNCHER_LINK_FD, LAUNCH_ENDED, &ended, sizeof(ended), NULL, 0, &err) < 0)
        _exit(6);
}

static void peer_look(void)
{
    for (int i = 0; i < PEER_SLOTS; i++) {
        struct peer_run *run = &peer_runs[i];
        int status;

        if (run->pid && !run->late && !peer_never_times_out && dc_now() > run->deadline) {
            run->late = true;
            (void)kill(-run->pid, SIGKILL);
        }
        if (run->pid && waitpid(run->pid, &status, WNOHANG) == run->pid)
            peer_end(run, status);
    }
}

/* The ways in which a launcher can be bad, named by its --root. */
static void peer_misbehave(const char *root)
{
    struct launch_hello hello = {.slots = 0, .runtime_count = 1};
    struct launch_ended ended = {.run = 12345};
    struct dc_err err;

    if (strcmp(root, "/fatal") == 0) {
        struct dc_err fatal;

        dc_ignore(dc_fail(&fatal, DC_DENIED, 0, "no user namespaces here"));
        dc_ignore(link_send(LAUNCHER_LINK_FD, LAUNCH_FATAL, &fatal, sizeof(fatal), NULL, 0, &err));
        _exit(1);
    }
    if (strcmp(root, "/no-slots") == 0)
        dc_ignore(link_send(LAUNCHER_LINK_FD, LAUNCH_HELLO, &hello, sizeof(hello), NULL, 0, &err));
    if (strcmp(root, "/stranger") == 0) {
        hello.slots = 1;
        dc_ignore(link_send(LAUNCHER_LINK_FD, LAUNCH_HELLO, &hello, sizeof(hello), NULL, 0, &err));
        dc_ignore(link_send(LAUNCHER_LINK_FD, LAUNCH_ENDED, &ended, sizeof(ended), NULL, 0, &err));
    }
    if (strcmp(root, "/short") == 0)
        dc_ignore(link_send(LAUNCHER_LINK_FD, LAUNCH_HELLO, &hello, 4, NULL, 0, &err));
    if (strcmp(root, "/noise") == 0)
        dc_ignore(write(LAUNCHER_LINK_FD, "noise", 5) < 0);
    peer_never_times_out = strcmp(root, "/hang") == 0;
    peer_has_odd_statuses = strcmp(root, "/odd") == 0;
}

static int peer_main(void)
{
    struct launch_hello hello = {.slots = PEER_SLOTS, .level = LEVEL_STANDARD, .runtime_count = 3};
    struct pollfd poll_fd = {.fd = LAUNCHER_LINK_FD, .events = POLLIN};
    struct dc_err err;

    (void)snprintf(hello.runtimes[0].name, 16, "python");
    (void)snprintf(hello.runtimes[0].version, 16, "3.11.2");
    (void)snprintf(hello.runtimes[1].name, 16, "node");
    (void)snprintf(hello.runtimes[1].version, 16, "20.20.2");
    (void)snprintf(hello.runtimes[2].name, 16, "node");
    (void)snprintf(hello.runtimes[2].version, 16, "18.1.0");
    if (link_send(LAUNCHER_LINK_FD, LAUNCH_HELLO, &hello, sizeof(hello), NULL, 0, &err) < 0)
        return 1;
    for (;;) {
        struct link_message message;

        if (poll(&poll_fd, 1, 5) > 0) {
            if (link_receive(LAUNCHER_LINK_FD, &message, &err) < 0)
                return 0;
            peer_take(&message);
        }
        peer_look();
    }
}

/* ---- the tests' side ---- */

struct world {
    uv_loop_t loop;
    struct launcher_keeper keeper;
    struct engine *engine;
};

struct one {
    struct engine_run run;
    struct run_request request;
    struct engine_caller caller;
    struct run_result result;
    char id[DC_UUID_SIZE];
    unsigned changes;
};

static void on_changed(struct engine_run *run)
{
    ((struct one *)run)->changes++;
}

static void prepare(struct one *one, enum run_lang lang, const char *project, const char *script)
{
    static const struct run_limits no_limits;
    DC_AUTO(problems_release) struct problems problems;
    struct dc_err err;

    *one = (struct one){0};
    problems_init(&problems);
    run_request_init(&one->request);
    run_result_init(&one->result);
    one->request.has_lang = true;
    one->request.lang = lang;
    assert_int_equal(run_request_set_code(&one->request, script, strlen(script), &err), 0);
    run_request_set_policy(&one->request, POLICY_TIMEOUT_MS, 60000);
    assert_int_equal(run_request_check(&one->request, &no_limits, &problems, &err), 0);
    dc_uuid7(dc_wall_now(), one->id);
    one->caller = (struct engine_caller){project, {2, 10}, one->id, dc_wall_now()};
    one->run.request = &one->request;
    one->run.caller = &one->caller;
    one->run.result = &one->result;
    one->run.changed = on_changed;
}

static void dispose(struct one *one)
{
    run_request_release(&one->request);
    run_result_release(&one->result);
}

static int begin(struct world *world, struct one *one, struct engine_refusal *refusal)
{
    struct engine_refusal unused;
    struct dc_err err = {0};

    return engine_begin(world->engine, &one->run, refusal ? refusal : &unused, &err);
}

static void wait_done(struct world *world, struct one *one)
{
    while (one->run.phase != ENGINE_DONE)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    engine_end(&one->run);
}

static void run_script(struct world *world, struct one *one, const char *script)
{
    prepare(one, RUN_PYTHON, "p1", script);
    assert_int_equal(begin(world, one, NULL), 0);
    wait_done(world, one);
    assert_int_equal(one->run.failure.code, DC_OK);
}

static const char *text_of(const struct one *one, enum output_stream stream)
{
    return dc_buf_str(&one->result.streams[stream]);
}

static void open_world(void **state, const char *root, const struct engine_options *engine_options)
{
    static char self[1024];
    struct world *world = calloc(1, sizeof(*world));
    struct launcher_options options = {.path = self, .root = root, .slots = PEER_SLOTS};
    struct dc_err err;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    assert_non_null(world);
    assert_true(n > 0);
    assert_int_equal(launcher_keeper_start(&options, &world->keeper, &err), 0);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(
        engine_open(&world->loop, &world->keeper, engine_options, &world->engine, &err), 0);
    *state = world;
}

static int setup(void **state)
{
    open_world(state, "/good", &(struct engine_options){.queued_max = 4, .grace_ms = 60000});
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    engine_close(world->engine, NULL, NULL);
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world->loop), 0); /* every handle is closed */
    launcher_keeper_release(&world->keeper);
    free(world);
    return 0;
}

static void runs_a_program(void **state)
{
    struct one one;

    run_script(*state, &one, "echo hello; echo oops >&2; exit 3");
    assert_int_equal(one.result.outcome, OUTCOME_ERROR);
    assert_int_equal(one.result.exit_code, 3);
    assert_string_equal(text_of(&one, OUTPUT_STDOUT), "hello\n");
    assert_string_equal(text_of(&one, OUTPUT_STDERR), "oops\n");
    assert_true(one.result.warm);
    assert_string_equal(one.result.id, one.id);
    assert_string_equal(dc_buf_str(&one.result.members), "\"runtime\":\"3.11.2\"");
    assert_int_equal(run_result_cpu_ms(&one.result), 2);
    assert_int_equal(run_result_duration_ms(&one.result), 3);
    dispose(&one);
}

static void reads_its_input(void **state)
{
    struct one one;
    struct dc_err err;

    prepare(&one, RUN_PYTHON, "p1", "cat; printf '<'; cat");
    assert_int_equal(run_request_set_stdin(&one.request, "a\0b", 3, &err), 0);
    assert_int_equal(begin(*state, &one, NULL), 0);
    wait_done(*state, &one);
    assert_int_equal(one.result.streams[OUTPUT_STDOUT].length, 4);
    assert_memory_equal(text_of(&one, OUTPUT_STDOUT), "a\0b<", 4);
    dispose(&one);
}

static void unread_input_does_not_block(void **state)
{
    DC_AUTO(dc_free) char *big = calloc(1, DC_STDIN_MAX_BYTES);
    struct one one;
    struct dc_err err;

    assert_non_null(big);
    prepare(&one, RUN_PYTHON, "p1", "echo done");
    assert_int_equal(run_request_set_stdin(&one.request, big, DC_STDIN_MAX_BYTES, &err), 0);
    assert_int_equal(begin(*state, &one, NULL), 0);
    wait_done(*state, &one);
    assert_string_equal(text_of(&one, OUTPUT_STDOUT), "done\n");
    dispose(&one);
}

static void a_daemon_delays_nothing(void **state)
{
    struct one one;

    /* It holds the pipes open; the peer kills it after the main process has ended. */
    run_script(*state, &one, "sleep 1000 & echo main");
    assert_int_equal(one.result.outcome, OUTCOME_OK);
    assert_string_equal(text_of(&one, OUTPUT_STDOUT), "main\n");
    dispose(&one);
}

static void times_out(void **state)
{
    struct one one;

    prepare(&one, RUN_PYTHON, "p1", "echo first; exec sleep 1000");
    one.request.policy.value[POLICY_TIMEOUT_MS] = 3000; /* time to say it on a busy machine */
    assert_int_equal(begin(*state, &one, NULL), 0);
    wait_done(*state, &one);
    assert_int_equal(one.result.outcome, OUTCOME_TIMEOUT);
    assert_int_equal(one.result.exit_code, 124);
    assert_int_equal(one.result.limits, RUN_LIMIT_WALL);
    assert_string_equal(text_of(&one, OUTPUT_STDOUT), "first\n");
    assert_memory_equal(text_of(&one, OUTPUT_STDERR), "SandboxError: ", 14);
    dispose(&one);
}

static void a_signal_is_named(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf json;
    struct one one;

    run_script(*state, &one, "kill -SEGV $$");
    assert_int_equal(one.result.outcome, OUTCOME_SIGNAL);
    assert_int_equal(one.result.exit_code, 139);
    dc_buf_init(&json, run_result_print_max(&one.result));
    assert_true(run_result_print(&one.result, &json));
    assert_non_null(strstr(dc_buf_str(&json), "\"signal\":\"SIGSEGV\""));
    dispose(&one);
}

static void cancels_running_and_waiting(void **state)
{
    struct world *world = *state;
    struct one ones[3];
    struct dc_err err;
    bool running;

    for (int i = 0; i < 3; i++) {
        prepare(&ones[i], RUN_PYTHON, "p1", "echo up; exec sleep 1000");
        assert_int_equal(begin(world, &ones[i], NULL), 0);
    }
    while (!ones[0].run.started || !ones[1].run.started)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    assert_true(engine_find(world->engine, "p1", ones[0].id, &running) && running);
    assert_true(engine_find(world->engine, "p1", ones[2].id, &running) && !running);
    assert_false(engine_find(world->engine, "p2", ones[0].id, &running));
    assert_int_equal(engine_cancel(world->engine, "p2", ones[0].id, &err), -DC_NOT_FOUND);
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(engine_cancel(world->engine, "p1", ones[i].id, &err), 0);
        wait_done(world, &ones[i]);
        assert_int_equal(ones[i].result.outcome, OUTCOME_CANCELLED);
        assert_int_equal(ones[i].result.exit_code, 130);
        assert_int_equal(engine_cancel(world->engine, "p1", ones[i].id, &err), -DC_NOT_FOUND);
        dispose(&ones[i]);
    }
}

static void refuses_beyond_the_caps(void **state)
{
    struct world *world = *state;
    struct one ones[8];
    struct engine_refusal refusal;

    /* The first HELLO has not come: nothing runs, four wait, the rest is refused. */
    for (int i = 0; i < 4; i++) {
        prepare(&ones[i], RUN_PYTHON, i < 2 ? "p1" : "p2", "echo x");
        assert_int_equal(begin(world, &ones[i], NULL), 0);
    }
    prepare(&ones[4], RUN_PYTHON, "p3", "echo x");
    assert_int_equal(begin(world, &ones[4], &refusal), -DC_BUSY);
    assert_false(refusal.own);
    assert_in_range(refusal.retry_after_s, 1, 60);
    ones[4].caller.project = "p1";
    ones[4].caller.share.queued_max = 2;
    assert_int_equal(begin(world, &ones[4], &refusal), -DC_LIMIT);
    assert_true(refusal.own);
    dispose(&ones[4]);
    for (int i = 0; i < 4; i++) {
        wait_done(world, &ones[i]);
        assert_int_equal(ones[i].result.outcome, OUTCOME_OK);
        dispose(&ones[i]);
    }
}

static void picks_the_runtime(void **state)
{
    struct world *world = *state;
    struct one one;

    run_script(world, &one, "true");
    dispose(&one);
    prepare(&one, RUN_NODE, "p1", "true");
    one.request.version = "18";
    assert_int_equal(begin(world, &one, NULL), 0);
    wait_done(world, &one);
    assert_string_equal(dc_buf_str(&one.result.members), "\"runtime\":\"18.1.0\"");
    dispose(&one);
    prepare(&one, RUN_NODE, "p1", "true");
    one.request.version = "2"; /* not a prefix at a dot */
    assert_int_equal(begin(world, &one, NULL), -DC_INVALID);
    dispose(&one);
}

static void a_flood_is_bounded(void **state)
{
    struct one one;

    prepare(&one, RUN_PYTHON, "p1",
            "head -c 3000000 /dev/zero | tr '\\0' x; head -c 1000000 /dev/zero | tr '\\0' y >&2");
    one.request.policy.value[POLICY_OUTPUT_BYTES] = 2000;
    assert_int_equal(begin(*state, &one, NULL), 0);
    wait_done(*state, &one);
    assert_int_equal(one.result.outcome, OUTCOME_OK);
    assert_true(one.result.truncated[OUTPUT_STDOUT]);
    assert_true(one.result.truncated[OUTPUT_STDERR]);
    assert_int_equal(one.result.limits, RUN_LIMIT_OUTPUT);
    assert_int_equal(strspn(text_of(&one, OUTPUT_STDOUT), "x"), 2000);
    assert_string_equal(text_of(&one, OUTPUT_STDOUT) + 2000,
                        "\n\n... (output truncated: 4000000 bytes exceeds limit of 2000 bytes)");
    dispose(&one);
}

static void returns_artifacts(void **state)
{
    struct one one;
    struct dc_err err;

    prepare(&one, RUN_PYTHON, "p1",
            "printf '\\005\\000\\000\\000\\002\\000\\000\\000a.txthi' >&9;"
            "printf '\\005\\000\\000\\000\\002\\000\\000\\000b.txthi' >&9");
    assert_int_equal(run_request_add_artifact(&one.request, "a*", &err), 0);
    assert_int_equal(begin(*state, &one, NULL), 0);
    wait_done(*state, &one);
    assert_string_equal(
        dc_buf_str(&one.result.members),
        "\"runtime\":\"3.11.2\",\"files\":[{\"path\":\"a.txt\",\"size\":2,\"encoding\":\"base64\","
        "\"content\":\"aGk=\"}],\"filesTruncated\":true");
    dispose(&one);
}

static void the_launcher_dies(void **state)
{
    struct world *world = *state;
    struct one first;
    struct one second;
    struct one third;
    struct engine_stats stats;

    prepare(&first, RUN_PYTHON, "p1", "echo partial; exec sleep 1000");
    prepare(&second, RUN_PYTHON, "p1", "while ! kill -9 $PPID; do :; done; exec sleep 1000");
    assert_int_equal(begin(world, &first, NULL), 0);
    while (!first.run.started)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(begin(world, &second, NULL), 0);
    wait_done(world, &first);
    wait_done(world, &second);
    assert_int_equal(first.result.outcome, OUTCOME_SANDBOX_ERROR);
    assert_int_equal(first.result.exit_code, -1);
    assert_int_equal(second.result.outcome, OUTCOME_SANDBOX_ERROR);
    /* The next one waits for the new launcher and runs on it. */
    run_script(world, &third, "echo again");
    assert_int_equal(third.result.outcome, OUTCOME_OK);
    engine_snapshot(world->engine, &stats);
    assert_int_equal(stats.launcher.deaths, 1);
    assert_int_equal(stats.launcher.starts, 2);
    assert_int_equal(stats.runs[RUN_PYTHON][OUTCOME_SANDBOX_ERROR], 2);
    assert_int_equal(stats.runs[RUN_PYTHON][OUTCOME_OK], 1);
    assert_int_equal(stats.running, 0);
    dispose(&first);
    dispose(&second);
    dispose(&third);
}

static void a_full_queue_drains_in_turns(void **state)
{
    struct world *world = *state;
    enum { COUNT = 40 };
    static struct one ones[COUNT];
    int done = 0;
    int begun = 0;

    while (done < COUNT) {
        while (begun < COUNT && begun - done < 4) {
            prepare(&ones[begun], RUN_PYTHON, begun % 2 ? "p1" : "p2", "echo $$");
            assert_int_equal(begin(world, &ones[begun++], NULL), 0);
        }
        wait_done(world, &ones[done]);
        assert_int_equal(ones[done].result.outcome, OUTCOME_OK);
        assert_true(ones[done].result.streams[OUTPUT_STDOUT].length > 1);
        dispose(&ones[done++]);
    }
}

static void a_refusing_launcher_is_quoted(void **state)
{
    struct world *world;
    struct engine_stats stats;
    struct one one;

    open_world(state, "/fatal", &(struct engine_options){.wait_max_ms = 400});
    world = *state;
    prepare(&one, RUN_PYTHON, "p1", "true");
    assert_int_equal(begin(world, &one, NULL), 0); /* it may yet come */
    while (!engine_problem(world->engine))
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    assert_string_equal(engine_problem(world->engine)->text, "no user namespaces here");
    assert_int_equal(engine_problem(world->engine)->code, DC_DENIED);
    assert_false(engine_ready(world->engine));
    assert_null(engine_hello(world->engine));
    wait_done(world, &one);
    assert_int_equal(one.run.failure.code, DC_BUSY); /* it waited long enough */
    engine_snapshot(world->engine, &stats);
    assert_int_equal(stats.wait_expired, 1);
    assert_int_equal(stats.queued, 0);
    dispose(&one);
    assert_int_equal(teardown(state), 0);
}

static void a_launcher_out_of_protocol_is_replaced(void **state)
{
    static const char *const roots[] = {"/no-slots", "/stranger", "/short", "/noise"};

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        struct world *world;
        struct engine_stats stats = {0};

        open_world(state, roots[i], &(struct engine_options){0});
        world = *state;
        while (stats.launcher.starts < 3) { /* again and again, with pauses */
            (void)uv_run(&world->loop, UV_RUN_ONCE);
            engine_snapshot(world->engine, &stats);
        }
        assert_true(stats.launcher.deaths >= 2);
        assert_int_equal(teardown(state), 0);
    }
}

static void a_status_that_cannot_be_is_not_believed(void **state)
{
    static const char *const scripts[] = {"exit 0", "kill -KILL $$"};

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct engine_stats stats;
        struct one one;

        open_world(state, "/odd", &(struct engine_options){0});
        run_script(*state, &one, scripts[i]);
        assert_int_equal(one.result.outcome, OUTCOME_SANDBOX_ERROR);
        assert_int_equal(one.result.exit_code, -1);
        engine_snapshot(((struct world *)*state)->engine, &stats);
        assert_int_equal(stats.launcher.deaths, 1);
        dispose(&one);
        assert_int_equal(teardown(state), 0);
    }
}

static void a_hung_launcher_is_replaced(void **state)
{
    struct world *world;
    struct one one;
    struct engine_stats stats;

    open_world(state, "/hang", &(struct engine_options){.grace_ms = 200});
    world = *state;
    prepare(&one, RUN_PYTHON, "p1", "exec sleep 1000");
    one.request.policy.value[POLICY_TIMEOUT_MS] = 200;
    assert_int_equal(begin(world, &one, NULL), 0);
    wait_done(world, &one);
    assert_int_equal(one.result.outcome, OUTCOME_SANDBOX_ERROR);
    engine_snapshot(world->engine, &stats);
    assert_int_equal(stats.launcher.deaths, 1);
    dispose(&one);
    run_script(world, &one, "echo back");
    assert_string_equal(text_of(&one, OUTPUT_STDOUT), "back\n");
    dispose(&one);
    assert_int_equal(teardown(state), 0);
}

static void the_keeper_dies(void **state)
{
    struct world *world = *state;
    struct one one;

    run_script(world, &one, "true");
    dispose(&one);
    prepare(&one, RUN_PYTHON, "p1", "exec sleep 1000");
    assert_int_equal(begin(world, &one, NULL), 0);
    assert_int_equal(kill(world->keeper.pid, SIGKILL), 0);
    wait_done(world, &one); /* the launcher went with it */
    assert_int_equal(one.result.outcome, OUTCOME_SANDBOX_ERROR);
    while (!engine_problem(world->engine))
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    assert_false(engine_ready(world->engine));
    dispose(&one);
}

/* ---- in tasks ---- */

struct watcher {
    struct world *world;
    struct one one;
    struct dc_buf seen[OUTPUT_STREAMS];
    bool started;
    uint64_t pause_ms; /* that the observer takes for each piece */
    int result;
    bool over;
};

static void saw_start(void *context, bool warm)
{
    ((struct watcher *)context)->started = warm;
}

static void saw_output(void *context, enum output_stream stream, const char *bytes, size_t length)
{
    struct watcher *watcher = context;

    assert_true(watcher->started); /* comes first */
    if (watcher->pause_ms)
        task_sleep(watcher->pause_ms);
    assert_true(dc_buf_append(&watcher->seen[stream], bytes, length));
}

static void watch_task(void *context)
{
    struct watcher *watcher = context;
    struct engine_observer observer = {saw_start, saw_output, watcher};
    struct engine_refusal refusal;
    struct dc_err err;

    watcher->result =
        engine_run(watcher->world->engine, &watcher->one.request, &watcher->one.caller, &observer,
                   &watcher->one.result, &refusal, &err);
    watcher->over = true;
}

static void start_watcher(struct world *world, struct watcher *watcher, const char *script)
{
    struct dc_err err;

    *watcher = (struct watcher){.world = world};
    for (int i = 0; i < OUTPUT_STREAMS; i++)
        dc_buf_init(&watcher->seen[i], 1 << 24);
    prepare(&watcher->one, RUN_PYTHON, "p1", script);
    watcher->one.request.stream = true;
    assert_int_equal(task_start(&world->loop, watch_task, watcher, &err), 0);
}

static void end_watcher(struct watcher *watcher)
{
    for (int i = 0; i < OUTPUT_STREAMS; i++)
        dc_buf_release(&watcher->seen[i]);
    dispose(&watcher->one);
}

static void output_is_seen_while_it_runs(void **state)
{
    struct world *world = *state;
    struct watcher watcher;
    char folder[] = "/tmp/docle-engine-XXXXXX";
    char script[160];

    /* It ends only when its first line was seen: the folder is taken away then. */
    assert_non_null(mkdtemp(folder));
    (void)snprintf(script, sizeof(script),
                   "echo first; while [ -d %s ]; do sleep 0.01; done; echo last; echo err >&2",
                   folder);
    start_watcher(world, &watcher, script);
    while (!watcher.seen[OUTPUT_STDOUT].length)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    assert_string_equal(dc_buf_str(&watcher.seen[OUTPUT_STDOUT]), "first\n");
    assert_false(watcher.over);
    assert_int_equal(rmdir(folder), 0);
    while (!watcher.over)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(watcher.result, 0);
    assert_string_equal(dc_buf_str(&watcher.seen[OUTPUT_STDOUT]), "first\nlast\n");
    assert_string_equal(dc_buf_str(&watcher.seen[OUTPUT_STDERR]), "err\n");
    assert_string_equal(text_of(&watcher.one, OUTPUT_STDOUT), "first\nlast\n");
    end_watcher(&watcher);
}

static void a_slow_observer_stops_nothing(void **state) /* O-12 */
{
    struct world *world = *state;
    struct watcher slow;
    struct watcher quick[3];
    struct engine_stats stats;

    start_watcher(world, &slow, "head -c 300000 /dev/zero | tr '\\0' x");
    slow.pause_ms = 20;
    for (int i = 0; i < 3; i++)
        start_watcher(world, &quick[i], "echo quick");
    /* The slow one's run has ended and its slot is free long before its observer has seen all. */
    do {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
        engine_snapshot(world->engine, &stats);
    } while (stats.runs[RUN_PYTHON][OUTCOME_OK] < 4);
    assert_false(slow.over);
    assert_int_equal(stats.running, 0);
    while (!slow.over)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(slow.seen[OUTPUT_STDOUT].length, 300000);
    for (int i = 0; i < 3; i++) {
        assert_true(quick[i].over);
        assert_string_equal(text_of(&quick[i].one, OUTPUT_STDOUT), "quick\n");
        end_watcher(&quick[i]);
    }
    end_watcher(&slow);
}

struct drainer {
    struct world *world;
    uint64_t wait_ms;
    bool ready;
    bool over;
};

static void drain_task(void *context)
{
    struct drainer *drainer = context;
    struct dc_err err;

    drainer->ready = engine_wait_ready(drainer->world->engine, 60000, &err) == 0;
    engine_drain(drainer->world->engine, drainer->wait_ms);
    drainer->over = true;
}

static void draining_lets_runs_end(void **state)
{
    struct world *world = *state;
    struct drainer drainer = {world, 60000, false, false};
    struct watcher watchers[4];
    struct engine_refusal refusal;
    struct dc_err err;
    struct one late;

    for (int i = 0; i < 4; i++)
        start_watcher(world, &watchers[i], "sleep 0.1; echo done");
    assert_int_equal(task_start(&world->loop, drain_task, &drainer, &err), 0);
    while (!drainer.ready)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    prepare(&late, RUN_PYTHON, "p1", "true");
    assert_int_equal(begin(world, &late, &refusal), -DC_BUSY);
    dispose(&late);
    while (!drainer.over)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    for (int i = 0; i < 4; i++) { /* the waiting ones too */
        assert_true(watchers[i].over);
        assert_int_equal(watchers[i].one.result.outcome, OUTCOME_OK);
        end_watcher(&watchers[i]);
    }
}

static void draining_ends_what_does_not(void **state)
{
    struct world *world = *state;
    struct drainer drainer = {world, 100, false, false};
    struct watcher watchers[4];
    struct dc_err err;

    for (int i = 0; i < 4; i++)
        start_watcher(world, &watchers[i], "echo up; exec sleep 1000");
    assert_int_equal(task_start(&world->loop, drain_task, &drainer, &err), 0);
    while (!drainer.over)
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    for (int i = 0; i < 4; i++) {
        assert_true(watchers[i].over);
        assert_int_equal(watchers[i].result, 0);
        assert_int_equal(watchers[i].one.result.outcome, OUTCOME_CANCELLED);
        end_watcher(&watchers[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_a_program, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_its_input, setup, teardown),
        cmocka_unit_test_setup_teardown(unread_input_does_not_block, setup, teardown),
        cmocka_unit_test_setup_teardown(a_daemon_delays_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(cancels_running_and_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_beyond_the_caps, setup, teardown),
        cmocka_unit_test_setup_teardown(picks_the_runtime, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(returns_artifacts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_launcher_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_queue_drains_in_turns, setup, teardown),
        cmocka_unit_test(a_refusing_launcher_is_quoted),
        cmocka_unit_test(a_launcher_out_of_protocol_is_replaced),
        cmocka_unit_test(a_status_that_cannot_be_is_not_believed),
        cmocka_unit_test(a_hung_launcher_is_replaced),
        cmocka_unit_test_setup_teardown(the_keeper_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(output_is_seen_while_it_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_observer_stops_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_lets_runs_end, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_ends_what_does_not, setup, teardown),
    };

    if (argc > 2 && strcmp(argv[0], "docle-launcher") == 0) {
        peer_misbehave(argv[2]); /* --root comes first */
        return peer_main();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
