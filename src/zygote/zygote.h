/*
 * The fork server that all runtimes share. Linked into the runtime's addon (Python extension
 * module, Node-API addon) and used by it alone.
 *
 * How it works: the launcher starts a stock interpreter inside the sealed root, as root of the
 * service user namespace, with an empty environment and a control link on ZYGOTE_CONTROL_FD. The
 * runtime's bootstrap imports what is common and calls zygote_serve(). In the zygote that call
 * never returns. For every SPAWN of the launcher it forks a child, and in that child seals the
 * process (cgroup, namespaces, private file systems, ids, rlimits, capabilities, descriptors,
 * Landlock, seccomp), reseeds the runtime by the hooks, waits for the job, writes the job's files
 * and returns. What runs after that is the caller's code.
 *
 * Before serving, one training child runs a hello-world through the same return path, unsealed and
 * without any tenant data; the pages it touched are populated in every later child right after the
 * fork ("learned prefault").
 */
#ifndef DOCLE_ZYGOTE_ZYGOTE_H
#define DOCLE_ZYGOTE_ZYGOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { ZYGOTE_CONTROL_FD = 3, ZYGOTE_NAMES_FD };

/* Set when ZYGOTE_NAMES_FD holds the names of packages, one a line, that the runtime's bootstrap is
 * to import before it serves. */
#define ZYGOTE_NAMES_VARIABLE "DOCLE_NAMES"

struct zygote_hooks {
    /* All optional; all run on the calling thread. */
    void (*before_fork)(void *context);
    void (*after_fork_parent)(void *context);
    /* First thing in the child, before it is sealed: repair locks and the like. */
    void (*after_fork_child)(void *context);
    /* In the sealed child, under seccomp: remake event loops, then reseed random number generators.
     * Called in the training child too. Return 0, or -1: the child is given up. */
    int (*remake)(void *context);
    int (*reseed)(void *context);
    uint32_t
        own_threads;    /* that the runtime has anyway, and forks do without; 0: one, the caller */
    bool skip_training; /* for a server whose children exec anyway */
    void *context;
};

/* What the child is to run. Strings live until the process ends. */
struct zygote_run {
    bool training;          /* run the runtime's own hello world, then zygote_finish(0) */
    bool preparing;         /* import what args name, then zygote_resume() for the run itself */
    const char *entrypoint; /* relative to /workspace, which is the working directory */
    size_t argc;
    char **args; /* argc strings, then NULL; without the program name */
    size_t envc;
    char **env;         /* envc "NAME=value" strings, then NULL: the whole environment of the run */
    uint32_t flags;     /* enum job_flags */
    uint32_t memory_mb; /* of the run's policy */
};

/* Serves until the launcher closes the link, then ends the process. Returns only in a child: 0 with
 * *ret_run filled. Negative only when serving could not begin at all. */
DC_MUST int zygote_serve(const struct zygote_hooks *hooks, struct zygote_run *ret_run,
                         struct dc_err *err);

/* Only after *ret_run was one to prepare for: says that this is done, and waits for the run. Ends
 * the process when what was imported has written something, which a run would have shown. */
DC_MUST int zygote_resume(struct zygote_run *ret_run, struct dc_err *err);

/* Ends a run (or the training) at once, without running any exit handler of the C library. */
_Noreturn void zygote_finish(int exit_code);

#endif
