/* Who belongs to which project, and who is invited. See store.h for conventions; what a role may
 * is in accounts/roles.h. */
#ifndef DOCLE_STORE_MEMBERS_H
#define DOCLE_STORE_MEMBERS_H

#include "base/uuid.h"
#include "store/users.h"

/* A person in a project; both sides are told as far as a list needs them. */
struct store_member {
    char project_id[DC_UUID_SIZE];
    char project_name[STORE_NAME_MAX_BYTES + 1];
    int64_t project_created_at;
    char user_id[DC_UUID_SIZE];
    char email[STORE_EMAIL_SIZE];
    char name[STORE_NAME_MAX_BYTES + 1];
    char role[STORE_ROLE_SIZE];
    int64_t created_at;
};

/* Makes somebody a member, or changes the role. */
DC_MUST int store_member_set(struct store_conn *conn, const char *project_id, const char *user_id,
                             const char *role, int64_t now, struct dc_err *err);
DC_MUST int store_member_remove(struct store_conn *conn, const char *project_id,
                                const char *user_id, struct dc_err *err);
DC_MUST int store_member_get(struct store_conn *conn, const char *project_id, const char *user_id,
                             struct store_member *ret_member, struct dc_err *err);
/* Of a project, of a user, or all (both NULL); in the order of project and membership. The caller
 * frees *ret_members. */
DC_MUST int store_members_list(struct store_conn *conn, const char *project_id, const char *user_id,
                               struct store_member **ret_members, size_t *ret_count,
                               struct dc_err *err);
DC_MUST int store_members_count(struct store_conn *conn, const char *project_id, const char *role,
                                int64_t *ret_count, struct dc_err *err);

struct store_invitation {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char project_name[STORE_NAME_MAX_BYTES + 1];
    char email[STORE_EMAIL_SIZE];
    char role[STORE_ROLE_SIZE];
    char inviter[STORE_EMAIL_SIZE]; /* "": gone */
    int64_t created_at;
    int64_t expires_at;
};

struct store_invitation_new {
    const char *project_id;
    const char *email;
    const char *role;
    const char *invited_by; /* user; NULL: the operator */
    int64_t now;
    int64_t expires_at;
};

/* Replaces an earlier one of the same address to the same project. */
DC_MUST int store_invitation_create(struct store_conn *conn,
                                    const struct store_invitation_new *invitation,
                                    char ret_id[static DC_UUID_SIZE], struct dc_err *err);
DC_MUST int store_invitation_get(struct store_conn *conn, const char *id, int64_t now,
                                 struct store_invitation *ret_invitation, struct dc_err *err);
/* Of a project, or for an address (the other NULL); not those that are over. The caller frees. */
DC_MUST int store_invitations_list(struct store_conn *conn, const char *project_id,
                                   const char *email, int64_t now,
                                   struct store_invitation **ret_invitations, size_t *ret_count,
                                   struct dc_err *err);
/* Also the mail that has not left yet. */
DC_MUST int store_invitation_delete(struct store_conn *conn, const char *id, struct dc_err *err);

/* Invitations made since `since`, with those that were withdrawn: to the address, by whomever, and
 * by the project. The first moment of each; 0: none. */
struct store_invitation_counts {
    int64_t by_email, first_email;
    int64_t by_project, first_project;
};
DC_MUST int store_invitation_count(struct store_conn *conn, const char *project_id,
                                   const char *email, int64_t since,
                                   struct store_invitation_counts *ret_counts, struct dc_err *err);

#endif
