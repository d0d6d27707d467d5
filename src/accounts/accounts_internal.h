/* What the files of src/accounts share. */
#ifndef DOCLE_ACCOUNTS_INTERNAL_H
#define DOCLE_ACCOUNTS_INTERNAL_H

#include "accounts/accounts.h"
#include "accounts/settings.h"
#include "runs/await.h"
#include "store/links.h"

struct accounts {
    struct settings *settings; /* in force */
    struct store_worker *worker;
    struct outbound *outbound;
    struct await_flag wake;
    int64_t mail_due; /* wall clock; when the outbox is to be looked at next */
    /* Mails that are leaving: no second one goes to the same recipient meanwhile. */
    char leaving[MAILS_AT_ONCE_MAX][STORE_EMAIL_SIZE];
    uint32_t leaving_count;
    bool stopping;
};

/* Whether the link's address gets a mail: it may sign in, or sign up. */
DC_MUST int signin_gets_mail(const struct accounts_options *options, struct store_conn *conn,
                             const struct store_link *link, int64_t now, bool *ret_mail,
                             struct dc_err *err);

#endif
