/*
 * How it works: curl's multi interface says which sockets it wants watched and when it wants to be
 * called; the loop's poll and timer handles do that. A finished transfer wakes its task, outside of
 * curl, so that the task may start the next one. Names are resolved in threads of curl's own, which
 * a timeout leaves behind rather than waits for.
 */
#include "outbound/outbound.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "outbound/outbound_internal.h"

#include "base/poison.h"

static const char system_certificates[] = "/etc/ssl/certs/ca-certificates.crt";

enum { KEPT_CONNECTIONS = 16, CONNECTIONS_MAX = 64 };

/* A socket that curl wants watched. Freed when its handle is closed. */
struct watch {
    uv_poll_t poll;
    struct outbound *outbound;
    curl_socket_t socket;
};

/* --- waking ---------------------------------------------------------------------------------- */

static void end_transfer(struct outbound *outbound, struct transfer *transfer)
{
    struct transfer **at = &outbound->transfers;

    while (*at && *at != transfer)
        at = &(*at)->next;
    if (*at)
        *at = transfer->next;
    outbound->active--;
    (void)curl_multi_remove_handle(outbound->multi, transfer->easy);
    transfer->over = true;
    task_wake(transfer->task); /* the last use: it lies on the task's stack */
}

static void collect(struct outbound *outbound)
{
    CURLMsg *message;
    int left;

    while (outbound->loop && (message = curl_multi_info_read(outbound->multi, &left))) {
        struct transfer *transfer = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        transfer->result = message->data.result;
        end_transfer(outbound, transfer);
    }
}

/* --- between curl and the loop --------------------------------------------------------------- */

/* A callback of ours has failed, or curl itself, for memory or descriptors. It drives nothing any
 * more then, and what it knows of sockets may be in pieces (7.88 divides by zero later): all
 * transfers go, and the engine with them. Then their tasks hear of it, who may begin anew. */
static void give_up_all(struct outbound *outbound)
{
    struct transfer *list = outbound->transfers;

    outbound->transfers = NULL;
    for (struct transfer *transfer = list; transfer; transfer = transfer->next) {
        (void)curl_multi_remove_handle(outbound->multi, transfer->easy);
        (void)dc_fail(&transfer->err, DC_KERNEL, ENOMEM, "'%.80s': no memory to go on",
                      transfer->host);
        transfer->over = true;
        outbound->active--;
    }
    (void)uv_timer_stop(&outbound->timer);
    (void)curl_multi_cleanup(outbound->multi);
    outbound->multi = NULL;
    while (list) {
        struct transfer *transfer = list;

        list = transfer->next;
        task_wake(transfer->task); /* the last use */
    }
}

