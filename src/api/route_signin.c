/* Asking for a sign-in link, and using it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "accounts/cookie.h"
#include "accounts/email.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/page.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/session.h"
#include "base/clock.h"
#include "base/io.h"
#include "net/http_server.h"

#include "base/poison.h"

enum { ANSWER_MAX_BYTES = 4096, MINUTE_S = 60 };

static void fail(struct call *call, int status, const char *error, const char *code,
                 const char *message)
{
    call_fail(call, &(struct call_error){
                        .status = status, .error = error, .code = code, .message = message});
}

/* Another site may neither ask for links here nor sign anybody in. */
static bool check_site(struct call *call)
{
    if (session_is_own_site(call))
        return true;
    fail(call, 403, "Cross-site request refused", "cross_site",
         "Another site made this request. Set app.url to the address that people use, if it was "
         "not.");
    return false;
}

/* Browsers send one of these with whatever changes something; programs have no reason to. */
static bool is_program(const struct call *call)
{
    return !call_header(call, "Origin") && !call_header(call, "Sec-Fetch-Site");
}

/* --- asking ---------------------------------------------------------------------------------- */

/* The cookie that ties the link to this browser. One that it has already stays, so that an earlier
 * link still works here. */
static void take_browser(const struct call *call, char token[static TOKEN_SIZE],
                         uint8_t hash[static STORE_HASH_BYTES])
{
    if (!cookie_find(call_header(call, "Cookie"), SIGNIN_COOKIE, token, TOKEN_SIZE) ||
        !token_read(TOKEN_BROWSER, token, hash))
        token_make(TOKEN_BROWSER, token, hash);
}

static void fail_too_many(struct call *call, uint32_t retry_after_s)
{
    char extra[48];

    (void)snprintf(extra, sizeof(extra), ",\"retry_after\":%u", retry_after_s);
    call_fail(call, &(struct call_error){.status = 429,
                                         .error = "Too many requests",
                                         .code = "too_many_requests",
                                         .message = "Too many links were asked for from here, or "
                                                    "for this address; try again later.",
                                         .extra = extra,
                                         .retry_after_s = retry_after_s});
}

static void reply_asked(struct call *call, const char *email, const char *code, const char *browser,
                        bool brief)
{
    const struct accounts_options *options = &call->app->options.accounts;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    struct call_head head = {.status = 200};
    char cookie[SESSION_COOKIE_MAX];

    dc_buf_init(&body, ANSWER_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"message\":\"Magic link sent! Check your email.\"");
    if (!brief) {
        (void)dc_buf_text(&body, ",\"email\":");
        (void)dc_buf_json_string(&body, email, strlen(email));
        (void)dc_buf_printf(&body, ",\"expires_in\":\"%u minutes\"", options->link_minutes);
    }
    (void)dc_buf_printf(&body, ",\"code\":\"%s\"}", code);
    if (browser) {
        session_print_cookie(call, SIGNIN_COOKIE, browser, options->link_minutes * MINUTE_S,
                             cookie);
        head.fields[0] = (struct call_field){"Set-Cookie", cookie};
    }
    call_reply(call, &head, &body);
}

static void ask(struct call *call, bool brief)
{
    DC_AUTO(body_release) struct body body = {0};
    struct signin_asker asker = {.local = call->loopback};
    struct signin_asked asked;
    char client[STORE_ADDRESS_SIZE];
    char email[STORE_EMAIL_SIZE];
    char browser[TOKEN_SIZE];
    uint8_t hash[STORE_HASH_BYTES];
    const char *text;
    struct dc_err err;

    if (!check_site(call) || !body_read(call, &body))
        return;
    text = body_text(&body, "email");
    if (!text || !email_read(text, strlen(text), email)) {
        fail(call, 400, "Invalid email address", "invalid_email",
             "Send {\"email\": \"you@example.com\"}: one address, in ASCII.");
        return;
    }
    asker.email = email;
    asker.source = is_program(call) ? STORE_LINK_API : STORE_LINK_BROWSER;
    if (asker.source == STORE_LINK_BROWSER) {
        take_browser(call, browser, hash);
        asker.browser_hash = hash;
    }
    session_client_network(call, client);
    asker.client = client;
    if (signin_ask(call->app->accounts, &asker, &asked, &err) < 0)
        call_fail_err(call, &err, "a sign-in link could not be asked for");
    else if (asked.retry_after_s)
        fail_too_many(call, asked.retry_after_s);
    else
        reply_asked(call, email, asked.code, asker.browser_hash ? browser : NULL, brief);
}

