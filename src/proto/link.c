#include "proto/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"

#include "base/poison.h"

int link_pair(int ret_fds[static 2], struct dc_err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
        return dc_fail_errno(err, "socketpair");
    return 0;
}

int link_send(int fd, uint8_t type, const void *body, size_t length, const int *fds,
              size_t fd_count, struct dc_err *err)
{
    struct link_header header = {LINK_VERSION, type, (uint16_t)fd_count, (uint32_t)length};
    struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)body, length}};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * DC_MESSAGE_MAX_FDS)] = {0};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = length ? 2 : 1};
    ssize_t n;

    if (fd_count > DC_MESSAGE_MAX_FDS || length > DC_MESSAGE_MAX_BYTES - sizeof(header))
        return dc_fail(err, DC_BUG, 0, "message of %zu bytes and %zu fds", length, fd_count);
    if (fd_count) {
        struct cmsghdr *cmsg;

        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
    }
    do
        n = sendmsg(fd, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
        return dc_fail(err, DC_NOT_FOUND, errno, "peer is gone");
    if (n < 0 && errno == EAGAIN)
        return dc_fail(err, DC_BUSY, errno, "link is full");
    if (n < 0)
        return dc_fail_errno(err, "sendmsg type %u", type);
    return 0;
}

/* Moves the descriptors of the control data into message->fds; returns how many there were. */
static size_t collect_fds(struct msghdr *msg, struct link_message *message)
{
    size_t count = 0;

    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        size_t n;

        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
            if (count < DC_MESSAGE_MAX_FDS)
                message->fds[count] = fd;
            else
                dc_close(fd);
            count++;
        }
    }
    return count;
}

int link_receive(int fd, struct link_message *message, struct dc_err *err)
{
    struct iovec parts[2] = {{&message->header, sizeof(message->header)},
                             {message->body, sizeof(message->body)}};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * DC_MESSAGE_MAX_FDS)];
    struct msghdr msg = {.msg_iov = parts,
                         .msg_iovlen = 2,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    ssize_t n;
    size_t count;

    for (size_t i = 0; i < DC_MESSAGE_MAX_FDS; i++)
        message->fds[i] = -1;
    do
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return dc_fail(err, DC_NOT_FOUND, 0, "peer closed the link");
    if (n < 0 && errno == EAGAIN)
        return dc_fail(err, DC_BUSY, errno, "no message");
    if (n < 0)
        return dc_fail_errno(err, "recvmsg");
    count = collect_fds(&msg, message);
    if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)n < sizeof(message->header) ||
        message->header.version != LINK_VERSION ||
        message->header.length != (size_t)n - sizeof(message->header) ||
        message->header.fd_count != count) {
        link_message_release(message);
        return dc_fail(err, DC_BUG, 0, "malformed message of %zd bytes, %zu fds", n, count);
    }
    return 0;
}

void link_message_release(struct link_message *message)
{
    for (size_t i = 0; i < DC_MESSAGE_MAX_FDS; i++)
        dc_close_clear(&message->fds[i]);
}

int link_message_take_fd(struct link_message *message, size_t i)
{
    return dc_take_fd(&message->fds[i]);
}

bool link_message_is(const struct link_message *message, size_t length, size_t fd_count)
{
    return message->header.length == length && message->header.fd_count == fd_count;
}
