/* The calls of docle-egress on sockets and on libuv, through fault.c. Those whose result it does
 * not look at (setsockopt, shutdown, uv_poll_stop) are left alone. */
#include <errno.h>
#include <sys/socket.h>
#include <uv.h>

#include "fault_wrap.h"

WRAP(int, accept4, int fd, struct sockaddr *peer, socklen_t *size, int flags)
{
    return fails(EMFILE) || interrupted() ? -1 : __real_accept4(fd, peer, size, flags);
}

WRAP(int, connect, int fd, const struct sockaddr *address, socklen_t size)
{
    return fails(ENETUNREACH) ? -1 : __real_connect(fd, address, size);
}

WRAP(int, getsockname, int fd, struct sockaddr *name, socklen_t *size)
{
    return fails(ENOBUFS) ? -1 : __real_getsockname(fd, name, size);
}

WRAP(int, getsockopt, int fd, int level, int option, void *value, socklen_t *size)
{
    return fails(ENOBUFS) ? -1 : __real_getsockopt(fd, level, option, value, size);
}

WRAP(ssize_t, recv, int fd, void *bytes, size_t length, int flags)
{
    return fails(ECONNRESET) || interrupted() ? -1
                                              : __real_recv(fd, bytes, shortened(length), flags);
}

/* Datagrams: never short. */
WRAP(ssize_t, recvfrom, int fd, void *bytes, size_t length, int flags, struct sockaddr *from,
     socklen_t *size)
{
    return fails(ENOBUFS) || interrupted() ? -1
                                           : __real_recvfrom(fd, bytes, length, flags, from, size);
}

WRAP(ssize_t, send, int fd, const void *bytes, size_t length, int flags)
{
    return fails(EPIPE) || interrupted() ? -1 : __real_send(fd, bytes, shortened(length), flags);
}

WRAP(ssize_t, sendto, int fd, const void *bytes, size_t length, int flags,
     const struct sockaddr *to, socklen_t size)
{
    return fails(ENOBUFS) || interrupted() ? -1 : __real_sendto(fd, bytes, length, flags, to, size);
}

WRAP(int, uv_loop_init, uv_loop_t *loop)
{
    return fault_hits(FAULT_SYSTEM) ? UV_EMFILE : __real_uv_loop_init(loop);
}

WRAP(int, uv_poll_init, uv_loop_t *loop, uv_poll_t *poll, int fd)
{
    return fault_hits(FAULT_SYSTEM) ? UV_EPERM : __real_uv_poll_init(loop, poll, fd);
}
