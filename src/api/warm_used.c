#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/warm.h"
#include "base/clock.h"
#include "base/log.h"
#include "packages/use.h"

#include "base/poison.h"

/* While a set has a place its layer is held, and so not removed. */
struct warm_used {
    struct package_uses uses;
    int lock_fds[DC_PREPARED_MAX]; /* owned; -1: none */
};

struct warm_used *warm_used_new(const struct app *app)
{
    struct warm_used *used = NULL;

    if (app->options.packages_prepared_sets)
        used = calloc(1, sizeof(*used));
    if (!used)
        return NULL;
    used->uses.places_max = app->options.packages_prepared_sets;
    for (size_t i = 0; i < DC_PREPARED_MAX; i++)
        used->lock_fds[i] = -1;
    return used;
}

void warm_used_free(struct warm_used *used)
{
    for (size_t i = 0; used && i < DC_PREPARED_MAX; i++)
        dc_close(used->lock_fds[i]);
    free(used);
}

static int add_names(const struct package_wish *wish, struct run_request *request,
                     struct dc_err *err)
{
    char name[PACKAGE_SPEC_MAX_BYTES + 1];

    for (size_t i = 0; i < wish->count; i++) {
        size_t length = package_spec_name_length(wish->kind, wish->specs[i]);

        if (length >= sizeof(name))
            return dc_fail(err, DC_LIMIT, 0, "a package's name of %zu bytes", length);
        memcpy(name, wish->specs[i], length);
        name[length] = '\0';
        if (run_request_add_arg(request, name, err) < 0)
            return -err->code;
    }
    return 0;
}

/* A request that is nobody's: what to import, where the run would. */
static int prepare(struct app *app, uint32_t place, const struct run_request *run,
                   const struct package_wish *wish, const char *project, struct dc_err *err)
{
    DC_AUTO(run_request_release) struct run_request request;

    run_request_init(&request);
    request.has_lang = true;
    request.lang = run->lang;
    request.policy.value[POLICY_DISK_MB] = run->policy.value[POLICY_DISK_MB];
    memcpy(request.layer, run->layer, sizeof(request.layer));
    if ((run->version && run_request_set_text(&request, &request.version, run->version, err) < 0) ||
        run_request_set_text(&request, &request.entrypoint, "program", err) < 0 ||
        add_names(wish, &request, err) < 0)
        return -err->code;
    return engine_prepare(app->engine, place, &request, project, err);
}

static bool fits(const struct run_request *request, const struct package_wish *wish)
{
    return wish->count && wish->count <= DC_ARGS_MAX && !request->env_count && !request->network &&
           request->policy.value[POLICY_MEMORY_MB] >= DC_MEMORY_DEFAULT_MB;
}

void warm_used_note(struct app *app, const struct run_request *request,
                    const struct package_wish *wish, const struct layer *layer, const char *project)
{
    struct warm_used *used = app->used;
    struct package_use use = {.disk_mb = request->policy.value[POLICY_DISK_MB]};
    struct dc_err err;
    uint32_t place;

    if (!used || !fits(request, wish))
        return;
    while (package_uses_expire(&used->uses, dc_now(), &place))
        dc_close_clear(&used->lock_fds[place]);
    engine_owner(project, use.owner);
    memcpy(use.layer, layer->id, sizeof(use.layer));
    if (!package_uses_note(&used->uses, &use, dc_now(), &place))
        return;
    dc_close(used->lock_fds[place]);
    used->lock_fds[place] = fcntl(layer->lock_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (prepare(app, place, request, wish, project, &err) < 0)
        dc_log_err(DC_LOG_WARN, NULL, &err, "packages in frequent use are not imported ahead");
}
