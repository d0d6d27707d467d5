/* The resolver that a run sees: allowed names get a synthetic address, once the real resolver knows
 * them; all else is answered at once, from here, so that no byte of a question leaves the host. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "egress/dns_message.h"
#include "egress/egress.h"

#include "base/poison.h"

enum {
    DATAGRAMS_A_TURN = 32,
    QUESTION_MAX_BYTES = 1024,
    QUESTIONS_MAX = 100000, /* of one session; then its stub falls silent */
    WAITING_MAX = 128,      /* questions of one session that wait for the resolver */
    CONNECTION_IDLE_S = 10,
};

struct stub_connection {
    struct session *session;
    struct stub_connection *next;
    int fd;
    uv_poll_t *poll;
    int64_t active_ns;
    size_t length;
    uint8_t bytes[2 + QUESTION_MAX_BYTES];
};

/* A question that waits for the resolver. */
struct waiting {
    struct name_waiter waiter; /* first: `ready` gets it */
    struct session *session;
    struct name *name;
    struct waiting *next;
    struct dns_question question;
    struct sockaddr_in from;            /* over UDP */
    int udp_fd;                         /* -1: over TCP */
    struct stub_connection *connection; /* NULL when it has gone */
};

struct reply_to {
    int udp_fd;
    struct sockaddr_in from;
    struct stub_connection *connection;
};

/* Those that wait, of all sessions; few, and short-lived. */
static struct waiting *all_waiting;

static void close_connection(struct stub_connection *connection)
{
    struct session *session = connection->session;

    for (struct stub_connection **at = &session->stub_connections; *at; at = &(*at)->next) {
        if (*at == connection) {
            *at = connection->next;
            break;
        }
    }
    session->stub_connection_count--;
    for (struct waiting *one = all_waiting; one; one = one->next)
        if (one->connection == connection)
            one->connection = NULL;
    unwatch_fd(&connection->poll);
    dc_close(connection->fd);
    free(connection);
}

static void reply(const struct reply_to *to, const struct dns_question *question,
                  enum dns_code code, uint32_t address)
{
    uint8_t out[2 + DNS_MESSAGE_MAX_BYTES];
    size_t length = dns_answer_build(question, code, address, out + 2);

    if (to->udp_fd >= 0) {
        (void)sendto(to->udp_fd, out + 2, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                     (const struct sockaddr *)&to->from, sizeof(to->from));
        return;
    }
    if (!to->connection)
        return;
    out[0] = (uint8_t)(length >> 8);
    out[1] = (uint8_t)length;
    /* A client that does not take so little is no resolver's. */
    if (send(to->connection->fd, out, length + 2, MSG_DONTWAIT | MSG_NOSIGNAL) !=
        (ssize_t)length + 2)
        (void)shutdown(to->connection->fd, SHUT_RDWR); /* seen, and closed, by its event */
}

static void unlink_waiting(struct waiting *waiting)
{
    for (struct waiting **at = &all_waiting; *at; at = &(*at)->next) {
        if (*at == waiting) {
            *at = waiting->next;
            return;
        }
    }
}

static void answer_name(const struct reply_to *to, const struct dns_question *question,
                        struct name *name)
{
    switch (name->state) {
    case NAME_FOUND:
        reply(to, question, DNS_NOERROR, name->synthetic ? name->synthetic : INADDR_LOOPBACK);
        return;
    case NAME_MISSING:
    case NAME_FAILED:
        session_log(name->session, name->text, 0, EGRESS_RESOLVE_FAILED, 0, 0);
        reply(to, question, name->state == NAME_MISSING ? DNS_NXDOMAIN : DNS_SERVFAIL, 0);
        return;
    case NAME_NEW:
    case NAME_ASKED:
        break;
    }
    reply(to, question, DNS_SERVFAIL, 0);
}

static void on_ready(struct name_waiter *waiter)
{
    struct waiting *waiting = (struct waiting *)waiter;
    struct reply_to to = {waiting->udp_fd, waiting->from, waiting->connection};

    answer_name(&to, &waiting->question, waiting->name);
    unlink_waiting(waiting);
    free(waiting);
}

static size_t count_waiting(const struct session *session)
{
    size_t count = 0;

    for (const struct waiting *one = all_waiting; one; one = one->next)
        count += one->session == session;
    return count;
}

