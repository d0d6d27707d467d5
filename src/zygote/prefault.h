/*
 * Learned prefault: page faults right after the fork are most of what a run costs. A training child
 * finds out which pages a hello-world touches; later children populate those in a few system calls.
 * The list is private memory of the zygote, made from the training child alone: no run can change
 * it for its siblings. Internal to src/zygote.
 */
#ifndef DOCLE_ZYGOTE_PREFAULT_H
#define DOCLE_ZYGOTE_PREFAULT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { PREFAULT_RANGES_MAX = 768 };

struct prefault_range {
    uintptr_t start;
    uint32_t pages;
    uint32_t write; /* 1: written to, 0: only read */
};

struct prefault {
    size_t count;
    size_t pages;
    size_t written_pages;
    struct prefault_range ranges[PREFAULT_RANGES_MAX];
};

/* In the training child at its end: lists the pages that it touched and writes them to fd. */
DC_MUST int prefault_report(int fd, struct dc_err *err);

/* In the zygote: reads what the training child wrote, until the end of the pipe. What was read from
 * files is mapped in the zygote itself and carried over by every fork; the rest is for
 * prefault_apply. */
DC_MUST int prefault_learn(struct prefault *prefault, int fd, struct dc_err *err);

/* In a child right after the fork: populates. Failures do not matter: the fault comes later. */
void prefault_apply(const struct prefault *prefault);

#endif
