/*
 * A small compiler from rules per system call to a classic BPF program: a binary search over the
 * call numbers, then the checks of that call's arguments. Ranges of numbers with the same answer
 * share one leaf, so the program stays about a third of what a list of comparisons needs; every run
 * loads it anew, and the kernel checks and compiles it each time. Launcher only.
 *
 * A call of another architecture, or with the x32 bit, kills the process: nothing legitimate makes
 * one.
 */
#ifndef DOCLE_SANDBOX_SECCOMP_PROGRAM_H
#define DOCLE_SANDBOX_SECCOMP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/error.h"

enum { SECCOMP_CONDITIONS_MAX = 3 };

struct seccomp_condition {
    uint32_t arg;   /* 0 to 5 */
    uint32_t mask;  /* 0: no condition, ends the list */
    uint32_t value; /* compared with the argument's low 32 bits under mask */
    bool negate;
};

struct seccomp_clause {
    struct seccomp_condition all[SECCOMP_CONDITIONS_MAX];
};

struct seccomp_check {
    int errnum; /* when no clause holds */
    size_t count;
    const struct seccomp_clause *clauses; /* borrowed until finish */
};

enum seccomp_rule_kind { SECCOMP_RULE_ALLOW, SECCOMP_RULE_ERRNO, SECCOMP_RULE_CHECK };

struct seccomp_rule {
    int nr;
    enum seccomp_rule_kind kind;
    int errnum;
    const struct seccomp_check *check;
};

enum seccomp_default { SECCOMP_DEFAULT_ENOSYS, SECCOMP_DEFAULT_EPERM, SECCOMP_DEFAULT_ALLOW };

struct seccomp_program;

struct seccomp_program *seccomp_program_new(void); /* NULL: no memory */
void seccomp_program_free(struct seccomp_program *program);
DC_AUTO_DEFINE(struct seccomp_program *, seccomp_program_free)

/* A second rule for the same number is DC_BUG at finish. */
DC_MUST int seccomp_program_add(struct seccomp_program *program, const struct seccomp_rule *rule,
                                struct dc_err *err);

/* *ret_code (struct sock_filter array) lives as long as the program. Call once. */
DC_MUST int seccomp_program_finish(struct seccomp_program *program, enum seccomp_default otherwise,
                                   const void **ret_code, size_t *ret_bytes, struct dc_err *err);

/* As finish, into a memfd, the caller's. */
DC_MUST int seccomp_program_export(struct seccomp_program *program, enum seccomp_default otherwise,
                                   int *ret_fd, struct dc_err *err);

#endif
