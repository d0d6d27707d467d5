#include "sandbox/seccomp_policy.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "sandbox/seccomp_calls.h"
#include "sandbox/seccomp_program.h"

#include "base/poison.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What sealing takes and a run may not, or not in this way (seal.c, child.c). */
static const char *const sealing[] = {
    "capset",    "mount",     "prctl", "seccomp", "setgroups",
    "setresgid", "setresuid", "setns", "unshare",
#ifdef DOCLE_TEST_HOOKS
    "umount2", /* to leave the mounts out (child.c) */
#endif
};

static bool is_sealing(const char *name)
{
    for (size_t i = 0; i < COUNT(sealing); i++)
        if (strcmp(sealing[i], name) == 0)
            return true;
    return false;
}

enum part { PART_ALL, PART_ZYGOTE, PART_REST };

/* Adds the call under its number here; a name that this architecture or libseccomp does not know
 * falls to the default. */
static int add(struct seccomp_program *program, enum part part, const char *name,
               struct seccomp_rule rule, struct dc_err *err)
{
    bool seals = is_sealing(name);

    if (part == PART_REST && !seals)
        return 0;
    if (part == PART_ZYGOTE && seals)
        rule = (struct seccomp_rule){.kind = SECCOMP_RULE_ALLOW};
    rule.nr = seccomp_syscall_resolve_name(name);
    return rule.nr < 0 ? 0 : seccomp_program_add(program, &rule, err);
}

static int build(enum part part, int *ret_fd, struct dc_err *err)
{
    static const struct seccomp_rule allow = {.kind = SECCOMP_RULE_ALLOW};
    static const struct seccomp_rule refuse = {.kind = SECCOMP_RULE_ERRNO, .errnum = EPERM};
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp program");
    for (size_t i = 0; i < seccomp_allowed.count; i++)
        if (add(program, part, seccomp_allowed.names[i], allow, err) < 0)
            return -err->code;
    for (size_t i = 0; i < seccomp_refused.count; i++)
        if (add(program, part, seccomp_refused.names[i], refuse, err) < 0)
            return -err->code;
    for (size_t i = 0; i < seccomp_checked.count; i++) {
        const struct seccomp_named *call = &seccomp_checked.calls[i];
        struct seccomp_rule rule = {.kind = SECCOMP_RULE_CHECK, .check = &call->check};

        if (add(program, part, call->name, rule, err) < 0)
            return -err->code;
    }
    return seccomp_program_export(
        program, part == PART_REST ? SECCOMP_DEFAULT_ALLOW : SECCOMP_DEFAULT_ENOSYS, ret_fd, err);
}

int seccomp_policy_run(int *ret_fd, struct dc_err *err)
{
    return build(PART_ALL, ret_fd, err);
}

int seccomp_policy_zygote(int *ret_fd, struct dc_err *err)
{
    return build(PART_ZYGOTE, ret_fd, err);
}

int seccomp_policy_rest(int *ret_fd, struct dc_err *err)
{
    return build(PART_REST, ret_fd, err);
}

#ifdef DOCLE_TEST_HOOKS
int seccomp_policy_no_ring(int *ret_fd, struct dc_err *err)
{
    static const char *const names[] = {"io_uring_setup", "io_uring_enter", "io_uring_register"};
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp program");
    for (size_t i = 0; i < COUNT(names); i++) {
        struct seccomp_rule absent = {.kind = SECCOMP_RULE_ERRNO, .errnum = ENOSYS};

        if (add(program, PART_ALL, names[i], absent, err) < 0)
            return -err->code;
    }
    return seccomp_program_export(program, SECCOMP_DEFAULT_ALLOW, ret_fd, err);
}
#endif