void route_signin_request(struct call *call)
{
    ask(call, false);
}

void route_signin_request_short(struct call *call)
{
    ask(call, true);
}

/* --- using ----------------------------------------------------------------------------------- */

/* What of the call decides; strings live in the arena, hashes here. */
struct verifying {
    struct signin_use use;
    uint8_t browser_hash[STORE_HASH_BYTES];
    uint8_t old_session[STORE_HASH_BYTES];
    char client[HTTP_ADDRESS_SIZE];
    char agent[STORE_AGENT_SIZE];
};

static void fill_use(const struct call *call, struct verifying *verifying)
{
    struct signin_use *use = &verifying->use;
    char cookie[TOKEN_SIZE];
    bool by_cookie;

    if (cookie_find(call_header(call, "Cookie"), SIGNIN_COOKIE, cookie, sizeof(cookie)) &&
        token_read(TOKEN_BROWSER, cookie, verifying->browser_hash))
        use->browser_hash = verifying->browser_hash;
    if (session_token(call, verifying->old_session, &by_cookie))
        use->old_session = verifying->old_session;
    use->program = is_program(call);
    http_exchange_client(call->http, verifying->client);
    session_agent(call, verifying->agent);
    use->client = verifying->client;
    use->agent = verifying->agent;
}

/* token and code: of the query, the form or the JSON body. False: has answered. */
static bool read_form(struct call *call, const char *text, struct signin_use *use)
{
    DC_AUTO(problems_release) struct problems problems;
    struct query query;

    problems_init(&problems);
    query_parse(text, &call->arena, &query, &problems);
    if (problems.total) {
        call_fail_problems(call, &problems);
        return false;
    }
    use->token = query_get(&query, "token");
    use->code = query_get(&query, "code");
    return true;
}

static const char *keep(struct call *call, const char *text)
{
    return text ? dc_arena_copy(&call->arena, text, strlen(text)) : NULL;
}

static bool read_json(struct call *call, struct signin_use *use)
{
    DC_AUTO(body_release) struct body body = {0};

    if (!body_read(call, &body))
        return false;
    use->token = keep(call, body_text(&body, "token"));
    use->code = keep(call, body_text(&body, "code"));
    return !body_fail(call, &body);
}

static bool is_form(const struct call *call)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = call_header(call, "Content-Type");

    return type && strncasecmp(type, form, sizeof(form) - 1) == 0;
}

static void refuse_page(struct call *call, int status, const char *title, const char *line)
{
    page_reply(call,
               &(struct page){
                   .status = status, .title = title, .text = line, .link = "Ask for a new link"});
}

static void fail_missing(struct call *call, bool page)
{
    static const char message[] = "The link is not whole; open it as it stands in the mail.";

    if (page)
        refuse_page(call, 400, "Missing token", message);
    else
        fail(call, 400, "Missing token", "missing_token", message);
}

/* What there is to say but "good". */
static void refuse(struct call *call, const struct signin_used *used, bool page)
{
    static const char invalid[] =
        "The link is unknown, was used, or is too old. Ask for a new one.";
    static const char closed[] = "This address may not sign in here. Ask the operator, or somebody "
                                 "of your project, for an invitation.";
    static const char code[] = "Another browser asked for this link. Send the code that is shown "
                               "there.";

    if (used->verdict == SIGNIN_CODE_NEEDED || used->verdict == SIGNIN_CODE_WRONG)
        fail(call, 403, used->verdict == SIGNIN_CODE_WRONG ? "Wrong code" : "Code required",
             used->verdict == SIGNIN_CODE_WRONG ? "wrong_code" : "code_required", code);
    else if (page)
        refuse_page(call, 403, "You cannot sign in with this link",
                    used->verdict == SIGNIN_CLOSED ? closed : invalid);
    else
        fail(call, 403,
             used->verdict == SIGNIN_CLOSED ? "Sign-in not allowed" : "Invalid or expired token",
             used->verdict == SIGNIN_CLOSED ? "signin_closed" : "invalid_token",
             used->verdict == SIGNIN_CLOSED ? closed : invalid);
}

