/*
 * The tables of the policy of runs: what is allowed and refused by name (seccomp_names.c), and the
 * calls that are looked into (seccomp_checks.c). Each name is in one of the three;
 * seccomp_program_add refuses a call that is added twice. Constant and shared; no lifecycle. For
 * seccomp_policy.c alone.
 */
#ifndef DOCLE_SANDBOX_SECCOMP_CALLS_H
#define DOCLE_SANDBOX_SECCOMP_CALLS_H

#include <stddef.h>

#include "sandbox/seccomp_program.h"

/* Names as libseccomp spells them; one that it or this architecture does not know is passed over.
 */
struct seccomp_names {
    const char *const *names;
    size_t count;
};

struct seccomp_named {
    const char *name;
    struct seccomp_check check;
};

struct seccomp_checked {
    const struct seccomp_named *calls;
    size_t count;
};

extern const struct seccomp_names seccomp_allowed;
extern const struct seccomp_names seccomp_refused; /* EPERM: it exists, but not for a run */
extern const struct seccomp_checked seccomp_checked;

#endif
