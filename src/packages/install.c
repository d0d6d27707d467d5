/* One install: the run that does it, the layer that is made of what it writes, and the words for
 * its failure. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "packages/installers/embedded.h"
#include "packages/packages_internal.h"

#include "base/poison.h"

enum {
    INSTALL_PROCESSES = 128,
    INSTALL_OUTPUT_BYTES = 64 * 1024, /* of what the installer says */
    INSTALL_CPUS_CENTI = 400,
    SAID_BYTES = 4096, /* of that, what callers get to see */
};

/* --- the request ------------------------------------------------------------------------------ */

static int add_options(const struct install *install, struct run_request *request,
                       struct dc_err *err)
{
    const struct packages_options *options = &install->packages->options;
    const struct package_source *source = &options->sources->of[install->wish.kind];
    json_t *more = json_array();
    json_t *lines = json_array();
    json_t *json;
    char *text;
    int result;

    for (size_t i = 0; i < source->more_count; i++)
        (void)json_array_append_new(more, json_string(source->more[i]));
    for (size_t i = 0; i < source->line_count; i++)
        (void)json_array_append_new(lines, json_string(source->lines[i]));
    json = json_pack("{s:s,s:s,s:o?,s:o?,s:s?,s:b,s:b}", "index", source->index, "registry",
                     source->index, "more", more, "lines", lines, "cert", source->cert, "source",
                     options->pip_source, "scripts", options->npm_scripts);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return dc_fail(err, DC_KERNEL, ENOMEM, "options of an install");
    result = run_request_add_file(request, "options.json", text, strlen(text), err);
    free(text);
    return result;
}

static int add_requirements(const struct package_wish *wish, struct run_request *request,
                            struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf text;

    dc_buf_init(&text, (size_t)DC_PACKAGES_MAX * 32 * PACKAGE_SPEC_MAX_BYTES);
    if (wish->pyproject.length)
        return run_request_add_file(request, "pyproject.toml", wish->pyproject.bytes,
                                    wish->pyproject.length, err);
    for (size_t i = 0; i < wish->count; i++)
        (void)dc_buf_printf(&text, "%s\n", wish->specs[i]);
    if (text.failed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "requirements of an install");
    return run_request_add_file(request, "requirements.txt", dc_buf_str(&text), text.length, err);
}

/* A package.json of ours: nothing of the caller's is in it but names and ranges. */
static int add_package_json(const struct package_wish *wish, struct run_request *request,
                            struct dc_err *err)
{
    json_t *dependencies = json_object();
    json_t *json;
    char *text;
    int result;

    for (size_t i = 0; i < wish->count; i++) {
        const char *spec = wish->specs[i];
        size_t length = package_spec_name_length(PACKAGE_NPM, spec);
        const char *range = spec[length] ? spec + length + 1 : "latest";

        (void)json_object_setn_new(dependencies, spec, length, json_string(range));
    }
    json = json_pack("{s:s,s:s,s:b,s:o?}", "name", "run", "version", "1.0.0", "private", true,
                     "dependencies", dependencies);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return dc_fail(err, DC_KERNEL, ENOMEM, "package.json of an install");
    result = run_request_add_file(request, "install/package.json", text, strlen(text), err);
    free(text);
    if (result == 0 && wish->lock.length)
        result = run_request_add_file(request, "install/package-lock.json", wish->lock.bytes,
                                      wish->lock.length, err);
    return result;
}

static int set_limits(const struct install *install, struct run_request *request,
                      struct dc_err *err)
{
    const struct packages_options *options = &install->packages->options;
    uint32_t disk_mb = options->layer_mb + options->layer_mb / 2; /* archives lie there as well */
    static const struct run_limits none;
    DC_AUTO(problems_release) struct problems problems;

