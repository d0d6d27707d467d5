/*
 * People: signing in by a mailed link, sessions, and the mails that this takes. API process, in
 * tasks on the loop's thread, but for what names a store_conn: that runs on the store's threads or
 * in the command line.
 *
 * Lifecycle: accounts_open; accounts_mail_run in a task of its own; accounts_tick once a second;
 * accounts_stop, after which accounts_mail_run returns; accounts_free.
 */
#ifndef DOCLE_ACCOUNTS_ACCOUNTS_H
#define DOCLE_ACCOUNTS_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "accounts/token.h"
#include "base/auto.h"
#include "base/error.h"
#include "store/links.h"
#include "store/users.h"
#include "store/worker.h"

struct accounts;
struct outbound;

/* Who may make an account here. */
enum signup {
    SIGNUP_OPEN,    /* anybody */
    SIGNUP_DOMAINS, /* addresses of accounts_options.domains, and the invited */
    SIGNUP_INVITE,  /* the invited */
    SIGNUP_CLOSED,  /* nobody */
};

/* How mails leave: by Resend when there is a key, else by SMTP when there is a URL, else they are
 * printed. NULL and "" are the same. */
struct mail_options {
    const char *from; /* "Docle <no-reply@example.com>" */
    const char *resend_key;
    const char *resend_url; /* "https://api.resend.com", no slash at the end */
    const char *smtp_url;   /* "smtp://host:587" with STARTTLS, "smtps://host:465" */
    const char *smtp_user;
    const char *smtp_password;
    bool smtp_plain; /* no TLS: to this machine */
};

enum { MAILS_AT_ONCE_MAX = 32 };

/* Strings are copied by accounts_open and accounts_change. */
struct accounts_options {
    struct mail_options mail;
    uint32_t mails_at_once; /* 1..MAILS_AT_ONCE_MAX, to different people */
    const char *app_name;   /* in mails and pages */
    const char *app_url;    /* "https://docle.example.com", no slash at the end */
    enum signup signup;
    const char *domains;   /* as email_in_domains */
    const char *operators; /* addresses that may sign in whatever signup says, as operators; "" */
    uint32_t links_per_address; /* requests within the window from one client … */
    uint32_t links_per_email;   /* … and for one address; 0: no limit */
    uint32_t link_minutes;      /* life of a link, and the window */
    uint32_t session_days;
    uint32_t invitation_days;
    uint32_t invitations_per_email;   /* within a day, of all projects; 0: no limit */
    uint32_t invitations_per_project; /* likewise, to whomever */
};

/* worker, outbound: borrowed until accounts_free. */
DC_MUST int accounts_open(const struct accounts_options *options, struct store_worker *worker,
                          struct outbound *outbound, struct accounts **ret_accounts,
                          struct dc_err *err);
void accounts_stop(struct accounts *accounts); /* accepts NULL */
void accounts_free(struct accounts *accounts); /* accepts NULL */
DC_AUTO_DEFINE(struct accounts *, accounts_free)

/* In force now: valid until the loop goes on. */
const struct accounts_options *accounts_options(const struct accounts *accounts);

/* Other settings from now on; what is under way ends under the old ones. DC_INVALID: they do not
 * hang together, and nothing has changed. On the loop. */
DC_MUST int accounts_change(struct accounts *accounts, const struct accounts_options *options,
                            struct dc_err *err);

/* In a task: sends what is in the outbox until accounts_stop. */
void accounts_mail_run(void *accounts);
/* On the loop: looks whether a mail is due. */
void accounts_tick(struct accounts *accounts);
/* A mail was put into the outbox. */
void accounts_mail_wake(struct accounts *accounts);

/* --- asking for a link --- */

struct signin_asker {
    const char *email; /* from email_read */
    enum store_link_source source;
    const uint8_t *browser_hash; /* of the cookie it is given; NULL: a program asks */
    const char *client;          /* address, as the limit counts: IPv4, or the /64 of IPv6 */
    bool local;                  /* asks from this machine itself */
};

struct signin_asked {
    char code[CODE_SIZE];   /* to show; also for an address that gets no mail */
    uint32_t retry_after_s; /* not 0: too many requests; nothing was done */
};

/* Says the same, and does as much, whether the address has an account or not. */
DC_MUST int signin_ask(struct accounts *accounts, const struct signin_asker *asker,
                       struct signin_asked *ret_asked, struct dc_err *err);

/* --- using it --- */

enum signin_verdict {
    SIGNIN_GOOD,
    SIGNIN_INVALID,     /* no such link, used, or expired */
    SIGNIN_CODE_NEEDED, /* another browser than the one that asked: it has shown a code */
    SIGNIN_CODE_WRONG,  /* and may be tried again */
    SIGNIN_CLOSED,      /* the address may have no account here, or no longer */
};

struct signin_use {
    const char *token;
    const uint8_t *browser_hash; /* of the cookie that came; NULL: none */
    const char *code;            /* NULL: none */
    bool program;                /* no browser */
    const char *client;          /* address, to show */
    const char *agent;           /* User-Agent; "" */
    const uint8_t *old_session;  /* hash of a session that this one takes the place of; NULL */
};

struct signin_used {
    enum signin_verdict verdict;
    char email[STORE_EMAIL_SIZE]; /* of the link; "" when invalid */
    char session[TOKEN_SIZE];     /* good: wipe it after sending it */
    int64_t expires_at;
    struct store_user user;
    char project_id[DC_UUID_SIZE];
};

/* What signin_use would say; changes nothing. */
DC_MUST int signin_look(struct accounts *accounts, const struct signin_use *use,
                        struct signin_used *ret_used, struct dc_err *err);
DC_MUST int signin_use(struct accounts *accounts, const struct signin_use *use,
                       struct signin_used *ret_used, struct dc_err *err);

/* The operator's own way in: a link for the address, good in any browser. */
DC_MUST int signin_link_by_hand(struct store_conn *conn, const char *email, uint32_t minutes,
                                int64_t now, char ret_token[static TOKEN_SIZE], struct dc_err *err);

/* In a transaction: deletes a person, and the projects that nobody else is in. What was metered and
 * the audit log stay, without the address. DC_CONFLICT: others are left without an owner. */
DC_MUST int accounts_delete_user(struct store_conn *conn, const struct store_user *user,
                                 struct dc_err *err);

#endif
