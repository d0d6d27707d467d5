/*
 * Mails leave from the outbox in the store, a few at once, so that a slow server of one delays
 * nobody else's; to one recipient one after another. One task looks, each mail has a task of its
 * own. Before an attempt the time of the next one is written, so that a crash repeats a mail and
 * never loses it; each attempt at a sign-in link has a token of its own, which exists nowhere but
 * in that mail. An attempt ends under the settings it began with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/budget_mail.h"
#include "accounts/incident_mail.h"
#include "accounts/mail_text.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "net/task.h"
#include "store/members.h"
#include "store/outbox.h"

#include "base/poison.h"

enum {
    MAIL_MAX_BYTES = 64 * 1024,
    LINE_MAX_BYTES = 512,
    LINK_MAX_BYTES = 1024,
    GIVE_UP_S = 24 * 3600,
    PAUSE_S = 60, /* when the store fails */
    LOOK_S = 10,  /* for budgets that runs have reached */
};

/* Seconds after which an attempt is repeated, by how many there were. */
static int64_t patience_s(int64_t attempts)
{
    static const int64_t table[] = {10, 30, 60, 180, 600, 1800, 3600};
    size_t last = sizeof(table) / sizeof(table[0]) - 1;

    return table[attempts > (int64_t)last ? last : (size_t)attempts];
}

struct taking {
    struct accounts *accounts;
    struct settings *settings;                      /* a reference */
    char busy[MAILS_AT_ONCE_MAX][STORE_EMAIL_SIZE]; /* recipients of what is leaving */
    uint32_t busy_count;
    char token[TOKEN_SIZE];
    struct store_mail mail;
    struct store_link link;
    struct store_invitation invitation;
    struct budget_mail budget;
    struct incident_mail incident;
    uint8_t hash[STORE_HASH_BYTES];
    int64_t now;
    bool due;     /* an attempt is to be made */
    int64_t next; /* when to look again, unless something is put in before */
};

/* Is the mail of use? Not everybody may sign in; links are used and expire; invitations are
 * withdrawn; people leave projects. */
static int read_subject(struct store_conn *conn, struct taking *taking, bool *ret_good,
                        struct dc_err *err)
{
    int found;

    if (taking->mail.kind == STORE_MAIL_SIGNIN) {
        found = store_link_get(conn, taking->mail.subject_id, &taking->link, err);
        *ret_good = found == 0 && !taking->link.used_at && taking->link.expires_at > taking->now;
        if (*ret_good)
            found = signin_gets_mail(&taking->settings->options, conn, &taking->link, taking->now,
                                     ret_good, err);
    } else if (taking->mail.kind == STORE_MAIL_BUDGET) {
        found = budget_mail_read(conn, taking->mail.subject_id, taking->mail.recipient,
                                 &taking->budget.notice, ret_good, err);
    } else if (taking->mail.kind == STORE_MAIL_INCIDENT) {
        found = incident_mail_read(conn, taking->mail.subject_id, taking->mail.recipient,
                                   &taking->incident.incident, ret_good, err);
    } else {
        found = store_invitation_get(conn, taking->mail.subject_id, taking->now,
                                     &taking->invitation, err);
        *ret_good = found == 0;
    }
    return found < 0 && found != -DC_NOT_FOUND ? found : 0;
}

static int run_take(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct taking *taking = arg;
    struct store_mail *mail = &taking->mail;
    bool good;
    bool more;
    int found;

    taking->due = false;
    if (budget_mail_queue(conn, taking->now, &more, err) < 0)
        return -err->code;
    taking->next = more ? taking->now : taking->now + LOOK_S * DC_NS_PER_S;
    found = store_mail_next(conn, taking->busy, taking->busy_count, mail, err);
    if (found < 0)
        return found == -DC_NOT_FOUND ? 0 : found;
    if (mail->due_at < taking->next)
        taking->next = mail->due_at;
    if (mail->due_at > taking->now)
        return 0;
    taking->next = taking->now; /* there may be more */
    if (read_subject(conn, taking, &good, err) < 0)
        return -err->code;
    if (!good || taking->now - mail->created_at > GIVE_UP_S * DC_NS_PER_S)
        return store_mail_remove(conn, mail->id, err); /* nobody needs it any more */
    taking->due = true;
    if (mail->kind == STORE_MAIL_SIGNIN &&
        store_link_add_token(conn, mail->subject_id, taking->hash, err) < 0)
        return -err->code;
    return store_mail_attempt(conn, mail->id,
                              taking->now + patience_s(mail->attempts) * DC_NS_PER_S, err);
}

