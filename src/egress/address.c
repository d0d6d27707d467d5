#include "egress/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

/* The registries of special addresses (RFC 6890 and its updates), and the metadata services that
 * stand outside of them. First match counts. */
static const struct {
    uint32_t network;
    unsigned bits;
    enum address_class class;
} v4_nets[] = {
    {0x00000000, 8, ADDRESS_RESERVED},  {0x0a000000, 8, ADDRESS_PRIVATE},
    {0x646464c8, 32, ADDRESS_METADATA}, /* 100.100.100.200 */
    {0x64400000, 10, ADDRESS_PRIVATE},  {0x7f000000, 8, ADDRESS_LOOPBACK},
    {0xa83f8110, 32, ADDRESS_METADATA}, /* 168.63.129.16 */
    {0xa9fe0000, 16, ADDRESS_LINK},     {0xac100000, 12, ADDRESS_PRIVATE},
    {0xc0000000, 24, ADDRESS_RESERVED}, {0xc0000200, 24, ADDRESS_RESERVED},
    {0xc01fc400, 24, ADDRESS_RESERVED}, {0xc034c100, 24, ADDRESS_RESERVED},
    {0xc0586300, 24, ADDRESS_RESERVED}, /* 6to4 relays */
    {0xc0a80000, 16, ADDRESS_PRIVATE},  {0xc0af3000, 24, ADDRESS_RESERVED},
    {0xc6120000, 15, ADDRESS_RESERVED}, /* our synthetic addresses among them */
    {0xc6336400, 24, ADDRESS_RESERVED}, {0xcb007100, 24, ADDRESS_RESERVED},
    {0xe0000000, 4, ADDRESS_MULTICAST}, {0xf0000000, 4, ADDRESS_RESERVED},
};

enum address_class address_class_v4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(v4_nets) / sizeof(v4_nets[0]); i++) {
        uint32_t mask = ~UINT32_C(0) << (32 - v4_nets[i].bits);

        if ((address & mask) == v4_nets[i].network)
            return v4_nets[i].class;
    }
    return ADDRESS_PUBLIC;
}

static const struct {
    uint8_t network[16];
    unsigned bits;
    enum address_class class;
} v6_nets[] = {
    {{0}, 128, ADDRESS_RESERVED},
    {{[15] = 1}, 128, ADDRESS_LOOPBACK},
    {{[10] = 0xff, 0xff}, 96, ADDRESS_MAPPED},
    {{0}, 96, ADDRESS_MAPPED},                                  /* IPv4-compatible */
    {{[8] = 0xff, 0xff}, 96, ADDRESS_MAPPED},                   /* IPv4-translated */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, ADDRESS_MAPPED}, /* NAT64 of one's own */
    {{0x01, 0x00}, 64, ADDRESS_RESERVED},                       /* discard */
    {{0x20, 0x01, 0x00, 0x00}, 32, ADDRESS_MAPPED},             /* Teredo */
    {{0x20, 0x01, 0x00, 0x00}, 23, ADDRESS_RESERVED},           /* protocol assignments */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_RESERVED},           /* documentation */
    {{0x20, 0x02}, 16, ADDRESS_MAPPED},                         /* 6to4 */
    {{0x3f, 0xff}, 20, ADDRESS_RESERVED},                       /* documentation */
    {{0xfd, 0x00, 0x0e, 0xc2}, 32, ADDRESS_METADATA},           /* fd00:ec2:: */
    {{0xfc}, 7, ADDRESS_PRIVATE},
    {{0xfe, 0x80}, 10, ADDRESS_LINK},
    {{0xfe, 0xc0}, 10, ADDRESS_PRIVATE},
    {{0xff}, 8, ADDRESS_MULTICAST},
    {{0x20}, 3, ADDRESS_PUBLIC}, /* 2000::/3 is all that is assigned */
    {{0}, 0, ADDRESS_RESERVED},
};

static bool same_bits(const uint8_t *one, const uint8_t *two, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    return memcmp(one, two, whole) == 0 && (!rest || (one[whole] ^ two[whole]) >> (8 - rest) == 0);
}

