/* Who is signed in, where, and signing out. */
#include <stdio.h>
#include <string.h>

#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/change.h"
#include "api/routes.h"
#include "api/session.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "runs/await.h"
#include "store/projects.h"

#include "base/poison.h"

enum { ANSWER_MAX_BYTES = 64 * 1024, SESSIONS_MAX_BYTES = 4 << 20 };

/* A token is replaced once a day, so that one that was copied does not stay good for a month. */
static const int64_t rotation_ns = 24 * 3600 * DC_NS_PER_S;

/* --- me -------------------------------------------------------------------------------------- */

struct me {
    const struct store_session *session;
    struct store_project project;
    bool has_project;
};

static int run_me(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct me *me = arg;
    int found = -DC_NOT_FOUND;

    if (*me->session->project_id)
        found = store_project_get(conn, me->session->project_id, &me->project, err);
    me->has_project = found == 0;
    return found == -DC_NOT_FOUND ? 0 : found;
}

struct rotating {
    const struct store_session *session;
    uint8_t hash[STORE_HASH_BYTES];
    int64_t now;
};

static int run_rotate(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct rotating *rotating = arg;

    return store_session_rotate(conn, rotating->session, rotating->hash, rotating->now, err);
}

/* False: the token stays. */
static bool rotate(const struct call *call, char cookie[static SESSION_COOKIE_MAX])
{
    const struct store_session *session = call->session;
    struct rotating rotating = {.session = session, .now = call->begun_ns};
    char token[TOKEN_SIZE];
    struct dc_err err;

    if (!call->by_cookie || session->old || rotating.now - session->rotated_at < rotation_ns)
        return false;
    token_make(TOKEN_SESSION, token, rotating.hash);
    if (await_store(call->app->worker, AWAIT_WRITE, run_rotate, &rotating, &err) < 0) {
        if (err.code != DC_CONFLICT) /* a request beside this one was faster */
            dc_log_err(DC_LOG_WARN, call->request_id, &err, "a session was not rotated");
        return false;
    }
    session_print_cookie(call, SESSION_COOKIE, token,
                         (uint32_t)((session->expires_at - rotating.now) / DC_NS_PER_S), cookie);
    dc_wipe(token, sizeof(token));
    return true;
}

static void print_me(const struct call *call, const struct me *me, struct dc_buf *out)
{
    const struct store_user *user = &call->session->user;

    (void)dc_buf_text(out, "{\"project\":");
    if (me->has_project) {
        (void)dc_buf_byte(out, '{');
        print_member_text(out, "id", me->project.id);
        print_member_text(out, "name", me->project.name);
        print_member_text(out, "email", user->email);
        print_member_text(out, "plan", store_plan_name(me->project.plan));
        print_member_time(out, "created_at", me->project.created_at);
        (void)dc_buf_printf(out, "\"role\":\"%s\"}", role_name(call->role));
    } else {
        (void)dc_buf_text(out, "null");
    }
    (void)dc_buf_text(out, ",\"user\":");
    print_user(user, out);
    (void)dc_buf_text(out, ",\"session\":{");
    print_member_time(out, "created_at", call->session->created_at);
    print_member_time(out, "expires_at", call->session->expires_at);
    (void)dc_buf_printf(out, "\"id\":\"%s\"}}", call->session->id);
}

void route_me(struct call *call)
{
    struct me me = {.session = call->session};
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    struct call_head head = {.status = 200};
    char cookie[SESSION_COOKIE_MAX];

    if (!change_read(call, run_me, &me, "not found"))
        return;
    if (me.has_project && call->role == ROLE_NONE) /* no member of it any more */
        me.has_project = false;
    dc_buf_init(&body, ANSWER_MAX_BYTES);
    print_me(call, &me, &body);
    if (rotate(call, cookie))
        head.fields[0] = (struct call_field){"Set-Cookie", cookie};
    call_reply(call, &head, &body);
}

/* --- which project --------------------------------------------------------------------------- */

static int run_switch(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;

    return store_session_set_project(conn, call->session->id, call->id, err);
}

void route_project_switch(struct call *call)
{
    if (change_run(call, run_switch, call, "not found"))
        change_reply(call, "This session works in that project now");
}

/* --- sessions -------------------------------------------------------------------------------- */

static int run_logout(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;
    int ended = store_session_end(conn, call->session->user.id, call->session->id, err);

    if (ended < 0)
        return ended == -DC_NOT_FOUND ? 0 : ended; /* a request beside this one was faster */
    return change_audit(call, conn, NULL, "session.end", "this one", err);
}

void route_logout(struct call *call)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    char cookie[SESSION_COOKIE_MAX];

    if (!change_run(call, run_logout, call, "not found"))
        return;
    session_print_cookie(call, SESSION_COOKIE, NULL, 0, cookie);
    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"message\":\"Logged out successfully\"}");
    call_reply(call, &(struct call_head){.status = 200, .fields = {{"Set-Cookie", cookie}}}, &body);
}

struct listing {
    const struct call *call;
    struct store_session *sessions;
    size_t count;
    int64_t ended;
};

static int run_list(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct listing *listing = arg;

    return store_sessions_list(conn, listing->call->session->user.id, listing->call->begun_ns,
                               &listing->sessions, &listing->count, err);
}

void route_sessions_list(struct call *call)
{
    struct listing listing = {.call = call};
    DC_AUTO(dc_free) struct store_session *sessions = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_read(call, run_list, &listing, "not found"))
        return;
    sessions = listing.sessions;
    dc_buf_init(&body, SESSIONS_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"sessions\":[");
    for (size_t i = 0; i < listing.count; i++) {
        (void)dc_buf_text(&body, i ? ",{" : "{");
        print_member_text(&body, "id", sessions[i].id);
        print_member_text(&body, "address", sessions[i].address);
        print_member_text(&body, "agent", sessions[i].agent);
        print_member_time(&body, "created_at", sessions[i].created_at);
        print_member_time(&body, "expires_at", sessions[i].expires_at);
        (void)dc_buf_printf(&body, "\"current\":%s}",
                            strcmp(sessions[i].id, call->session->id) == 0 ? "true" : "false");
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

static int run_end_others(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct listing *listing = arg;
    const struct call *call = listing->call;

    if (store_sessions_end(conn, call->session->user.id, call->session->id, &listing->ended, err) <
        0)
        return -err->code;
    return change_audit(call, conn, NULL, "session.end", "all others", err);
}

void route_sessions_end_others(struct call *call)
{
    struct listing listing = {.call = call};

    if (change_run(call, run_end_others, &listing, "not found"))
        change_reply(call, "All other sessions are ended");
}

static int run_end(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;

    if (store_session_end(conn, call->session->user.id, call->id, err) < 0)
        return -err->code;
    return change_audit(call, conn, NULL, "session.end", call->id, err);
}

void route_session_end(struct call *call)
{
    if (change_run(call, run_end, call, "Session not found"))
        change_reply(call, "The session is ended");
}
