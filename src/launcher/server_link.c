/*
 * What the API process may ask of the launcher. It parses network bytes, so it counts as hostile:
 * every field is range-checked here, nothing it sends is a path or is looked into, and anything out
 * of the protocol ends the launcher, and with it every run, rather than be guessed at.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"
#include "proto/egress.h"

#include "base/poison.h"

static bool in_flight(const struct launcher *launcher, uint64_t run)
{
    for (size_t i = 0; i < launcher->pending_count; i++)
        if (launcher->pending[i].request.run == run)
            return true;
    for (size_t i = 0; i < launcher->slot_count; i++)
        if (launcher->slots[i].has_run && launcher->slots[i].run.request.run == run)
            return true;
    return false;
}

static bool between(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high;
}

/* Addresses that a namespace may take for its own: nothing but plain ones of hosts. */
static bool network_valid(const struct launch_run *request)
{
    static const struct launch_network none;
    const struct launch_network *network = &request->network;

    if (!(request->flags & RUN_HAS_NETWORK))
        return memcmp(network, &none, sizeof(none)) == 0;
    if (!between(network->port_count, 1, DC_NET_PORTS_MAX) ||
        network->address_count > DC_NET_ADDRESSES_MAX)
        return false;
    for (size_t i = 0; i < network->port_count; i++)
        if (!network->ports[i] || network->ports[i] == EGRESS_STUB_PORT)
            return false;
    for (size_t i = 0; i < network->address_count; i++)
        if (!between(network->addresses[i], 0x01000000, 0xdfffffff))
            return false;
    return true;
}

static bool request_valid(const struct launcher *launcher, const struct launch_run *request)
{
    return request->runtime < launcher->options.runtime_count &&
           !(request->flags & ~(uint32_t)(RUN_WANTS_ARTIFACTS | RUN_HAS_NETWORK)) &&
           network_valid(request) && between(request->timeout_ms, 1, DC_TIMEOUT_MAX_MS) &&
           request->cpu_ms <= DC_TIMEOUT_MAX_MS * 64u &&
           between(request->memory_mb, DC_MEMORY_MIN_MB, DC_MEMORY_MAX_MB) &&
           between(request->disk_mb, DC_DISK_MIN_MB, DC_DISK_MAX_MB) &&
           between(request->processes, DC_PROCESSES_MIN, DC_PROCESSES_MAX) &&
           between(request->cpus_centi, DC_CPUS_MIN_CENTI, 100 * 1024);
}

/* A hostile server gains a run with limits within the fixed ranges, which is what it is for. */
static int handle_run(struct launcher *launcher, struct link_message *message, struct dc_err *err)
{
    struct run run = {.fds = {[RUN_FD_NETWORK] = -1}};
    size_t fds = LAUNCH_RUN_FDS;

    memcpy(&run.request, message->body, sizeof(run.request));
    if (message->header.length == sizeof(run.request) && run.request.flags & RUN_HAS_NETWORK)
        fds = LAUNCH_RUN_FDS_MAX;
    if (!link_message_is(message, sizeof(run.request), fds))
        return dc_fail(err, DC_BUG, 0, "RUN of %u bytes and %u descriptors", message->header.length,
                       message->header.fd_count);
    if (!launcher->announced || !request_valid(launcher, &run.request))
        return dc_fail(err, DC_BUG, 0, "RUN with a field out of range");
    if (launcher->running_count >= launcher->options.slots || in_flight(launcher, run.request.run))
        return dc_fail(err, DC_BUG, 0, "RUN beyond the slots or twice");
    for (size_t i = 0; i < fds; i++)
        run.fds[i] = link_message_take_fd(message, i);
    pool_submit(launcher, &run);
    return 0;
}

/* SECURITY: packages run code when they are imported, in a zygote, which is root of S. So there
 * are only as many such zygotes as the operator's list has sets, none by default; but a hostile
 * server that may have some gets a foothold there that it has not otherwise: S, not the host.
 * Spares import packages when they are sealed; from them it gains no more than from a run. */
static bool warm_valid(const struct launcher *launcher, const struct launch_warm *warm)
{
    static const uint8_t nobody[DC_OWNER_BYTES];
    bool owned = memcmp(warm->owner, nobody, sizeof(nobody)) != 0;

    if (!launcher->announced || warm->runtime >= launcher->options.runtime_count)
        return false;
    if (warm->set < DC_WARM_MAX)
        return warm->set < launcher->options.warm_sets && !owned && !warm->disk_mb;
    return warm->set - DC_WARM_MAX < launcher->options.prepared_sets && owned &&
           between(warm->disk_mb, DC_DISK_MIN_MB, DC_DISK_MAX_MB);
}

