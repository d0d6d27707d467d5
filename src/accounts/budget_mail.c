#include "accounts/budget_mail.h"

#include <stdio.h>
#include <string.h>

#include "accounts/roles.h"
#include "limits/money.h"
#include "store/members.h"
#include "store/outbox.h"

#include "base/poison.h"

enum { EVENTS_AT_ONCE = 16 };

static bool may_know(const char *role_text)
{
    enum role role;

    return role_from_name(role_text, &role) && role_may(role, PERMIT_BILL);
}

static int queue_event(struct store_conn *conn, const struct store_budget_event *event, int64_t now,
                       struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_member *members = NULL;
    char subject_id[DC_UUID_SIZE];
    size_t count;
    bool moot;

    if (store_budget_event_moot(conn, event, &moot, err) < 0)
        return -err->code;
    if (moot)
        return store_budget_event_sent(conn, event, NULL, now, err);
    dc_uuid7(now, subject_id);
    if (store_budget_event_sent(conn, event, subject_id, now, err) < 0 ||
        store_members_list(conn, event->project_id, NULL, &members, &count, err) < 0)
        return -err->code;
    for (size_t i = 0; i < count; i++)
        if (may_know(members[i].role) &&
            store_mail_add(conn, STORE_MAIL_BUDGET, members[i].email, subject_id, now, err) < 0)
            return -err->code;
    return 0;
}

int budget_mail_queue(struct store_conn *conn, int64_t now, bool *ret_more, struct dc_err *err)
{
    struct store_budget_event events[EVENTS_AT_ONCE];
    int count;

    if (store_budget_events(conn, EVENTS_AT_ONCE, events, &count, err) < 0)
        return -err->code;
    for (int i = 0; i < count; i++)
        if (queue_event(conn, &events[i], now, err) < 0)
            return -err->code;
    *ret_more = count == EVENTS_AT_ONCE;
    return 0;
}

int budget_mail_read(struct store_conn *conn, const char *subject_id, const char *recipient,
                     struct store_budget_notice *ret_notice, bool *ret_good, struct dc_err *err)
{
    struct store_user user;
    struct store_member member;
    int found = store_budget_notice_get(conn, subject_id, ret_notice, err);

    *ret_good = false;
    if (found == 0)
        found = store_user_find(conn, recipient, &user, err);
    if (found == 0)
        found = store_member_get(conn, ret_notice->event.project_id, user.id, &member, err);
    if (found < 0)
        return found == -DC_NOT_FOUND ? 0 : found;
    *ret_good = !user.suspended_at && may_know(member.role);
    return 0;
}

struct mail_words budget_mail_words(struct budget_mail *mail, const char *app_url)
{
    const struct store_budget_notice *notice = &mail->notice;
    const struct store_budget_event *event = &notice->event;
    char amount[MONEY_SIZE];
    char budget[MONEY_SIZE];
    char whose[400];
    char what[80];

    if (event->kind == STORE_BUDGET_KEY)
        (void)snprintf(whose, sizeof(whose), "The key \"%s\" of the project \"%s\"",
                       *notice->key_name ? notice->key_name : event->subject, notice->project_name);
    else if (event->kind == STORE_BUDGET_USER)
        (void)snprintf(whose, sizeof(whose), "An end user of the project \"%s\"",
                       notice->project_name);
    else
        (void)snprintf(whose, sizeof(whose), "The project \"%s\"", notice->project_name);
    (void)snprintf(mail->title, sizeof(mail->title), "%d percent of the budget: %s",
                   (int)event->threshold, notice->project_name);
    if (event->threshold == 100 && event->amount_micros < event->budget_micros)
        (void)snprintf(what, sizeof(what), "has less than the price of a run left of");
    else
        (void)snprintf(what, sizeof(what), "has reached %d percent of", (int)event->threshold);
    (void)snprintf(mail->line, sizeof(mail->line),
                   "%s %s its budget of %04d-%02d (UTC): %s %s of %s %s.", whose, what,
                   (int)(event->period / 100), (int)(event->period % 100),
                   money_print(event->amount_micros, amount), notice->currency,
                   money_print(event->budget_micros, budget), notice->currency);
    (void)snprintf(mail->link, sizeof(mail->link), "%s/dashboard", app_url);
    return (struct mail_words){
        .title = mail->title,
        .lines = {mail->line,
                  event->kind == STORE_BUDGET_USER
                      ? "This is the first end user who got there this month; others are not "
                        "mailed about. The project's usage lists them all."
                      : "Where the budget stops runs, those beyond it are refused until the next "
                        "month begins or the budget is raised; else they go on."},
        .button = "See the usage",
        .link = mail->link,
        .footer = "You get this because you are an owner or admin of the project.",
    };
}
