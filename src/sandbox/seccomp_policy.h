/*
 * The system calls that a run may make. Built once by the launcher with libseccomp, handed to the
 * zygotes as a BPF program, loaded in every run. Source of the lists: measured on a broad workload
 * on CPython 3.11 and Node 18 to 24; see docs/internals/sandbox.md.
 */
#ifndef DOCLE_SANDBOX_SECCOMP_POLICY_H
#define DOCLE_SANDBOX_SECCOMP_POLICY_H

#include "base/error.h"

/* For a run: allow-list, EPERM for what exists but is not for it, ENOSYS for all else.
 * *ret_fd: a memfd with the program, the caller's. */
DC_MUST int seccomp_policy_run(int *ret_fd, struct dc_err *err);

/* For zygotes: only io_uring is refused, so that no run inherits a ring. */
DC_MUST int seccomp_policy_zygote(int *ret_fd, struct dc_err *err);

#endif
