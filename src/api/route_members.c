/* Who belongs to a project, who is invited, and what they all did. */
#include <stdio.h>
#include <string.h>

#include "accounts/email.h"
#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/change.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/clock.h"
#include "store/audit.h"
#include "store/outbox.h"

#include "base/poison.h"

enum {
    LIST_MAX_BYTES = 8 << 20,
    INVITATIONS_MAX = 100, /* that wait, of one project */
    AUDIT_DEFAULT = 50,
    DAY_S = 24 * 3600,
};

struct member_change {
    const struct call *call;
    enum role role;
    char email[STORE_EMAIL_SIZE];
    struct store_member *members;
    struct store_invitation *invitations;
    size_t count;
    char id[DC_UUID_SIZE];
    int64_t days;                    /* that an invitation waits */
    uint32_t per_email, per_project; /* invitations of a day; 0: no limit */
    int64_t retry_after_s;           /* not 0: too many, and nothing was done */
};

/* --- members --------------------------------------------------------------------------------- */

static int run_members(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct member_change *change = arg;

    return store_members_list(conn, change->call->project_id, NULL, &change->members,
                              &change->count, err);
}

void route_members_list(struct call *call)
{
    struct member_change change = {.call = call};
    DC_AUTO(dc_free) struct store_member *members = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_read(call, run_members, &change, "Project not found"))
        return;
    members = change.members;
    dc_buf_init(&body, LIST_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"members\":[");
    for (size_t i = 0; i < change.count; i++) {
        (void)dc_buf_text(&body, i ? ",{" : "{");
        print_member_text(&body, "user_id", members[i].user_id);
        print_member_text(&body, "email", members[i].email);
        print_member_text(&body, "name", members[i].name);
        print_member_time(&body, "created_at", members[i].created_at);
        (void)dc_buf_printf(&body, "\"role\":\"%s\"}", members[i].role);
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

/* Only owners make, change and remove owners; the last one stays. Looked up anew, in the
 * transaction of the change: roles may have changed since the call was admitted. */
static int check_powers(struct store_conn *conn, const struct call *call, const char *user_id,
                        enum role wanted, struct store_member *ret_member, struct dc_err *err)
{
    struct store_member self;
    enum role own = ROLE_NONE;
    enum role old = ROLE_NONE;
    int64_t owners;

    if (store_member_get(conn, call->project_id, user_id, ret_member, err) < 0 ||
        store_member_get(conn, call->project_id, call->session->user.id, &self, err) < 0 ||
        store_members_count(conn, call->project_id, role_name(ROLE_OWNER), &owners, err) < 0)
        return -err->code;
    (void)role_from_name(self.role, &own); /* the schema knows no others */
    (void)role_from_name(ret_member->role, &old);
    if ((old == ROLE_OWNER || wanted == ROLE_OWNER) && !role_may(own, PERMIT_OWN))
        return dc_fail(err, DC_DENIED, 0, "only owners make, change and remove owners");
    if (old == ROLE_OWNER && wanted != ROLE_OWNER && owners == 1)
        return dc_fail(err, DC_CONFLICT, 0,
                       "a project needs an owner: make somebody else one first, or delete it");
    return 0;
}

static int run_set_role(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct member_change *change = arg;
    const struct call *call = change->call;
    struct store_member member;
    char target[STORE_TARGET_SIZE];

    if (check_powers(conn, call, call->sub_id, change->role, &member, err) < 0 ||
        store_member_set(conn, call->project_id, call->sub_id, role_name(change->role),
                         call->begun_ns, err) < 0)
        return -err->code;
    (void)snprintf(target, sizeof(target), "%s: %s", member.email, role_name(change->role));
    return change_audit(call, conn, call->project_id, "member.role", target, err);
}

/* The role of the body; a problem when there is none. */
static void read_role(struct body *body, enum role *ret_role)
{
    const char *text = body_text(body, "role");

    if (!text || !role_from_name(text, ret_role))
        problems_add(&body->problems, PROBLEM_VALUE, "role",
                     "must be owner, admin, developer or viewer");
}

void route_member_change(struct call *call)
{
    DC_AUTO(body_release) struct body body = {0};
    struct member_change change = {.call = call};

    if (!body_read(call, &body))
        return;
    read_role(&body, &change.role);
    if (!body_fail(call, &body) && change_run(call, run_set_role, &change, "Member not found"))
        change_reply(call, "The role is changed");
}

static int remove_member(struct store_conn *conn, const struct call *call, const char *user_id,
                         const char *action, struct dc_err *err)
{
    struct store_member member;

    if (check_powers(conn, call, user_id, ROLE_NONE, &member, err) < 0 ||
        store_member_remove(conn, call->project_id, user_id, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, action, member.email, err);
}

static int run_remove(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;

    return remove_member(conn, call, call->sub_id, "member.remove", err);
}

void route_member_remove(struct call *call)
{
    if (change_run(call, run_remove, call, "Member not found"))
        change_reply(call, "The member is removed");
}

static int run_leave(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;

    return remove_member(conn, call, call->session->user.id, "member.leave", err);
}

void route_project_leave(struct call *call)
{
    if (change_run(call, run_leave, call, "Project not found"))
        change_reply(call, "You have left the project");
}

/* --- invitations ----------------------------------------------------------------------------- */

static void reply_invitations(struct call *call, const struct store_invitation *list, size_t count)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    dc_buf_init(&body, LIST_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"invitations\":[");
    for (size_t i = 0; i < count; i++) {
        (void)dc_buf_text(&body, i ? ",{" : "{");
        print_member_text(&body, "id", list[i].id);
        print_member_text(&body, "project_id", list[i].project_id);
        print_member_text(&body, "project_name", list[i].project_name);
        print_member_text(&body, "email", list[i].email);
        print_member_text(&body, "invited_by", list[i].inviter);
        print_member_time(&body, "created_at", list[i].created_at);
        print_member_time(&body, "expires_at", list[i].expires_at);
        (void)dc_buf_printf(&body, "\"role\":\"%s\"}", list[i].role);
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

static int run_invitations(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct member_change *change = arg;

    return store_invitations_list(conn, change->call->project_id, NULL, change->call->begun_ns,
                                  &change->invitations, &change->count, err);
}

void route_invitations_list(struct call *call)
{
    struct member_change change = {.call = call};
    DC_AUTO(dc_free) struct store_invitation *list = NULL;

    if (!change_read(call, run_invitations, &change, "Project not found"))
        return;
    list = change.invitations;
    reply_invitations(call, list, change.count);
}

static int run_mine(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct member_change *change = arg;

    return store_invitations_list(conn, NULL, change->call->session->user.email,
                                  change->call->begun_ns, &change->invitations, &change->count,
                                  err);
}

void route_invitations_mine(struct call *call)
{
    struct member_change change = {.call = call};
    DC_AUTO(dc_free) struct store_invitation *list = NULL;

    if (!change_read(call, run_mine, &change, "not found"))
        return;
    list = change.invitations;
    reply_invitations(call, list, change.count);
}

/* Nobody invites above himself, twice, or without bounds: each invitation is a mail. */
static int check_invitation(struct store_conn *conn, struct member_change *change,
                            struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_invitation *waiting = NULL;

    if (change->role == ROLE_OWNER && !role_may(change->call->role, PERMIT_OWN))
        return dc_fail(err, DC_DENIED, 0, "only owners make owners");
    if (run_invitations(conn, change, err) < 0)
        return -err->code;
    waiting = change->invitations;
    for (size_t i = 0; i < change->count; i++)
        if (strcmp(waiting[i].email, change->email) == 0)
            return dc_fail(err, DC_CONFLICT, 0, "this address is invited already");
    if (change->count >= INVITATIONS_MAX)
        return dc_fail(err, DC_CONFLICT, 0, "%d invitations wait; withdraw some first",
                       INVITATIONS_MAX);
    return 0;
}

static int64_t wait_s(int64_t used, uint32_t limit, int64_t first, int64_t now)
{
    if (!limit || used < limit)
        return 0;
    return DAY_S - (now - first) / DC_NS_PER_S + 1;
}

/* Nobody gets the same mail again and again by invitations that are withdrawn and made anew. */
static int check_rate(struct store_conn *conn, struct member_change *change, struct dc_err *err)
{
    int64_t now = change->call->begun_ns;
    struct store_invitation_counts counts;
    int64_t other;

    if (store_invitation_count(conn, change->call->project_id, change->email,
                               now - (int64_t)DAY_S * DC_NS_PER_S, &counts, err) < 0)
        return -err->code;
    change->retry_after_s = wait_s(counts.by_email, change->per_email, counts.first_email, now);
    other = wait_s(counts.by_project, change->per_project, counts.first_project, now);
    if (other > change->retry_after_s)
        change->retry_after_s = other;
    return 0;
}

static int run_invite(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct member_change *change = arg;
    const struct call *call = change->call;
    int64_t days = change->days;
    struct store_invitation_new made = {
        .project_id = call->project_id,
        .email = change->email,
        .role = role_name(change->role),
        .invited_by = call->session->user.id,
        .now = call->begun_ns,
        .expires_at = call->begun_ns + days * DAY_S * DC_NS_PER_S,
    };
    char target[STORE_TARGET_SIZE];

    if (check_invitation(conn, change, err) < 0 || check_rate(conn, change, err) < 0)
        return -err->code;
    if (change->retry_after_s)
        return 0;
    if (store_invitation_create(conn, &made, change->id, err) < 0 ||
        store_mail_add(conn, STORE_MAIL_INVITATION, change->email, change->id, call->begun_ns,
                       err) < 0)
        return -err->code;
    (void)snprintf(target, sizeof(target), "%s: %s", change->email, made.role);
    return change_audit(call, conn, call->project_id, "invitation.create", target, err);
}

static void fail_too_many(struct call *call, int64_t seconds)
{
    char extra[48];

    (void)snprintf(extra, sizeof(extra), ",\"retry_after\":%lld", (long long)seconds);
    call_fail(call, &(struct call_error){.status = 429,
                                         .error = "Too many invitations",
                                         .code = "too_many_invitations",
                                         .message = "This address, or this project, had its "
                                                    "invitations of a day; withdrawn ones count. "
                                                    "Try again later.",
                                         .extra = extra,
                                         .retry_after_s = (uint32_t)seconds});
}

void route_invite(struct call *call)
{
    DC_AUTO(body_release) struct body body = {0};
    DC_AUTO(dc_buf_release) struct dc_buf answer = {0};
    const struct accounts_options *options = &call->app->options.accounts;
    struct member_change change = {.call = call,
                                   .days = options->invitation_days,
                                   .per_email = options->invitations_per_email,
                                   .per_project = options->invitations_per_project};
    const char *email;

    if (!body_read(call, &body))
        return;
    email = body_text(&body, "email");
    if (!email || !email_read(email, strlen(email), change.email))
        problems_add(&body.problems, PROBLEM_VALUE, "email", "must be an e-mail address in ASCII");
    read_role(&body, &change.role);
    if (body_fail(call, &body) || !change_run(call, run_invite, &change, "Project not found"))
        return;
    if (change.retry_after_s) {
        fail_too_many(call, change.retry_after_s);
        return;
    }
    accounts_mail_wake(call->app->accounts);
    dc_buf_init(&answer, LIST_MAX_BYTES);
    (void)dc_buf_printf(&answer, "{\"message\":\"Invitation sent\",\"id\":\"%s\"}", change.id);
    call_reply(call, &(struct call_head){.status = 200}, &answer);
}

static int run_withdraw(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;
    struct store_invitation invitation;

    if (store_invitation_get(conn, call->sub_id, call->begun_ns, &invitation, err) < 0)
        return -err->code;
    if (strcmp(invitation.project_id, call->project_id) != 0)
        return dc_fail(err, DC_NOT_FOUND, 0, "of another project");
    if (store_invitation_delete(conn, call->sub_id, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "invitation.withdraw", invitation.email, err);
}

void route_invitation_withdraw(struct call *call)
{
    if (change_run(call, run_withdraw, call, "Invitation not found"))
        change_reply(call, "The invitation is withdrawn");
}

/* Of the caller's own address, which he has shown to be his by signing in. */
static int take_mine(struct store_conn *conn, const struct call *call,
                     struct store_invitation *ret_invitation, struct dc_err *err)
{
    if (store_invitation_get(conn, call->id, call->begun_ns, ret_invitation, err) < 0)
        return -err->code;
    if (strcmp(ret_invitation->email, call->session->user.email) != 0)
        return dc_fail(err, DC_NOT_FOUND, 0, "of another address");
    return store_invitation_delete(conn, call->id, err);
}

static int run_accept(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;
    struct store_invitation invitation;
    struct store_member member;
    enum role old = ROLE_NONE;
    enum role new = ROLE_NONE;
    int found;

    if (take_mine(conn, call, &invitation, err) < 0)
        return -err->code;
    found = store_member_get(conn, invitation.project_id, call->session->user.id, &member, err);
    if (found < 0 && found != -DC_NOT_FOUND)
        return found;
    if (found == 0)
        (void)role_from_name(member.role, &old);
    (void)role_from_name(invitation.role, &new);
    /* An invitation takes nothing away from who is a member by now. */
    if (new > old && store_member_set(conn, invitation.project_id, call->session->user.id,
                                      invitation.role, call->begun_ns, err) < 0)
        return -err->code;
    return change_audit(call, conn, invitation.project_id, "invitation.accept", invitation.role,
                        err);
}

void route_invitation_accept(struct call *call)
{
    if (change_run(call, run_accept, call, "Invitation not found"))
        change_reply(call, "You are a member of the project now");
}

static int run_decline(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct call *call = arg;
    struct store_invitation invitation;

    if (take_mine(conn, call, &invitation, err) < 0)
        return -err->code;
    return change_audit(call, conn, invitation.project_id, "invitation.decline", invitation.email,
                        err);
}

void route_invitation_decline(struct call *call)
{
    if (change_run(call, run_decline, call, "Invitation not found"))
        change_reply(call, "The invitation is declined");
}

/* --- audit log ------------------------------------------------------------------------------- */

struct audit_listing {
    const char *project_id;
    const char *user_id;
    const char *before;
    int limit;
    struct store_audit_row *rows;
    size_t count;
};

static int run_audit(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct audit_listing *listing = arg;

    return store_audit_list(conn, listing->project_id, listing->user_id, listing->before,
                            listing->limit, &listing->rows, &listing->count, err);
}

static bool read_page(struct call *call, struct audit_listing *listing)
{
    static const char *const names[] = {"limit", "cursor", NULL};
    DC_AUTO(problems_release) struct problems problems;
    struct query query;
    const char *limit;

    problems_init(&problems);
    query_parse(call->query, &call->arena, &query, &problems);
    query_only(&query, names, &problems);
    limit = query_get(&query, "limit");
    listing->limit = AUDIT_DEFAULT;
    if (limit)
        (void)query_number("limit", limit, 1, STORE_AUDIT_MAX, &listing->limit, &problems);
    listing->before = query_get(&query, "cursor");
    if (listing->before && !dc_uuid_valid(listing->before))
        problems_add(&problems, PROBLEM_VALUE, "cursor",
                     "is not one that a list returned; start without a cursor");
    if (problems.total)
        call_fail_problems(call, &problems);
    return problems.total == 0;
}

static void list_audit(struct call *call, struct audit_listing *listing)
{
    DC_AUTO(dc_free) struct store_audit_row *rows = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!read_page(call, listing) || !change_read(call, run_audit, listing, "not found"))
        return;
    rows = listing->rows;
    dc_buf_init(&body, LIST_MAX_BYTES);
    (void)dc_buf_text(&body, "{\"entries\":[");
    for (size_t i = 0; i < listing->count; i++) {
        (void)dc_buf_text(&body, i ? ",{" : "{");
        print_member_text(&body, "id", rows[i].id);
        print_member_text(&body, "actor", rows[i].actor);
        print_member_text(&body, "action", rows[i].action);
        print_member_text(&body, "target", rows[i].target);
        print_member_time(&body, "at", rows[i].at);
        (void)dc_buf_printf(&body, "\"address\":\"%s\"}", rows[i].address);
    }
    (void)dc_buf_text(&body, "],\"nextCursor\":");
    if (listing->count && listing->count == (size_t)listing->limit)
        (void)dc_buf_printf(&body, "\"%s\"}", rows[listing->count - 1].id);
    else
        (void)dc_buf_text(&body, "null}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_project_audit(struct call *call)
{
    list_audit(call, &(struct audit_listing){.project_id = call->project_id});
}

void route_my_audit(struct call *call)
{
    list_audit(call, &(struct audit_listing){.user_id = call->session->user.id});
}
