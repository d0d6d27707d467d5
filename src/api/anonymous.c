#include "api/anonymous.h"

#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/auth.h"
#include "api/guard.h"
#include "api/routes.h"
#include "api/session.h"

#include "base/poison.h"

enum { BUSY_RETRY_S = 2 };

static const char counter[] = "anonymous";

static void refuse(struct call *call, const char *error, const char *code, const char *message)
{
    call_fail(call, &(struct call_error){
                        .status = 403, .error = error, .code = code, .message = message});
}

bool anonymous_is(const struct call *call, const struct route *route)
{
    return call->app->options.anonymous.enabled && !call_header(call, "Authorization") &&
           (route->handle == route_run_create || route->handle == route_run_get ||
            route->handle == route_run_cancel);
}

/* SECURITY: a page of another site must not spend its visitors' addresses. Who writes has to show
 * that it is a page of ours; see test_anonymous.py. */
static bool is_own_page(const struct call *call)
{
    bool says = call_header(call, "Origin") || call_header(call, "Sec-Fetch-Site");

    return session_is_own_site(call) &&
           (says || strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0);
}

static bool check_size(struct call *call)
{
    if (call->body_length <= DC_ANONYMOUS_BODY_MAX_BYTES)
        return true;
    call_fail(call, &(struct call_error){.status = 413,
                                         .error = "Request too large",
                                         .code = "request_too_large",
                                         .message = "Without an account a program has at most 1 "
                                                    "MB; sign in for more.",
                                         .extra = ",\"max_size\":\"1MB\""});
    return false;
}

bool anonymous_admit(struct call *call, const struct route *route)
{
    const struct store_project *project;
    struct dc_err err;

    if (!guard_open(call))
        return false;
    if (!is_own_page(call)) {
        refuse(call, "Cross-site request refused", "cross_site",
               "Without a key or an account runs come from this server's own pages alone. Send "
               "\"Authorization: Bearer sk_live_…\" with a key of your project.");
        return false;
    }
    if (auth_refresh(call->app, &err) < 0) {
        call_fail_err(call, &err, "projects could not be loaded");
        return false;
    }
    project = key_table_project(&call->app->keys, STORE_ANONYMOUS_PROJECT);
    if (!project || project->suspended_at) {
        refuse(call, "Project suspended", "project_suspended",
               "The operator of this server has stopped runs without an account; sign in.");
        return false;
    }
    (void)snprintf(call->project_id, sizeof(call->project_id), "%s", STORE_ANONYMOUS_PROJECT);
    call->anonymous = true;
    call->key_kind = STORE_KEY_TEST; /* metered, never billed */
    call->plan = project->plan;
    call->project_rules = project->rules;
    return route->handle != route_run_create || (check_size(call) && guard_anonymous(call));
}

void anonymous_check(const struct call *call, struct run_request *request,
                     struct problems *problems)
{
    if (!call->anonymous)
        return;
    memset(&request->user, 0, sizeof(request->user)); /* nobody answers for whom it names */
    if (request->repo)
        problems_add(problems, PROBLEM_NOT_ENABLED, "repo",
                     "needs an account on this server; sign in");
    if (request->allow_net != RUN_SAYS_YES)
        return;
    problems_add(problems, PROBLEM_NOT_ENABLED,
                 request->allow_net_name ? request->allow_net_name : "policy.allowNet",
                 "needs an account on this server; sign in, or run without a network");
    request->allow_net = RUN_SAYS_NO; /* said once is enough */
    request->has_hosts = request->has_ports = false;
}

bool anonymous_enter(struct call *call, struct call_error *ret_failure)
{
    uint32_t max = call->app->options.anonymous.running_max;

    if (!call->anonymous || counters_enter(&call->app->key_runs, counter, max))
        return true;
    *ret_failure = (struct call_error){
        .status = 429,
        .error = "Too many runs",
        .code = "anonymous_busy",
        .message = "All places for runs without an account are taken; try again in a moment, or "
                   "sign in.",
        .retry_after_s = BUSY_RETRY_S};
    return false;
}

void anonymous_leave(struct call *call)
{
    if (call->anonymous)
        counters_leave(&call->app->key_runs, counter);
}
