#include "accounts/roles.h"

#include <stddef.h>
#include <string.h>

#include "base/poison.h"

static const enum role least[PERMISSIONS] = {
    [PERMIT_VIEW] = ROLE_VIEWER,  [PERMIT_RUN] = ROLE_DEVELOPER, [PERMIT_KEYS] = ROLE_DEVELOPER,
    [PERMIT_MANAGE] = ROLE_ADMIN, [PERMIT_BILL] = ROLE_ADMIN,    [PERMIT_OWN] = ROLE_OWNER,
};

static const char *const permission_names[PERMISSIONS] = {
    [PERMIT_VIEW] = "view",     [PERMIT_RUN] = "run",   [PERMIT_KEYS] = "keys",
    [PERMIT_MANAGE] = "manage", [PERMIT_BILL] = "bill", [PERMIT_OWN] = "own",
};

static const char *const role_names[] = {
    [ROLE_NONE] = "none",   [ROLE_VIEWER] = "viewer", [ROLE_DEVELOPER] = "developer",
    [ROLE_ADMIN] = "admin", [ROLE_OWNER] = "owner",
};

bool role_may(enum role role, enum permission permission)
{
    return role != ROLE_NONE && role >= least[permission];
}

const char *role_name(enum role role)
{
    return role_names[role];
}

bool role_from_name(const char *name, enum role *ret_role)
{
    for (size_t i = ROLE_VIEWER; i <= ROLE_OWNER; i++) {
        if (strcmp(role_names[i], name) == 0) {
            *ret_role = (enum role)i;
            return true;
        }
    }
    return false;
}

const char *permission_name(enum permission permission)
{
    return permission_names[permission];
}
