/* The server's connections, for the files of src/net. */
#ifndef DOCLE_NET_HTTP_INTERNAL_H
#define DOCLE_NET_HTTP_INTERNAL_H

#include "net/http_body.h"
#include "net/http_server.h"
#include "net/task.h"

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
    bool close_after;
    bool task_running;   /* of the handler */
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
    struct dc_buf in;
    char peer[64];
    bool peer_loopback;
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
    char date[32]; /* of the second in date_s */
    int64_t date_s;
};

/* http_connection.c */
void http_connection_accept(struct http_server *server);
void http_connection_close(struct http_connection *connection);
void http_connection_set_deadline(struct http_connection *connection, uint32_t ms);
/* The answer has left and the handler has returned: on to the next request, or the end. */
void http_connection_finish(struct http_connection *connection);

/* http_answer.c */
void http_answer_check_done(struct http_exchange *exchange);
void http_answer_continue(struct http_connection *connection);

#endif
