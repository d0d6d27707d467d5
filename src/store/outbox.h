/* Mails that have to leave. A row stays until the mail has left or is given up. See store.h. */
#ifndef DOCLE_STORE_OUTBOX_H
#define DOCLE_STORE_OUTBOX_H

#include "base/uuid.h"
#include "store/users.h"

enum store_mail_kind {
    STORE_MAIL_SIGNIN,
    STORE_MAIL_INVITATION,
    STORE_MAIL_BUDGET,
    STORE_MAIL_INCIDENT
};

struct store_mail {
    char id[DC_UUID_SIZE];
    enum store_mail_kind kind;
    char recipient[STORE_EMAIL_SIZE];
    char subject_id[DC_UUID_SIZE]; /* the link, invitation, budget event or incident */
    int64_t attempts;
    int64_t created_at;
    int64_t due_at;
};

DC_MUST int store_mail_add(struct store_conn *conn, enum store_mail_kind kind,
                           const char *recipient, const char *subject_id, int64_t now,
                           struct dc_err *err);
/* The one that is due first, also when that is not yet, of those to nobody in busy.
 * DC_NOT_FOUND: none waits. */
DC_MUST int store_mail_next(struct store_conn *conn, char (*busy)[STORE_EMAIL_SIZE],
                            size_t busy_count, struct store_mail *ret_mail, struct dc_err *err);
/* An attempt begins; should the process die in it, the next is at due_at. */
DC_MUST int store_mail_attempt(struct store_conn *conn, const char *id, int64_t due_at,
                               struct dc_err *err);
DC_MUST int store_mail_failed(struct store_conn *conn, const char *id, const char *error,
                              struct dc_err *err);
DC_MUST int store_mail_remove(struct store_conn *conn, const char *id, struct dc_err *err);

#endif
