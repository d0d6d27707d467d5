/* libuv's calls of the code under test, through fault.c. Those that cannot fail are left alone: of
 * timers, uv_close and uv_tcp_init (which makes no socket yet). */
#include <errno.h>
#include <sys/mman.h>
#include <uv.h>

#include "fault.h"

#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

/* libuv lets go of the connection when it fails to take it; here the handle's end does. */
WRAP(int, uv_accept, uv_stream_t *listener, uv_stream_t *stream)
{
    int result = __real_uv_accept(listener, stream);

    return fault_hits(FAULT_SYSTEM) ? UV_EMFILE : result;
}

WRAP(int, uv_tcp_bind, uv_tcp_t *tcp, const struct sockaddr *address, unsigned flags)
{
    return fault_hits(FAULT_SYSTEM) ? UV_EMFILE : __real_uv_tcp_bind(tcp, address, flags);
}

WRAP(int, uv_tcp_getsockname, const uv_tcp_t *tcp, struct sockaddr *name, int *length)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOBUFS : __real_uv_tcp_getsockname(tcp, name, length);
}

WRAP(int, uv_tcp_getpeername, const uv_tcp_t *tcp, struct sockaddr *name, int *length)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOTCONN : __real_uv_tcp_getpeername(tcp, name, length);
}

WRAP(int, uv_tcp_nodelay, uv_tcp_t *tcp, int on)
{
    return fault_hits(FAULT_SYSTEM) ? UV_EINVAL : __real_uv_tcp_nodelay(tcp, on);
}

WRAP(int, uv_listen, uv_stream_t *stream, int backlog, uv_connection_cb callback)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOMEM : __real_uv_listen(stream, backlog, callback);
}

WRAP(int, uv_read_start, uv_stream_t *stream, uv_alloc_cb allocate, uv_read_cb read)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOMEM : __real_uv_read_start(stream, allocate, read);
}

WRAP(int, uv_write, uv_write_t *request, uv_stream_t *stream, const uv_buf_t buffers[],
     unsigned count, uv_write_cb callback)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOMEM
                                    : __real_uv_write(request, stream, buffers, count, callback);
}

WRAP(int, uv_shutdown, uv_shutdown_t *request, uv_stream_t *stream, uv_shutdown_cb callback)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOTCONN : __real_uv_shutdown(request, stream, callback);
}

/* Stacks of tasks. */
WRAP(void *, mmap64, void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (!fault_hits(FAULT_MEMORY))
        return __real_mmap64(at, length, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

WRAP(int, mprotect, void *at, size_t length, int protection)
{
    if (!fault_hits(FAULT_MEMORY))
        return __real_mprotect(at, length, protection);
    errno = ENOMEM;
    return -1;
}