static void ask(struct session *session, const struct reply_to *to,
                const struct dns_question *question)
{
    struct name *name = session_name(session, question->name);
    struct waiting *waiting = NULL;

    if (name && count_waiting(session) < WAITING_MAX)
        waiting = malloc(sizeof(*waiting));
    if (!waiting) {
        session_log(session, question->name, 0, EGRESS_LIMIT, 0, 0);
        reply(to, question, DNS_REFUSED, 0);
        return;
    }
    *waiting = (struct waiting){
        .waiter = {.ready = on_ready},
        .session = session,
        .name = name,
        .next = all_waiting,
        .question = *question,
        .from = to->from,
        .udp_fd = to->udp_fd,
        .connection = to->connection,
    };
    all_waiting = waiting;
    session_await_name(name, &waiting->waiter);
}

static void handle(struct session *session, const struct reply_to *to, const uint8_t *bytes,
                   size_t length)
{
    struct dns_question question;

    if (!dns_question_parse(bytes, length, &question) || session->questions++ >= QUESTIONS_MAX)
        return;
    if (question.code != DNS_NOERROR) {
        reply(to, &question, question.code, 0);
    } else if (!question.name[0] || !host_policy_knows(&session->policy, question.name)) {
        if (question.name[0])
            session_log_denied_name(session, question.name);
        reply(to, &question, DNS_NXDOMAIN, 0);
    } else if (question.type != DNS_TYPE_A) {
        reply(to, &question, DNS_NOERROR, 0); /* the name is there; this it has not */
    } else {
        ask(session, to, &question);
    }
}

void stub_on_datagram(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)events;
    for (int i = 0; status >= 0 && i < DATAGRAMS_A_TURN; i++) {
        uint8_t bytes[QUESTION_MAX_BYTES];
        struct reply_to to = {.udp_fd = listener->fd};
        socklen_t size = sizeof(to.from);
        ssize_t n = recvfrom(listener->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
                             (struct sockaddr *)&to.from, &size);

        if (n < 0)
            return;
        if (to.from.sin_family == AF_INET)
            handle(listener->session, &to, bytes, (size_t)n);
    }
}

/* --- over TCP -------------------------------------------------------------------------------- */

/* All whole questions that have come. */
static void take_questions(struct stub_connection *connection)
{
    struct reply_to to = {.udp_fd = -1, .connection = connection};

    while (connection->length >= 2) {
        size_t want = (size_t)connection->bytes[0] << 8 | connection->bytes[1];

        if (want > QUESTION_MAX_BYTES) {
            (void)shutdown(connection->fd, SHUT_RDWR);
            connection->length = 0;
            return;
        }
        if (connection->length < 2 + want)
            return;
        handle(connection->session, &to, connection->bytes + 2, want);
        connection->length -= 2 + want;
        memmove(connection->bytes, connection->bytes + 2 + want, connection->length);
    }
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct stub_connection *connection = poll->data;
    ssize_t n = status < 0 ? 0
                           : recv(connection->fd, connection->bytes + connection->length,
                                  sizeof(connection->bytes) - connection->length, MSG_DONTWAIT);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_connection(connection);
        return;
    }
    connection->active_ns = dc_now();
    connection->length += (size_t)n;
    take_questions(connection);
}

void stub_on_accept(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    struct session *session = listener->session;
    int fd = status < 0 ? -1 : accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct stub_connection *connection;
    struct dc_err err;

    (void)events;
    if (fd < 0)
        return;
    connection = session->stub_connection_count < STUB_CONNECTIONS_MAX
                     ? calloc(1, sizeof(*connection))
                     : NULL;
    if (!connection || watch_fd(session->egress, fd, UV_READABLE, on_connection, connection,
                                &connection->poll, &err) < 0) {
        free(connection);
        dc_close(fd);
        return;
    }
    connection->session = session;
    connection->fd = fd;
    connection->active_ns = dc_now();
    connection->next = session->stub_connections;
    session->stub_connections = connection;
    session->stub_connection_count++;
    egress_start_ticking(session->egress);
}

void stub_tick(struct session *session, int64_t now)
{
    struct stub_connection *next;

    for (struct stub_connection *one = session->stub_connections; one; one = next) {
        next = one->next;
        if (now - one->active_ns > CONNECTION_IDLE_S * DC_NS_PER_S)
            close_connection(one);
    }
}

void stub_end(struct session *session)
{
    struct waiting *next;

    while (session->stub_connections)
        close_connection(session->stub_connections);
    for (struct waiting *one = all_waiting; one; one = next) {
        next = one->next;
        if (one->session != session)
            continue;
        session_forget_waiter(one->name, &one->waiter);
        unlink_waiting(one);
        free(one);
    }
}
