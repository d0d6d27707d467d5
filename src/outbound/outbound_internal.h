/* One transfer and the engine below it. Internal to src/outbound. */
#ifndef DOCLE_OUTBOUND_OUTBOUND_INTERNAL_H
#define DOCLE_OUTBOUND_OUTBOUND_INTERNAL_H

#include <curl/curl.h>
#include <openssl/x509.h>
#include <stdatomic.h>

#include "net/task.h"
#include "outbound/outbound.h"

struct transfer {
    CURL *easy;                  /* owned */
    struct curl_slist *lists[2]; /* owned: header fields, recipients */
    struct task *task;
    int64_t deadline; /* dc_now() */
    bool over;
    CURLcode result;
    long reply;        /* of transfer_run_in_thread: the last status */
    bool stopped;      /* by outbound_stop, not by itself */
    struct dc_err err; /* of a callback that ended it; code DC_OK: none did */
    char host[256];    /* for messages */
    char reason[CURL_ERROR_SIZE];
    struct transfer *next;
};

enum {
    OUTBOUND_PROXY_MAX = 512,
    OUTBOUND_LEAVE_MS = 2000, /* beyond the time that curl was given */
};

struct outbound {
    CURLM *multi; /* NULL: not started, or given up for want of memory */
    X509_STORE *trusted;
    char proxy[OUTBOUND_PROXY_MAX];
    bool global;      /* curl_global_init was done */
    uv_timer_t timer; /* curl's */
    uv_timer_t sweep; /* ours, while there are transfers */
    uv_loop_t *loop;  /* NULL: not started, or stopped */
    struct transfer *transfers;
    unsigned active;
    atomic_bool stopping; /* read by threads */
};

/* Makes the handle with all that holds for every transfer. protocols: "http,https".
 * To be released with transfer_release in any case. */
DC_MUST int transfer_init(struct outbound *outbound, struct transfer *transfer, const char *url,
                          const char *protocols, struct dc_err *err);
void transfer_release(struct transfer *transfer);

static inline void transfer_release_auto(struct transfer *transfer)
{
    transfer_release(transfer);
}

/* In a task: suspends until it is over. 0 or what went wrong. */
DC_MUST int transfer_run(struct outbound *outbound, struct transfer *transfer, uint32_t total_ms,
                         struct dc_err *err);

/* The same in a thread and with a connection of its own: for protocols with which curl waits on the
 * spot, whatever it is asked. Ends by itself soon after total_ms. See thread.c. */
DC_MUST int transfer_run_in_thread(struct outbound *outbound, struct transfer *transfer,
                                   uint32_t total_ms, struct dc_err *err);

/* The parts of both: is there room; until when it has to be over, by dc_now(); what became of it.
 */
DC_MUST int transfer_may_run(const struct outbound *outbound, const struct transfer *transfer,
                             struct dc_err *err);
int64_t transfer_deadline(uint32_t total_ms);
DC_MUST int transfer_judge(const struct transfer *transfer, struct dc_err *err);

/* Appends "name: value" or a plain entry to a list of the transfer. */
DC_MUST int transfer_list_add(struct transfer *transfer, unsigned list, const char *text,
                              struct dc_err *err);

/* curl_easy_setopt; the first failure stays in bad, a CURLcode, for transfer_settings. */
#define TRANSFER_SET(bad, transfer, option, value)                                                 \
    ((bad) = (bad) == CURLE_OK ? curl_easy_setopt((transfer)->easy, (option), (value)) : (bad))
DC_MUST int transfer_settings(CURLcode bad, struct dc_err *err);

#endif
