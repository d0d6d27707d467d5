#include "fault.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_internal.h"

/* Points tried of each scenario and kind: all of the first half, then spread evenly over the rest.
 * DOCLE_FAULT_POINTS says another number. */
enum { POINTS = 300 };

static const char *const names[FAULT_KINDS] = {
    [FAULT_MEMORY] = "memory",
    [FAULT_SYSTEM] = "system calls",
    [FAULT_INTERRUPT] = "interruptions",
    [FAULT_SHORT] = "short transfers",
};

static long count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    long count = 0;

    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

struct state {
    const struct fault_scenario *scenario;
    enum fault_kind kind;
    long nth;
    bool on;
};

static bool complain(const struct state *at, const char *what, const struct dc_err *err)
{
    printf("# %s, %s, call %ld%s: %s%s%s\n", at->scenario->name, names[at->kind], at->nth,
           at->on ? " and all after it" : "", what, err && err->text[0] ? ": " : "",
           err ? err->text : "");
    return false;
}

/* An error may be anything that a full machine causes, never a word about the caller's input. */
static bool plausible(const struct dc_err *err)
{
    return err->code == DC_KERNEL || err->code == DC_BUSY || err->code == DC_DENIED ||
           err->code == DC_TIMEOUT;
}

static bool judge(const struct state *at, bool hit, int result, const struct dc_err *err)
{
    bool soft = at->kind == FAULT_INTERRUPT || at->kind == FAULT_SHORT;

    if (result == 0)
        return true;
    if (!hit)
        return complain(at, "failed without a fault", err);
    if (soft && !at->on)
        return complain(at, "should have gone on", err);
    if (result != -err->code || !err->text[0])
        return complain(at, "the error is not filled in", err);
    if (!plausible(err))
        return complain(at, dc_code_name((enum dc_code)err->code), err);
    return true;
}

/* One run with one fault. *ret_hit: the fault came to pass. */
static bool try_once(const struct state *at, bool *ret_hit)
{
    long blocks = fault_blocks();
    long fds = count_fds();
    struct dc_err err = {0};
    int result;

    fault_arm(at->kind, at->nth, at->on);
    result = at->scenario->run(&err);
    *ret_hit = fault_disarm();
    if (!judge(at, *ret_hit, result, &err))
        return false;
    if (fault_blocks() - blocks > (at->scenario->kinds & FAULT_LEAVES_ONE ? 1 : 0))
        return complain(at, "memory is left", &err);
    if (count_fds() != fds)
        return complain(at, "descriptors are left", &err);
    if (at->scenario->check && !at->scenario->check(result))
        return complain(at, "what is left is not consistent", &err);
    return true;
}

/* The number of calls of the kind that a run without faults makes. */
static long count_calls(const struct fault_scenario *scenario, enum fault_kind kind)
{
    struct dc_err err = {0};
    long before = fault_calls(kind);

    if (scenario->run(&err) < 0) {
        printf("# %s without faults: %s\n", scenario->name, err.text);
        return -1;
    }
    return fault_calls(kind) - before;
}

static bool try_kind(const struct fault_scenario *scenario, enum fault_kind kind, bool on,
                     long *ret_points)
{
    long total = count_calls(scenario, kind);
    const char *wanted = getenv("DOCLE_FAULT_POINTS");
    long half = (wanted ? strtol(wanted, NULL, 10) : POINTS) / 2;
    long stride = getenv("DOCLE_FAULT_ALL") ? 1 : total / (half + 1) + 1;
    bool good = total >= 0;

    *ret_points = 0;
    for (long nth = 1; nth <= total; nth += nth < half ? 1 : stride) {
        struct state at = {scenario, kind, nth, on};
        bool hit;

        good &= try_once(&at, &hit);
        *ret_points += hit;
    }
    return good;
}

/* The first run fills what is made once and kept: it must not count as a leak. */
static bool warm_up(const struct fault_scenario *scenario)
{
    return count_calls(scenario, FAULT_MEMORY) >= 0;
}

int fault_main(const struct fault_scenario *scenarios, size_t count)
{
    int number = 0;
    int failed = 0;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < count; i++) {
        bool usable = warm_up(&scenarios[i]);

        for (int kind = 1; kind < FAULT_KINDS; kind++) {
            for (int on = 0; on < 2; on++) {
                bool soft = kind == FAULT_INTERRUPT || kind == FAULT_SHORT;
                long points = 0;
                bool good;

                /* Interruptions without end are no scenario. */
                if (!(scenarios[i].kinds & FAULT_BIT(kind)) || (soft && on))
                    continue;
                good = usable && try_kind(&scenarios[i], (enum fault_kind)kind, on, &points);
                good &= points > 0;
                failed += !good;
                printf("%sok %d - %s: %ld %s%s\n", good ? "" : "not ", ++number, scenarios[i].name,
                       points, names[kind], on ? ", none after" : "");
            }
        }
    }
    printf("1..%d\n", number);
    return failed != 0;
}
