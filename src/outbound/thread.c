/*
 * How it works: unlike all else, a mail is sent in a thread of its own. libcurl waits for an SMTP
 * server's last word, and for its answer to QUIT, without going back to the loop, also in its multi
 * interface; a slow mail server would stop the whole server. Not a thread of libuv's pool: a few of
 * those hanging would hold up package layers and repositories.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "outbound/outbound_internal.h"

#include "base/poison.h"

enum { STACK_BYTES = 1024 * 1024 };

struct blocking {
    struct transfer *transfer;
    struct outbound *outbound;
    int64_t deadline;
    uv_async_t ended; /* the thread is done with everything here */
};

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct blocking *blocking = context;

    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&blocking->outbound->stopping) || dc_now() > blocking->deadline;
}

static void *perform(void *arg)
{
    struct blocking *blocking = arg;
    struct transfer *transfer = blocking->transfer;
    curl_socket_t socket = CURL_SOCKET_BAD;

    transfer->result = curl_easy_perform(transfer->easy);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->reply);
    /* Else curl says good-bye while it cleans up, deaf to on_progress, for two minutes if nobody
     * answers: where a letter broke off, a server takes it for text. */
    if (curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK &&
        socket != CURL_SOCKET_BAD)
        (void)shutdown(socket, SHUT_RDWR);
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    (void)uv_async_send(&blocking->ended);
    return NULL;
}

static void on_ended(uv_async_t *ended)
{
    struct blocking *blocking = ended->data;

    blocking->transfer->over = true;
    task_wake(blocking->transfer->task);
}

static bool start_thread(struct blocking *blocking, pthread_t *ret_thread)
{
    pthread_attr_t attributes;
    bool started;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES); /* a valid size */
    started = pthread_create(ret_thread, &attributes, perform, blocking) == 0;
    (void)pthread_attr_destroy(&attributes);
    return started;
}

/* Suspends the task until the thread is gone. False: there is none to be had. */
static bool run_thread(struct blocking *blocking)
{
    struct transfer *transfer = blocking->transfer;
    pthread_t thread;
    bool started;

    if (uv_async_init(task_loop(transfer->task), &blocking->ended, on_ended) != 0)
        return false;
    blocking->ended.data = blocking;
    blocking->outbound->active++;
    started = start_thread(blocking, &thread);
    while (started && !transfer->over)
        task_suspend();
    if (started)
        (void)pthread_join(thread, NULL);
    task_close_handle((uv_handle_t *)&blocking->ended);
    blocking->outbound->active--;
    transfer->stopped =
        transfer->result == CURLE_ABORTED_BY_CALLBACK && atomic_load(&blocking->outbound->stopping);
    return started;
}

int transfer_run_in_thread(struct outbound *outbound, struct transfer *transfer, uint32_t total_ms,
                           struct dc_err *err)
{
    struct blocking blocking = {
        .transfer = transfer, .outbound = outbound, .deadline = transfer_deadline(total_ms)};
    CURLcode bad = CURLE_OK;

    if (transfer_may_run(outbound, transfer, err) < 0)
        return -err->code;
    TRANSFER_SET(bad, transfer, CURLOPT_NOPROGRESS, 0L);
    TRANSFER_SET(bad, transfer, CURLOPT_XFERINFOFUNCTION, on_progress);
    TRANSFER_SET(bad, transfer, CURLOPT_XFERINFODATA, &blocking);
    if (transfer_settings(bad, err) < 0)
        return -err->code;
    if (!run_thread(&blocking))
        return dc_fail(err, DC_KERNEL, ENOMEM, "a thread for '%.80s'", transfer->host);
    return transfer_judge(transfer, err);
}
