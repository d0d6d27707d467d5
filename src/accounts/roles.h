/*
 * Who may do what in a project: the one place. docs/internals/accounts.md shows the same table, and
 * a test holds both together. Pure; server and CLI.
 */
#ifndef DOCLE_ACCOUNTS_ROLES_H
#define DOCLE_ACCOUNTS_ROLES_H

#include <stdbool.h>

/* From the least to the most powerful. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_DEVELOPER, ROLE_ADMIN, ROLE_OWNER };

enum permission {
    PERMIT_VIEW,   /* see the project, its keys (never secrets), runs, usage, members */
    PERMIT_RUN,    /* run programs, cancel runs */
    PERMIT_KEYS,   /* make and revoke API keys */
    PERMIT_MANAGE, /* rename; invite, change and remove members below owner; audit log */
    PERMIT_BILL,   /* plan, payment, invoices */
    PERMIT_OWN,    /* delete the project; make and unmake owners */
    PERMISSIONS
};

bool role_may(enum role role, enum permission permission);

/* "viewer" …; "none" for ROLE_NONE. */
const char *role_name(enum role role);
bool role_from_name(const char *name, enum role *ret_role); /* never ROLE_NONE */
const char *permission_name(enum permission permission);

#endif
