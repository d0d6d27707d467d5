#include "api/warm.h"

#include <string.h>

#include "api/app_internal.h"
#include "api/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "packages/warm.h"

#include "base/poison.h"

enum { LOOK_EVERY_S = 300, LEAVE_POLL_MS = 200, NAMES_MAX_BYTES = 16 * 1024 };

/* While a set is on the list its layer is held, and so not removed. */
struct warming {
    struct package_warm warm;
    struct layer layers[PACKAGE_WARM_MAX];
};

static void name_packages(const struct package_wish *wish, struct dc_buf *out)
{
    for (size_t i = 0; i < wish->count; i++) {
        (void)dc_buf_append(out, wish->specs[i],
                            package_spec_name_length(wish->kind, wish->specs[i]));
        (void)dc_buf_byte(out, '\n');
    }
}

static void keep_imported(struct app *app, uint32_t index, const struct package_warm_set *set,
                          const struct layer *layer)
{
    DC_AUTO(run_request_release) struct run_request request;
    DC_AUTO(dc_buf_release) struct dc_buf names;
    struct dc_err err;

    run_request_init(&request);
    dc_buf_init(&names, NAMES_MAX_BYTES);
    request.has_lang = true;
    request.lang = set->lang;
    name_packages(&set->wish, &names);
    if (index < app->options.packages_warm_sets &&
        engine_warm(app->engine, index, &request, layer->id, dc_buf_str(&names), &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "set %u of packages.warm is not kept imported", index);
}

static void warm_set(struct app *app, struct warming *warming, uint32_t index)
{
    DC_AUTO(package_failure_release) struct package_failure failure = {0};
    const struct package_warm_set *set = &warming->warm.sets[index];
    struct layer *held = &warming->layers[index];
    struct layer layer = LAYER_NONE;
    struct dc_err err;

    if (package_warm_up(app->packages, set, &failure, &layer, &err) < 0) {
        if (!app->draining)
            dc_log_err(DC_LOG_WARN, NULL, &err, "set %u of packages.warm is not installed", index);
        return;
    }
    if (held->lock_fd < 0 || memcmp(held->id, layer.id, sizeof(layer.id)) != 0)
        keep_imported(app, index, set, &layer);
    layer_release(held);
    *held = layer;
}

static void warm_task(void *arg)
{
    struct app *app = arg;
    struct warming warming = {0};
    int64_t due_ns = 0;
    struct dc_err err;

    for (size_t i = 0; i < PACKAGE_WARM_MAX; i++)
        warming.layers[i] = LAYER_NONE;
    if (package_warm_parse(app->options.packages_warm, &warming.warm, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "packages.warm");
    while (!app->stopping && !app->draining) {
        for (uint32_t i = 0; dc_now() >= due_ns && i < warming.warm.count && !app->draining; i++)
            warm_set(app, &warming, i);
        if (dc_now() >= due_ns)
            due_ns = dc_now() + LOOK_EVERY_S * DC_NS_PER_S;
        background_sleep(LEAVE_POLL_MS);
    }
    for (size_t i = 0; i < PACKAGE_WARM_MAX; i++)
        layer_release(&warming.layers[i]);
    package_warm_release(&warming.warm);
}

void warm_start(struct app *app)
{
    if (app->packages && app->options.packages_warm && *app->options.packages_warm &&
        !background_spawn(app, warm_task, app))
        dc_log(DC_LOG_ERROR, "packages.warm: no memory");
}
