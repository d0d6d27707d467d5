/* The audit log: every change of accounts and projects. See store.h for conventions. */
#ifndef DOCLE_STORE_AUDIT_H
#define DOCLE_STORE_AUDIT_H

#include "base/uuid.h"
#include "store/users.h"

enum { STORE_ACTION_SIZE = 32, STORE_TARGET_SIZE = 301, STORE_AUDIT_MAX = 200 };

struct store_audit {
    const char *project_id; /* NULL: of no project */
    const char *user_id;    /* who; NULL: the operator, by the command line */
    const char *actor;      /* the same for people: an address */
    const char *action;     /* "key.create" … */
    const char *target;     /* what it was done to, for people; cut */
    const char *address;    /* from where; "" for the command line */
    int64_t at;
};

/* In the transaction of the change. */
DC_MUST int store_audit_add(struct store_conn *conn, const struct store_audit *entry,
                            struct dc_err *err);

struct store_audit_row {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char actor[STORE_EMAIL_SIZE];
    char action[STORE_ACTION_SIZE];
    char target[STORE_TARGET_SIZE];
    char address[STORE_ADDRESS_SIZE];
    int64_t at;
};

/* Newest first, at most STORE_AUDIT_MAX: of a project, or of what a user did (the other NULL).
 * before: an id to go on after, NULL: from the newest. The caller frees *ret_rows. */
DC_MUST int store_audit_list(struct store_conn *conn, const char *project_id, const char *user_id,
                             const char *before, int limit, struct store_audit_row **ret_rows,
                             size_t *ret_count, struct dc_err *err);

#endif
