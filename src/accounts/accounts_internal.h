/* What the files of src/accounts share. */
#ifndef DOCLE_ACCOUNTS_INTERNAL_H
#define DOCLE_ACCOUNTS_INTERNAL_H

#include "accounts/accounts.h"
#include "accounts/mail.h"
#include "runs/await.h"

struct accounts {
    struct accounts_options options;
    struct store_worker *worker;
    struct mail_transport *transport;
    struct await_flag wake;
    int64_t mail_due; /* wall clock; when the outbox is to be looked at next */
    bool stopping;
};

#endif
