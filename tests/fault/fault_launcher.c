/*
 * The launcher's loop while its system calls fail: making slots, control groups, forks by zygotes,
 * messages. Each run that was taken ends, by itself or as the launcher's own error with a text, or
 * the launcher leaves with an error; no job is handed over without its limits, and no slot is lent
 * that was not scrubbed (launcher_world.c sees to both).
 */
#include <string.h>

#include "../fuzz/launcher_world.h"
#include "base/clock.h"
#include "fault.h"

enum { PATIENCE_S = 240 };

static struct world world;

static void around_turn(bool now)
{
    fault_pause(!now);
}

static const struct launch_run usual = {
    .runtime = 0,
    .timeout_ms = 3000,
    .memory_mb = 512,
    .disk_mb = DEFAULT_DISK_MB,
    .processes = 77,
    .cpus_centi = DC_CPUS_DEFAULT_CENTI,
};

/* Turns until the runs have ended or the launcher leaves. */
static void turn_until_ended(size_t wanted)
{
    for (int i = 0; i < 2 * PATIENCE_S && world.ended < wanted && world_turn(&world); i++) {
        world_behave(&world);
        world_advance(DC_NS_PER_S / 2);
    }
}

static int judge(size_t wanted, struct dc_err *err)
{
    if (world.broken) {
        *err = world.error;
        return world.error.text[0] ? -err->code : dc_fail(err, DC_BUG, 0, "an error of no text");
    }
    if (world.launcher.leaving)
        return dc_fail(err, DC_KERNEL, 0, "the launcher left");
    if (world.ended < wanted)
        return dc_fail(err, DC_BUG, 0, "%zu of %zu runs ended", world.ended, wanted);
    if (world.last.kind == END_SANDBOX_ERROR && !world.last.text[0])
        return dc_fail(err, DC_BUG, 0, "a sandbox_error that says nothing");
    if (world.last.kind == END_SANDBOX_ERROR)
        return dc_fail(err, DC_KERNEL, 0, "sandbox_error: %s", world.last.text);
    return 0;
}

static void ask(const struct launch_run *request, uint64_t id)
{
    struct launch_run run = *request;

    run.run = id;
    for (int i = 0; i < 2 * PATIENCE_S && !world.launcher.announced && world_turn(&world); i++) {
        world_behave(&world);
        world_advance(DC_NS_PER_S / 2);
    }
    world_send_run(&world, &run);
    turn_until_ended(id);
}

/* Without faults, after one: nothing was lost for good. */
static bool well_again(const struct launch_run *request)
{
    world.around_turn = NULL;
    ask(request, world.ended + 1);
    return !world.broken && !world.launcher.leaving && world.last.kind == END_EXITED;
}

/* One after the other; the first that fails is told of. */
static int serve(const struct launch_run *request, struct dc_err *err)
{
    int result = 0;

    fault_pause(true);
    world.around_turn = around_turn;
    world_open(&world);
    for (size_t i = 0; i < 3 && world_turn(&world); i++)
        world_behave(&world);
    for (size_t i = 0; i < 3 && result == 0; i++) {
        ask(request, i + 1);
        result = judge(i + 1, err);
    }
    if (!world.broken && !world.launcher.leaving && !well_again(request))
        result = dc_fail(err, DC_BUG, 0, "not well afterwards: %s", world.last.text);
    world_close(&world);
    fault_pause(false);
    return result;
}

static int serve_plain_runs(struct dc_err *err)
{
    return serve(&usual, err);
}

static int serve_runs_with_files(struct dc_err *err)
{
    struct launch_run run = usual;

    run.flags = RUN_WANTS_ARTIFACTS;
    run.disk_mb = 200; /* no spare serves it */
    return serve(&run, err);
}

static int serve_runs_with_packages(struct dc_err *err)
{
    struct launch_run run = usual;

    memset(run.layer, 7, sizeof(run.layer));
    return serve(&run, err);
}

static int serve_runs_with_a_network(struct dc_err *err)
{
    struct launch_run run = usual;

    run.flags = RUN_HAS_NETWORK;
    run.network = (struct launch_network){.port_count = 1, .ports = {443}};
    return serve(&run, err);
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"serve runs", serve_plain_runs, NULL,
         FAULT_BIT(FAULT_SYSTEM) | FAULT_BIT(FAULT_INTERRUPT)},
        {"serve runs with files", serve_runs_with_files, NULL, FAULT_BIT(FAULT_SYSTEM)},
        {"serve runs with packages", serve_runs_with_packages, NULL, FAULT_BIT(FAULT_SYSTEM)},
        {"serve runs with a network", serve_runs_with_a_network, NULL, FAULT_BIT(FAULT_SYSTEM)},
    };

    world_prepare();
    return fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
