#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "outbound/outbound_internal.h"

#include "base/poison.h"

enum { ADDRESS_MAX = 320 };

struct letter {
    struct transfer transfer;
    const struct outbound_mail *mail;
    size_t sent;
};

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct letter *letter = context;
    size_t rest = letter->mail->message_length - letter->sent;
    size_t length = size * count < rest ? size * count : rest;

    memcpy(out, (const char *)letter->mail->message + letter->sent, length);
    letter->sent += length;
    return length;
}

/* What would end the address, or the command it stands in, is not taken. */
static int wrap_address(const char *address, char out[static ADDRESS_MAX + 3], struct dc_err *err)
{
    size_t length = strlen(address);

    if (!length || length > ADDRESS_MAX || !strchr(address, '@'))
        return dc_fail(err, DC_INVALID, 0, "not a mail address");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)address[i] <= 0x20 || address[i] == 0x7f || strchr("<>", address[i]))
            return dc_fail(err, DC_INVALID, 0, "a mail address with a character that none has");
    (void)snprintf(out, ADDRESS_MAX + 3, "<%s>", address);
    return 0;
}

static int add_recipients(struct letter *letter, struct dc_err *err)
{
    const struct outbound_mail *mail = letter->mail;
    char address[ADDRESS_MAX + 3];

    if (!mail->recipients[0])
        return dc_fail(err, DC_INVALID, 0, "a mail to nobody");
    for (size_t i = 0; i < OUTBOUND_RECIPIENTS_MAX && mail->recipients[i]; i++)
        if (wrap_address(mail->recipients[i], address, err) < 0 ||
            transfer_list_add(&letter->transfer, 1, address, err) < 0)
            return -err->code;
    return 0;
}

static int prepare(struct letter *letter, uint32_t total, struct dc_err *err)
{
    const struct outbound_mail *mail = letter->mail;
    struct transfer *transfer = &letter->transfer;
    uint32_t connect = mail->connect_ms ? mail->connect_ms : OUTBOUND_CONNECT_MS;
    char from[ADDRESS_MAX + 3];
    CURLcode bad = CURLE_OK;

    if (wrap_address(mail->from, from, err) < 0 || add_recipients(letter, err) < 0)
        return -err->code;
    TRANSFER_SET(bad, transfer, CURLOPT_MAIL_FROM, from);
    TRANSFER_SET(bad, transfer, CURLOPT_MAIL_RCPT, transfer->lists[1]);
    TRANSFER_SET(bad, transfer, CURLOPT_UPLOAD, 1L);
    TRANSFER_SET(bad, transfer, CURLOPT_READFUNCTION, on_read);
    TRANSFER_SET(bad, transfer, CURLOPT_READDATA, letter);
    TRANSFER_SET(bad, transfer, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->message_length);
    TRANSFER_SET(bad, transfer, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
    TRANSFER_SET(bad, transfer, CURLOPT_TIMEOUT_MS, (long)total);
    TRANSFER_SET(bad, transfer, CURLOPT_USE_SSL,
                 (long)(mail->plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    if (mail->user) {
        TRANSFER_SET(bad, transfer, CURLOPT_USERNAME, mail->user);
        TRANSFER_SET(bad, transfer, CURLOPT_PASSWORD, mail->password ? mail->password : "");
    }
    return transfer_settings(bad, err);
}

int outbound_mail(struct outbound *outbound, const struct outbound_mail *mail, struct dc_err *err)
{
    struct letter letter = {.mail = mail};
    struct transfer *transfer = &letter.transfer;
    uint32_t total = mail->total_ms ? mail->total_ms : OUTBOUND_TOTAL_MS;
    long reply = 0;
    int result = transfer_init(outbound, transfer, mail->url, "smtp,smtps", err);

    if (result == 0)
        result = prepare(&letter, total, err);
    if (result == 0) {
        result = transfer_run_in_thread(outbound, transfer, total, err);
        reply = transfer->reply;
        /* The server's own word, where it is one: 4xx is for now, 5xx for good. */
        if ((result == -DC_BUSY || result == -DC_BUG) && reply >= 400 && reply < 600) {
            err->code = reply < 500 ? DC_BUSY : DC_DENIED;
            result = -err->code;
        }
    }
    transfer_release(transfer);
    return result;
}
