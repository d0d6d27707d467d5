/*
 * Mails and the ways out for them: Resend's API, SMTP, or the server's console. A mail's texts are
 * made just before it leaves. API process, in a task.
 */
#ifndef DOCLE_ACCOUNTS_MAIL_H
#define DOCLE_ACCOUNTS_MAIL_H

#include <stdbool.h>

#include "accounts/accounts.h"
#include "base/auto.h"
#include "base/error.h"

struct mail {
    const char *id;        /* of the outbox: the same for each attempt */
    const char *recipient; /* from email_read */
    const char *subject;   /* UTF-8 */
    const char *text;      /* UTF-8; "\n" ends lines */
    const char *html;
    const char *link; /* what it is about */
};

struct mail_transport;

/* options, outbound: borrowed. DC_INVALID: what is missing in the settings. */
DC_MUST int mail_transport_new(const struct mail_options *options, struct outbound *outbound,
                               struct mail_transport **ret_transport, struct dc_err *err);
void mail_transport_free(struct mail_transport *transport); /* accepts NULL */
DC_AUTO_DEFINE(struct mail_transport *, mail_transport_free)

/* Without Resend and SMTP: links are printed on standard output, for development. */
bool mail_transport_is_console(const struct mail_transport *transport);

/* In a task; suspends it. DC_INVALID or DC_DENIED: another attempt would end the same; all else:
 * later it may work. The text of the error holds no secret. */
DC_MUST int mail_transport_send(struct mail_transport *transport, const struct mail *mail,
                                struct dc_err *err);

#endif
