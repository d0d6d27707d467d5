/* Mails that tell of budgets: who gets one, and its words. For outbox.c; store's threads but for
 * budget_mail_words. */
#ifndef DOCLE_ACCOUNTS_BUDGET_MAIL_H
#define DOCLE_ACCOUNTS_BUDGET_MAIL_H

#include <stdbool.h>

#include "accounts/mail_text.h"
#include "store/budgets.h"

enum { BUDGET_MAIL_TEXT_SIZE = 1024 };

struct budget_mail {
    struct store_budget_notice notice;
    char title[BUDGET_MAIL_TEXT_SIZE];
    char line[BUDGET_MAIL_TEXT_SIZE];
    char link[BUDGET_MAIL_TEXT_SIZE];
};

/* In a transaction: puts a mail into the outbox for each owner and admin of the project of each
 * event that nobody was told of, and marks the events; the oldest few of them. *ret_more: there may
 * be others. */
DC_MUST int budget_mail_queue(struct store_conn *conn, int64_t now, bool *ret_more,
                              struct dc_err *err);

/* What a mail is about. *ret_good: it still is, and the recipient still may know. */
DC_MUST int budget_mail_read(struct store_conn *conn, const char *subject_id, const char *recipient,
                             struct store_budget_notice *ret_notice, bool *ret_good,
                             struct dc_err *err);

/* The words of mail->notice, kept in mail. */
struct mail_words budget_mail_words(struct budget_mail *mail, const char *app_url);

#endif
