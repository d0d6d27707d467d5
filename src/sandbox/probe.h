/*
 * What this host lets us enforce, found by trying, and how to mend what is missing. Leaves nothing
 * behind. Used by `docle doctor`, and by `docle serve` for the text with which it refuses to start.
 * Call it while the process has one thread: it forks.
 */
#ifndef DOCLE_SANDBOX_PROBE_H
#define DOCLE_SANDBOX_PROBE_H

#include <stddef.h>
#include <stdint.h>

enum probe_state {
    PROBE_OK,
    PROBE_WEAK,    /* works with less; the isolation level or the speed is lower */
    PROBE_MISSING, /* runs cannot be sealed without it, or lose a limit */
};

struct probe_line {
    const char *name; /* "user namespaces" */
    enum probe_state state;
    char found[176];
    char remedy[320]; /* empty with PROBE_OK */
};

/* As enum launch_level of proto/launch.h, and PROBE_NONE below: nothing can run here. */
enum probe_level { PROBE_NONE = -1, PROBE_LIMITED, PROBE_STANDARD, PROBE_FULL };

enum { PROBE_LINES_MAX = 24 };

struct probe_report {
    size_t count;
    struct probe_line lines[PROBE_LINES_MAX];
    enum probe_level level; /* the best that this host reaches */
    int rootless;           /* we lack the capabilities of root */
    int cgroup_version;
};

/* uid_base: first of the host ids that runs get; without meaning when rootless. */
void probe_host(uint32_t uid_base, struct probe_report *ret_report);

const char *probe_level_name(enum probe_level level); /* "full", …, "none" */

#endif