static void act(struct outbound *outbound, curl_socket_t socket, int events)
{
    int running;
    bool good = curl_multi_socket_action(outbound->multi, socket, events, &running) == CURLM_OK;

    collect(outbound);
    if (!good && outbound->loop)
        give_up_all(outbound);
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* curl keeps the time, but not where it ran out of memory in the wrong place. */
static void on_sweep(uv_timer_t *timer)
{
    struct outbound *outbound = timer->data;
    struct transfer *transfer = outbound->transfers;

    while (transfer && dc_now() <= transfer->deadline)
        transfer = transfer->next;
    if (transfer) {
        transfer->result = CURLE_OPERATION_TIMEDOUT;
        end_transfer(outbound, transfer);
    }
    if (!outbound->transfers && outbound->loop)
        (void)uv_timer_stop(timer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;

    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    act(watch->outbound, watch->socket, flags);
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *add_watch(struct outbound *outbound, curl_socket_t socket)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return NULL;
    watch->outbound = outbound;
    watch->socket = socket;
    if (uv_poll_init_socket(outbound->loop, &watch->poll, socket) < 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    (void)curl_multi_assign(outbound->multi, socket, watch);
    return watch;
}

static void drop_watch(struct outbound *outbound, struct watch *watch)
{
    (void)curl_multi_assign(outbound->multi, watch->socket, NULL);
    uv_close((uv_handle_t *)&watch->poll, free_watch);
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *of_socket)
{
    struct outbound *outbound = context;
    struct watch *watch = of_socket;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            drop_watch(outbound, watch);
        return 0;
    }
    if (!watch)
        watch = outbound->loop ? add_watch(outbound, socket) : NULL;
    if (!watch)
        return -1; /* see give_up_all */
    events |= what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
    if (uv_poll_start(&watch->poll, events, on_poll) == 0)
        return 0;
    drop_watch(outbound, watch); /* curl does not ask for its removal now */
    return -1;
}

static int on_deadline(CURLM *multi, long ms, void *context)
{
    struct outbound *outbound = context;

    (void)multi;
    if (!outbound->loop)
        return 0;
    if (ms < 0)
        (void)uv_timer_stop(&outbound->timer);
    else
        (void)uv_timer_start(&outbound->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

/* Once, into memory: the file is out of reach later, and parsing it takes long. */
static int load_certificates(struct outbound *outbound, const char *path, struct dc_err *err)
{
    bool chosen = path && *path;
    BIO *file = BIO_new_file(chosen ? path : system_certificates, "r");
    X509 *certificate;
    unsigned count = 0;

    outbound->trusted = X509_STORE_new();
    if (!outbound->trusted) {
        BIO_free(file);
        return dc_fail(err, DC_KERNEL, ENOMEM, "certificates");
    }
    while (file && (certificate = PEM_read_bio_X509_AUX(file, NULL, NULL, NULL))) {
        count += X509_STORE_add_cert(outbound->trusted, certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(file);
    ERR_clear_error();
    if (!count && chosen)
        return dc_fail(err, DC_INVALID, 0, "no certificate can be read from '%.150s'", path);
    if (!count)
        dc_log(DC_LOG_WARN,
               "no certificates in %s: requests of the server over TLS will fail; "
               "install ca-certificates",
               system_certificates);
    return 0;
}

int outbound_new(const struct outbound_options *options, struct outbound **ret_outbound,
                 struct dc_err *err)
{
    DC_AUTO(outbound_free) struct outbound *outbound = calloc(1, sizeof(*outbound));
    SSL_CTX *warm_up;

    if (!outbound)
        return dc_fail(err, DC_KERNEL, ENOMEM, "outbound requests");
    if (options->proxy && strlen(options->proxy) >= OUTBOUND_PROXY_MAX)
        return dc_fail(err, DC_INVALID, 0, "the proxy's URL is too long");
    (void)snprintf(outbound->proxy, sizeof(outbound->proxy), "%s",
                   options->proxy ? options->proxy : "");
    (void)unsetenv("SSLKEYLOGFILE"); /* SECURITY: libcurl would write the keys of sessions there */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return dc_fail(err, DC_KERNEL, 0, "libcurl cannot start");
    outbound->global = true;
    warm_up = SSL_CTX_new(TLS_client_method()); /* OpenSSL reads its settings now */
    SSL_CTX_free(warm_up);
    if (!warm_up)
        return dc_fail(err, DC_KERNEL, 0, "OpenSSL cannot start");
    if (load_certificates(outbound, options->ca_file, err) < 0)
        return -err->code;
    *ret_outbound = dc_take(outbound);
    return 0;
}

static int open_multi(struct outbound *outbound, struct dc_err *err)
{
    CURLM *multi = curl_multi_init();

    if (!multi)
        return dc_fail(err, DC_KERNEL, ENOMEM, "outbound requests");
    outbound->multi = multi;
    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, outbound) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_deadline) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, outbound) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX) != CURLM_OK)
        return dc_fail(err, DC_BUG, 0, "libcurl refuses a setting");
    return 0;
}

int outbound_start(struct outbound *outbound, uv_loop_t *loop, struct dc_err *err)
{
    if (open_multi(outbound, err) < 0)
        return -err->code;
    (void)uv_timer_init(loop, &outbound->timer); /* never fails */
    (void)uv_timer_init(loop, &outbound->sweep);
    outbound->timer.data = outbound;
    outbound->sweep.data = outbound;
    outbound->loop = loop;
    return 0;
}

void outbound_stop(struct outbound *outbound)
{
    if (!outbound)
        return;
    outbound->stopping = true;
    if (!outbound->loop)
        return;
    while (outbound->transfers) {
        outbound->transfers->stopped = true;
        end_transfer(outbound, outbound->transfers);
    }
    if (outbound->multi)
        (void)curl_multi_cleanup(outbound->multi); /* closes kept connections: on_socket */
    outbound->multi = NULL;
    outbound->loop = NULL;
    uv_close((uv_handle_t *)&outbound->timer, NULL);
    uv_close((uv_handle_t *)&outbound->sweep, NULL);
}

void outbound_free(struct outbound *outbound)
{
    if (!outbound)
        return;
    if (outbound->multi)
        (void)curl_multi_cleanup(outbound->multi);
    X509_STORE_free(outbound->trusted);
    if (outbound->global)
        curl_global_cleanup();
    free(outbound);
}

unsigned outbound_active(const struct outbound *outbound)
{
    return outbound->active;
}

/* --- one transfer ---------------------------------------------------------------------------- */

static CURLcode on_tls(CURL *easy, void *context, void *trusted)
{
    (void)easy;
    if (X509_STORE_up_ref(trusted) != 1)
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set_cert_store(context, trusted);
    return CURLE_OK;
}

/* The host alone, for messages. DC_INVALID: the URL is none, or holds a user. */
static int take_host(struct transfer *transfer, const char *url, struct dc_err *err)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    char *user = NULL;
    CURLUcode code;

    if (!parts)
        return dc_fail(err, DC_KERNEL, ENOMEM, "URL");
    code = curl_url_set(parts, CURLUPART_URL, url, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_USER, &user, 0);
    if (code == CURLUE_NO_USER)
        (void)snprintf(transfer->host, sizeof(transfer->host), "%s", host);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(parts);
    if (code == CURLUE_OUT_OF_MEMORY)
        return dc_fail(err, DC_KERNEL, ENOMEM, "URL");
    if (code != CURLUE_NO_USER)
        return dc_fail(err, DC_INVALID, 0,
                       "not a URL to send a request to (a user in it is not "
                       "taken either)");
    return 0;
}

