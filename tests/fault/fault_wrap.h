/* For the files that wrap calls (ld's --wrap) so that fault.c can make them fail. */
#ifndef DOCLE_TESTS_FAULT_WRAP_H
#define DOCLE_TESTS_FAULT_WRAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

/* Begins the definition of a wrapper; the call itself is __real_NAME. */
#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

/* Should this system call fail? errno says how. */
static inline bool fails(int errnum)
{
    if (!fault_hits(FAULT_SYSTEM))
        return false;
    errno = errnum;
    return true;
}

/* Should this call be interrupted? errno says so. */
static inline bool interrupted(void)
{
    if (!fault_hits(FAULT_INTERRUPT))
        return false;
    errno = EINTR;
    return true;
}

/* How much of a transfer is to be done. */
static inline size_t shortened(size_t length)
{
    return length > 1 && fault_hits(FAULT_SHORT) ? 1 : length;
}

#endif
