/* What the files of src/accounts share. */
#ifndef DOCLE_ACCOUNTS_INTERNAL_H
#define DOCLE_ACCOUNTS_INTERNAL_H

#include "accounts/accounts.h"
#include "accounts/mail.h"
#include "runs/await.h"
#include "store/links.h"

struct accounts {
    struct accounts_options options;
    struct store_worker *worker;
    struct mail_transport *transport;
    struct await_flag wake;
    int64_t mail_due; /* wall clock; when the outbox is to be looked at next */
    bool stopping;
};

/* Whether the link's address gets a mail: it may sign in, or sign up. */
DC_MUST int signin_gets_mail(const struct accounts_options *options, struct store_conn *conn,
                             const struct store_link *link, int64_t now, bool *ret_mail,
                             struct dc_err *err);

#endif
