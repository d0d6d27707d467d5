/* Mails that tell operators of an incident. For outbox.c; read on the store's threads. */
#ifndef DOCLE_ACCOUNTS_INCIDENT_MAIL_H
#define DOCLE_ACCOUNTS_INCIDENT_MAIL_H

#include "accounts/mail_text.h"
#include "store/incidents.h"

enum { INCIDENT_MAIL_TEXT_SIZE = 512 };

struct incident_mail {
    struct store_incident incident;
    char title[INCIDENT_MAIL_TEXT_SIZE];
    char link[INCIDENT_MAIL_TEXT_SIZE];
};

/* What a mail is about. *ret_good: it is there, and the recipient is an operator still. */
DC_MUST int incident_mail_read(struct store_conn *conn, const char *incident_id,
                               const char *recipient, struct store_incident *ret_incident,
                               bool *ret_good, struct dc_err *err);

/* The words of mail->incident, kept in mail. */
struct mail_words incident_mail_words(struct incident_mail *mail, const char *app_name,
                                      const char *app_url);

#endif