/* --- words ----------------------------------------------------------------------------------- */

static int deliver(const struct taking *taking, const struct mail_words *words, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf text = {0};
    DC_AUTO(dc_buf_release) struct dc_buf html = {0};
    int result;

    dc_buf_init(&text, MAIL_MAX_BYTES);
    dc_buf_init(&html, MAIL_MAX_BYTES);
    mail_print_text(words, &text);
    mail_print_html(words, &html);
    if (text.failed || html.failed)
        return dc_fail(err, DC_KERNEL, 0, "a mail does not fit into memory");
    result = mail_transport_send(taking->settings->transport,
                                 &(struct mail){.id = taking->mail.id,
                                                .recipient = taking->mail.recipient,
                                                .subject = words->title,
                                                .text = dc_buf_str(&text),
                                                .html = dc_buf_str(&html),
                                                .link = words->link},
                                 err);
    dc_wipe(text.data, text.length);
    dc_wipe(html.data, html.length);
    return result;
}

static int send_signin(const struct taking *taking, struct dc_err *err)
{
    const struct accounts_options *options = &taking->settings->options;
    char title[LINE_MAX_BYTES];
    char first[LINE_MAX_BYTES];
    char link[LINK_MAX_BYTES];
    int result;

    (void)snprintf(title, sizeof(title), "Sign in to %s", options->app_name);
    (void)snprintf(first, sizeof(first),
                   "Somebody, most likely you, asked to sign in to %s as %s. The link works once, "
                   "within %u minutes, in the browser that asked for it; elsewhere it asks for the "
                   "code that is shown there.",
                   options->app_name, taking->mail.recipient, options->link_minutes);
    (void)snprintf(link, sizeof(link), "%s/auth/verify?token=%s", options->app_url, taking->token);
    result = deliver(taking,
                     &(struct mail_words){
                         .title = title,
                         .lines = {first},
                         .button = "Sign in",
                         .link = link,
                         .footer = "If it was not you, do nothing: without this link nobody gets "
                                   "in. Never give the link to anybody.",
                     },
                     err);
    dc_wipe(link, sizeof(link));
    return result;
}

static int send_invitation(const struct taking *taking, struct dc_err *err)
{
    const struct accounts_options *options = &taking->settings->options;
    const struct store_invitation *invitation = &taking->invitation;
    char title[LINE_MAX_BYTES];
    char first[LINE_MAX_BYTES * 2];
    char second[LINE_MAX_BYTES];
    char link[LINK_MAX_BYTES];

    (void)snprintf(title, sizeof(title), "An invitation to %s", options->app_name);
    (void)snprintf(first, sizeof(first), "%s invites you to the project \"%s\" as %s.",
                   *invitation->inviter ? invitation->inviter : "The operator",
                   invitation->project_name, invitation->role);
    (void)snprintf(second, sizeof(second), "Sign in with this address, %s, to accept or decline.",
                   invitation->email);
    (void)snprintf(link, sizeof(link), "%s/invitations", options->app_url);
    return deliver(taking,
                   &(struct mail_words){
                       .title = title,
                       .lines = {first, second},
                       .button = "Sign in",
                       .link = link,
                       .footer = "If you do not know who invites you, do nothing: the invitation "
                                 "ends by itself.",
                   },
                   err);
}

/* --- the task -------------------------------------------------------------------------------- */

struct ending {
    const char *id;
    const char *error; /* NULL: it has left, or is given up */
};

static int run_end(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct ending *ending = arg;

    return ending->error ? store_mail_failed(conn, ending->id, ending->error, err)
                         : store_mail_remove(conn, ending->id, err);
}

static int send_mail(struct taking *taking, struct dc_err *err)
{
    const struct accounts_options *options = &taking->settings->options;
    struct mail_words words;

    if (taking->mail.kind == STORE_MAIL_SIGNIN)
        return send_signin(taking, err);
    if (taking->mail.kind == STORE_MAIL_INVITATION)
        return send_invitation(taking, err);
    words = taking->mail.kind == STORE_MAIL_INCIDENT
                ? incident_mail_words(&taking->incident, options->app_name, options->app_url)
                : budget_mail_words(&taking->budget, options->app_url);
    return deliver(taking, &words, err);
}

