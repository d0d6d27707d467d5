#include <stdio.h>
#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/email.h"
#include "base/clock.h"
#include "store/audit.h"
#include "store/members.h"
#include "store/outbox.h"
#include "store/projects.h"

#include "base/poison.h"

enum { WRONG_CODES_MAX = 5, MINUTE_S = 60, DAY_S = 24 * 3600 };

/* --- who may --------------------------------------------------------------------------------- */

static int is_invited(struct store_conn *conn, const char *email, int64_t now, bool *ret_invited,
                      struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_invitation *list = NULL;
    size_t count;

    if (store_invitations_list(conn, NULL, email, now, &list, &count, err) < 0)
        return -err->code;
    *ret_invited = count > 0;
    return 0;
}

/* May somebody without an account make one? */
static int may_sign_up(const struct accounts_options *options, struct store_conn *conn,
                       const char *email, int64_t now, bool *ret_may, struct dc_err *err)
{
    *ret_may = options->signup == SIGNUP_OPEN || email_in_list(email, options->operators) ||
               (options->signup == SIGNUP_DOMAINS && email_in_domains(email, options->domains));
    if (*ret_may || options->signup == SIGNUP_CLOSED)
        return 0;
    return is_invited(conn, email, now, ret_may, err);
}

/* --- asking ---------------------------------------------------------------------------------- */

struct asking {
    const struct settings *settings;
    const struct signin_asker *asker;
    struct signin_asked *asked;
    int64_t now;
};

static uint32_t seconds_left(int64_t first, int64_t window, int64_t now)
{
    int64_t left = (first + window - now) / DC_NS_PER_S + 1;

    return left < 1                      ? 1
           : left > window / DC_NS_PER_S ? (uint32_t)(window / DC_NS_PER_S)
                                         : (uint32_t)left;
}

/* Counted in the store: exact, and a restart forgives nothing. */
static int check_limits(const struct asking *asking, struct store_conn *conn, struct dc_err *err)
{
    const struct accounts_options *options = &asking->settings->options;
    int64_t window = (int64_t)options->link_minutes * MINUTE_S * DC_NS_PER_S;
    struct store_link_counts counts = {0};
    uint32_t wait = 0;

    if (store_link_count(conn, asking->asker->email, asking->asker->client, asking->now - window,
                         &counts, err) < 0)
        return -err->code;
    if (options->links_per_email && counts.by_email >= options->links_per_email)
        wait = seconds_left(counts.first_email, window, asking->now);
    if (options->links_per_address && counts.by_address >= options->links_per_address) {
        uint32_t other = seconds_left(counts.first_address, window, asking->now);

        wait = other > wait ? other : wait;
    }
    asking->asked->retry_after_s = wait;
    return 0;
}

/* May whoever uses the link become the server's first operator? He must show that the server is
 * his: by asking from its own machine, by being named in the settings, or by reading its console.
 */
static int judge_leads(const struct asking *asking, struct store_conn *conn, bool *ret_leads,
                       struct dc_err *err)
{
    const struct settings *settings = asking->settings;
    bool led;

    if (store_users_led(conn, &led, err) < 0)
        return -err->code;
    *ret_leads = !led && (asking->asker->local || mail_transport_is_console(settings->transport) ||
                          email_in_list(asking->asker->email, settings->options.operators));
    return 0;
}

/* SECURITY: does the same for every address, so that neither answer nor time tells who has an
 * account. Whether a mail leaves is judged by the outbox, later: signin_gets_mail. */
static int run_ask(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct asking *asking = arg;
    const struct signin_asker *asker = asking->asker;
    struct store_link link = {.source = asker->source, .has_code = true};

    if (check_limits(asking, conn, err) < 0)
        return -err->code;
    if (asking->asked->retry_after_s)
        return 0;
    if (judge_leads(asking, conn, &link.leads, err) < 0)
        return -err->code;
    (void)snprintf(link.email, sizeof(link.email), "%s", asker->email);
    (void)snprintf(link.address, sizeof(link.address), "%s", asker->client);
    code_hash(asking->asked->code, link.email, link.code_hash);
    link.has_browser = asker->browser_hash != NULL;
    if (asker->browser_hash)
        memcpy(link.browser_hash, asker->browser_hash, sizeof(link.browser_hash));
    link.created_at = asking->now;
    link.expires_at =
        asking->now + (int64_t)asking->settings->options.link_minutes * MINUTE_S * DC_NS_PER_S;
    if (store_link_create(conn, &link, err) < 0)
        return -err->code;
    return store_mail_add(conn, STORE_MAIL_SIGNIN, link.email, link.id, asking->now, err);
}

int signin_ask(struct accounts *accounts, const struct signin_asker *asker,
               struct signin_asked *ret_asked, struct dc_err *err)
{
    DC_AUTO(settings_unref) struct settings *settings = settings_ref(accounts->settings);
    struct asking asking = {settings, asker, ret_asked, dc_wall_now()};

