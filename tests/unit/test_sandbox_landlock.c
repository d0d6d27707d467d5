/* Whether a host has Landlock, as a filter of the kernel's lets it be answered: "no" is a word of
 * the kernel's own, and whatever else comes must not pass for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/probe.h"
#include "sandbox/seal.h"

#include "base/poison.h"

enum { CHILD_TROUBLE = 1, CHILD_GOOD = 0 };

/* From now on landlock_create_ruleset fails with that errno. */
static bool deny(int errnum)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void in_child(int (*check)(int errnum), int errnum)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        _exit(deny(errnum) ? check(errnum) : CHILD_TROUBLE);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("with errno %d (%s): status %#x", errnum, strerror(errnum), (unsigned)status);
}

static const int none[] = {ENOSYS, EOPNOTSUPP};
static const int refused[] = {EPERM, EACCES, ENOMEM, EINVAL, EFAULT, E2BIG, EINTR, EBADF};

static int check_none(int errnum)
{
    static const struct seal_grant grant = {"/tmp", SEAL_GRANT_READ};
    struct dc_err err = {0};
    int abi = -1;

    (void)errnum;
    return seal_landlock_abi(&abi, &err) == 0 && abi == 0 &&
                   seal_landlock_grants(&grant, 1, &err) == -DC_NOT_FOUND
               ? CHILD_GOOD
               : CHILD_TROUBLE;
}

static int check_refused(int errnum)
{
    static const struct seal_grant grant = {"/tmp", SEAL_GRANT_READ};
    struct dc_err err = {0};
    int abi = -1;

    if (seal_landlock_abi(&abi, &err) != -DC_KERNEL || err.errnum != errnum || abi != -1 ||
        !strstr(err.text, "landlock_create_ruleset"))
        return CHILD_TROUBLE;
    return seal_landlock_grants(&grant, 1, &err) == -DC_KERNEL &&
                   seal_landlock_trees(NULL, 0, &err) == -DC_KERNEL &&
                   seal_landlock(&err) == -DC_KERNEL
               ? CHILD_GOOD
               : CHILD_TROUBLE;
}

static const struct probe_line *line_of(const struct probe_report *report, const char *name)
{
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->lines[i].name, name) == 0)
            return &report->lines[i];
    return NULL;
}

/* Nothing may run, and the operator is told why. */
static int check_doctor_refused(int errnum)
{
    struct probe_report report;
    const struct probe_line *line;

    probe_host(1700000000, &report);
    line = line_of(&report, "landlock");
    return report.level == PROBE_NONE && line && line->state == PROBE_MISSING && *line->remedy &&
                   strstr(line->found, strerror(errnum))
               ? CHILD_GOOD
               : CHILD_TROUBLE;
}

static int check_doctor_none(int errnum)
{
    struct probe_report report;
    const struct probe_line *line;

    (void)errnum;
    probe_host(1700000000, &report);
    line = line_of(&report, "landlock");
    return report.level != PROBE_FULL && line && line->state == PROBE_WEAK && *line->remedy
               ? CHILD_GOOD
               : CHILD_TROUBLE;
}

static void test_kernels_without_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        in_child(check_none, none[i]);
}

static void test_other_errors_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        in_child(check_refused, refused[i]);
}

static void test_doctor(void **state)
{
    (void)state;
    in_child(check_doctor_none, ENOSYS);
    in_child(check_doctor_refused, EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_without_it),
        cmocka_unit_test(test_other_errors_are_told),
        cmocka_unit_test(test_doctor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
