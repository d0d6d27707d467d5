/*
 * One request being answered: what the routes see of HTTP. API process; each call runs in a task of
 * its own, so everything here may suspend.
 */
#ifndef DOCLE_API_CALL_H
#define DOCLE_API_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accounts/roles.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/uuid.h"
#include "net/http_address.h"
#include "runs/problems.h"
#include "store/keys.h"

struct app;
struct http_exchange;
struct store_session;

/* One header field of an answer. */
struct call_field {
    const char *name;
    const char *value;
};

enum {
    CALL_FIELDS_MAX = 6,
    CALL_ADDED_MAX = 12, /* added to whatever is answered */
};

struct call {
    struct app *app;
    struct http_exchange *http; /* net's; see call.c */
    const char *request_id;
    const char *method;
    const char *path;  /* as sent, without the query */
    const char *query; /* as sent; "" for none */
    const char *body;
    size_t body_length;
    bool loopback;             /* the client is on this machine, no proxy between */
    char id[DC_UUID_SIZE];     /* of the path, where the route has one */
    char sub_id[DC_UUID_SIZE]; /* of what is below that, where the route has one */
    char key_id[DC_UUID_SIZE]; /* of who asks, once authenticated */
    char project_id[DC_UUID_SIZE];
    enum store_key_kind key_kind;
    struct store_key_rules key_rules; /* without texts; of a session: none */
    enum store_plan plan;             /* of the project */
    struct store_project_rules project_rules;
    const struct store_session *session; /* when a person asks, not a key */
    enum role role;                      /* of that person in the project */
    bool anonymous;                      /* nobody: see anonymous.h */
    bool by_cookie;                      /* the browser sent the session by itself */
    int64_t begun_ns;                    /* wall clock */
    int status;                          /* answered with; 0: not yet */
    struct dc_arena arena;               /* of the request */
    struct call_field added[CALL_ADDED_MAX];
    size_t added_count;
    bool rate_told;          /* the headers of a rate are among them */
    uint32_t rate_remaining; /* of the rate that X-RateLimit-* tell of */
};

/* Adds a header field to whatever will be answered. name and value live as long as the call: static
 * text, or of its arena. More than fit are left out. */
void call_add_field(struct call *call, const char *name, const char *value);

/* The client's address; a proxy is believed only when it is trusted. */
void call_client(const struct call *call, struct http_address *ret_address);

/* The value of a header field, NULL when absent. Several fields of one name: the first. */
const char *call_header(const struct call *call, const char *name);

/* Everything of an answer but its body. */
struct call_head {
    int status;
    const char *type;                          /* NULL: application/json */
    const char *cache;                         /* NULL: no-store */
    struct call_field fields[CALL_FIELDS_MAX]; /* ended by a NULL name */
};

/* Answers. Takes what body holds. A client that is gone is no error: there is nobody to tell. */
void call_reply(struct call *call, const struct call_head *head, struct dc_buf *body);

/* An answer of an error, as docs/openapi.yaml says. */
struct call_error {
    int status;
    const char *error; /* short, the original's where it had one */
    const char *code;
    const char *message;     /* with the next step */
    const char *extra;       /* further members, as ",…"; NULL: none */
    uint32_t retry_after_s;  /* 0: no such header */
    struct call_field field; /* a further header */
};

void call_fail(struct call *call, const struct call_error *error);
void call_fail_problems(struct call *call, const struct problems *problems);

/* Logs err and answers: INVALID and LIMIT with their text, the rest without. */
void call_fail_err(struct call *call, const struct dc_err *err, const char *what);

/* The members of an error as JSON object, for an event of a stream. */
bool call_print_error(const struct call *call, const struct call_error *error, struct dc_buf *out);

/*
 * A stream of server-sent events: begun once, then written to, then ended. Writing suspends while
 * the client reads slowly, and drops the bytes when it is gone.
 */
void call_stream_begin(struct call *call, bool replayed);
bool call_stream_begun(const struct call *call);
void call_stream_write(struct call *call, const char *bytes, size_t length);
bool call_stream_gone(const struct call *call);
void call_stream_end(struct call *call);

/* gone(arg) is called on the loop when the client goes away. NULL: no more. */
void call_on_gone(struct call *call, void (*gone)(void *arg), void *arg);

/*
 * The HTTP server behind the calls. listen binds the address and starts nothing; start serves; stop
 * takes no new connections and lets answers leave; close ends every connection; free, last, with
 * the loop at rest.
 */
DC_MUST int call_server_listen(struct app *app, struct dc_err *err);
DC_MUST int call_server_start(struct app *app, struct dc_err *err);
void call_server_stop(struct app *app);
void call_server_close(struct app *app);
void call_server_free(struct app *app);

/* Connections that the server has open. */
unsigned call_connections(const struct call *call);

#endif