    problems_init(&problems);
    run_request_set_policy(request, POLICY_TIMEOUT_MS, options->install_s * 1000);
    run_request_set_policy(request, POLICY_MEMORY_MB, options->memory_mb);
    run_request_set_policy(request, POLICY_PROCESSES, INSTALL_PROCESSES);
    run_request_set_policy(request, POLICY_OUTPUT_BYTES, INSTALL_OUTPUT_BYTES);
    run_request_set_policy(request, POLICY_CPUS_CENTI, INSTALL_CPUS_CENTI);
    if (run_request_check(request, &none, &problems, err) < 0)
        return problems.count ? dc_fail(err, DC_BUG, 0, "install: %s: %s", problems.list[0].path,
                                        problems.list[0].message)
                              : -err->code;
    /* Half of the memory is the rule for callers; here the disk has a budget of its own. */
    request->policy.value[POLICY_DISK_MB] = disk_mb < DC_DISK_MAX_MB ? disk_mb : DC_DISK_MAX_MB;
    return 0;
}

static int fill_request(const struct install *install, struct run_request *request,
                        struct dc_err *err)
{
    const struct package_wish *wish = &install->wish;
    const struct package_source *source = &install->packages->options.sources->of[wish->kind];
    bool pip = wish->kind == PACKAGE_PIP;
    int result;

    request->has_lang = true;
    request->lang = pip ? RUN_PYTHON : RUN_NODE;
    request->has_packages = true; /* none: the manifest among the files is not its own */
    result =
        run_request_set_text(request, &request->version, strchr(install->runtime, ' ') + 1, err);
    if (result == 0)
        result =
            run_request_set_text(request, &request->entrypoint, pip ? "main.py" : "main.js", err);
    if (result == 0)
        result = pip ? run_request_add_file(request, "main.py", install_pip_py,
                                            install_pip_py_length, err)
                     : run_request_add_file(request, "main.js", install_npm_js,
                                            install_npm_js_length, err);
    if (result == 0)
        result = add_options(install, request, err);
    if (result == 0)
        result = pip ? add_requirements(wish, request, err) : add_package_json(wish, request, err);
    for (size_t i = 0; result == 0 && i < source->host_count; i++)
        result = run_request_trust(request, source->hosts[i].name, source->hosts[i].port, err);
    return result == 0 ? set_limits(install, request, err) : result;
}

/* --- the layer -------------------------------------------------------------------------------- */

/* Reads the stream on a thread, while the run goes on. */
struct reading {
    uv_work_t work;
    int stream_fd; /* owned */
    int tree_fd;
    struct layer_rules rules;
    struct layer_written written;
    int result;
    struct dc_err err;
    bool done;
    struct await_flag over;
};

static void read_stream(uv_work_t *work)
{
    struct reading *reading = work->data;

    reading->result = layer_stream_read(reading->stream_fd, reading->tree_fd, &reading->rules,
                                        &reading->written, &reading->err);
    dc_close_clear(&reading->stream_fd); /* an installer that still writes hears of it */
}

static void after_reading(uv_work_t *work, int status)
{
    struct reading *reading = work->data;

    (void)status;
    reading->done = true;
    await_flag_set(&reading->over);
}

struct publication {
    struct layer_stage *stage;
    struct layer_about about;
    const struct layer_written *written;
    struct layer layer;
    int result;
    struct dc_err err;
};

static void publish(void *arg)
{
    struct publication *publication = arg;

    publication->result =
        layer_stage_publish(publication->stage, &publication->about, publication->written,
                            &publication->layer, &publication->err);
}

static void clean_up(void *arg)
{
    layer_stage_release(arg);
}

