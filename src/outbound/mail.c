/*
 * How it works: unlike all else, a mail is sent in a thread of its own. libcurl waits for an SMTP
 * server's last word, and for its answer to QUIT, without going back to the loop, also in its multi
 * interface; a slow mail server would stop the whole server.
 */
#include <errno.h>
#include <pthread.h>
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
    uv_async_t ended; /* the thread is done with everything here */
    bool over;
    long reply; /* status of the server's last answer */
};

enum { STACK_BYTES = 1024 * 1024 };

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct letter *letter = context;
    size_t rest = letter->mail->message_length - letter->sent;
    size_t length = size * count < rest ? size * count : rest;

    memcpy(out, (const char *)letter->mail->message + letter->sent, length);
    letter->sent += length;
    return length;
}

/* At least once a second, also while it waits. */
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t total_up,
                       curl_off_t now_up)
{
    struct transfer *transfer = context;

    (void)total;
    (void)now;
    (void)total_up;
    (void)now_up;
    return atomic_load(&transfer->stop);
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

static int prepare(struct letter *letter, struct dc_err *err)
{
    const struct outbound_mail *mail = letter->mail;
    struct transfer *transfer = &letter->transfer;
    uint32_t connect = mail->connect_ms ? mail->connect_ms : OUTBOUND_CONNECT_MS;
    uint32_t total = mail->total_ms ? mail->total_ms : OUTBOUND_TOTAL_MS;
    char from[ADDRESS_MAX + 3];
    bool bad = false;

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
    TRANSFER_SET(bad, transfer, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(total + 999) / 1000);
    TRANSFER_SET(bad, transfer, CURLOPT_XFERINFOFUNCTION, on_progress);
    TRANSFER_SET(bad, transfer, CURLOPT_XFERINFODATA, transfer);
    TRANSFER_SET(bad, transfer, CURLOPT_NOPROGRESS, 0L);
    TRANSFER_SET(bad, transfer, CURLOPT_FORBID_REUSE, 1L); /* QUIT while on_progress is asked */
    TRANSFER_SET(bad, transfer, CURLOPT_USE_SSL,
                 (long)(mail->plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    if (mail->user) {
        TRANSFER_SET(bad, transfer, CURLOPT_USERNAME, mail->user);
        TRANSFER_SET(bad, transfer, CURLOPT_PASSWORD, mail->password ? mail->password : "");
    }
    return bad ? dc_fail(err, DC_BUG, 0, "libcurl refuses a setting") : 0;
}

static void *perform(void *arg)
{
    struct letter *letter = arg;
    struct transfer *transfer = &letter->transfer;

    transfer->result = curl_easy_perform(transfer->easy);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &letter->reply);
    curl_easy_cleanup(dc_take(transfer->easy)); /* here: it may wait */
    (void)uv_async_send(&letter->ended);
    return NULL;
}

static void on_ended(uv_async_t *ended)
{
    struct letter *letter = ended->data;

    letter->over = true;
    task_wake(letter->transfer.task);
}

static bool start_thread(struct letter *letter, pthread_t *ret_thread)
{
    pthread_attr_t attributes;
    bool started;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES); /* a valid size */
    started = pthread_create(ret_thread, &attributes, perform, letter) == 0;
    (void)pthread_attr_destroy(&attributes);
    return started;
}

/* Suspends the task until the thread is gone. */
static int run_thread(struct outbound *outbound, struct letter *letter, struct dc_err *err)
{
    struct transfer *transfer = &letter->transfer;
    pthread_t thread;
    bool started;

    transfer->threaded = true;
    if (transfer_enter(outbound, transfer, err) < 0)
        return -err->code;
    started = uv_async_init(task_loop(transfer->task), &letter->ended, on_ended) == 0;
    letter->ended.data = letter;
    if (started) {
        started = start_thread(letter, &thread);
        while (started && !letter->over)
            task_suspend();
        if (started)
            (void)pthread_join(thread, NULL);
        task_close_handle((uv_handle_t *)&letter->ended);
    }
    transfer_leave(outbound, transfer);
    return started ? transfer_judge(transfer, err)
                   : dc_fail(err, DC_KERNEL, ENOMEM, "a thread for a mail");
}

int outbound_mail(struct outbound *outbound, const struct outbound_mail *mail, struct dc_err *err)
{
    struct letter letter = {.mail = mail};
    struct transfer *transfer = &letter.transfer;
    int result = transfer_init(outbound, transfer, mail->url, "smtp,smtps", err);

    if (result == 0)
        result = prepare(&letter, err);
    if (result == 0) {
        result = run_thread(outbound, &letter, err);
        /* The server's own word, where it is one: 4xx is for now, 5xx for good. */
        if ((result == -DC_BUSY || result == -DC_BUG) && letter.reply >= 400 &&
            letter.reply < 600) {
            err->code = letter.reply < 500 ? DC_BUSY : DC_DENIED;
            result = -err->code;
        }
    }
    transfer_release(transfer);
    return result;
}
