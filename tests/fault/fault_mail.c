/*
 * A mail on its way from the outbox while memory, disk, sockets and the loop fail: it may arrive
 * twice, it is never lost, and no fault of ours passes for a refusal of the mail.
 */
#include <stdio.h>
#include <string.h>

#include "accounts/accounts_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "fault.h"
#include "fault_service.h"
#include "net/task.h"

static char smtp_url[64];
static char resend_url[64];
static char recipient[64]; /* of this round */
static const struct mail_options *way;
static struct mail_options by_smtp = {
    .from = "Docle <no-reply@docle.example>", .smtp_url = smtp_url, .smtp_plain = true};
static struct mail_options by_resend = {
    .from = "Docle <no-reply@docle.example>", .resend_key = "re_x", .resend_url = resend_url};

struct posting {
    struct service service;
    struct accounts *accounts;
    bool asks; /* for a link first */
    bool over;
    int result;
    struct dc_err *err;
};

static void work(void *arg)
{
    struct posting *posting = arg;
    const struct signin_asker asker = {
        .email = recipient, .source = STORE_LINK_API, .client = "127.0.0.1"};
    struct signin_asked asked;

    if (posting->asks)
        posting->result = signin_ask(posting->accounts, &asker, &asked, posting->err);
    if (posting->result == 0)
        accounts_mail_run(posting->accounts);
    posting->over = true;
}

static bool has_posted(void *context)
{
    const struct posting *posting = context;

    return posting->over ||
           (posting->accounts->wake.task && posting->accounts->leaving_count == 0 &&
            posting->accounts->mail_due > dc_wall_now());
}

static bool is_over(void *context)
{
    return ((struct posting *)context)->over;
}

static int post_in(struct posting *posting, struct dc_err *err)
{
    const struct accounts_options options = {
        .mail = *way,
        .mails_at_once = 1,
        .app_name = "Docle",
        .app_url = "https://docle.example",
        .signup = SIGNUP_OPEN,
        .domains = "",
        .operators = "",
        .link_minutes = 15,
        .session_days = 30,
        .invitation_days = 7,
    };

    if (service_open(&posting->service, true, err) < 0 ||
        accounts_open(&options, posting->service.worker, posting->service.outbound,
                      &posting->accounts, err) < 0 ||
        task_start(&posting->service.loop, work, posting, err) < 0)
        return -err->code;
    service_run(&posting->service, has_posted, posting);
    accounts_stop(posting->accounts);
    service_stop(&posting->service);
    service_run(&posting->service, is_over, posting);
    return posting->result;
}

static int post(bool asks, struct dc_err *err)
{
    struct posting posting = {.asks = asks, .err = err};
    int result = post_in(&posting, err);

    result = service_close(&posting.service, result, err);
    accounts_free(posting.accounts);
    return result;
}

static long left(void)
{
    long count;

    fault_pause(true);
    count = service_number("SELECT COUNT(*) FROM outbox");
    fault_pause(false);
    return count;
}

static int sign_in(struct dc_err *err)
{
    static unsigned round;

    (void)snprintf(recipient, sizeof(recipient), "ada%u@docle.example", ++round);
    if (post(true, err) < 0)
        return -err->code;
    return left() ? dc_fail(err, DC_KERNEL, 0, "the mail has not left yet") : 0;
}

static bool it_arrives(int result)
{
    char sql[160];
    struct dc_err err = {0};
    bool asked;
    unsigned times;

    (void)snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM links WHERE email = '%s'", recipient);
    asked = service_number(sql) == 1;
    if (!service_sql("UPDATE outbox SET due_at = 0") || post(false, &err) < 0) {
        printf("# afterwards: %s\n", err.text);
        return false;
    }
    times = peer_times(recipient);
    if (left() == 0 && times >= asked && times <= (result == 0 ? 1u : 2u))
        return true;
    printf("# asked %d, mails %u, in the outbox %ld\n", asked, times, left());
    return false;
}

static int sign_in_by_smtp(struct dc_err *err)
{
    way = &by_smtp;
    return sign_in(err);
}

static int sign_in_by_resend(struct dc_err *err)
{
    way = &by_resend;
    return sign_in(err);
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"mail by SMTP", sign_in_by_smtp, it_arrives, FAULT_HARD},
        /* libcurl 7.88 forgets the end of a letter that a socket took in two parts. */
        {"mail by SMTP bit by bit", sign_in_by_smtp, it_arrives, FAULT_SOFT | FAULT_LEAVES_ONE},
        {"mail by Resend", sign_in_by_resend, it_arrives, FAULT_HARD | FAULT_SOFT},
    };
    int result;

    dc_log_setup("fault", DC_LOG_OFF);
    fault_hook_curl();
    fault_hook_sqlite();
    if (!service_prepare(true))
        return 1;
    (void)snprintf(smtp_url, sizeof(smtp_url), "smtp://127.0.0.1:%u", service_peer.smtp_port);
    (void)snprintf(resend_url, sizeof(resend_url), "http://127.0.0.1:%u", service_peer.http_port);
    result = fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
    service_clean();
    return result;
}
