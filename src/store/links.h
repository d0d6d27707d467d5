/* Requests for sign-in links, and the tokens of those that were sent. See store.h for conventions.
 */
#ifndef DOCLE_STORE_LINKS_H
#define DOCLE_STORE_LINKS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/users.h"

enum store_link_source {
    STORE_LINK_BROWSER,  /* a browser asked: good there, or with the code it was shown */
    STORE_LINK_API,      /* a program asked: good for programs, or with the code */
    STORE_LINK_OPERATOR, /* the operator made it by hand: good anywhere */
};

struct store_link {
    char id[DC_UUID_SIZE];
    char email[STORE_EMAIL_SIZE];
    enum store_link_source source;
    bool has_browser;
    uint8_t browser_hash[STORE_HASH_BYTES]; /* of the cookie of the browser that asked */
    bool has_code;
    uint8_t code_hash[STORE_HASH_BYTES];
    char address[STORE_ADDRESS_SIZE]; /* of who asked, as the limits count it */
    bool leads;                       /* may make the server's first operator */
    int64_t wrong_codes;
    int64_t created_at;
    int64_t expires_at;
    int64_t used_at; /* 0: not */
};

/* Fills id. */
DC_MUST int store_link_create(struct store_conn *conn, struct store_link *link, struct dc_err *err);

/* A further token of the link. DC_NOT_FOUND: the link is gone. */
DC_MUST int store_link_add_token(struct store_conn *conn, const char *id,
                                 const uint8_t hash[static STORE_HASH_BYTES], struct dc_err *err);
DC_MUST int store_link_get(struct store_conn *conn, const char *id, struct store_link *ret_link,
                           struct dc_err *err);
DC_MUST int store_link_find(struct store_conn *conn, const uint8_t hash[static STORE_HASH_BYTES],
                            struct store_link *ret_link, struct dc_err *err);

/* Only one of any number of callers succeeds; the others get DC_CONFLICT. Unused links of the same
 * address end with it. */
DC_MUST int store_link_use(struct store_conn *conn, const struct store_link *link, int64_t now,
                           struct dc_err *err);
DC_MUST int store_link_wrong_code(struct store_conn *conn, const char *id, struct dc_err *err);

/* Requests since a moment, by what they named and by where they came from; and when the first of
 * these was. */
struct store_link_counts {
    int64_t by_email;
    int64_t by_address;
    int64_t first_email; /* 0: none */
    int64_t first_address;
};
DC_MUST int store_link_count(struct store_conn *conn, const char *email, const char *address,
                             int64_t since, struct store_link_counts *ret_counts,
                             struct dc_err *err);

/* Deletes links, sessions and invitations that are over. */
DC_MUST int store_accounts_purge(struct store_conn *conn, int64_t links_before, int64_t now,
                                 struct dc_err *err);

#endif
