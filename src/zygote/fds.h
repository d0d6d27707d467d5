/*
 * The descriptors that a zygote holds before it serves, and the rule that no run may share one of
 * them: a shared eventfd or epoll was a channel from tenant to tenant. Internal to src/zygote.
 */
#ifndef DOCLE_ZYGOTE_FDS_H
#define DOCLE_ZYGOTE_FDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { FD_LIST_MAX = 64 };

struct fd_list {
    size_t count;
    int fds[FD_LIST_MAX];
};

/* Lists what is open now, without 0, 1, 2 and the control link. DC_LIMIT when there are more than
 * FD_LIST_MAX. */
DC_MUST int fd_list_read(struct fd_list *list, struct dc_err *err);

/* Replaces every listed descriptor by /dev/null, keeping the numbers (libuv closes its own by
 * number later), and 0, 1, 2 too. Closes everything else but keep[keep_count]. */
DC_MUST int fd_list_scrub(const struct fd_list *list, const int *keep, size_t keep_count,
                          struct dc_err *err);

#endif
