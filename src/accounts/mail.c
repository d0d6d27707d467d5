#include "accounts/mail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts/mime.h"
#include "base/clock.h"
#include "base/io.h"
#include "outbound/outbound.h"

#include "base/poison.h"

enum {
    MESSAGE_MAX_BYTES = 256 * 1024,
    URL_MAX_BYTES = 1024,
    KEY_MAX_BYTES = 512,
    ANSWER_MAX_BYTES = 64 * 1024,
};

enum way { WAY_CONSOLE, WAY_RESEND, WAY_SMTP };

struct mail_transport {
    enum way way;
    const struct mail_options *options;
    struct outbound *outbound;
    struct mime_sender sender;
};

static bool is_set(const char *text)
{
    return text && *text;
}

static int check(const struct mail_transport *transport, struct dc_err *err)
{
    const char *url = transport->options->smtp_url;

    if (transport->way == WAY_SMTP && strncmp(url, "smtp://", 7) != 0 &&
        strncmp(url, "smtps://", 8) != 0)
        return dc_fail(err, DC_INVALID, 0,
                       "smtp.url must be smtp://HOST:PORT or smtps://HOST:PORT");
    return 0;
}

int mail_transport_new(const struct mail_options *options, struct outbound *outbound,
                       struct mail_transport **ret_transport, struct dc_err *err)
{
    DC_AUTO(mail_transport_free) struct mail_transport *transport = calloc(1, sizeof(*transport));

    if (!transport)
        return dc_fail(err, DC_KERNEL, ENOMEM, "mail");
    transport->options = options;
    transport->outbound = outbound;
    transport->way = is_set(options->resend_key) ? WAY_RESEND
                     : is_set(options->smtp_url) ? WAY_SMTP
                                                 : WAY_CONSOLE;
    if (transport->way != WAY_CONSOLE && !mime_read_sender(options->from, &transport->sender))
        return dc_fail(err, DC_INVALID, 0,
                       "mail.from must be the sender of mails, such as Docle "
                       "<no-reply@example.com>");
    if (check(transport, err) < 0)
        return -err->code;
    *ret_transport = dc_take(transport);
    return 0;
}

void mail_transport_free(struct mail_transport *transport)
{
    free(transport);
}

bool mail_transport_is_console(const struct mail_transport *transport)
{
    return transport->way == WAY_CONSOLE;
}

/* --- the ways out ---------------------------------------------------------------------------- */

static int send_console(const struct mail *mail, struct dc_err *err)
{
    if (printf("Mail to %s: %s\n    %s\n", mail->recipient, mail->subject, mail->link) < 0 ||
        fflush(stdout) != 0)
        return dc_fail(err, DC_KERNEL, 0, "standard output is closed");
    return 0;
}

static void member(struct dc_buf *out, const char *name, const char *text)
{
    (void)dc_buf_printf(out, ",\"%s\":", name);
    (void)dc_buf_json_string(out, text, strlen(text));
}

/* The sender as Resend takes it; what is quoted there is quoted here. */
static void print_resend(const struct mail_transport *transport, const struct mail *mail,
                         struct dc_buf *out)
{
    (void)dc_buf_text(out, "{\"to\":[");
    (void)dc_buf_json_string(out, mail->recipient, strlen(mail->recipient));
    (void)dc_buf_byte(out, ']');
    member(out, "from", transport->options->from);
    member(out, "subject", mail->subject);
    member(out, "html", mail->html);
    member(out, "text", mail->text);
    (void)dc_buf_byte(out, '}');
}

/* A refusal of the mail itself is final; of the key, of the rate or of the moment it is not: the
 * operator or time mends those. */
static int judge_resend(int status, struct dc_err *err)
{
    if (status >= 200 && status < 300)
        return 0;
    if (status == 400 || status == 413 || status == 422)
        return dc_fail(err, DC_INVALID, 0, "Resend refused the mail with status %d", status);
    return dc_fail(err, DC_BUSY, 0, "Resend answered with status %d", status);
}

/* No Idempotency-Key: each attempt has a link of its own, so two attempts are two mails. */
static int send_resend(struct mail_transport *transport, const struct mail *mail,
                       struct dc_err *err)
{
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    char url[URL_MAX_BYTES];
    char authorization[KEY_MAX_BYTES];
    int result;

    dc_buf_init(&body, MESSAGE_MAX_BYTES);
    print_resend(transport, mail, &body);
    if (body.failed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "a mail");
    (void)snprintf(url, sizeof(url), "%s/emails", transport->options->resend_url);
    (void)snprintf(authorization, sizeof(authorization), "Bearer %s",
                   transport->options->resend_key);
    result = outbound_http(transport->outbound,
                           &(struct outbound_request){
                               .method = "POST",
                               .url = url,
                               .fields = {{"Authorization", authorization},
                                          {"Content-Type", "application/json"},
                                          {"User-Agent", "docle/" DOCLE_VERSION}},
                               .body = body.data,
                               .body_length = body.length,
                               .response_max = ANSWER_MAX_BYTES,
                           },
                           &response, err);
    dc_wipe(authorization, sizeof(authorization));
    dc_wipe(body.data, body.length);
    /* A certificate or setting that is wrong now may be right later. */
    if (result < 0)
        err->code = DC_BUSY;
    if (result < 0)
        return dc_context(err, "Resend");
    return judge_resend(response.status, err);
}

static int send_smtp(struct mail_transport *transport, const struct mail *mail, struct dc_err *err)
{
    const struct mail_options *options = transport->options;
    DC_AUTO(dc_buf_release) struct dc_buf message = {0};
    int result;

    dc_buf_init(&message, MESSAGE_MAX_BYTES);
    mime_print(&(struct mime_mail){.from = &transport->sender,
                                   .to = mail->recipient,
                                   .subject = mail->subject,
                                   .text = mail->text,
                                   .html = mail->html,
                                   .id = mail->id,
                                   .date_ns = dc_wall_now()},
               &message);
    if (message.failed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "a mail");
    result =
        outbound_mail(transport->outbound,
                      &(struct outbound_mail){
                          .url = options->smtp_url,
                          .plain = options->smtp_plain,
                          .user = is_set(options->smtp_user) ? options->smtp_user : NULL,
                          .password = is_set(options->smtp_user) ? options->smtp_password : NULL,
                          .from = transport->sender.address,
                          .recipients = {mail->recipient},
                          .message = message.data,
                          .message_length = message.length,
                      },
                      err);
    dc_wipe(message.data, message.length);
    return result;
}

int mail_transport_send(struct mail_transport *transport, const struct mail *mail,
                        struct dc_err *err)
{
    switch (transport->way) {
    case WAY_RESEND:
        return send_resend(transport, mail, err);
    case WAY_SMTP:
        return send_smtp(transport, mail, err);
    case WAY_CONSOLE:
        break;
    }
    return send_console(mail, err);
}
