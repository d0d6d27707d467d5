/* One transfer and the engine below it. Internal to src/outbound. */
#ifndef DOCLE_OUTBOUND_OUTBOUND_INTERNAL_H
#define DOCLE_OUTBOUND_OUTBOUND_INTERNAL_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "net/task.h"
#include "outbound/outbound.h"

struct transfer {
    CURL *easy;                  /* owned */
    struct curl_slist *lists[2]; /* owned: header fields, recipients */
    struct task *task;
    bool over;
    CURLcode result;
    bool stopped;      /* by outbound_stop, not by itself */
    struct dc_err err; /* of a callback that ended it; code DC_OK: none did */
    char host[256];    /* for messages */
    char reason[CURL_ERROR_SIZE];
    struct transfer *next;
    bool threaded;    /* runs in a thread of its own, see mail.c; stops itself when told to … */
    atomic_bool stop; /* … by this */
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
DC_MUST int transfer_run(struct outbound *outbound, struct transfer *transfer, struct dc_err *err);

/* The parts of transfer_run, for one that is run otherwise: there is room, it counts and is known
 * to outbound_stop; it ended; what became of it, by result and stopped. */
DC_MUST int transfer_enter(struct outbound *outbound, struct transfer *transfer,
                           struct dc_err *err);
void transfer_leave(struct outbound *outbound, struct transfer *transfer);
DC_MUST int transfer_judge(const struct transfer *transfer, struct dc_err *err);

/* Appends "name: value" or a plain entry to a list of the transfer. */
DC_MUST int transfer_list_add(struct transfer *transfer, unsigned list, const char *text,
                              struct dc_err *err);

/* curl_easy_setopt; a failure sticks in *bad. */
#define TRANSFER_SET(bad, transfer, option, value)                                                 \
    ((bad) |= curl_easy_setopt((transfer)->easy, (option), (value)) != CURLE_OK)

#endif
