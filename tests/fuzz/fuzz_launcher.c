/*
 * The launcher between a hostile server, hostile zygotes and children, and inits that err: any
 * sequence of messages, ends of links, deaths and passing time. What must hold stands in
 * launcher_world.h; besides, nothing stays open in the end.
 *
 * The input is a list of operations, one byte each, with what they take behind them.
 */
#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "launcher_world.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static uint32_t take_word(struct input *input)
{
    uint32_t word = 0;

    for (int i = 0; i < 4; i++)
        word = word << 8 | take(input);
    return word;
}

static size_t take_slot(struct input *input)
{
    return take(input) % WORLD_ALL_SLOTS;
}

/* --- operations ------------------------------------------------------------------------------ */

/* Mostly true headers: type, kind of lie, descriptors, length, then the body. */
static void send_raw(int fd, struct input *input)
{
    uint8_t packet[DC_MESSAGE_MAX_BYTES + 16] = {0};
    struct link_header header = {.version = LINK_VERSION, .type = take(input)};
    uint8_t lie = take(input);
    uint8_t fds = take(input) % 20;
    size_t length = take(input) * (lie & 1 ? 8u : 1u);

    header.fd_count = lie & 2 ? take(input) : fds;
    header.length = lie & 4 ? take_word(input) : (uint32_t)length;
    if (lie & 8)
        header.version = take(input);
    /* A whole RUN is send_run's: its descriptors say which run it is. */
    if (header.type == LAUNCH_RUN && (fds == LAUNCH_RUN_FDS || fds == LAUNCH_RUN_FDS_MAX))
        fds = 0;
    memcpy(packet, &header, sizeof(header));
    for (size_t i = 0; i < length && input->left; i++)
        packet[sizeof(header) + i] = take(input);
    world_send_raw(fd, packet, sizeof(header) + length - (lie & 16 ? 1u : 0u), fds);
}

static struct launch_run good_run(struct input *input)
{
    uint8_t choice = take(input);
    struct launch_run run = {
        .run = choice % WORLD_RUNS,
        .runtime = choice >> 4 & 1,
        .flags = choice >> 5 & 1 ? RUN_WANTS_ARTIFACTS : 0,
        .timeout_ms = choice >> 6 & 1 ? 3000 : 100,
        .cpu_ms = choice >> 7 ? 50 : 0,
        .memory_mb = DC_MEMORY_DEFAULT_MB,
        .disk_mb = DEFAULT_DISK_MB,
        .processes = DC_PROCESSES_DEFAULT,
        .cpus_centi = DC_CPUS_DEFAULT_CENTI,
        .layer = {choice == 0x4b}, /* an own operation would make seeds mean something else */
    };

    if (choice == 0x5a || choice == 0x7a) {
        run.flags |= RUN_HAS_NETWORK;
        run.network.port_count = 1;
        run.network.ports[0] = 443;
    }
    return run;
}

static void send_run(struct world *world, struct input *input)
{
    struct launch_run run = good_run(input);

    world_send_run(world, &run);
}

static void send_odd_run(struct world *world, struct input *input)
{
    struct launch_run run = good_run(input);
    uint32_t *fields[] = {&run.runtime,   &run.flags,      &run.timeout_ms,
                          &run.cpu_ms,    &run.memory_mb,  &run.disk_mb,
                          &run.processes, &run.cpus_centi, (uint32_t *)(void *)&run.network};

    *fields[take(input) % (sizeof(fields) / sizeof(fields[0]))] = take_word(input);
    world_send_run(world, &run);
}

static void send_cancel(struct world *world, struct input *input)
{
    struct launch_cancel cancel = {.run = take(input)};

    world_send(world->server_fd, LAUNCH_CANCEL, &cancel, sizeof(cancel), 0);
}

static void send_shutdown(struct world *world, struct input *input)
{
    world_send(world->server_fd, LAUNCH_SHUTDOWN, NULL, 0, take(input) & 1);
}

static void send_server_raw(struct world *world, struct input *input)
{
    send_raw(world->server_fd, input);
}

