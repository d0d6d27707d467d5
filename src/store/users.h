/* People in the store. See store.h for conventions. */
#ifndef DOCLE_STORE_USERS_H
#define DOCLE_STORE_USERS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/keys.h"
#include "store/store.h"

enum {
    STORE_EMAIL_SIZE = 255,  /* 254 bytes (RFC 5321) and the NUL */
    STORE_ADDRESS_SIZE = 46, /* of a client, as text */
    STORE_AGENT_SIZE = 201,  /* what a browser calls itself, cut */
    STORE_ROLE_SIZE = 16,
};

struct store_user {
    char id[DC_UUID_SIZE];
    char email[STORE_EMAIL_SIZE]; /* as accounts/email.h writes it */
    char name[STORE_NAME_MAX_BYTES + 1];
    bool operator; /* of this server */
    int64_t created_at;
    int64_t seen_at;      /* last sign-in; 0: never */
    int64_t suspended_at; /* 0: not */
};

/* DC_CONFLICT: the address is taken. */
DC_MUST int store_user_create(struct store_conn *conn, const char *email, bool operator,
                              int64_t now, struct store_user *ret_user, struct dc_err *err);
DC_MUST int store_user_get(struct store_conn *conn, const char *id, struct store_user *ret_user,
                           struct dc_err *err);
DC_MUST int store_user_find(struct store_conn *conn, const char *email, struct store_user *ret_user,
                            struct dc_err *err);

/* Has the server an operator? */
DC_MUST int store_users_led(struct store_conn *conn, bool *ret_led, struct dc_err *err);
DC_MUST int store_user_set_operator(struct store_conn *conn, const char *id, bool operator,
                                    struct dc_err * err);

/* Oldest first. The caller frees *ret_users. */
DC_MUST int store_users_list(struct store_conn *conn, struct store_user **ret_users,
                             size_t *ret_count, struct dc_err *err);

DC_MUST int store_user_rename(struct store_conn *conn, const char *id, const char *name,
                              struct dc_err *err);
DC_MUST int store_user_seen(struct store_conn *conn, const char *id, int64_t now,
                            struct dc_err *err);
/* Ends the sessions too. at 0: lifts the suspension. */
DC_MUST int store_user_suspend(struct store_conn *conn, const char *id, int64_t at,
                               struct dc_err *err);
/* With sessions, memberships, links and mails; takes the address out of the audit log. */
DC_MUST int store_user_delete(struct store_conn *conn, const struct store_user *user,
                              struct dc_err *err);

/* A session, with what each request of it needs to know. */
struct store_session {
    char id[DC_UUID_SIZE];
    struct store_user user;
    char project_id[DC_UUID_SIZE]; /* current; "": none */
    char address[STORE_ADDRESS_SIZE];
    char agent[STORE_AGENT_SIZE];
    int64_t created_at;
    int64_t rotated_at;
    int64_t expires_at;
    bool old; /* found by the token before the last rotation */
};

struct store_session_new {
    const char *user_id;
    const char *project_id; /* NULL: none */
    uint8_t hash[STORE_HASH_BYTES];
    const char *address;
    const char *agent;
    int64_t now;
    int64_t expires_at;
};

DC_MUST int store_session_create(struct store_conn *conn, const struct store_session_new *session,
                                 char ret_id[static DC_UUID_SIZE], struct dc_err *err);
/* DC_NOT_FOUND: no such token, or expired. */
DC_MUST int store_session_find(struct store_conn *conn, const uint8_t hash[static STORE_HASH_BYTES],
                               int64_t now, struct store_session *ret_session, struct dc_err *err);
/* Of one user, newest first. The caller frees *ret_sessions. */
DC_MUST int store_sessions_list(struct store_conn *conn, const char *user_id, int64_t now,
                                struct store_session **ret_sessions, size_t *ret_count,
                                struct dc_err *err);
/* DC_CONFLICT: somebody else has rotated it meanwhile. */
DC_MUST int store_session_rotate(struct store_conn *conn, const struct store_session *session,
                                 const uint8_t hash[static STORE_HASH_BYTES], int64_t now,
                                 struct dc_err *err);
DC_MUST int store_session_set_project(struct store_conn *conn, const char *id,
                                      const char *project_id, struct dc_err *err);
/* DC_NOT_FOUND for a session of another user (user_id NULL: of any) or none. */
DC_MUST int store_session_end(struct store_conn *conn, const char *user_id, const char *id,
                              struct dc_err *err);
/* All of a user but one (NULL: all). */
DC_MUST int store_sessions_end(struct store_conn *conn, const char *user_id, const char *but,
                               int64_t *ret_ended, struct dc_err *err);

#endif
