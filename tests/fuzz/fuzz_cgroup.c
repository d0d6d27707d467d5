/* Lines of /proc/self/cgroup and /proc/self/mountinfo, and of runtimes.conf. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/options.h"
#include "sandbox/cgroup_find.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink; /* so that the reading is not optimised away */

static char *copy(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);

    if (!line)
        abort();
    memcpy(line, data, size);
    line[size] = '\0';
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct runtime runtime;
    char *parts[4];
    struct dc_err err;
    char *line = copy(data, size);
    size_t total = 0;

    if (cgroup_parse_membership(line, &parts[0], &parts[1]))
        total += strlen(parts[0]) + strlen(parts[1]);
    free(line);
    line = copy(data, size);
    if (cgroup_parse_mount(line, &parts[0], &parts[1], &parts[2], &parts[3]))
        for (size_t i = 0; i < 4; i++)
            total += strlen(parts[i]);
    free(line);
    line = copy(data, size);
    if (options_parse_runtime(&runtime, line, &err) == 0)
        for (size_t i = 0; runtime.plain_argv[i]; i++)
            total += strlen(runtime.plain_argv[i]);
    free(line);
    sink = total;
    return 0;
}
