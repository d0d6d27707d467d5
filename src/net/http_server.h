/*
 * The HTTP/1.1 server: connections, deadlines, one task a request. TLS and HTTP/2 are a reverse
 * proxy's. API process, on the loop's thread.
 *
 * Lifecycle: http_server_open (binds) → http_server_start (accepts) → http_server_stop (accepts no
 * more, idle connections end, answers leave) → http_server_close (ends every connection) →
 * the loop runs until nothing is left → http_server_free.
 *
 * Each request, also one that is refused for its form, is given to the handler in a task of its
 * own; the handler answers it exactly once (http_answer, or http_stream_begin … http_stream_end)
 * before it returns. Requests of one connection are handled one after another.
 */
#ifndef DOCLE_NET_HTTP_SERVER_H
#define DOCLE_NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/error.h"
#include "net/http_address.h"
#include "net/http_head.h"

struct http_server;
struct http_exchange;

struct http_deadlines {
    uint32_t head_ms;    /* from the first byte of a request to the end of its head */
    uint32_t body_ms;    /* without a byte of the body */
    uint32_t request_ms; /* from the first byte of a request to the end of its body */
    uint32_t idle_ms;    /* between requests */
    uint32_t write_ms;   /* without the client reading anything */
};

struct http_options {
    const char *host;
    uint16_t port; /* 0: the kernel chooses */
    uint32_t body_max_bytes;
    uint32_t connections_max;            /* beyond: 503; beyond twice as many: closed */
    uint32_t connections_per_client_max; /* the same, with 429; proxies that are trusted are free
                                            of it. 0: 512 */
    size_t bodies_max_bytes;             /* of all requests together; beyond: 503. 0: 512 MiB */
    const char *trusted_proxies; /* addresses and networks, see http_networks_parse; only they are
                                    believed when they speak for others. NULL: loopback */
    struct http_deadlines deadlines; /* zeros: 10 s, 30 s, 300 s, 60 s, 30 s */
    void (*handle)(struct http_exchange *exchange, void *context);
    void *context;
};

/* Strings of the options are borrowed until http_server_free. DC_INVALID: the address or the
 * proxies; DC_BUSY: somebody listens there. */
DC_MUST int http_server_open(uv_loop_t *loop, const struct http_options *options,
                             struct http_server **ret_server, struct dc_err *err);
DC_MUST int http_server_start(struct http_server *server, struct dc_err *err);
void http_server_stop(struct http_server *server);
void http_server_close(struct http_server *server);
void http_server_free(struct http_server *server); /* accepts NULL */
DC_AUTO_DEFINE(struct http_server *, http_server_free)

uint16_t http_server_port(const struct http_server *server);
unsigned http_server_connections(const struct http_server *server);

/* --- the request; valid until the handler returns --- */

/* Not NULL: the request was refused for its form, and head and body may be empty. Answer with it.
 */
const struct http_refusal *http_exchange_refusal(const struct http_exchange *exchange);
const struct http_head *http_exchange_head(const struct http_exchange *exchange);
const char *http_exchange_body(const struct http_exchange *exchange, size_t *ret_length);
/* The address of the other end of the connection as text, without the port; not of any header. */
const char *http_exchange_peer(const struct http_exchange *exchange);
/* The client's: the peer's, or, when that is a trusted proxy, the nearest in X-Forwarded-For that
 * is none. */
void http_exchange_client(const struct http_exchange *exchange, char out[static HTTP_ADDRESS_SIZE]);
/* A trusted proxy says that the client speaks HTTPS. */
bool http_exchange_is_secure(const struct http_exchange *exchange);
bool http_exchange_peer_is_loopback(const struct http_exchange *exchange);
void *http_exchange_context(const struct http_exchange *exchange); /* of the options */

/* --- the answer --- */

struct http_answer_field {
    const char *name;
    const char *value;
};

struct http_answer {
    int status;
    const struct http_answer_field
        *fields; /* ended by a NULL name; Date, Content-Length,
                    Connection and the security headers come by themselves */
};

/* Takes what body holds and returns at once. For HEAD the body's length is told and the body not
 * sent. */
void http_answer(struct http_exchange *exchange, const struct http_answer *answer,
                 struct dc_buf *body);

/* A body of unknown length. write suspends while the client reads slowly and drops the bytes when
 * it is gone. */
void http_stream_begin(struct http_exchange *exchange, const struct http_answer *answer);
void http_stream_write(struct http_exchange *exchange, const char *bytes, size_t length);
void http_stream_end(struct http_exchange *exchange);

/* The client has closed its side or the connection broke. */
bool http_exchange_gone(const struct http_exchange *exchange);

/* gone(arg) is called once, on the loop, when the client goes away. NULL: no more. */
void http_exchange_on_gone(struct http_exchange *exchange, void (*gone)(void *arg), void *arg);

#endif
