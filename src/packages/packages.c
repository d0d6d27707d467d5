#include "packages/packages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "packages/packages_internal.h"

#include <gnu/libc-version.h>

#include "base/poison.h"

enum {
    CACHE_MB = 10240,
    LAYER_MB = 512,
    INSTALL_S = 60,
    INSTALL_MEMORY_MB = 1024,
    AGE_S = 24 * 3600,
    KEY_TEXT_MAX = 256 * 1024,
    TRIES = 3,
};

/* --- life ------------------------------------------------------------------------------------- */

static void fill_defaults(struct packages_options *options)
{
    options->cache_mb = options->cache_mb ? options->cache_mb : CACHE_MB;
    options->layer_mb = options->layer_mb ? options->layer_mb : LAYER_MB;
    options->install_s = options->install_s ? options->install_s : INSTALL_S;
    options->memory_mb = options->memory_mb ? options->memory_mb : INSTALL_MEMORY_MB;
    options->age_s = options->age_s ? options->age_s : AGE_S;
}

void packages_attach(struct packages *packages, struct engine *engine)
{
    packages->engine = engine;
}

int packages_open(uv_loop_t *loop, const struct packages_options *options,
                  struct packages **ret_packages, struct dc_err *err)
{
    DC_AUTO(dc_free) struct packages *packages = calloc(1, sizeof(*packages));

    if (!packages)
        return dc_fail(err, DC_KERNEL, ENOMEM, "packages");
    packages->loop = loop;
    packages->options = *options;
    fill_defaults(&packages->options);
    if (layer_store_open(options->dir, &packages->store, err) < 0)
        return -err->code;
    packages->options.dir = NULL;
    *ret_packages = dc_take(packages);
    return 0;
}

void packages_free(struct packages *packages)
{
    if (!packages)
        return;
    layer_store_free(packages->store);
    free(packages);
}

void packages_drain(struct packages *packages)
{
    while (packages->installs || packages->evicting)
        await_list_wait(&packages->idle);
}

struct layer_store *packages_store(struct packages *packages)
{
    return packages->store;
}

void packages_snapshot(struct packages *packages, struct packages_stats *ret_stats)
{
    *ret_stats = packages->stats;
    layer_store_totals(packages->store, &ret_stats->bytes, &ret_stats->layers);
}

bool packages_available(const struct packages *packages, enum package_kind kind,
                        const char **ret_why)
{
    const struct package_source *source = &packages->options.sources->of[kind];

    if (source->available && source->index)
        return true;
    if (packages->options.sources->closed)
        *ret_why =
            "packages cannot be installed on this server: its sealed root belongs to another "
            "user, and its operator has to make one of his own (DOCLE_ROOT_DIR); until then "
            "send the modules as files, and \"packages\": []";
    else
        *ret_why =
            kind == PACKAGE_PIP
                ? "packages for Python cannot be installed on this server: its operator has to "
                  "install pip and run `docle runtimes refresh`; until then send the modules "
                  "as files, and \"packages\": []"
                : "packages for Node.js cannot be installed on this server: its operator has "
                  "to install npm and run `docle runtimes refresh`; until then send the "
                  "modules as files, and \"packages\": []";
    return false;
}

