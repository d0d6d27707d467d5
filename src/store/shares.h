/* Programs that are shared by link. See store.h for conventions; ids here are 128 random bits in
 * the form of a UUID, since to know one is to be allowed to read. */
#ifndef DOCLE_STORE_SHARES_H
#define DOCLE_STORE_SHARES_H

#include "base/uuid.h"
#include "store/projects.h"
#include "store/users.h"

enum {
    STORE_SHARES_MAX = 500, /* of one project, that have not expired */
    STORE_SHARE_LANG_SIZE = 16,
};

struct store_share {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char user_id[DC_UUID_SIZE];   /* who shared it; "": somebody whose account is gone */
    char email[STORE_EMAIL_SIZE]; /* the same, for people */
    char title[STORE_NAME_MAX_BYTES + 1];
    char lang[STORE_SHARE_LANG_SIZE];
    char forked_from[DC_UUID_SIZE]; /* "": from none */
    int64_t created_at;
    int64_t expires_at; /* 0: never */
};

/* Fills share->id, and empties forked_from when there is no such share (any more). request: JSON.
 * DC_CONFLICT: the project has STORE_SHARES_MAX. */
DC_MUST int store_share_create(struct store_conn *conn, struct store_share *share,
                               struct store_bytes request, struct dc_err *err);

/* DC_NOT_FOUND: none, expired by now, or of a project that is suspended. ret_request NULL: not
 * wanted; else it is malloc'ed, with a NUL behind it. */
DC_MUST int store_share_get(struct store_conn *conn, const char *id, int64_t now,
                            struct store_share *ret_share, char **ret_request, struct dc_err *err);

/* Newest first, at most STORE_SHARES_MAX, without what has expired. The caller frees *ret_shares.
 */
DC_MUST int store_shares_list(struct store_conn *conn, const char *project_id, int64_t now,
                              struct store_share **ret_shares, size_t *ret_count,
                              struct dc_err *err);

DC_MUST int store_share_delete(struct store_conn *conn, const char *id, struct dc_err *err);

/* Deletes what has expired. */
DC_MUST int store_shares_purge(struct store_conn *conn, int64_t now, struct dc_err *err);

#endif