int transfer_init(struct outbound *outbound, struct transfer *transfer, const char *url,
                  const char *protocols, struct dc_err *err)
{
    CURLcode bad = CURLE_OK;

    *transfer = (struct transfer){.task = task_self()};
    if (take_host(transfer, url, err) < 0)
        return -err->code;
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        return dc_fail(err, DC_KERNEL, ENOMEM, "request to '%.80s'", transfer->host);
    TRANSFER_SET(bad, transfer, CURLOPT_PRIVATE, transfer);
    TRANSFER_SET(bad, transfer, CURLOPT_ERRORBUFFER, transfer->reason);
    TRANSFER_SET(bad, transfer, CURLOPT_URL, url);
    TRANSFER_SET(bad, transfer, CURLOPT_PROTOCOLS_STR, protocols);
    TRANSFER_SET(bad, transfer, CURLOPT_NOSIGNAL, 1L);
    TRANSFER_SET(bad, transfer, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver's thread */
    TRANSFER_SET(bad, transfer, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    /* Empty, not NULL: NULL would be the environment's. */
    TRANSFER_SET(bad, transfer, CURLOPT_PROXY, outbound->proxy);
    TRANSFER_SET(bad, transfer, CURLOPT_NOPROXY, "");
    TRANSFER_SET(bad, transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    TRANSFER_SET(bad, transfer, CURLOPT_SSL_VERIFYPEER, 1L);
    TRANSFER_SET(bad, transfer, CURLOPT_SSL_VERIFYHOST, 2L);
    TRANSFER_SET(bad, transfer, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    TRANSFER_SET(bad, transfer, CURLOPT_CAINFO, NULL);
    TRANSFER_SET(bad, transfer, CURLOPT_CAPATH, NULL);
    TRANSFER_SET(bad, transfer, CURLOPT_PROXY_CAINFO, NULL);
    TRANSFER_SET(bad, transfer, CURLOPT_PROXY_CAPATH, NULL);
    TRANSFER_SET(bad, transfer, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    TRANSFER_SET(bad, transfer, CURLOPT_SSL_CTX_DATA, outbound->trusted);
    return transfer_settings(bad, err);
}

int transfer_settings(CURLcode bad, struct dc_err *err)
{
    if (bad == CURLE_OK)
        return 0;
    return bad == CURLE_OUT_OF_MEMORY ? dc_fail(err, DC_KERNEL, ENOMEM, "settings of a request")
                                      : dc_fail(err, DC_BUG, 0, "libcurl refuses a setting");
}

void transfer_release(struct transfer *transfer)
{
    if (transfer->easy)
        curl_easy_cleanup(transfer->easy);
    for (size_t i = 0; i < 2; i++)
        curl_slist_free_all(transfer->lists[i]);
    *transfer = (struct transfer){0};
}

int transfer_list_add(struct transfer *transfer, unsigned list, const char *text,
                      struct dc_err *err)
{
    struct curl_slist *more = curl_slist_append(transfer->lists[list], text);

    if (!more)
        return dc_fail(err, DC_KERNEL, ENOMEM, "request to '%.80s'", transfer->host);
    transfer->lists[list] = more;
    return 0;
}

static enum dc_code code_of(CURLcode result, const char *reason)
{
    switch ((int)result) {
    case CURLE_OPERATION_TIMEDOUT:
        return DC_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL:
        /* Also what curl makes of an answer without a status line. */
        return strstr(reason, "HTTP/0.9") ? DC_BUG : DC_INVALID;
    case CURLE_URL_MALFORMAT:
        return DC_INVALID;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_FILESIZE_EXCEEDED:
        return DC_LIMIT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_LOGIN_DENIED:
        return DC_DENIED;
    case CURLE_OUT_OF_MEMORY:
        return DC_KERNEL;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return DC_BUG;
    default:
        return DC_BUSY;
    }
}

int64_t transfer_deadline(uint32_t total_ms)
{
    return dc_now() + ((int64_t)total_ms + OUTBOUND_LEAVE_MS) * DC_NS_PER_MS;
}

int transfer_may_run(const struct outbound *outbound, const struct transfer *transfer,
                     struct dc_err *err)
{
    if (outbound->stopping || !outbound->loop)
        return dc_fail(err, DC_BUSY, 0, "'%.80s': the server is stopping", transfer->host);
    if (outbound->active >= OUTBOUND_MAX)
        return dc_fail(err, DC_BUSY, 0, "'%.80s': %d requests are under way", transfer->host,
                       OUTBOUND_MAX);
    return 0;
}

int transfer_judge(const struct transfer *transfer, struct dc_err *err)
{
    const char *reason = transfer->reason;

    if (transfer->stopped)
        return dc_fail(err, DC_BUSY, 0, "'%.80s': the server is stopping", transfer->host);
    if (transfer->err.code != DC_OK) {
        *err = transfer->err;
        return -err->code;
    }
    if (transfer->result == CURLE_OK)
        return 0;
    if (!*reason)
        reason = curl_easy_strerror(transfer->result);
    return dc_fail(err, code_of(transfer->result, reason), 0, "'%.80s': %s", transfer->host,
                   reason);
}

int transfer_run(struct outbound *outbound, struct transfer *transfer, uint32_t total_ms,
                 struct dc_err *err)
{
    if (transfer_may_run(outbound, transfer, err) < 0 ||
        (!outbound->multi && open_multi(outbound, err) < 0))
        return -err->code;
    if (curl_multi_add_handle(outbound->multi, transfer->easy) != CURLM_OK)
        return dc_fail(err, DC_KERNEL, ENOMEM, "request to '%.80s'", transfer->host);
    outbound->active++;
    transfer->deadline = transfer_deadline(total_ms);
    transfer->next = outbound->transfers;
    outbound->transfers = transfer;
    if (!uv_is_active((uv_handle_t *)&outbound->sweep))
        (void)uv_timer_start(&outbound->sweep, on_sweep, OUTBOUND_LEAVE_MS, OUTBOUND_LEAVE_MS);
    while (!transfer->over)
        task_suspend();
    return transfer_judge(transfer, err);
}
