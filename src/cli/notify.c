#include "cli/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/auto.h"

#include "base/poison.h"

int notify_open(struct notify *notify, struct dc_err *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    DC_AUTO(dc_close) int fd = -1;

    notify->fd = -1;
    if (!length)
        return 0;
    if (length >= sizeof(address.sun_path))
        return dc_fail(err, DC_INVALID, 0, "NOTIFY_SOCKET is too long");
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract name */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        return dc_fail_errno(err, "connect to NOTIFY_SOCKET");
    notify->fd = dc_take_fd(&fd);
    return 0;
}

void notify_send(const struct notify *notify, const char *text)
{
    if (notify->fd >= 0)
        (void)!send(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_release(struct notify *notify)
{
    dc_close_clear(&notify->fd);
}
