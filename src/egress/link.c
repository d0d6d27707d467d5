/* The link to the API process. It parses network bytes, so it counts as hostile too: whatever is
 * out of the protocol ends this process, and with it the network of all runs; the keeper starts
 * another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "egress/egress.h"
#include "proto/link.h"

#include "base/poison.h"

enum { UNSENT_MAX_BYTES = 64 << 20, MESSAGES_A_TURN = 64 };

struct unsent {
    uint32_t length;
    uint8_t type;
};

static void on_link(uv_poll_t *poll, int status, int events);

static void watch(struct egress *egress)
{
    (void)uv_poll_start(&egress->link_poll, UV_READABLE | (egress->unsent.length ? UV_WRITABLE : 0),
                        on_link);
}

static _Noreturn void leave(const struct dc_err *err)
{
    dc_log_err(DC_LOG_ERROR, NULL, err, "leaving");
    _exit(1);
}

/* False: not now. */
static bool send_now(struct egress *egress, uint8_t type, const void *body, size_t length)
{
    struct dc_err err;
    int result = link_send(egress->link_fd, type, body, length, NULL, 0, &err);

    if (result == -DC_NOT_FOUND)
        _exit(0); /* the API process has ended */
    if (result < 0 && result != -DC_BUSY)
        leave(&err);
    return result == 0;
}

void link_tell(struct egress *egress, uint8_t type, const void *body, size_t length)
{
    struct unsent head = {.length = (uint32_t)length, .type = type};

    if (!egress->unsent.length && send_now(egress, type, body, length))
        return;
    (void)dc_buf_append(&egress->unsent, &head, sizeof(head));
    (void)dc_buf_append(&egress->unsent, body, length);
    if (egress->unsent.failed)
        leave(&(struct dc_err){.code = DC_LIMIT, .text = "the API process does not listen"});
    watch(egress);
}

static void send_unsent(struct egress *egress)
{
    struct unsent head;
    size_t at = 0;

    while (at < egress->unsent.length) {
        memcpy(&head, egress->unsent.data + at, sizeof(head));
        if (!send_now(egress, head.type, egress->unsent.data + at + sizeof(head), head.length))
            break;
        at += sizeof(head) + head.length;
    }
    dc_buf_consume(&egress->unsent, at);
    watch(egress);
}

static int handle_open(struct egress *egress, struct link_message *message, struct dc_err *err)
{
    struct egress_open body;
    int result;

    if (!link_message_is(message, sizeof(body), 1))
        return dc_fail(err, DC_BUG, 0, "malformed OPEN");
    memcpy(&body, message->body, sizeof(body));
    result = session_open(egress, &body, message->fds[0], err);
    if (result == 0)
        (void)link_message_take_fd(message, 0); /* the session has it */
    return result;
}

static int handle_rule(struct egress *egress, struct link_message *message, struct dc_err *err)
{
    struct egress_rule_of body;

    if (!link_message_is(message, sizeof(body), 0))
        return dc_fail(err, DC_BUG, 0, "malformed RULE");
    memcpy(&body, message->body, sizeof(body));
    return session_rule(egress, &body, err);
}

static int handle_close(struct egress *egress, struct link_message *message, struct dc_err *err)
{
    struct egress_close body;

    if (!link_message_is(message, sizeof(body), 0))
        return dc_fail(err, DC_BUG, 0, "malformed CLOSE");
    memcpy(&body, message->body, sizeof(body));
    return session_close(egress, body.session, err);
}

static const struct {
    uint8_t type;
    int (*handle)(struct egress *egress, struct link_message *message, struct dc_err *err);
} requests[] = {
    {EGRESS_OPEN, handle_open},
    {EGRESS_RULE, handle_rule},
    {EGRESS_CLOSE, handle_close},
};

/* False: there is none now. */
static bool read_one(struct egress *egress)
{
    struct link_message message;
    struct dc_err err;
    int result = link_receive(egress->link_fd, &message, &err);

    if (result == -DC_BUSY)
        return false;
    if (result == -DC_NOT_FOUND || (result < 0 && err.errnum == ECONNRESET))
        _exit(0);
    if (result == 0) {
        result = dc_fail(&err, DC_BUG, 0, "unknown request %u", message.header.type);
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
            if (requests[i].type == message.header.type)
                result = requests[i].handle(egress, &message, &err);
        link_message_release(&message);
    }
    if (result < 0)
        leave(&err);
    return true;
}

static void on_link(uv_poll_t *poll, int status, int events)
{
    struct egress *egress = poll->data;

    if (status < 0)
        _exit(0); /* the API process has ended without having heard all */
    if (events & UV_WRITABLE)
        send_unsent(egress);
    for (int i = 0; i < MESSAGES_A_TURN && read_one(egress); i++)
        ;
}

int link_open(struct egress *egress, int link_fd, struct dc_err *err)
{
    egress->link_fd = link_fd;
    dc_buf_init(&egress->unsent, UNSENT_MAX_BYTES);
    if (uv_poll_init(&egress->loop, &egress->link_poll, link_fd) < 0) /* makes it non-blocking */
        return dc_fail(err, DC_KERNEL, 0, "watch the link");
    egress->link_poll.data = egress;
    watch(egress);
    return 0;
}