static char *specs_json(const struct package_wish *wish)
{
    json_t *list = json_array();
    char *text;

    for (size_t i = 0; i < wish->count; i++)
        (void)json_array_append_new(list, json_string(wish->specs[i]));
    if (wish->pyproject.length)
        (void)json_array_append_new(list, json_string("pyproject.toml"));
    text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

static int publish_layer(struct install *install, struct layer_stage *stage,
                         const struct layer_written *written, struct dc_err *err)
{
    DC_AUTO(dc_free) char *specs = specs_json(&install->wish);
    struct publication publication = {
        .stage = stage,
        .about = {.key = install->key,
                  .kind = package_kind_name(install->wish.kind),
                  .runtime = install->runtime,
                  .specs = specs,
                  .pinned = package_wish_pinned(&install->wish)},
        .written = written,
        .layer = LAYER_NONE,
    };

    if (!specs)
        return dc_fail(err, DC_KERNEL, ENOMEM, "layer");
    packages_in_thread(install->packages->loop, publish, &publication);
    layer_release(&publication.layer); /* askers find it by its key */
    if (publication.result < 0)
        *err = publication.err;
    return publication.result;
}

/* --- failures --------------------------------------------------------------------------------- */

/* The last whole lines of what the installer said; not what the engine says about the run. */
static void keep_words(struct package_failure *failure, const struct dc_buf *said)
{
    static const char engine[] = "SandboxError: ";
    const char *text = dc_buf_str(said);
    const char *own = strncmp(text, engine, sizeof(engine) - 1) == 0 ? strchr(text, '\n') : NULL;
    size_t skipped = own ? (size_t)(own + 1 - text) : 0;
    size_t length = said->length - skipped;
    const char *line = NULL;

    text += skipped;
    if (length > SAID_BYTES)
        line = memchr(text + length - SAID_BYTES, '\n', SAID_BYTES);
    if (line) {
        length -= (size_t)(line + 1 - text);
        text = line + 1;
    }
    dc_buf_init(&failure->text, SAID_BYTES + 8);
    (void)dc_buf_append(&failure->text, text, length < SAID_BYTES ? length : SAID_BYTES);
}

static int failed(struct install *install, int exit_code, const struct dc_buf *said,
                  struct dc_err *err, const char *message)
{
    struct package_failure *failure = &install->failure;

    failure->exit_code = exit_code ? exit_code : 1;
    (void)snprintf(failure->message, sizeof(failure->message), "%s", message);
    keep_words(failure, said);
    return dc_fail(err, DC_CONFLICT, 0, "%s", message);
}

/* An installer tidies up before it ends, so the disk is not full any more. */
static bool ran_out_of_space(const struct dc_buf *said)
{
    return strstr(dc_buf_str(said), "No space left on device") ||
           strstr(dc_buf_str(said), "ENOSPC");
}

static int judge(struct install *install, const struct run_result *result,
                 const struct reading *reading, struct dc_err *err)
{
    const struct packages_options *options = &install->packages->options;
    const struct dc_buf *said = &result->streams[OUTPUT_STDERR];
    char text[256];

    if (result->outcome == OUTCOME_OK && reading->result == 0)
        return 0;
    (void)snprintf(text, sizeof(text), "%s ended with exit code %d",
                   package_kind_name(install->wish.kind), result->exit_code);
    switch (result->outcome) {
    case OUTCOME_TIMEOUT:
        (void)snprintf(text, sizeof(text),
                       "it did not end within %u s; ask for fewer packages, or have the "
                       "operator raise packages.install_seconds",
                       options->install_s);
        break;
    case OUTCOME_MEMORY_LIMIT:
        (void)snprintf(text, sizeof(text),
                       "the installer needs more than its %u MB of memory; have the operator "
                       "raise packages.memory_mb",
                       options->memory_mb);
        break;
    case OUTCOME_SANDBOX_ERROR:
        return dc_fail(err, DC_BUG, 0, "the sandbox of an install failed");
    case OUTCOME_CANCELLED:
        return dc_fail(err, DC_BUSY, 0, "%s",
                       install->abandoned ? "nobody waits for it any more"
                                          : "the server is stopping; try again in a moment");
    case OUTCOME_OK:
    case OUTCOME_ERROR:
    case OUTCOME_SIGNAL:
    case OUTCOME_PROCESS_LIMIT:
    case OUTCOME_INSTALL_FAILED:
    case OUTCOMES:
        /* A reader that stopped is why the installer could not go on. */
        if (reading->result == -DC_LIMIT || result->outcome == OUTCOME_OK)
            (void)snprintf(text, sizeof(text), "%s", reading->err.text);
        else if (result->limits & RUN_LIMIT_DISK || ran_out_of_space(said))
            (void)snprintf(text, sizeof(text),
                           "the packages do not fit into %u MB; ask for fewer, or have the "
                           "operator raise packages.layer_mb",
                           options->layer_mb);
        break;
    }
    if (reading->result < 0 && reading->err.code != DC_INVALID && reading->err.code != DC_LIMIT &&
        result->outcome == OUTCOME_OK) {
        *err = reading->err;
        return -err->code;
    }
    return failed(install, result->exit_code, said, err, text);
}

/* --- all together ----------------------------------------------------------------------------- */

/* Where the run writes, until it has its own of it. */
struct wire {
    int fd;
    struct install *install;
};

static void close_wire(void *context, bool warm)
{
    struct wire *wire = context;

    (void)warm;
    dc_close_clear(&wire->fd);
    install_has_started(wire->install);
}

/* The run, with its stream read beside it. */
static int run_and_read(struct install *install, struct run_request *request,
                        struct reading *reading, struct run_result *result, struct dc_err *err)
{
    struct packages *packages = install->packages;
    struct wire wire = {.install = install};
    struct engine_caller caller = {.project = install->project,
                                   .share = install->share,
                                   .run_id = install->run_id,
                                   .created_ns = dc_wall_now()};
    struct engine_observer observer = {.started = close_wire};
    int ends[2];
    int ran;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return dc_fail_errno(err, "pipe of an install");
    reading->stream_fd = ends[0];
    reading->work.data = reading;
    if (uv_queue_work(packages->loop, &reading->work, read_stream, after_reading) < 0)
        abort(); /* it fails for a missing function only */
    wire.fd = ends[1];
    request->wired = true;
    request->stdout_fd = wire.fd;
    observer.context = &wire;
    ran = engine_run(packages->engine, request, &caller, &observer, result, &install->refusal, err);
    dc_close_clear(&wire.fd); /* the reader sees the end now, whatever happened */
    while (!reading->done)
        await_flag_wait(&reading->over);
    return ran;
}

static int carry_out(struct install *install, struct layer_stage *stage, struct dc_err *err)
{
    DC_AUTO(run_request_release) struct run_request request;
    DC_AUTO(run_result_release) struct run_result result;
    struct reading *reading = calloc(1, sizeof(*reading)); /* not on a task's small stack */
    int done;

    run_request_init(&request);
    run_result_init(&result);
    if (!reading)
        return dc_fail(err, DC_KERNEL, ENOMEM, "an install");
    reading->tree_fd = stage->tree_fd;
    reading->rules = (struct layer_rules){
        .bytes_max = (uint64_t)install->packages->options.layer_mb << 20,
    };
    done = fill_request(install, &request, err);
    if (done == 0)
        done = run_and_read(install, &request, reading, &result, err);
    if (done == 0)
        done = judge(install, &result, reading, err);
    if (done == 0)
        done = publish_layer(install, stage, &reading->written, err);
    layer_written_release(&reading->written);
    free(reading);
    return done;
}

void install_carry_out(struct install *install)
{
    struct layer_stage stage = LAYER_STAGE_NONE;

    install->result = layer_stage_begin(install->packages->store, &stage, &install->err);
    if (install->result == 0)
        install->result = carry_out(install, &stage, &install->err);
    packages_in_thread(install->packages->loop, clean_up, &stage);
    if (install->result < 0 && install->result != -DC_CONFLICT)
        dc_log_err(DC_LOG_WARN, NULL, &install->err, "an install could not be carried out");
    else
        dc_log(DC_LOG_INFO, "installed %zu %s packages for %s: %s", install->wish.count,
               package_kind_name(install->wish.kind), install->runtime,
               install->result == 0 ? "well" : install->failure.message);
}
