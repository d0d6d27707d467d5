/*
 * The mechanics of sealing one process: identity, capabilities, private file systems, Landlock,
 * seccomp. Each function is one step; the order, which matters, is the caller's
 * (src/zygote/child.c). No policy here, no allocation, usable in a freshly forked child.
 * "S" is the service user namespace that owns every namespace of the slots.
 */
#ifndef DOCLE_SANDBOX_SEAL_H
#define DOCLE_SANDBOX_SEAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum { SEAL_UID = 1000 }; /* uid and gid that the run sees */

/* Clears the signal mask, starts a session, sets umask 022. Dispositions stay: Python wants SIGPIPE
 * ignored, V8 its trap handler. */
DC_MUST int seal_process_state(struct dc_err *err);

/* Mounts the run's one tmpfs over /workspace, /tmp and /dev/shm and a /proc of its pid namespace
 * that shows it alone. Call as root of S in a mount namespace owned by S. uid: owner of the files,
 * an id of S. */
DC_MUST int seal_mounts(uint64_t disk_bytes, uint32_t inodes_max, uid_t uid, struct dc_err *err);

/* Becomes uid of S (no capability is left there), then root-less in a user namespace of its own
 * that owns nothing, as SEAL_UID. uid 0: stay S's own id (single-id maps of rootless hosts). */
DC_MUST int seal_identity(uid_t uid, struct dc_err *err);

struct seal_rlimits {
    uint64_t file_bytes; /* largest file */
    uint32_t open_files;
    uint32_t cpu_seconds; /* backstop; 0: none */
};
DC_MUST int seal_rlimits(const struct seal_rlimits *limits, struct dc_err *err);

/* Drops every capability from all five sets, locks securebits, sets no_new_privs. */
DC_MUST int seal_capabilities(struct dc_err *err);

/* Landlock: *ret_abi of this kernel, 0 when there is none: not compiled in, or not switched on. Any
 * other answer is no kernel's: a filter of the host's refuses the call, say. That is an error, lest
 * a host that has Landlock be taken for one without. */
DC_MUST int seal_landlock_abi(int *ret_abi, struct dc_err *err);
/* Read and execute below /, write below the run's own file systems, nothing else; abstract sockets
 * and signals stay inside where the kernel can. No TCP rules: they would break loopback. */
DC_MUST int seal_landlock(struct dc_err *err);

/* Landlock for our own API process: nothing but these paths, and signals and abstract sockets stay
 * inside where the kernel can. A path that does not exist is left out. No execution anywhere. */
struct seal_grant {
    const char *path;
    enum seal_grant_kind {
        SEAL_GRANT_READ, /* read files, list folders */
        SEAL_GRANT_USE,  /* read and write what is there: device files */
        SEAL_GRANT_OWN,  /* all but execution: make and remove as well */
    } kind;
};
DC_MUST int seal_landlock_grants(const struct seal_grant *grants, size_t count, struct dc_err *err);

/* Landlock for our own privileged processes: nothing but these folders, in which files may be read
 * and written and folders made and removed: control groups. Signals are not scoped. */
DC_MUST int seal_landlock_trees(const int *dir_fds, size_t count, struct dc_err *err);

/* Loads a BPF program made by seccomp_policy_build. */
DC_MUST int seal_seccomp(const void *program, size_t bytes, struct dc_err *err);

/* The same from a file that holds the program, read from its start. */
DC_MUST int seal_seccomp_fd(int fd, struct dc_err *err);

/* Tries what must fail; DC_BUG when a layer is not in force. */
DC_MUST int seal_selftest(struct dc_err *err);

#endif
