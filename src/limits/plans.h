/* What the operator's plans allow. Numbers alone; src/api holds runs against them. */
#ifndef DOCLE_LIMITS_PLANS_H
#define DOCLE_LIMITS_PLANS_H

#include <stdbool.h>
#include <stdint.h>

struct plan_limits {
    bool billing;             /* off: plans limit nothing but free_runs, if that is set */
    uint32_t free_runs;       /* of a month; 0: 100 with billing, else none */
    uint32_t free_timeout_ms; /* ceilings; 0: none. Those of free hold for test keys always. */
    uint32_t free_memory_mb;
    uint32_t free_install_s;
    uint32_t pro_timeout_ms;
    uint32_t pro_memory_mb;
};

enum { PLAN_FREE_RUNS = 100 };

#endif
