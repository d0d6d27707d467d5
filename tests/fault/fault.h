/*
 * Fault injection: the nth call of a kind fails. The linker sends the allocations and system calls
 * of the code under test through fault.c (-Wl,--wrap); fault_sqlite.c does the same to SQLite.
 *
 * Two uses. A scenario program calls fault_main(): each scenario is repeated with the first,
 * second, third … call failing until none is left, and must each time either succeed or say what
 * failed, and leave no memory and no descriptor behind. And rerun.py runs whole unit test programs
 * under DOCLE_FAULT=KIND:N, which may fail but not crash or hang.
 */
#ifndef DOCLE_TESTS_FAULT_H
#define DOCLE_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_MEMORY,    /* an allocation returns NULL */
    FAULT_SYSTEM,    /* a system call fails, each with an errno of its own */
    FAULT_INTERRUPT, /* a call that may be interrupted is: EINTR */
    FAULT_SHORT,     /* a read or write does one byte only */
    FAULT_KINDS,
};

/* The nth call of the kind from now on fails (n from 1); with `on`, all after it fail too. */
void fault_arm(enum fault_kind kind, long nth, bool on);

/* Ends it; true when a call did fail. */
bool fault_disarm(void);

/* Calls of the test itself, in between, neither fail nor count. */
void fault_pause(bool paused);

/* For wrappers: should this call fail? Counts it. */
bool fault_hits(enum fault_kind kind);

/* For allocators: one more or one fewer block is alive. */
void fault_count_block(long change);

struct fault_scenario {
    const char *name;
    /* The work; everything it makes is released again. 0, or -DC_code with err filled. */
    int (*run)(struct dc_err *err);
    /* After each run, without faults: is what is left consistent? Optional. */
    bool (*check)(int result);
    unsigned kinds; /* bits 1u << enum fault_kind */
};

#define FAULT_BIT(kind) (1u << (kind))
#define FAULT_HARD (FAULT_BIT(FAULT_MEMORY) | FAULT_BIT(FAULT_SYSTEM))
#define FAULT_SOFT (FAULT_BIT(FAULT_INTERRUPT) | FAULT_BIT(FAULT_SHORT))

/* A library of others is known to leave a block behind. */
#define FAULT_LEAVES_ONE (1u << FAULT_KINDS)

/* Runs all scenarios, prints TAP, returns main's status. */
int fault_main(const struct fault_scenario *scenarios, size_t count);

/* SQLite's allocations and system calls take part too; call first in main. */
void fault_hook_sqlite(void);

/* Likewise libcurl's, and jansson's allocations (fault_curl.c). */
void fault_hook_curl(void);

#endif
