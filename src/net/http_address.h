/*
 * Addresses of clients, networks of them, and who a client is when proxies stand between. IPv4 is
 * kept as the IPv6 address that maps it, so that one client has one form however it came. Pure; API
 * process.
 */
#ifndef DOCLE_NET_HTTP_ADDRESS_H
#define DOCLE_NET_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

enum {
    HTTP_ADDRESS_SIZE = 46, /* of the text, with the NUL */
    HTTP_NETWORKS_MAX = 64,
};

struct http_address {
    uint8_t bytes[16];
};

struct http_network {
    struct http_address address; /* zero beyond the prefix */
    unsigned bits;               /* of the prefix, of 128 */
};

struct http_networks {
    size_t count;
    struct http_network all[HTTP_NETWORKS_MAX];
};

/* "192.0.2.1", "2001:db8::1", also with a port: "192.0.2.1:80", "[2001:db8::1]:80". No names, no
 * zones. */
bool http_address_parse(const char *text, size_t length, struct http_address *ret_address);

/* Anything but IP gives "::". */
void http_address_of_socket(const struct sockaddr *socket, struct http_address *ret_address);

void http_address_print(const struct http_address *address, char out[static HTTP_ADDRESS_SIZE]);
/* An IPv4 address, in the form in which it is kept. */
bool http_address_is_v4(const struct http_address *address);
bool http_address_is_loopback(const struct http_address *address);

/* "127.0.0.0/8, ::1, 10.1.2.3": separated by commas; blanks and empty entries do not matter. NULL:
 * loopback. DC_INVALID: names the entry that is none, for the operator. */
DC_MUST int http_networks_parse(const char *list, struct http_networks *ret_networks,
                                struct dc_err *err);
bool http_networks_contain(const struct http_networks *networks,
                           const struct http_address *address);

/* Goes back through one X-Forwarded-For value from the right, as long as *client is one of trusted:
 * each entry becomes *client. What is no address ends it. Returns false once it is ended, so that
 * the fields before are not looked at. */
bool http_forwarded_client(const char *forwarded, const struct http_networks *trusted,
                           struct http_address *client);

#endif
