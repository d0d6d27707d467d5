/*
 * What the files of the probe share: the lines of its report, and its two large parts. Internal to
 * src/sandbox; one thread, as probe.h says.
 */
#ifndef DOCLE_SANDBOX_PROBE_INTERNAL_H
#define DOCLE_SANDBOX_PROBE_INTERNAL_H

#include <stdbool.h>

#include "sandbox/probe.h"

/* A line without a remedy; the report's. name: a literal. With a full report the last line is
 * written over and does not count. */
struct probe_line *probe_add(struct probe_report *report, const char *name, enum probe_state state,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));
void probe_remedy(struct probe_line *line, const char *text);

/* probe_groups.c. Fills cgroup_version. True: memory, processes and CPU can all be limited. */
bool probe_groups(struct probe_report *report);

/* probe_namespaces.c. Tries them in children. True: all that sealing needs is there. */
bool probe_namespaces(struct probe_report *report, uint32_t uid_base);

#endif
