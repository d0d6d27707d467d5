#include "api/route_table.h"

#include "api/metrics.h"
#include "api/routes.h"

#include "base/poison.h"

const struct route route_table[] = {
    {"/api/run", "POST", ROUTE_CALLER, PERMIT_RUN, route_run_create, false},
    {"/api/run/{id}", "GET", ROUTE_CALLER, PERMIT_VIEW, route_run_get, false},
    {"/api/run/{id}/cancel", "POST", ROUTE_CALLER, PERMIT_RUN, route_run_cancel, false},
    {"/api/runs", "GET", ROUTE_CALLER, PERMIT_VIEW, route_runs_list, false},

    {"/api/usage", "GET", ROUTE_CALLER, PERMIT_VIEW, route_usage, false},
    {"/api/usage/trends", "GET", ROUTE_CALLER, PERMIT_VIEW, route_usage_trends, false},

    {"/api/limits", "GET", ROUTE_CALLER, PERMIT_VIEW, route_limits, false},

    {"/auth/magic-link", "POST", ROUTE_OPEN, 0, route_signin_request, false},
    {"/auth/request", "POST", ROUTE_OPEN, 0, route_signin_request_short, false},
    {"/auth/verify", "GET", ROUTE_OPEN, 0, route_signin_page, false},
    {"/auth/verify", "POST", ROUTE_OPEN, 0, route_signin_confirm, false},
    {"/auth/me", "GET", ROUTE_SESSION, 0, route_me, false},
    {"/auth/me", "DELETE", ROUTE_SESSION, 0, route_me_delete, false},
    {"/auth/export", "GET", ROUTE_SESSION, 0, route_me_export, false},
    {"/auth/logout", "POST", ROUTE_SESSION, 0, route_logout, false},
    {"/api/logout", "GET", ROUTE_SESSION, 0, route_logout, true},
    {"/auth/sessions", "GET", ROUTE_SESSION, 0, route_sessions_list, false},
    {"/auth/sessions", "DELETE", ROUTE_SESSION, 0, route_sessions_end_others, false},
    {"/auth/sessions/{id}", "DELETE", ROUTE_SESSION, 0, route_session_end, false},

    {"/api/keys", "GET", ROUTE_CURRENT, PERMIT_VIEW, route_keys_list, false},
    {"/api/keys", "POST", ROUTE_CURRENT, PERMIT_KEYS, route_keys_create, false},
    {"/api/keys/{id}", "DELETE", ROUTE_CURRENT, PERMIT_KEYS, route_key_revoke, false},
    {"/api/keys/{id}", "PATCH", ROUTE_CURRENT, PERMIT_KEYS, route_key_change, false},
    {"/api/keys/{id}/roll", "POST", ROUTE_CURRENT, PERMIT_KEYS, route_key_roll, false},
    {"/api/dashboard", "GET", ROUTE_SESSION, 0, route_dashboard, false},
    {"/api/projects", "GET", ROUTE_SESSION, 0, route_projects_list, false},
    {"/api/projects", "POST", ROUTE_SESSION, 0, route_project_create, false},
    {"/api/projects/{id}", "GET", ROUTE_PROJECT, PERMIT_VIEW, route_project_get, false},
    {"/api/projects/{id}", "PATCH", ROUTE_PROJECT, PERMIT_MANAGE, route_project_rename, false},
    {"/api/projects/{id}", "DELETE", ROUTE_PROJECT, PERMIT_OWN, route_project_delete, false},
    {"/api/projects/{id}/switch", "POST", ROUTE_PROJECT, PERMIT_VIEW, route_project_switch, false},
    {"/api/projects/{id}/usage", "GET", ROUTE_PROJECT, PERMIT_VIEW, route_project_usage, false},
    {"/api/projects/{id}/keys", "GET", ROUTE_PROJECT, PERMIT_VIEW, route_project_keys_list, false},
    {"/api/projects/{id}/keys", "POST", ROUTE_PROJECT, PERMIT_KEYS, route_project_keys_create,
     false},
    {"/api/projects/{id}/keys/{sub}", "DELETE", ROUTE_PROJECT, PERMIT_KEYS,
     route_project_key_revoke, false},
    {"/api/projects/{id}/keys/{sub}", "PATCH", ROUTE_PROJECT, PERMIT_KEYS, route_project_key_change,
     false},

    {"/api/projects/{id}/leave", "POST", ROUTE_PROJECT, PERMIT_VIEW, route_project_leave, false},
    {"/api/projects/{id}/members", "GET", ROUTE_PROJECT, PERMIT_VIEW, route_members_list, false},
    {"/api/projects/{id}/members/{sub}", "PATCH", ROUTE_PROJECT, PERMIT_MANAGE, route_member_change,
     false},
    {"/api/projects/{id}/members/{sub}", "DELETE", ROUTE_PROJECT, PERMIT_MANAGE,
     route_member_remove, false},
    {"/api/projects/{id}/invitations", "GET", ROUTE_PROJECT, PERMIT_MANAGE, route_invitations_list,
     false},
    {"/api/projects/{id}/invitations", "POST", ROUTE_PROJECT, PERMIT_MANAGE, route_invite, false},
    {"/api/projects/{id}/invitations/{sub}", "DELETE", ROUTE_PROJECT, PERMIT_MANAGE,
     route_invitation_withdraw, false},
    {"/api/projects/{id}/webhook", "GET", ROUTE_PROJECT, PERMIT_MANAGE, route_webhook_get, false},
    {"/api/projects/{id}/webhook", "PUT", ROUTE_PROJECT, PERMIT_MANAGE, route_webhook_put, false},
    {"/api/projects/{id}/webhook", "DELETE", ROUTE_PROJECT, PERMIT_MANAGE, route_webhook_delete,
     false},
    {"/api/projects/{id}/webhook/roll", "POST", ROUTE_PROJECT, PERMIT_MANAGE, route_webhook_roll,
     false},
    {"/api/projects/{id}/webhook/test", "POST", ROUTE_PROJECT, PERMIT_MANAGE, route_webhook_test,
     false},
    {"/api/projects/{id}/audit", "GET", ROUTE_PROJECT, PERMIT_MANAGE, route_project_audit, false},
    {"/api/invitations", "GET", ROUTE_SESSION, 0, route_invitations_mine, false},
    {"/api/invitations/{id}", "DELETE", ROUTE_SESSION, 0, route_invitation_decline, false},
    {"/api/invitations/{id}/accept", "POST", ROUTE_SESSION, 0, route_invitation_accept, false},
    {"/auth/audit", "GET", ROUTE_SESSION, 0, route_my_audit, false},

    {"/api/shares", "POST", ROUTE_CURRENT, PERMIT_RUN, route_share_create, false},
    {"/api/shares/{id}", "GET", ROUTE_OPEN, 0, route_share_get, false},
    {"/api/shares/{id}", "DELETE", ROUTE_SESSION, 0, route_share_delete, false},
    {"/api/projects/{id}/shares", "GET", ROUTE_PROJECT, PERMIT_VIEW, route_shares_list, false},

    {"/api/billing", "GET", ROUTE_CALLER, PERMIT_VIEW, route_billing_get, false},
    {"/api/billing/checkout", "POST", ROUTE_CURRENT, PERMIT_BILL, route_billing_checkout, false},
    {"/api/billing/portal", "POST", ROUTE_CURRENT, PERMIT_BILL, route_billing_portal, false},
    {"/api/invoices", "GET", ROUTE_CURRENT, PERMIT_BILL, route_invoices_list, false},
    {"/api/stripe/webhook", "POST", ROUTE_OPEN, 0, route_stripe_webhook, false},

    {"/", "GET", ROUTE_OPEN, 0, route_service, false},
    {"/api/server", "GET", ROUTE_OPEN, 0, route_server, false},
    {"/healthz", "GET", ROUTE_OPEN, 0, route_health, false},
    {"/readyz", "GET", ROUTE_OPEN, 0, route_ready, false},
    {"/metrics", "GET", ROUTE_OPEN, 0, route_metrics, false},
    {"/openapi.json", "GET", ROUTE_OPEN, 0, route_contract, false},
};

const size_t route_count = sizeof(route_table) / sizeof(route_table[0]);

_Static_assert(sizeof(route_table) / sizeof(route_table[0]) + 1 <= METRICS_ROUTES_MAX,
               "a counter per route");
