/*
 * Scope-bound ownership: a local that owns a resource is declared DC_AUTO(free_fn) and initialised
 * at once; giving the resource away is written dc_take() or dc_take_fd(). Used by all processes.
 */
#ifndef DOCLE_BASE_AUTO_H
#define DOCLE_BASE_AUTO_H

#include <stdlib.h>
#include <unistd.h>

#define DC_AUTO(fn) __attribute__((cleanup(fn##_auto)))

/* Defines fn##_auto for a destructor fn that takes the owned value itself. */
#define DC_AUTO_DEFINE(type, fn)                                                                   \
    static inline void fn##_auto(type *slot)                                                       \
    {                                                                                              \
        fn(*slot);                                                                                 \
    }

/* Yields p and leaves NULL in it. */
#define dc_take(p)                                                                                 \
    __extension__({                                                                                \
        __typeof__(p) dc_taken_ = (p);                                                             \
        (p) = NULL;                                                                                \
        dc_taken_;                                                                                 \
    })

/* Yields the descriptor and leaves -1 in it. */
static inline int dc_take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Closes fd; accepts -1. The result of close() carries nothing to act upon here. */
static inline void dc_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* Closes *fd and leaves -1 in it. */
static inline void dc_close_clear(int *fd)
{
    dc_close(*fd);
    *fd = -1;
}

DC_AUTO_DEFINE(int, dc_close)

/* For plain heap memory: DC_AUTO(dc_free) char *text = …; */
static inline void dc_free_auto(void *slot)
{
    free(*(void **)slot);
}

#endif