enum address_class address_class_v6(const uint8_t address[static 16])
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (memcmp(address, nat64, sizeof(nat64)) == 0)
        return address_class_v4((uint32_t)address[12] << 24 | (uint32_t)address[13] << 16 |
                                (uint32_t)address[14] << 8 | address[15]);
    for (size_t i = 0; i < sizeof(v6_nets) / sizeof(v6_nets[0]); i++)
        if (same_bits(address, v6_nets[i].network, v6_nets[i].bits))
            return v6_nets[i].class;
    return ADDRESS_RESERVED;
}

enum address_class address_class_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return address_class_v4(
            ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return address_class_v6(
            ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return ADDRESS_RESERVED;
}

const char *address_class_name(enum address_class class)
{
    static const char *const names[] = {
        [ADDRESS_PUBLIC] = "public",       [ADDRESS_PRIVATE] = "private",
        [ADDRESS_LOOPBACK] = "loopback",   [ADDRESS_LINK] = "link-local",
        [ADDRESS_METADATA] = "metadata",   [ADDRESS_MULTICAST] = "multicast",
        [ADDRESS_MAPPED] = "IPv4-in-IPv6", [ADDRESS_RESERVED] = "reserved",
    };

    return names[class];
}

bool address_parse_v4(const char *text, size_t length, uint32_t *ret_address)
{
    uint32_t address = 0;
    size_t at = 0;

    for (int part = 0; part < 4; part++) {
        uint32_t number = 0;
        size_t start = at;

        while (at < length && text[at] >= '0' && text[at] <= '9' && at - start < 3)
            number = number * 10 + (uint32_t)(text[at++] - '0');
        if (at == start || number > 255 || (text[start] == '0' && at - start > 1))
            return false;
        address = address << 8 | number;
        if (part < 3 && (at == length || text[at++] != '.'))
            return false;
    }
    if (at != length)
        return false;
    *ret_address = address;
    return true;
}

bool address_looks_numeric(const char *text, size_t length)
{
    size_t start;
    bool hex;

    if (length && text[length - 1] == '.')
        length--;
    for (start = length; start && text[start - 1] != '.';)
        start--;
    hex = length - start >= 2 && text[start] == '0' && (text[start + 1] | 0x20) == 'x';
    if (start == length)
        return false;
    for (size_t i = hex ? start + 2 : start; i < length; i++) {
        char lower = (char)(text[i] | 0x20);

        if (!(text[i] >= '0' && text[i] <= '9') && !(hex && lower >= 'a' && lower <= 'f'))
            return false;
    }
    return true;
}

int address_net_parse(const char *text, struct address_net *ret_net, struct dc_err *err)
{
    struct address_net net = {.v6 = strchr(text, ':') != NULL};
    char host[64];
    size_t length = strcspn(text, "/");
    unsigned long bits = net.v6 ? 128 : 32;
    char *end = NULL;

    if (length >= sizeof(host))
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is no network", text);
    memcpy(host, text, length);
    host[length] = '\0';
    if (text[length] == '/') {
        if (text[length + 1] < '0' || text[length + 1] > '9')
            return dc_fail(err, DC_INVALID, 0, "'%.40s' is no network", text);
        bits = strtoul(text + length + 1, &end, 10);
        if (*end || bits > (net.v6 ? 128ul : 32ul))
            return dc_fail(err, DC_INVALID, 0, "'%.40s' has no good prefix length", text);
    }
    if (inet_pton(net.v6 ? AF_INET6 : AF_INET, host, net.bytes) != 1)
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is no address", host);
    net.bits = (uint8_t)bits;
    *ret_net = net;
    return 0;
}

bool address_net_holds(const struct address_net *net, const struct sockaddr *address)
{
    if (net->v6)
        return address->sa_family == AF_INET6 &&
               same_bits(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr,
                         net->bytes, net->bits);
    return address->sa_family == AF_INET &&
           same_bits((const uint8_t *)&((const struct sockaddr_in *)(const void *)address)
                         ->sin_addr.s_addr,
                     net->bytes, net->bits);
}
