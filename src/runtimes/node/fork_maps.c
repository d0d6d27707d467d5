#include "runtimes/node/fork_maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/poison.h"

int fork_maps_allow(struct dc_err *err)
{
    FILE *smaps = fopen("/proc/self/smaps", "re");
    char line[1024];
    unsigned long start = 0;
    unsigned long end = 0;
    int result = 0;

    if (!smaps)
        return dc_fail_errno(err, "open /proc/self/smaps");
    while (result == 0 && fgets(line, sizeof(line), smaps)) {
        unsigned long low;
        unsigned long high;

        if (sscanf(line, "%lx-%lx ", &low, &high) == 2) {
            start = low;
            end = high;
        }
        if (strncmp(line, "VmFlags:", 8) != 0)
            continue;
        /* The kernel's own mappings ([vvar]: io, pf) stay as they are. */
        if (!strstr(line, " dc") || strstr(line, " io") || strstr(line, " pf"))
            continue;
        if (madvise((void *)start, end - start, MADV_DOFORK) < 0)
            result = dc_fail_errno(err, "MADV_DOFORK");
    }
    (void)fclose(smaps);
    return result;
}