    *ret_asked = (struct signin_asked){0};
    code_make(ret_asked->code);
    if (await_store(accounts->worker, AWAIT_WRITE, run_ask, &asking, err) < 0)
        return dc_context(err, "ask for a sign-in link");
    accounts_mail_wake(accounts);
    return 0;
}

int signin_gets_mail(const struct accounts_options *options, struct store_conn *conn,
                     const struct store_link *link, int64_t now, bool *ret_mail, struct dc_err *err)
{
    struct store_user user;
    int found = store_user_find(conn, link->email, &user, err);

    if (found < 0 && found != -DC_NOT_FOUND)
        return found;
    *ret_mail = found == 0 ? user.suspended_at == 0 : link->leads;
    if (found == 0 || *ret_mail)
        return 0;
    return may_sign_up(options, conn, link->email, now, ret_mail, err);
}

/* --- using ----------------------------------------------------------------------------------- */

struct using
{
    const struct settings *settings;
    const struct signin_use *use;
    struct signin_used *used;
    struct store_link link;
    int64_t now;
    uint8_t session_hash[STORE_HASH_BYTES];
};

/* The browser that asked, a program when a program asked, or whom the operator gave it. */
static bool came_back(const struct store_link *link, const struct signin_use *use)
{
    switch (link->source) {
    case STORE_LINK_OPERATOR:
        return true;
    case STORE_LINK_API:
        return use->program;
    case STORE_LINK_BROWSER:
        return use->browser_hash &&
               store_equal(link->browser_hash, use->browser_hash, STORE_HASH_BYTES);
    }
    return false;
}

static enum signin_verdict judge_code(const struct store_link *link, const char *code)
{
    uint8_t hash[STORE_HASH_BYTES];

    if (!code || !*code)
        return SIGNIN_CODE_NEEDED;
    code_hash(code, link->email, hash);
    return store_equal(hash, link->code_hash, sizeof(hash)) ? SIGNIN_GOOD : SIGNIN_CODE_WRONG;
}

static int judge_link(struct using *using, struct store_conn *conn, struct dc_err *err)
{
    const struct signin_use *use = using->use;
    struct signin_used *used = using->used;
    struct store_link *link = &using->link;
    uint8_t hash[STORE_HASH_BYTES];
    int found = -DC_NOT_FOUND;

    *used = (struct signin_used){.verdict = SIGNIN_INVALID};
    if (token_read(TOKEN_LINK, use->token, hash))
        found = store_link_find(conn, hash, link, err);
    if (found < 0)
        return found == -DC_NOT_FOUND ? 0 : found;
    if (link->used_at || link->expires_at <= using->now || link->wrong_codes >= WRONG_CODES_MAX)
        return 0;
    memcpy(used->email, link->email, sizeof(used->email));
    used->verdict = came_back(link, use) ? SIGNIN_GOOD : judge_code(link, use->code);
    return 0;
}

static int audit(const struct using *using, struct store_conn *conn, const char *action,
                 const char *project_id, const char *target, struct dc_err *err)
{
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = project_id,
                                                 .user_id = using->used->user.id,
                                                 .actor = using->used->user.email,
                                                 .action = action,
                                                 .target = target,
                                                 .address = using->use->client,
                                                 .at = using->now},
                           err);
}

/* A new operator takes over what the command line has made; others begin with a project of their
 * own. */
static int provide_project(const struct using *using, struct store_conn *conn, bool leads,
                           struct dc_err *err)
{
    const struct store_user *user = &using->used->user;
    struct store_project project;
    char name[STORE_NAME_MAX_BYTES + 1];
    int found = leads ? store_project_find_orphan(conn, &project, err) : -DC_NOT_FOUND;

    if (found < 0 && found != -DC_NOT_FOUND)
        return found;
    (void)snprintf(name, sizeof(name), "%.*s's project", (int)strcspn(user->email, "@"),
                   user->email);
    if (found < 0 && store_project_create(conn, name, using->now, &project, err) < 0)
        return -err->code;
    if (store_member_set(conn, project.id, user->id, "owner", using->now, err) < 0)
        return -err->code;
    return audit(using, conn, found < 0 ? "project.create" : "project.adopt", project.id,
                 project.name, err);
}

/* The user of the link, made when there is none; *ret_may tells whether that is allowed. */
static int provide_user(const struct using *using, struct store_conn *conn, bool *ret_may,
                        struct dc_err *err)
{
    const struct accounts_options *options = &using->settings->options;
    const struct store_link *link = &using->link;
    struct store_user *user = &using->used->user;
    int found = store_user_find(conn, link->email, user, err);
    bool led;
    bool leads;

    if ((found < 0 && found != -DC_NOT_FOUND) || store_users_led(conn, &led, err) < 0)
        return -err->code;
    leads = (!led && link->leads) || email_in_list(link->email, options->operators);
    if (found == 0) {
        *ret_may = user->suspended_at == 0;
        if (!*ret_may || !leads || user->operator)
            return 0;
        user->operator= true;
        return store_user_set_operator(conn, user->id, true, err);
    }
    *ret_may = leads || link->source == STORE_LINK_OPERATOR;
    if (!*ret_may && may_sign_up(options, conn, link->email, using->now, ret_may, err) < 0)
        return -err->code;
    if (!*ret_may)
        return 0;
    if (store_user_create(conn, link->email, leads, using->now, user, err) < 0 ||
        audit(using, conn, leads ? "user.create operator" : "user.create", NULL, user->email, err) <
            0)
        return -err->code;
    return provide_project(using, conn, leads, err);
}

