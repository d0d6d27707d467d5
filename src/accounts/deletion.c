/* The end of an account. */
#include <string.h>

#include "accounts/accounts.h"
#include "accounts/roles.h"
#include "store/members.h"
#include "store/projects.h"

#include "base/poison.h"

static int leave_project(struct store_conn *conn, const struct store_member *membership,
                         struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_member *members = NULL;
    int64_t owners;
    size_t count;

    if (strcmp(membership->role, role_name(ROLE_OWNER)) != 0)
        return 0;
    if (store_members_list(conn, membership->project_id, NULL, &members, &count, err) < 0 ||
        store_members_count(conn, membership->project_id, membership->role, &owners, err) < 0)
        return -err->code;
    if (count == 1)
        return store_project_delete(conn, membership->project_id, err);
    if (owners == 1)
        return dc_fail(err, DC_CONFLICT, 0,
                       "the project \"%.100s\" has other members and no other owner; make one of "
                       "them its owner, or delete it, first",
                       membership->project_name);
    return 0;
}

int accounts_delete_user(struct store_conn *conn, const struct store_user *user, struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_member *memberships = NULL;
    size_t count;

    if (store_members_list(conn, NULL, user->id, &memberships, &count, err) < 0)
        return -err->code;
    for (size_t i = 0; i < count; i++)
        if (leave_project(conn, &memberships[i], err) < 0)
            return -err->code;
    return store_user_delete(conn, user, err);
}