void package_failure_release(struct package_failure *failure)
{
    dc_buf_release(&failure->text);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct thread_work {
    uv_work_t work;
    void (*run)(void *arg);
    void *arg;
    struct task *task;
    bool done;
};

static void on_thread(uv_work_t *work)
{
    struct thread_work *thread = work->data;

    thread->run(thread->arg);
}

static void after_thread(uv_work_t *work, int status)
{
    struct thread_work *thread = work->data;

    (void)status; /* nobody cancels it */
    thread->done = true;
    task_wake(thread->task);
}

void packages_in_thread(uv_loop_t *loop, void (*work)(void *arg), void *arg)
{
    struct thread_work thread = {.run = work, .arg = arg, .task = task_self()};

    thread.work.data = &thread;
    if (uv_queue_work(loop, &thread.work, on_thread, after_thread) < 0)
        abort(); /* it fails for a missing function only */
    while (!thread.done)
        task_suspend();
}

/* --- keys ------------------------------------------------------------------------------------- */

/* What a layer depends on besides the wish: where it comes from, what was allowed, and what it has
 * to run on. */
static int make_key(const struct packages *packages, const struct package_wish *wish,
                    const char *runtime, char ret_key[static LAYER_KEY_SIZE], struct dc_err *err)
{
    const struct package_source *source = &packages->options.sources->of[wish->kind];
    DC_AUTO(dc_buf_release) struct dc_buf text;
    uint8_t hash[STORE_HASH_BYTES];
    struct utsname host;

    dc_buf_init(&text, KEY_TEXT_MAX);
    (void)uname(&host); /* cannot fail */
    (void)dc_buf_printf(&text, "layer 1\n%s\n%s glibc %s\n%s\n%d %d\n", runtime, host.machine,
                        gnu_get_libc_version(), source->index, packages->options.pip_source,
                        packages->options.npm_scripts);
    for (size_t i = 0; i < source->more_count; i++)
        (void)dc_buf_printf(&text, "more %s\n", source->more[i]);
    for (size_t i = 0; i < source->line_count; i++)
        if (source->lines[i][0] == '@') /* where scopes lead; credentials may change */
            (void)dc_buf_printf(&text, "scope %s\n", source->lines[i]);
    if (!package_wish_print(wish, &text))
        return dc_fail(err, DC_KERNEL, ENOMEM, "key of packages");
    store_sha256(dc_buf_str(&text), text.length, hash);
    dc_hex(hash, sizeof(hash), ret_key);
    return 0;
}

/* --- finding ---------------------------------------------------------------------------------- */

struct verification {
    struct layer_store *store;
    const struct layer *layer;
    int result;
    struct dc_err err;
};

static void verify(void *arg)
{
    struct verification *verification = arg;

    verification->result =
        layer_store_verify(verification->store, verification->layer, &verification->err);
}

/* Looks at every byte when this process uses it for the first time. One that differs is removed. */
static int check_layer(struct packages *packages, struct layer *layer, struct dc_err *err)
{
    struct verification verification = {.store = packages->store, .layer = layer};
    char id[LAYER_HEX_SIZE];
    struct dc_err ignored;

    if (layer_store_verified(packages->store, layer))
        return 0;
    packages_in_thread(packages->loop, verify, &verification);
    if (verification.result == 0)
        return 0;
    *err = verification.err;
    packages->stats.spoilt++;
    dc_hex(layer->id, sizeof(layer->id), id);
    dc_log_err(DC_LOG_ERROR, NULL, err, "layer %s is spoilt and is made anew", id);
    layer_release(layer);
    dc_ignore(layer_store_remove(packages->store, id, &ignored)); /* in use: it stays until then */
    return -err->code;
}

static bool fresh(const struct packages *packages, const struct layer *layer)
{
    int64_t age = dc_wall_now() - layer->resolved_ns;

    return layer->pinned || (age >= 0 && age < packages->options.age_s * DC_NS_PER_S);
}

/* --- the budget of the folder ----------------------------------------------------------------- */

struct eviction {
    struct layer_store *store;
    uint64_t bytes_max;
    uint32_t removed;
    int result;
    struct dc_err err;
};

static void evict(void *arg)
{
    struct eviction *eviction = arg;

    eviction->result =
        layer_store_evict(eviction->store, eviction->bytes_max, &eviction->removed, &eviction->err);
}

int packages_evict(struct packages *packages, uint64_t bytes_max, uint32_t *ret_removed,
                   struct dc_err *err)
{
    struct eviction eviction = {.store = packages->store, .bytes_max = bytes_max};

    packages->evicting = true;
    packages_in_thread(packages->loop, evict, &eviction);
    packages->evicting = false;
    packages->stats.evictions += eviction.removed;
    if (!packages->installs)
        await_list_wake(&packages->idle);
    *ret_removed = eviction.removed;
    if (eviction.result < 0)
        *err = eviction.err;
    return eviction.result;
}

void packages_keep_budget(struct packages *packages)
{
    uint64_t bytes_max = (uint64_t)packages->options.cache_mb << 20;
    struct packages_stats now;
    uint32_t removed;
    struct dc_err err;

    packages_snapshot(packages, &now);
    if (!packages->evicting && packages_evict(packages, bytes_max, &removed, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "package layers could not be looked over");
}

/* A layer that is too old is better than none while the registry is out of reach. */
static bool old_one_will_do(const struct layer *old, int result)
{
    return old->lock_fd >= 0 && result != -DC_BUSY && result != -DC_LIMIT;
}

static int ensure(struct packages *packages, const struct package_wish *wish, struct asking *asking,
                  struct layer *ret_layer, struct package_failure *failure,
                  struct engine_refusal *ret_refusal, struct dc_err *err)
{
    const struct package_asker *asker = asking->asker;
    const struct launch_runtime *found;
    char key[LAYER_KEY_SIZE];
    char runtime[40];
    bool told = false;

    if (engine_find_runtime(packages->engine, asker->request, &found, err) < 0)
        return -err->code;
    (void)snprintf(runtime, sizeof(runtime), "%s %s", found->name, found->version);
    if (make_key(packages, wish, runtime, key, err) < 0)
        return -err->code;
    for (int i = 0; i < TRIES; i++) {
        DC_AUTO(layer_release) struct layer layer = LAYER_NONE;
        int result = layer_store_find(packages->store, key, &layer, err);

        if (result < 0 && result != -DC_NOT_FOUND)
            return result;
        if (result == 0 && check_layer(packages, &layer, err) == 0 && fresh(packages, &layer)) {
            packages->stats.hits += !told;
            *ret_layer = layer;
            layer = LAYER_NONE;
            return 0;
        }
        if (!told && asker->installing)
            asker->installing(asker->context);
        told = true;
        result = install_await(packages, key, runtime, wish, asking, failure, ret_refusal, err);
        if (result < 0 && !asking->cancelled && old_one_will_do(&layer, result)) {
            dc_log_err(DC_LOG_WARN, NULL, err, "packages could not be resolved again");
            *ret_layer = layer;
            layer = LAYER_NONE;
            return 0;
        }
        if (result < 0)
            return result;
    }
    return dc_fail(err, DC_BUSY, 0,
                   "the packages are removed as soon as they are installed; the "
                   "server's package cache is too small");
}

int packages_ensure(struct packages *packages, const struct package_wish *wish,
                    const struct package_asker *asker, struct layer *ret_layer,
                    struct package_failure *failure, struct engine_refusal *ret_refusal,
                    struct dc_err *err)
{
    struct asking asking = {
        .asker = asker, .ceiling_s = install_ceiling(packages, asker), .next = packages->asking};
    struct asking **link = &packages->asking;
    int result;

    packages->asking = &asking;
    result = ensure(packages, wish, &asking, ret_layer, failure, ret_refusal, err);
    while (*link != &asking)
        link = &(*link)->next;
    *link = asking.next;
    return result;
}

static struct asking *find_asking(const struct packages *packages, const char *project,
                                  const char *run_id)
{
    struct asking *asking = packages->asking;

    while (asking && (!asking->asker->run_id || strcmp(asking->asker->run_id, run_id) != 0 ||
                      (project && strcmp(asking->asker->project, project) != 0)))
        asking = asking->next;
    return asking;
}

bool packages_asked(const struct packages *packages, const char *project, const char *run_id)
{
    return find_asking(packages, project, run_id) != NULL;
}

bool packages_cancel(struct packages *packages, const char *project, const char *run_id)
{
    struct asking *asking = find_asking(packages, project, run_id);

    if (!asking || !asking->install)
        return false; /* about to be run: the engine has it in a moment */
    asking->cancelled = true;
    await_flag_set(&asking->news);
    return true;
}

/* --- results ---------------------------------------------------------------------------------- */

int packages_fail_result(const struct package_failure *failure, struct run_result *result,
                         struct dc_err *err)
{
    struct dc_buf *text = &result->streams[OUTPUT_STDERR];

    if (failure->cancelled) {
        const struct launch_ended ended = {.kind = END_CANCELLED};

        run_result_judge(result, &(struct result_evidence){.ended = &ended, .stderr_tail = ""});
        return run_result_explain(result) ? 0 : dc_fail(err, DC_KERNEL, ENOMEM, "a result");
    }
    result->outcome = OUTCOME_INSTALL_FAILED;
    result->exit_code = failure->exit_code;
    (void)snprintf(result->message, sizeof(result->message), "%.190s", failure->message);
    (void)dc_buf_printf(text, "Package installation failed: %s\n", failure->message);
    (void)dc_buf_append(text, dc_buf_str(&failure->text), failure->text.length);
    return text->failed ? dc_fail(err, DC_KERNEL, ENOMEM, "result of an install") : 0;
}

bool packages_print(const struct layer *layer, struct dc_buf *out)
{
    return dc_buf_printf(out, ",\"packages\":{\"resolved\":") &&
           dc_buf_text(out, layer->packages) && dc_buf_byte(out, '}');
}