static void show_confirm(struct call *call, const struct signin_use *use,
                         const struct signin_used *used)
{
    bool asks = used->verdict != SIGNIN_GOOD;
    bool wrong = used->verdict == SIGNIN_CODE_WRONG;
    char title[384];

    (void)snprintf(title, sizeof(title), "Sign in to %s", call->app->options.accounts.app_name);
    page_reply(call,
               &(struct page){
                   .status = wrong ? 403 : 200,
                   .title = title,
                   .account = used->email,
                   .problem = wrong ? "That was not the code." : NULL,
                   .text = !asks   ? "Go on only if you asked for this yourself."
                           : wrong ? "Enter the one that is shown in the browser where you asked "
                                     "for the link."
                                   : "Another browser asked for this link. Enter the code that is "
                                     "shown there. If you did not ask, close this page.",
                   .token = use->token,
                   .asks_code = asks,
                   .button = "Sign in",
               });
}

static void print_used(const struct signin_used *used, struct dc_buf *out)
{
    char expires[25];

    dc_format_iso8601(used->expires_at, expires);
    (void)dc_buf_printf(out,
                        "{\"success\":true,\"sessionToken\":\"%s\",\"expires_at\":\"%s\","
                        "\"user\":{\"id\":\"%s\",\"email\":",
                        used->session, expires, used->user.id);
    (void)dc_buf_json_string(out, used->user.email, strlen(used->user.email));
    (void)dc_buf_text(out, ",\"name\":");
    (void)dc_buf_json_string(out, used->user.name, strlen(used->user.name));
    (void)dc_buf_printf(out, ",\"operator\":%s}}", used->user.operator? "true" : "false");
}

/* page: go to the dashboard; else JSON with the token. Never to an address that came with a
 * request. */
static void reply_signed_in(struct call *call, struct signin_used *used, bool page)
{
    const struct accounts_options *options = &call->app->options.accounts;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    char session[SESSION_COOKIE_MAX];
    char browser[SESSION_COOKIE_MAX];
    struct call_head head = {
        .status = page ? 303 : 200,
        .fields = {{"Set-Cookie", session}, {"Set-Cookie", browser}},
    };

    session_print_cookie(call, SESSION_COOKIE, used->session,
                         options->session_days * 24 * 60 * MINUTE_S, session);
    session_print_cookie(call, SIGNIN_COOKIE, NULL, 0, browser);
    dc_buf_init(&body, ANSWER_MAX_BYTES);
    if (page) {
        head.type = "text/html; charset=utf-8";
        head.fields[2] = (struct call_field){"Location", "/dashboard"};
    } else {
        print_used(used, &body);
    }
    call_reply(call, &head, &body);
    dc_wipe(used->session, sizeof(used->session));
    dc_wipe(session, sizeof(session));
}

static void sign_in(struct call *call, struct verifying *verifying, bool page)
{
    struct signin_used used;
    struct dc_err err;

    if (signin_use(call->app->accounts, &verifying->use, &used, &err) < 0)
        call_fail_err(call, &err, "a sign-in link could not be used");
    else if (used.verdict == SIGNIN_GOOD)
        reply_signed_in(call, &used, page);
    else if (page && (used.verdict == SIGNIN_CODE_NEEDED || used.verdict == SIGNIN_CODE_WRONG))
        show_confirm(call, &verifying->use, &used);
    else
        refuse(call, &used, page);
}

/* Mail scanners follow links: this changes nothing. The one exception is a program that says so by
 * a header which no scanner sends and no other site can make a browser send. */
void route_signin_page(struct call *call)
{
    struct verifying verifying = {0};
    struct signin_used used;
    bool page = page_is_wanted(call);
    struct dc_err err;

    if (!read_form(call, call->query, &verifying.use))
        return;
    if (!verifying.use.token || !*verifying.use.token) {
        fail_missing(call, page);
        return;
    }
    fill_use(call, &verifying);
    if (call_header(call, "X-Nuxt-Api") && strcmp(call->method, "GET") == 0) {
        if (check_site(call))
            sign_in(call, &verifying, false);
    } else if (signin_look(call->app->accounts, &verifying.use, &used, &err) < 0) {
        call_fail_err(call, &err, "a sign-in link could not be read");
    } else if (!*used.email) {
        refuse(call, &used, page);
    } else {
        show_confirm(call, &verifying.use, &used);
    }
}

void route_signin_confirm(struct call *call)
{
    struct verifying verifying = {0};
    bool page = is_form(call);

    if (!check_site(call) ||
        !(page ? read_form(call, call->body, &verifying.use) : read_json(call, &verifying.use)))
        return;
    if (!verifying.use.token || !*verifying.use.token) {
        fail_missing(call, page);
        return;
    }
    fill_use(call, &verifying);
    sign_in(call, &verifying, page);
}
