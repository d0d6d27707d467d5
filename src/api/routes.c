#include "api/routes.h"

#include <string.h>

#include "api/app_internal.h"
#include "api/auth.h"
#include "api/guard.h"
#include "base/uuid.h"

#include "base/poison.h"

/* A path with at most one "*", which stands for a run's id. */
struct route {
    const char *path;
    const char *method; /* "GET" answers HEAD too */
    bool open;          /* without a key */
    void (*handle)(struct call *call);
};

static const struct route routes[] = {
    {"/api/run", "POST", false, route_run_create},
    {"/api/run/*", "GET", false, route_run_get},
    {"/api/run/*/cancel", "POST", false, route_run_cancel},
    {"/api/runs", "GET", false, route_runs_list},
    {"/", "GET", true, route_service},
    {"/healthz", "GET", true, route_health},
    {"/readyz", "GET", true, route_ready},
    {"/metrics", "GET", true, route_metrics},
    {"/openapi.json", "GET", true, route_contract},
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* As in the table, with the contract's word for the id; the last one is for what is in none. */
const char *const route_names[] = {
    "/api/run", "/api/run/{id}", "/api/run/{id}/cancel", "/api/runs", "/",  "/healthz",
    "/readyz",  "/metrics",      "/openapi.json",        "other",     NULL,
};

_Static_assert(sizeof(route_names) / sizeof(route_names[0]) == ROUTES + 2, "a name per route");
_Static_assert(ROUTES + 1 <= METRICS_ROUTES_MAX, "a counter per route");

/* Does path match? The part for the star, which holds no slash and is not empty, is *ret_part. */
static bool matches(const char *pattern, const char *path, const char **ret_part,
                    size_t *ret_length)
{
    const char *star = strchr(pattern, '*');
    size_t head = star ? (size_t)(star - pattern) : strlen(pattern);

    *ret_part = NULL;
    *ret_length = 0;
    if (strncmp(pattern, path, head) != 0)
        return false;
    if (!star)
        return path[head] == '\0';
    *ret_part = path + head;
    *ret_length = strcspn(path + head, "/");
    return *ret_length > 0 && strcmp(star + 1, path + head + *ret_length) == 0;
}

static void fail_not_found(struct call *call)
{
    call_fail(call, &(struct call_error){
                        .status = 404,
                        .error = "not found",
                        .code = "not_found",
                        .message = "There is nothing here; /openapi.json lists what there is."});
}

static void fail_method(struct call *call, const struct route *route)
{
    call_fail(call,
              &(struct call_error){
                  .status = 405,
                  .error = "Method not allowed",
                  .code = "method_not_allowed",
                  .message = "This path does not take that method; the header Allow lists those it "
                             "takes.",
                  .field = {"Allow", strcmp(route->method, "GET") == 0 ? "GET, HEAD" : "POST"}});
}

static bool takes(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void handle(struct call *call, const struct route *route, const char *part, size_t length)
{
    if (strcmp(call->method, "OPTIONS") == 0 && !route->open) {
        guard_preflight(call);
        return;
    }
    if (!takes(route, call->method)) {
        fail_method(call, route);
        return;
    }
    if (route->open ? !guard_open(call) : !auth_check(call))
        return;
    if (part) {
        if (length < sizeof(call->run_id))
            memcpy(call->run_id, part, length); /* the rest is zeros */
        if (!dc_uuid_valid(call->run_id)) {
            call_fail(call, &(struct call_error){.status = 404,
                                                 .error = "not found",
                                                 .code = "not_found",
                                                 .message = "That is not the id of a run; ids are "
                                                            "UUIDs in lower case."});
            return;
        }
    }
    route->handle(call);
}

static size_t answer(struct call *call)
{
    for (size_t i = 0; i < ROUTES; i++) {
        const char *part;
        size_t length;

        if (!matches(routes[i].path, call->path, &part, &length))
            continue;
        handle(call, &routes[i], part, length);
        return i;
    }
    fail_not_found(call);
    return ROUTES;
}

static void count(struct call *call, size_t route)
{
    if (call->status >= 100 && call->status <= 599)
        call->app->metrics.requests[route][call->status / 100 - 1]++;
}

void routes_count_refused(struct call *call)
{
    count(call, ROUTES);
}

void routes_dispatch(struct call *call)
{
    call->app->metrics.in_flight++;
    count(call, answer(call));
    call->app->metrics.in_flight--;
}
