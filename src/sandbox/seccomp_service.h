/*
 * The system calls that our own processes may make once they serve; what a run may call stands in
 * seccomp_policy.h. Each function gives a program in a memfd, the caller's, for seal_seccomp_fd.
 *
 *   launcher  an allow-list: files, sockets it has, epoll, memory; kill. No process, no socket but
 *             pairs, no namespace, no identity, no executable memory. Nobody inherits it.
 *   init      an allow-list of a slot's init, its collector and its mounting helper.
 *   nursery   a deny-list: zygotes and runs inherit it and put their allow-lists on top, so it can
 *             only name what none of them ever needs.
 *
 * What is not allowed answers EPERM and does not kill: a call that a library makes on an unforeseen
 * path must not take every run down, and an intruder gains nothing by hearing "no".
 */
#ifndef DOCLE_SANDBOX_SECCOMP_SERVICE_H
#define DOCLE_SANDBOX_SECCOMP_SERVICE_H

#include "base/error.h"

DC_MUST int seccomp_service_launcher(int *ret_fd, struct dc_err *err);
DC_MUST int seccomp_service_init(int *ret_fd, struct dc_err *err);
DC_MUST int seccomp_service_nursery(int *ret_fd, struct dc_err *err);

#endif
