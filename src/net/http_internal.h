/* The server's connections, for the files of src/net. */
#ifndef DOCLE_NET_HTTP_INTERNAL_H
#define DOCLE_NET_HTTP_INTERNAL_H

#include "net/http_body.h"
#include "net/http_peers.h"
#include "net/http_server.h"
#include "net/task.h"

enum { HTTP_READ_BYTES = 64 * 1024 }; /* at once */

enum http_phase {
    HTTP_IDLE,    /* no byte of a request yet */
    HTTP_HEAD,    /* part of a head is there */
    HTTP_BODY,    /* the head is whole */
    HTTP_HANDLED, /* the handler's task runs, or its answer is leaving */
    HTTP_LINGER,  /* answered and shut down: what still comes is thrown away, so that the client can
                     read the answer (RFC 9112, 9.6) */
    HTTP_CLOSED,
};

struct http_exchange {
    struct http_connection *connection;
    const struct http_refusal *refusal;
    struct http_head head;
    char *head_text; /* owned; the head points into it */
    struct http_body body;
    bool has_body_state;
    bool answered;
    bool streaming;
    bool raw_stream; /* HTTP/1.0: ended by closing, no chunks */
    bool cut;        /* bytes of a stream were dropped: it must not look complete */
    bool close_after;
    bool task_running;   /* of the handler */
    size_t charged;      /* bytes of the body that count in server->bodies_bytes */
    unsigned writing;    /* writes that have not left */
    struct task *writer; /* suspended in http_stream_write */
    void (*gone)(void *arg);
    void *gone_arg;
};

struct http_connection {
    struct http_server *server;
    uv_tcp_t tcp;
    uv_timer_t timer;
    unsigned open_handles;
    enum http_phase phase;
    bool ended; /* the client has sent its last byte */
    bool reading;
    struct dc_buf in;  /* what came and is not yet taken */
    size_t seen;       /* bytes of `in` in which there is no end of a head */
    size_t unwritten;  /* bytes, when the write deadline was set */
    uint64_t begun_ms; /* loop time of the request's first byte */
    struct http_address address;
    char peer[HTTP_ADDRESS_SIZE];
    struct http_peer *client; /* counts this connection; NULL for a trusted proxy */
    struct http_exchange exchange;
    struct http_connection *previous;
    struct http_connection *next;
};

struct http_server {
    struct http_options options;
    uv_loop_t *loop;
    uv_tcp_t listener;
    bool listener_open;
    bool stopping;
    uint16_t port;
    unsigned count;
    struct http_connection *first;
    struct http_connection *spare; /* for the next one; NULL only while there are connections */
    bool accept_waits;             /* for memory, that is, for the end of a connection */
    size_t bodies_bytes;           /* held by requests */
    struct http_networks trusted;
    struct http_peers peers;
    char read_buffer[HTTP_READ_BYTES]; /* of the read that is being handled */
    char date[32];                     /* of the second in date_s */
    int64_t date_s;
};

/* http_accept.c */
void http_connection_accept(struct http_server *server);
/* The memory of a connection without handles and task: kept as the spare, or freed. */
void http_connection_release(struct http_connection *connection);

/* http_connection.c */
/* Reads the first request. */
void http_connection_begin(struct http_connection *connection);
/* Answers a request that cannot be taken further; the connection ends after it. */
void http_connection_refuse(struct http_connection *connection, const struct http_refusal *refusal);
void http_connection_close(struct http_connection *connection);
void http_connection_set_deadline(struct http_connection *connection, uint32_t ms);
/* Bytes of an answer wait for the client. */
void http_connection_await_write(struct http_connection *connection);
/* The answer has left and the handler has returned: on to the next request, or the end. */
void http_connection_finish(struct http_connection *connection);

/* http_answer.c */
void http_answer_check_done(struct http_exchange *exchange);
void http_answer_continue(struct http_connection *connection);

#endif