static void hang_up(struct world *world, struct input *input)
{
    size_t index = take(input);

    switch (take(input) % 4) {
    case 0:
        dc_close_clear(&world->slots[index % WORLD_ALL_SLOTS].init_fd);
        break;
    case 1:
        dc_close_clear(&world->slots[index % WORLD_ALL_SLOTS].child_fd);
        break;
    case 2:
        dc_close_clear(&world->zygotes[index % ZYGOTES_MAX].fd);
        break;
    default:
        dc_close_clear(index & 1 ? &world->server_fd : &world->nursery_fd);
        break;
    }
}

static void init_speaks(struct world *world, struct input *input)
{
    size_t slot = take_slot(input);
    uint8_t what = take(input);

    if (what == 0xf0)
        world_init_mounted(world, slot, (enum dc_code)(take(input) % 4));
    else if (what == 0xf1)
        world_init_networked(world, slot, (enum dc_code)(take(input) % 4));
    else
        what %= 6;
    if (what == 0)
        world_init_ready(world, slot);
    else if (what == 1 || what == 2)
        world_init_scrubbed(world, slot, what == 1);
    else if (what == 3)
        world_send(world->slots[slot].init_fd, INIT_COLLECTED, NULL, 0, take(input) & 1);
    else if (what < 6)
        send_raw(world->slots[slot].init_fd, input);
}

static void init_dies(struct world *world, struct input *input)
{
    int fd = world->slots[take_slot(input)].death_fd;
    const uint64_t one = 1;

    if (fd >= 0)
        assert(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void zygote_speaks(struct world *world, struct input *input)
{
    size_t zygote = take(input) % ZYGOTES_MAX;
    uint8_t what = take(input) % 8;

    if (what < 2)
        world_zygote_ready(world, zygote, what ? "cannot" : "");
    else if (what < 6)
        world_zygote_exited(world, zygote, take(input), (int32_t)take_word(input));
    else
        send_raw(world->zygotes[zygote].fd, input);
}

static void child_speaks(struct world *world, struct input *input)
{
    size_t slot = take_slot(input);
    uint8_t what = take(input) % 3;
    struct dc_err failure;

    if (what == 0) {
        world_child_ready(world, slot);
    } else if (what == 1) {
        memset(&failure, take(input), sizeof(failure));
        world_send(world->slots[slot].child_fd, CHILD_FAILED, &failure, sizeof(failure), 0);
    } else {
        send_raw(world->slots[slot].child_fd, input);
    }
}

static void group_changes(struct world *world, struct input *input)
{
    size_t slot = take_slot(input);
    uint8_t what = take(input);

    world_set_populated(world, slot, what & 1);
    world_set_usage(world, slot, (what >> 1 & 3) * UINT64_C(40000), what >> 3 & 1, what >> 4 & 1);
}

static void time_passes(struct world *world, struct input *input)
{
    uint8_t how_long = take(input);

    (void)world;
    world_advance(how_long & 1 ? (how_long >> 1) * DC_NS_PER_MS : (how_long >> 3) * DC_NS_PER_S);
}

static void all_behave(struct world *world, struct input *input)
{
    for (int i = take(input) % 8; i >= 0 && world_turn(world); i--)
        world_behave(world);
}

static void turn(struct world *world, struct input *input)
{
    (void)input;
    (void)world_turn(world);
}

/* New ones go to the end: seeds stay what they are. */
static void (*const operations[])(struct world *world, struct input *input) = {
    turn,    all_behave,  send_run,  send_odd_run,  send_cancel,  send_shutdown, send_server_raw,
    hang_up, init_speaks, init_dies, zygote_speaks, child_speaks, group_changes, time_passes,
};

/* --- one input ------------------------------------------------------------------------------- */

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    assert(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

/* Whatever happened: once the peers behave, each run comes to its end by the launcher's own
 * deadlines. */
static void all_ends(struct world *world)
{
    enum { PATIENCE_S = 180 };

    for (int i = 0; world->in_flight && world_turn(world); i++) {
        world_behave(world);
        world_advance(DC_NS_PER_S / 2);
        assert(i < 2 * PATIENCE_S);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct input input = {data, size < 4096 ? size : 4096};
    size_t fds;

    world_prepare();
    fds = count_fds();
    world_open(&world);
    while (input.left && world_turn(&world)) {
        uint8_t operation = take(&input);

        operations[operation % (sizeof(operations) / sizeof(operations[0]))](&world, &input);
    }
    if (world_turn(&world) && world.server_fd >= 0)
        all_ends(&world);
    world_close(&world);
    assert(count_fds() == fds);
    return 0;
}