static void attempt(struct taking *taking)
{
    struct ending ending = {.id = taking->mail.id};
    struct dc_err failure = {0};
    struct dc_err err;
    int sent = send_mail(taking, &failure);
    bool final = sent == -DC_INVALID || sent == -DC_DENIED;

    if (sent < 0)
        dc_log_err(DC_LOG_ERROR, taking->mail.id, &failure, "a mail could not be sent; %s",
                   final ? "it is given up" : "it is tried again");
    if (sent < 0 && !final)
        ending.error = failure.text;
    if (await_store(taking->accounts->worker, AWAIT_WRITE, run_end, &ending, &err) < 0)
        dc_log_err(DC_LOG_ERROR, taking->mail.id, &err, "the outbox could not be written");
}

static void taking_free(struct taking *taking)
{
    if (!taking)
        return;
    settings_unref(taking->settings);
    dc_wipe(taking->token, sizeof(taking->token));
    free(taking);
}
DC_AUTO_DEFINE(struct taking *, taking_free)

/* The recipient is not busy any more; the last place takes the empty one. */
static void end_leaving(struct accounts *accounts, const char *recipient)
{
    for (uint32_t i = 0; i < accounts->leaving_count; i++)
        if (strcmp(accounts->leaving[i], recipient) == 0) {
            memmove(accounts->leaving[i], accounts->leaving[--accounts->leaving_count],
                    sizeof(accounts->leaving[i]));
            break;
        }
    accounts_mail_wake(accounts);
}

/* A mail's own task; takes the taking. */
static void leave(void *arg)
{
    DC_AUTO(taking_free) struct taking *taking = arg;

    attempt(taking);
    end_leaving(taking->accounts, taking->mail.recipient);
}

static void start_leaving(struct accounts *accounts, struct taking *taking)
{
    struct dc_err err;

    memcpy(accounts->leaving[accounts->leaving_count++], taking->mail.recipient,
           sizeof(taking->mail.recipient));
    if (task_start(task_loop(task_self()), leave, taking, &err) == 0)
        return;
    dc_log_err(DC_LOG_ERROR, taking->mail.id, &err, "a mail could not be sent; it is tried again");
    end_leaving(accounts, taking->mail.recipient);
    taking_free(taking);
}

/* One look at the outbox. */
static void look(struct accounts *accounts)
{
    DC_AUTO(taking_free) struct taking *taking = calloc(1, sizeof(*taking));
    int64_t now = dc_wall_now();
    struct dc_err err = {.code = DC_KERNEL, .text = "no memory"};

    accounts->mail_due = INT64_MAX; /* before: what is put in meanwhile shows */
    if (taking) {
        taking->accounts = accounts;
        taking->settings = settings_ref(accounts->settings);
        taking->now = now;
        taking->busy_count = accounts->leaving_count;
        memcpy(taking->busy, accounts->leaving, sizeof(taking->busy));
        token_make(TOKEN_LINK, taking->token, taking->hash);
    }
    if (!taking || await_store(accounts->worker, AWAIT_WRITE, run_take, taking, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "the outbox could not be read");
        accounts->mail_due = now + PAUSE_S * DC_NS_PER_S;
        return;
    }
    if (taking->next < accounts->mail_due)
        accounts->mail_due = taking->next;
    if (taking->due)
        start_leaving(accounts, dc_take(taking));
}

static bool may_look(const struct accounts *accounts)
{
    return accounts->mail_due <= dc_wall_now() &&
           accounts->leaving_count < accounts->settings->options.mails_at_once;
}

void accounts_mail_run(void *arg)
{
    struct accounts *accounts = arg;

    while (!accounts->stopping || accounts->leaving_count) {
        if (!accounts->stopping && may_look(accounts))
            look(accounts);
        else
            await_flag_wait(&accounts->wake);
    }
}

void accounts_tick(struct accounts *accounts)
{
    if (may_look(accounts))
        await_flag_set(&accounts->wake);
}

void accounts_mail_wake(struct accounts *accounts)
{
    accounts->mail_due = 0;
    await_flag_set(&accounts->wake);
}
