/*
 * Mails and the ways out for them: the server's console, and what accounts are configured with. A
 * mail's texts are made just before it leaves. API process, in a task.
 */
#ifndef DOCLE_ACCOUNTS_MAIL_H
#define DOCLE_ACCOUNTS_MAIL_H

#include <stdbool.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/error.h"

struct mail {
    const char *id;        /* of the outbox: the same for each attempt */
    const char *recipient; /* from email_read */
    const char *subject;   /* one line of printable text */
    const char *text;      /* "\n" ends lines */
    const char *html;
    const char *link; /* what it is about */
};

struct mail_transport;

/* Prints the link on standard output: for development, and for boxes without mail. */
struct mail_transport *mail_transport_console(void); /* NULL without memory */

void mail_transport_free(struct mail_transport *transport); /* accepts NULL */
DC_AUTO_DEFINE(struct mail_transport *, mail_transport_free)

bool mail_transport_is_console(const struct mail_transport *transport);

/* In a task; suspends it. DC_INVALID or DC_DENIED: another attempt would end the same; all else:
 * later it may work. The text of the error holds no secret. */
DC_MUST int mail_transport_send(struct mail_transport *transport, const struct mail *mail,
                                struct dc_err *err);

#endif
