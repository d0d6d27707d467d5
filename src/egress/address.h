/*
 * What an address is good for: whether it is one of the public Internet, or leads back to this
 * host, its network, or nowhere. Pure. API process, docle-egress.
 */
#ifndef DOCLE_EGRESS_ADDRESS_H
#define DOCLE_EGRESS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

enum address_class {
    ADDRESS_PUBLIC,
    ADDRESS_PRIVATE,   /* 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7, fec0::/10 */
    ADDRESS_LOOPBACK,  /* 127/8, ::1 */
    ADDRESS_LINK,      /* 169.254/16, fe80::/10: with it the metadata services of most clouds */
    ADDRESS_METADATA,  /* those that are not link-local */
    ADDRESS_MULTICAST, /* 224/4, ff00::/8 */
    ADDRESS_MAPPED,    /* an IPv4 address in IPv6 clothes: mapped, compatible, 6to4, Teredo */
    ADDRESS_RESERVED,  /* 0/8, 240/4, documentation, benchmarks, unassigned space, port not IP */
};

/* Host order. */
enum address_class address_class_v4(uint32_t address);
/* 64:ff9b::/96 (NAT64) is what the IPv4 address inside is. */
enum address_class address_class_v6(const uint8_t address[static 16]);
enum address_class address_class_of(const struct sockaddr *address);

/* "private", "loopback", … */
const char *address_class_name(enum address_class class);

/* "10.1.2.3" → host order. Four decimal numbers without leading zeros; nothing else. */
bool address_parse_v4(const char *text, size_t length, uint32_t *ret_address);

/* True when a resolver of any kind might take the text for an IPv4 address: its last label is a
 * number, decimal or hexadecimal ("127.1", "0x7f.1", "2130706433"). */
bool address_looks_numeric(const char *text, size_t length);

/* A network of the operator's list of exceptions: "10.0.0.0/8", "fd00::/8", an address alone. */
struct address_net {
    uint8_t bytes[16];
    uint8_t bits;
    bool v6;
};
DC_MUST int address_net_parse(const char *text, struct address_net *ret_net, struct dc_err *err);
bool address_net_holds(const struct address_net *net, const struct sockaddr *address);

#endif
