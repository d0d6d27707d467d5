/*
 * Requests that the server makes itself: HTTP(S) and mail, over libcurl on the loop. What they are
 * allowed is in docs/adr/0011-outbound-requests.md. API process.
 *
 * A mail goes out in a thread of its own: libcurl waits on the spot for what SMTP servers say at
 * the end. On a stop it takes up to a second to end, and the loop has to run until its task has.
 *
 * Lifecycle: outbound_new before the server gives its rights up (reads the certificates and what
 * OpenSSL wants to read); outbound_start with the loop; outbound_stop, after which every request
 * under way or new ends with DC_BUSY; the loop runs until all tasks have ended; outbound_free.
 *
 * In a task, on the loop's thread: outbound_http and outbound_mail suspend until all is over. TLS
 * is always verified. No cookies, no .netrc, no proxy but the one of the options, HTTP/1.1, no
 * answer of more than response_max bytes, before or after decompression.
 *
 * Errors: DC_INVALID the URL, an address or a field; DC_TIMEOUT; DC_LIMIT the answer is too large
 * or redirected too often; DC_DENIED the peer's certificate is not trusted, or it refused the mail
 * for good; DC_BUSY not reachable, broke off, refused for now, or we are stopping or have
 * OUTBOUND_MAX requests under way; DC_BUG what came is not the protocol; DC_KERNEL. Texts name the
 * host only, never path, query, fields or user.
 */
#ifndef DOCLE_OUTBOUND_OUTBOUND_H
#define DOCLE_OUTBOUND_OUTBOUND_H

#include <sys/socket.h>
#include <uv.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    OUTBOUND_MAX = 64,                     /* requests under way */
    OUTBOUND_HEADERS_MAX_BYTES = 65536,    /* of one answer */
    OUTBOUND_RESPONSE_MAX_BYTES = 1 << 20, /* where a request names no maximum */
    OUTBOUND_CONNECT_MS = 10000,           /* likewise */
    OUTBOUND_TOTAL_MS = 30000,
    OUTBOUND_FIELDS_MAX = 16,
    OUTBOUND_RECIPIENTS_MAX = 50,
};

struct outbound;

struct outbound_options {
    const char *proxy;   /* "http://host:port"; NULL or "": none, whatever the environment says */
    const char *ca_file; /* PEM; NULL or "": the system's. Missing: https fails with DC_DENIED */
};

DC_MUST int outbound_new(const struct outbound_options *options, struct outbound **ret_outbound,
                         struct dc_err *err);
DC_MUST int outbound_start(struct outbound *outbound, uv_loop_t *loop, struct dc_err *err);
/* Wakes all that wait. Call at most once; also for one that was not started. Accepts NULL. */
void outbound_stop(struct outbound *outbound);
void outbound_free(struct outbound *outbound); /* accepts NULL; calls nothing of a loop */
DC_AUTO_DEFINE(struct outbound *, outbound_free)

/* Requests under way. */
unsigned outbound_active(const struct outbound *outbound);

struct outbound_field {
    const char *name;
    const char *value;
};

struct outbound_request {
    const char *method;                                /* NULL: GET without a body, else POST */
    const char *url;                                   /* http or https */
    struct outbound_field fields[OUTBOUND_FIELDS_MAX]; /* ended by a NULL name. Authorization does
                                                          not follow to another host or port; no
                                                          other field may be secret */
    const void *body;                                  /* borrowed until the end; NULL: none */
    size_t body_length;
    uint32_t connect_ms, total_ms; /* 0: the defaults above */
    uint32_t idle_ms; /* below one byte a second for this long (whole seconds): over; 0: none */
    uint32_t redirects_max; /* 0: a redirection is an answer as any. From https to https only */
    size_t response_max;    /* bytes; 0: OUTBOUND_RESPONSE_MAX_BYTES */
    bool compressed;        /* offer gzip; response_max then also bounds what comes out */

    /* Which addresses it may connect to: asked with the address of each attempt, after names were
     * resolved and before the connection. For a URL that is not the operator's. With it there is no
     * proxy, and no connection is shared with other requests, which were not asked about. One
     * address that may not be reached ends the request with DC_DENIED. Optional. */
    bool (*allow)(const void *allow_context, const struct sockaddr *address);
    const void *allow_context;

    /* The body of the last answer (not of redirections) in pieces, instead of in the response. On
     * the loop: must not suspend. Negative: ends the request with this err. Optional. */
    int (*chunk)(void *context, const void *bytes, size_t length, struct dc_err *err);
    void *context;
};

struct outbound_response {
    int status;
    struct dc_buf headers; /* of the last answer, as they came */
    struct dc_buf body;
    bool elsewhere; /* redirections led to another URL */
};

/* ret_response: initialised here; to be released in any case. Any status is a success. */
DC_MUST int outbound_http(struct outbound *outbound, const struct outbound_request *request,
                          struct outbound_response *ret_response, struct dc_err *err);
void outbound_response_release(struct outbound_response *response); /* accepts zeroes */

static inline void outbound_response_release_auto(struct outbound_response *response)
{
    outbound_response_release(response);
}

/* Copies the value of a header field of the answer; false when there is none or it does not fit. */
bool outbound_header(const struct outbound_response *response, const char *name, char *out,
                     size_t size);

struct outbound_mail {
    const char *url;  /* smtp://host:port, which must offer STARTTLS, or smtps:// */
    bool plain;       /* smtp:// without TLS: to this machine, say */
    const char *user; /* NULL: no sign-in */
    const char *password;
    const char *from;                                /* addresses alone, without <> */
    const char *recipients[OUTBOUND_RECIPIENTS_MAX]; /* ended by NULL */
    const void *message; /* header and body, lines end with CR LF; borrowed until the end */
    size_t message_length;
    uint32_t connect_ms, total_ms;
};

/* All recipients were accepted, or none gets the mail. */
DC_MUST int outbound_mail(struct outbound *outbound, const struct outbound_mail *mail,
                          struct dc_err *err);

#endif
