/* The routes of docs/openapi.yaml. API process; each handler runs in the task of its call. */
#ifndef DOCLE_API_ROUTES_H
#define DOCLE_API_ROUTES_H

#include "api/call.h"

/* Finds the route of the call and answers it, with an error where there is none. */
void routes_dispatch(struct call *call);

/* Counts an answer that was given before any route was looked for. */
void routes_count_refused(struct call *call);

/* Labels in /metrics, by index; NULL: no more. */
const char *routes_name(int index);

void route_run_create(struct call *call);
void route_run_get(struct call *call);
void route_run_cancel(struct call *call);
void route_runs_list(struct call *call);
void route_usage(struct call *call);
void route_project_usage(struct call *call);
void route_usage_trends(struct call *call);
void route_limits(struct call *call);
void route_service(struct call *call);
/* A file or page of the web console; false: the path is none, and nothing was answered. */
bool route_ui(struct call *call);
void route_server(struct call *call);
void route_health(struct call *call);
void route_ready(struct call *call);
void route_metrics(struct call *call);
void route_contract(struct call *call);
void route_billing_get(struct call *call);
void route_billing_checkout(struct call *call);
void route_billing_portal(struct call *call);
void route_invoices_list(struct call *call);
void route_stripe_webhook(struct call *call);

void route_signin_request(struct call *call);
void route_signin_request_short(struct call *call);
void route_signin_page(struct call *call);
void route_signin_confirm(struct call *call);
void route_me(struct call *call);
void route_me_delete(struct call *call);
void route_me_export(struct call *call);
void route_logout(struct call *call);
void route_sessions_list(struct call *call);
void route_sessions_end_others(struct call *call);
void route_session_end(struct call *call);

void route_keys_create(struct call *call);
void route_keys_list(struct call *call);
void route_key_revoke(struct call *call);
void route_key_change(struct call *call);
void route_project_key_change(struct call *call);
void route_key_roll(struct call *call);
void route_dashboard(struct call *call);
void route_projects_list(struct call *call);
void route_project_create(struct call *call);
void route_project_get(struct call *call);
void route_project_rename(struct call *call);
void route_project_delete(struct call *call);
void route_project_switch(struct call *call);
void route_project_keys_create(struct call *call);
void route_project_keys_list(struct call *call);
void route_project_key_revoke(struct call *call);
void route_members_list(struct call *call);
void route_member_change(struct call *call);
void route_member_remove(struct call *call);
void route_project_leave(struct call *call);
void route_invitations_list(struct call *call);
void route_invite(struct call *call);
void route_invitation_withdraw(struct call *call);
void route_invitations_mine(struct call *call);
void route_invitation_accept(struct call *call);
void route_invitation_decline(struct call *call);
void route_webhook_get(struct call *call);
void route_webhook_put(struct call *call);
void route_webhook_delete(struct call *call);
void route_webhook_roll(struct call *call);
void route_webhook_test(struct call *call);
void route_project_audit(struct call *call);
void route_my_audit(struct call *call);

void route_share_create(struct call *call);
void route_share_get(struct call *call);
void route_share_delete(struct call *call);
void route_shares_list(struct call *call);

#endif
