#include "api/session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "accounts/cookie.h"
#include "api/app_internal.h"
#include "api/auth.h"
#include "api/guard.h"
#include "api/origin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "net/http_server.h"
#include "store/members.h"

#include "base/poison.h"

/* After a rotation the old token is good for requests that were already under way. */
static const int64_t grace_ns = 60 * DC_NS_PER_S;

/* --- tokens and cookies ---------------------------------------------------------------------- */

bool session_token(const struct call *call, uint8_t ret_hash[static STORE_HASH_BYTES],
                   bool *ret_by_cookie)
{
    const char *credentials = auth_credentials(call);
    char cookie[TOKEN_SIZE];

    *ret_by_cookie = !credentials;
    if (credentials)
        return token_read(TOKEN_SESSION, credentials, ret_hash);
    return cookie_find(call_header(call, "Cookie"), SESSION_COOKIE, cookie, sizeof(cookie)) &&
           token_read(TOKEN_SESSION, cookie, ret_hash);
}

bool session_is_secure(const struct call *call)
{
    return strncasecmp(call->app->options.accounts.app_url, "https://", 8) == 0 ||
           http_exchange_is_secure(call->http);
}

void session_print_cookie(const struct call *call, const char *name, const char *value,
                          uint32_t seconds, char out[static SESSION_COOKIE_MAX])
{
    (void)snprintf(out, SESSION_COOKIE_MAX, "%s=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Lax%s",
                   name, value ? value : "", value ? seconds : 0,
                   session_is_secure(call) ? "; Secure" : "");
}

/* --- who and from where ---------------------------------------------------------------------- */

void session_client_network(const struct call *call, char out[static STORE_ADDRESS_SIZE])
{
    struct http_address address;
    char text[HTTP_ADDRESS_SIZE];

    http_exchange_client(call->http, text);
    if (http_address_parse(text, strlen(text), &address) && strchr(text, ':')) {
        memset(address.bytes + 8, 0, 8);
        http_address_print(&address, text);
    }
    (void)snprintf(out, STORE_ADDRESS_SIZE, "%s", text);
}

void session_agent(const struct call *call, char out[static STORE_AGENT_SIZE])
{
    const char *agent = call_header(call, "User-Agent");
    size_t length = agent ? strnlen(agent, STORE_AGENT_SIZE - 1) : 0;

    for (size_t i = 0; i < length; i++)
        out[i] = (char)(agent[i] >= 0x20 && agent[i] < 0x7f ? agent[i] : '?');
    out[length] = '\0';
}

/* --- admission ------------------------------------------------------------------------------- */

struct finding {
    const struct route *route;
    struct call *call;
    const uint8_t *hash;
    int64_t now;
    struct store_session session;
    bool found;
    bool replayed; /* a token that was rotated away long ago: somebody has copied it */
    enum role role;
};

static int find_role(struct finding *finding, struct store_conn *conn, struct dc_err *err)
{
    const char *project =
        finding->route->access == ROUTE_PROJECT ? finding->call->id : finding->session.project_id;
    struct store_member member;
    int found;

    finding->role = ROLE_NONE;
    if (!*project)
        return 0;
    found = store_member_get(conn, project, finding->session.user.id, &member, err);
    if (found < 0)
        return found == -DC_NOT_FOUND ? 0 : found;
    (void)role_from_name(member.role, &finding->role); /* the schema knows no other */
    return 0;
}

static int run_find(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct finding *finding = arg;
    struct store_session *session = &finding->session;
    int found = store_session_find(conn, finding->hash, finding->now, session, err);

    finding->found = finding->replayed = false;
    if (found < 0)
        return found == -DC_NOT_FOUND ? 0 : found;
    finding->replayed = session->old && finding->now - session->rotated_at > grace_ns;
    finding->found = !finding->replayed && !session->user.suspended_at;
    return finding->found ? find_role(finding, conn, err) : 0;
}

static int run_end(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_session_end(conn, NULL, arg, err);
}

/* Either the owner or the thief holds the new token: neither keeps it. */
static void end_stolen(struct call *call, struct store_session *session)
{
    struct dc_err err;

    dc_log(DC_LOG_WARN, "an old token of session %s was used; the session is ended", session->id);
    if (await_store(call->app->worker, AWAIT_WRITE, run_end, session->id, &err) < 0 &&
        err.code != DC_NOT_FOUND)
        dc_log_err(DC_LOG_ERROR, call->request_id, &err, "a session could not be ended");
}

static void refuse(struct call *call, int status, const char *error, const char *code,
                   const char *message)
{
    call_fail(call, &(struct call_error){
                        .status = status, .error = error, .code = code, .message = message});
}

static bool writes(const struct call *call, const struct route *route)
{
    return route->acts || (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0);
}

bool session_is_own_site(const struct call *call)
{
    return origin_is_own(&(struct origin_facts){
        .fetch_site = call_header(call, "Sec-Fetch-Site"),
        .origin = call_header(call, "Origin"),
        .host = call_header(call, "Host"),
        .secure = session_is_secure(call),
        .app_url = call->app->options.accounts.app_url,
    });
}

static bool check_permission(struct call *call, const struct route *route, enum role role)
{
    char message[160];

    if (route->access == ROUTE_SESSION || role_may(role, route->permission))
        return true;
    if (role == ROLE_NONE) { /* nobody learns of projects of others */
        refuse(call, 404, "not found", "not_found", "There is no such project among yours.");
        return false;
    }
    (void)snprintf(message, sizeof(message),
                   "As %s of this project you lack the permission \"%s\"; ask an owner or admin.",
                   role_name(role), permission_name(route->permission));
    refuse(call, 403, "Forbidden", "forbidden", message);
    return false;
}

bool session_admit(struct call *call, const struct route *route)
{
    uint8_t hash[STORE_HASH_BYTES];
    struct finding finding = {.route = route, .call = call, .hash = hash, .now = call->begun_ns};
    struct store_session *session;
    struct dc_err err;

    if (!session_token(call, hash, &call->by_cookie)) {
        if (!guard_open(call))
            return false;
        auth_refuse_session(call, call_header(call, "Cookie") != NULL || !call->by_cookie);
        return false;
    }
    if (call->by_cookie && writes(call, route) && !session_is_own_site(call)) {
        refuse(call, 403, "Cross-site request refused", "cross_site",
               "Another site made this request. Set app.url to the address that people use, if it "
               "was not.");
        return false;
    }
    if (await_store(call->app->worker, AWAIT_READ, run_find, &finding, &err) < 0) {
        call_fail_err(call, &err, "a session could not be read");
        return false;
    }
    if (finding.replayed)
        end_stolen(call, &finding.session);
    if (!finding.found) {
        if (!guard_open(call))
            return false;
        auth_refuse_session(call, true);
        return false;
    }
    session = dc_arena_alloc(&call->arena, sizeof(*session));
    if (!session) {
        call_fail_err(call, &(struct dc_err){.code = DC_KERNEL, .text = "no memory"}, "session");
        return false;
    }
    *session = finding.session;
    call->session = session;
    call->role = finding.role;
    (void)snprintf(call->project_id, sizeof(call->project_id), "%s",
                   route->access == ROUTE_PROJECT ? call->id : session->project_id);
    return check_permission(call, route, finding.role) &&
           (route->access != ROUTE_CALLER || guard_session(call));
}
