/* libcurl's and jansson's allocations, and libcurl's system calls, through fault.c. The latter are
 * definitions that come before libc's; what libuv does is in the wrappers of the code under test.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>
#include <uv.h>

#include "fault_wrap.h"

void fault_hook_curl(void)
{
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free, realloc, strdup, calloc) !=
        CURLE_OK)
        abort();
    json_set_alloc_funcs(malloc, free);
}

/* See FAULT_LEAVES_ONE. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcurl.so";
}

int socket(int family, int type, int protocol)
{
    return fails(EMFILE) ? -1 : (int)syscall(SYS_socket, family, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return fails(ECONNREFUSED) ? -1 : (int)syscall(SYS_connect, fd, address, size);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    if (fails(ECONNRESET) || interrupted())
        return -1;
    return syscall(SYS_sendto, fd, bytes, shortened(length), flags, NULL, 0);
}

ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    if (fails(ECONNRESET) || interrupted())
        return -1;
    return syscall(SYS_recvfrom, fd, bytes, shortened(length), flags, NULL, NULL);
}

WRAP(int, uv_poll_init_socket, uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t socket)
{
    return fault_hits(FAULT_SYSTEM) ? UV_EMFILE : __real_uv_poll_init_socket(loop, poll, socket);
}

WRAP(int, uv_poll_start, uv_poll_t *poll, int events, uv_poll_cb callback)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOMEM : __real_uv_poll_start(poll, events, callback);
}

WRAP(int, uv_async_init, uv_loop_t *loop, uv_async_t *async, uv_async_cb callback)
{
    return fault_hits(FAULT_SYSTEM) ? UV_EMFILE : __real_uv_async_init(loop, async, callback);
}

WRAP(int, uv_queue_work, uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after)
{
    return fault_hits(FAULT_SYSTEM) ? UV_ENOMEM : __real_uv_queue_work(loop, work, run, after);
}
