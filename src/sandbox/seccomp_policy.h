/*
 * The system calls that a run may make. Built once by the launcher with libseccomp. Source of the
 * lists: measured on a broad workload on CPython 3.11 and Node 18 to 24; see
 * docs/internals/sandbox.md.
 *
 * The policy comes whole, and cut in two: a zygote has nearly all of it from its start, so that a
 * run, which inherits that, loads only the rest: the kernel checks and compiles every program
 * anew, which took 5 % of a short run. For every call the stricter of two filters counts, so that
 * both parts together are the policy.
 */
#ifndef DOCLE_SANDBOX_SECCOMP_POLICY_H
#define DOCLE_SANDBOX_SECCOMP_POLICY_H

#include "base/error.h"

/* For a run: allow-list, EPERM for what exists but is not for it, ENOSYS for all else.
 * *ret_fd: a memfd with the program, the caller's. */
DC_MUST int seccomp_policy_run(int *ret_fd, struct dc_err *err);

/* The policy, but with all calls allowed that sealing takes: for zygotes. */
DC_MUST int seccomp_policy_zygote(int *ret_fd, struct dc_err *err);

/* The policy for the calls that sealing takes, everything else allowed: for what a zygote forked.
 */
DC_MUST int seccomp_policy_rest(int *ret_fd, struct dc_err *err);

#ifdef DOCLE_TEST_HOOKS
/* Only io_uring is refused: what a zygote needs all the same when the policy is switched off. */
DC_MUST int seccomp_policy_no_ring(int *ret_fd, struct dc_err *err);
#endif

#endif
