/* The network of a slot whose run may use it. Its namespace keeps having no device but the loopback
 * and no route out: the addresses that stand for names are made local to it, so that a connection
 * to any of them is accepted by the sockets made here, whose other side is docle-egress, outside.
 * What is not listened on is refused by the kernel at once; what is not local is unreachable at
 * once. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "launcher/nursery.h"
#include "proto/egress.h"
#include "proto/link.h"

#include "base/poison.h"

enum { BACKLOG = 1024, STUB_SOCKETS = 2 };

static void put_address(struct sockaddr *out, uint32_t address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(address)}};

    memcpy(out, &v4, sizeof(v4));
}

/* An address of the loopback device takes its whole network along, as 127.0.0.1 does. It counts as
 * an address of the machine too, which resolvers look at (AI_ADDRCONFIG). */
static int add_address(int fd, unsigned index, uint32_t address, uint32_t mask, struct dc_err *err)
{
    struct ifreq request = {0};

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "lo:%u", index);
    put_address(&request.ifr_addr, address);
    if (ioctl(fd, SIOCSIFADDR, &request) < 0)
        return dc_fail_errno(err, "address %u of the loopback device", index);
    put_address(&request.ifr_netmask, mask);
    if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
        return dc_fail_errno(err, "mask %u of the loopback device", index);
    return 0;
}

static int add_addresses(const struct launch_network *network, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return dc_fail_errno(err, "socket");
    if (add_address(fd, 0, EGRESS_SYNTHETIC_NET + 1, (uint32_t)EGRESS_SYNTHETIC_MASK, err) < 0)
        return -err->code;
    for (unsigned i = 0; i < network->address_count; i++)
        if (network->addresses[i] >> 24 != IN_LOOPBACKNET &&
            add_address(fd, i + 1, network->addresses[i], ~UINT32_C(0), err) < 0)
            return -err->code;
    return 0;
}

static int open_socket(int type, uint32_t address, uint16_t port, int *ret_fd, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(address)}};

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
        return dc_fail_errno(err, "socket on port %u", port);
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

static int open_sockets(const struct launch_network *network, int fds[static DC_MESSAGE_MAX_FDS],
                        struct egress_sockets *sockets, struct dc_err *err)
{
    if (open_socket(SOCK_DGRAM, INADDR_LOOPBACK, EGRESS_STUB_PORT, &fds[0], err) < 0 ||
        open_socket(SOCK_STREAM, INADDR_LOOPBACK, EGRESS_STUB_PORT, &fds[1], err) < 0)
        return dc_context(err, "resolver of the slot");
    sockets->sockets[0].kind = EGRESS_SOCKET_DNS_UDP;
    sockets->sockets[1].kind = EGRESS_SOCKET_DNS_TCP;
    sockets->count = STUB_SOCKETS;
    for (size_t i = 0; i < network->port_count && sockets->count < DC_MESSAGE_MAX_FDS; i++) {
        uint16_t port = network->ports[i];

        if (open_socket(SOCK_STREAM, INADDR_ANY, port, &fds[sockets->count], err) < 0)
            return -err->code;
        sockets->sockets[sockets->count].kind = EGRESS_SOCKET_RELAY;
        sockets->sockets[sockets->count].port = port;
        sockets->count++;
    }
    return 0;
}

int slot_network(const struct launch_network *network, int channel_fd, struct dc_err *err)
{
    struct egress_sockets sockets = {0};
    int fds[DC_MESSAGE_MAX_FDS];
    int result;

    for (size_t i = 0; i < DC_MESSAGE_MAX_FDS; i++)
        fds[i] = -1;
    result = add_addresses(network, err);
    if (result == 0)
        result = open_sockets(network, fds, &sockets, err);
    if (result == 0)
        result = link_send(channel_fd, EGRESS_SOCKETS, &sockets, sizeof(sockets), fds,
                           sockets.count, err);
    for (size_t i = 0; i < DC_MESSAGE_MAX_FDS; i++)
        dc_close(fds[i]);
    return result;
}