/* The project that a new session works in: the first of the user. */
static int choose_project(struct using *using, struct store_conn *conn, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_member *list = NULL;
    size_t count;

    if (store_members_list(conn, NULL, using->used->user.id, &list, &count, err) < 0)
        return -err->code;
    if (count)
        memcpy(using->used->project_id, list[0].project_id, sizeof(using->used->project_id));
    return 0;
}

static int end_old(const struct using *using, struct store_conn *conn, struct dc_err *err)
{
    struct store_session old;
    int found;

    if (!using->use->old_session)
        return 0;
    found = store_session_find(conn, using->use->old_session, using->now, &old, err);
    if (found < 0)
        return found == -DC_NOT_FOUND ? 0 : found;
    return store_session_end(conn, NULL, old.id, err);
}

static int open_session(struct using *using, struct store_conn *conn, struct dc_err *err)
{
    struct signin_used *used = using->used;
    struct store_session_new session = {
        .user_id = used->user.id,
        .address = using->use->client,
        .agent = using->use->agent,
        .now = using->now,
        .expires_at = used->expires_at,
    };
    char id[DC_UUID_SIZE];

    memcpy(session.hash, using->session_hash, sizeof(session.hash));
    if (end_old(using, conn, err) < 0 || choose_project(using, conn, err) < 0)
        return -err->code;
    session.project_id = *used->project_id ? used->project_id : NULL;
    if (store_session_create(conn, &session, id, err) < 0 ||
        store_user_seen(conn, used->user.id, using->now, err) < 0)
        return -err->code;
    return audit(using, conn, "session.create", NULL, using->use->agent, err);
}

static int run_use(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct using *using = arg;
    struct signin_used *used = using->used;
    bool may = false;

    if (judge_link(using, conn, err) < 0)
        return -err->code;
    if (used->verdict == SIGNIN_CODE_WRONG)
        return store_link_wrong_code(conn, using->link.id, err);
    if (used->verdict != SIGNIN_GOOD)
        return 0;
    if (store_link_use(conn, &using->link, using->now, err) < 0 ||
        provide_user(using, conn, &may, err) < 0)
        return -err->code;
    if (!may) {
        used->verdict = SIGNIN_CLOSED;
        return 0;
    }
    used->expires_at =
        using->now + (int64_t) using->settings->options.session_days * DAY_S * DC_NS_PER_S;
    return open_session(using, conn, err);
}

int signin_use(struct accounts *accounts, const struct signin_use *use,
               struct signin_used *ret_used, struct dc_err *err)
{
    DC_AUTO(settings_unref) struct settings *settings = settings_ref(accounts->settings);
    struct using using = {.settings = settings, .use = use, .used = ret_used, .now = dc_wall_now()};
    char token[TOKEN_SIZE];

    token_make(TOKEN_SESSION, token, using.session_hash);
    if (await_store(accounts->worker, AWAIT_WRITE, run_use, &using, err) < 0)
        return dc_context(err, "sign in");
    if (ret_used->verdict == SIGNIN_GOOD)
        memcpy(ret_used->session, token, sizeof(token));
    return 0;
}

static int run_look(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return judge_link(arg, conn, err);
}

int signin_look(struct accounts *accounts, const struct signin_use *use,
                struct signin_used *ret_used, struct dc_err *err)
{
    DC_AUTO(settings_unref) struct settings *settings = settings_ref(accounts->settings);
    struct using using = {.settings = settings, .use = use, .used = ret_used, .now = dc_wall_now()};

    if (await_store(accounts->worker, AWAIT_READ, run_look, &using, err) < 0)
        return dc_context(err, "look at a sign-in link");
    return 0;
}

/* --- by hand --------------------------------------------------------------------------------- */

struct by_hand {
    struct store_link link;
    uint8_t hash[STORE_HASH_BYTES];
};

static int run_by_hand(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct by_hand *made = arg;

    if (store_link_create(conn, &made->link, err) < 0)
        return -err->code;
    return store_link_add_token(conn, made->link.id, made->hash, err);
}

int signin_link_by_hand(struct store_conn *conn, const char *email, uint32_t minutes, int64_t now,
                        char ret_token[static TOKEN_SIZE], struct dc_err *err)
{
    struct by_hand made = {
        .link = {.source = STORE_LINK_OPERATOR,
                 .leads = true,
                 .created_at = now,
                 .expires_at = now + (int64_t)minutes * MINUTE_S * DC_NS_PER_S},
    };

    (void)snprintf(made.link.email, sizeof(made.link.email), "%s", email);
    token_make(TOKEN_LINK, ret_token, made.hash);
    return store_transaction(conn, run_by_hand, &made, err);
}
