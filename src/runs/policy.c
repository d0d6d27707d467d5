#include "runs/policy.h"

#include <stddef.h>

#include "base/poison.h"

static const struct {
    const char *name;
    struct policy_range range;
} fields[POLICY_FIELDS] = {
    [POLICY_TIMEOUT_MS] = {"timeoutMs",
                           {DC_TIMEOUT_MIN_MS, DC_TIMEOUT_MAX_MS, DC_TIMEOUT_DEFAULT_MS}},
    [POLICY_MEMORY_MB] = {"memoryMB", {DC_MEMORY_MIN_MB, DC_MEMORY_MAX_MB, DC_MEMORY_DEFAULT_MB}},
    [POLICY_DISK_MB] = {"diskMB", {DC_DISK_MIN_MB, DC_DISK_MAX_MB, 0}},
    [POLICY_PROCESSES] = {"maxProcesses",
                          {DC_PROCESSES_MIN, DC_PROCESSES_MAX, DC_PROCESSES_DEFAULT}},
    [POLICY_CPUS_CENTI] = {"cpus", {DC_CPUS_MIN_CENTI, DC_CPUS_MAX_CENTI, DC_CPUS_DEFAULT_CENTI}},
    [POLICY_CPU_MS] = {"cpuMs", {1, DC_CPU_MAX_MS, 0}},
    [POLICY_OUTPUT_BYTES] = {"maxOutputBytes",
                             {DC_OUTPUT_MIN_BYTES, DC_OUTPUT_MAX_BYTES, DC_OUTPUT_DEFAULT_BYTES}},
};

const char *policy_field_name(enum policy_field field)
{
    return fields[field].name;
}

struct policy_range policy_range(enum policy_field field, uint32_t memory_mb)
{
    struct policy_range range = fields[field].range;

    if (field == POLICY_DISK_MB) {
        if (range.high > memory_mb / 2)
            range.high = memory_mb / 2;
        range.fallback = memory_mb / 4;
    }
    return range;
}

void run_limits_lower(struct run_limits *limits, enum policy_field field, uint32_t max,
                      const char *source)
{
    struct run_ceiling *ceiling = &limits->ceiling[field];

    if (max && (!ceiling->max || max < ceiling->max))
        *ceiling = (struct run_ceiling){max, source};
}