static int handle_warm(struct launcher *launcher, struct link_message *message, struct dc_err *err)
{
    struct launch_warm body;

    if (!link_message_is(message, sizeof(body), 1))
        return dc_fail(err, DC_BUG, 0, "malformed WARM");
    memcpy(&body, message->body, sizeof(body));
    if (!warm_valid(launcher, &body))
        return dc_fail(err, DC_BUG, 0, "WARM with a field out of range");
    zygotes_warm(launcher, &body, link_message_take_fd(message, 0));
    return 0;
}

/* It can only end runs that it asked for itself. */
static int handle_cancel(struct launcher *launcher, struct link_message *message,
                         struct dc_err *err)
{
    struct launch_cancel body;

    if (!link_message_is(message, sizeof(body), 0))
        return dc_fail(err, DC_BUG, 0, "malformed CANCEL");
    memcpy(&body, message->body, sizeof(body));
    (void)pool_cancel(launcher, body.run); /* unknown: it has just ended */
    return 0;
}

/* Ends everything that it could end anyway by closing the link. */
static int handle_shutdown(struct launcher *launcher, struct link_message *message,
                           struct dc_err *err)
{
    if (!link_message_is(message, 0, 0))
        return dc_fail(err, DC_BUG, 0, "malformed SHUTDOWN");
    launcher->leaving = true;
    return 0;
}

static const struct {
    uint8_t type;
    int (*handle)(struct launcher *launcher, struct link_message *message, struct dc_err *err);
} requests[] = {
    {LAUNCH_RUN, handle_run},
    {LAUNCH_WARM, handle_warm},
    {LAUNCH_CANCEL, handle_cancel},
    {LAUNCH_SHUTDOWN, handle_shutdown},
};

int server_link_read(struct launcher *launcher, struct dc_err *err)
{
    struct link_message message;
    int result = link_receive(launcher->options.link_fd, &message, err);

    if (result == -DC_BUSY)
        return 0;
    if (result == -DC_NOT_FOUND) {
        launcher->leaving = true;
        return 0;
    }
    if (result < 0)
        return dc_context(err, "server link");
    result = dc_fail(err, DC_BUG, 0, "unknown request %u", message.header.type);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (requests[i].type == message.header.type)
            result = requests[i].handle(launcher, &message, err);
    link_message_release(&message);
    return result;
}

static void tell(struct launcher *launcher, uint8_t type, const void *body, size_t length)
{
    struct dc_err err;

    if (link_send(launcher->options.link_fd, type, body, length, NULL, 0, &err) < 0) {
        dc_log_err(DC_LOG_WARN, NULL, &err, "cannot tell the server; leaving");
        launcher->leaving = true;
    }
}

void server_link_hello(struct launcher *launcher)
{
    struct launch_hello hello = {
        .slots = launcher->options.slots,
        .level = (uint8_t)launcher->level,
        .cgroup_version = (uint8_t)launcher->cgroups.version,
        .rootless = launcher->rootless,
        .runtime_count = (uint8_t)launcher->options.runtime_count,
    };

    for (size_t i = 0; i < launcher->options.runtime_count; i++)
        hello.runtimes[i] = launcher->options.runtimes[i].public;
    tell(launcher, LAUNCH_HELLO, &hello, sizeof(hello));
}

void server_link_started(struct launcher *launcher, const struct run *run, bool warm)
{
    struct launch_started started = {.run = run->request.run, .warm = warm};

    tell(launcher, LAUNCH_STARTED, &started, sizeof(started));
}

void server_link_ended(struct launcher *launcher, const struct launch_ended *ended)
{
    tell(launcher, LAUNCH_ENDED, ended, sizeof(*ended));
}

void server_link_stats(struct launcher *launcher, int64_t now)
{
    struct launch_stats *stats = &launcher->stats;

    if (!launcher->announced || now - launcher->stats_sent_ns < DC_NS_PER_S)
        return;
    stats->slots_busy = 0;
    memset(stats->spares, 0, sizeof(stats->spares));
    for (size_t i = 0; i < launcher->slot_count; i++) {
        stats->slots_busy += launcher->slots[i].has_run;
        if (launcher->slots[i].state == SLOT_SPARE && !launcher->slots[i].has_run)
            stats->spares[launcher->slots[i].runtime]++;
    }
    if (memcmp(stats, &launcher->stats_sent, sizeof(*stats)) == 0)
        return;
    launcher->stats_sent = *stats;
    launcher->stats_sent_ns = now;
    tell(launcher, LAUNCH_STATS, stats, sizeof(*stats));
}

void server_link_fatal(struct launcher *launcher, const struct dc_err *err)
{
    tell(launcher, LAUNCH_FATAL, err, sizeof(*err));
}
