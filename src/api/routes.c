#include "api/routes.h"

#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/auth.h"
#include "api/guard.h"
#include "api/route_table.h"
#include "base/uuid.h"

#include "base/poison.h"

enum { IDS_MAX = 2, ALLOW_MAX_BYTES = 64 };

/* What of a path stands where its pattern has a name. */
struct parts {
    const char *text[IDS_MAX];
    size_t length[IDS_MAX];
    size_t count;
};

/* Does path match, segment by segment? No part is empty or holds a slash. */
static bool matches(const char *pattern, const char *path, struct parts *ret_parts)
{
    *ret_parts = (struct parts){0};
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t length = strcspn(path, "/");

        if (length == 0 || ret_parts->count == IDS_MAX)
            return false;
        ret_parts->text[ret_parts->count] = path;
        ret_parts->length[ret_parts->count++] = length;
        path += length;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == '\0';
}

static void fail_not_found(struct call *call, const char *message)
{
    call_fail(call,
              &(struct call_error){
                  .status = 404, .error = "not found", .code = "not_found", .message = message});
}

static bool takes(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (!route->acts && strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static bool same_path(size_t one, size_t two)
{
    return two < route_count && strcmp(route_table[one].path, route_table[two].path) == 0;
}

/* first: of the routes of this path. */
static void fail_method(struct call *call, size_t first)
{
    char allow[ALLOW_MAX_BYTES];
    size_t length = 0;

    for (size_t i = first; same_path(first, i) && length < sizeof(allow); i++) {
        const struct route *route = &route_table[i];
        bool head = takes(route, "HEAD") && strcmp(route->method, "GET") == 0;

        length += (size_t)snprintf(allow + length, sizeof(allow) - length, "%s%s%s",
                                   i == first ? "" : ", ", route->method, head ? ", HEAD" : "");
    }
    call_fail(call,
              &(struct call_error){
                  .status = 405,
                  .error = "Method not allowed",
                  .code = "method_not_allowed",
                  .message = "This path does not take that method; the header Allow lists those it "
                             "takes.",
                  .field = {"Allow", allow}});
}

static bool take_id(const char *text, size_t length, char out[static DC_UUID_SIZE])
{
    if (length < DC_UUID_SIZE)
        memcpy(out, text, length); /* the rest is zeros */
    return dc_uuid_valid(out);
}

static void handle(struct call *call, const struct route *route, const struct parts *parts)
{
    bool good = true;
    bool good_sub = true;

    if (parts->count > 0)
        good = take_id(parts->text[0], parts->length[0], call->id);
    if (parts->count > 1)
        good_sub = take_id(parts->text[1], parts->length[1], call->sub_id);
    if (!good && route->access == ROUTE_PROJECT)
        call->id[0] = '\0'; /* nobody's project */
    if (!auth_admit(call, route))
        return;
    if (good && good_sub)
        route->handle(call);
    else
        fail_not_found(call, "That is no id; ids are UUIDs in lower case.");
}

/* Returns the index that the call counts under. */
static size_t answer(struct call *call)
{
    for (size_t first = 0; first < route_count; first++) {
        struct parts parts;

        if ((first > 0 && same_path(first - 1, first)) ||
            !matches(route_table[first].path, call->path, &parts))
            continue;
        if (route_table[first].access == ROUTE_CALLER && guard_is_preflight(call)) {
            guard_preflight(call);
            return first;
        }
        for (size_t i = first; same_path(first, i); i++) {
            if (takes(&route_table[i], call->method)) {
                handle(call, &route_table[i], &parts);
                return first;
            }
        }
        fail_method(call, first);
        return first;
    }
    if (!route_ui(call))
        fail_not_found(call, "There is nothing here; /openapi.json lists what there is.");
    return route_count;
}

const char *routes_name(int index)
{
    size_t at = (size_t)index;

    if (at < route_count)
        return route_table[at].path;
    return at == route_count ? "other" : NULL;
}

static void count(struct call *call, size_t route)
{
    if (route < METRICS_ROUTES_MAX && call->status >= 100 && call->status <= 599)
        call->app->metrics.requests[route][call->status / 100 - 1]++;
}

void routes_count_refused(struct call *call)
{
    count(call, route_count);
}

void routes_dispatch(struct call *call)
{
    call->app->metrics.in_flight++;
    count(call, answer(call));
    call->app->metrics.in_flight--;
}
