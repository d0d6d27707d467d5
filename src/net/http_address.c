#include "net/http_address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

enum { V4_OFFSET = 12, V4_BITS = 96 }; /* of an IPv4 address in the mapped form */

static const uint8_t v4_prefix[V4_OFFSET] = {[10] = 0xff, [11] = 0xff};

/* --- one address ----------------------------------------------------------------------------- */

static void set_v4(struct http_address *address, const void *bytes)
{
    memcpy(address->bytes, v4_prefix, V4_OFFSET);
    memcpy(address->bytes + V4_OFFSET, bytes, sizeof(address->bytes) - V4_OFFSET);
}

bool http_address_is_v4(const struct http_address *address)
{
    return memcmp(address->bytes, v4_prefix, V4_OFFSET) == 0;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits >= 1 && digits <= 5 && text[digits] == '\0';
}

/* Cuts brackets and a port off; false when what is there is not well-formed. */
static bool cut_port(char *text, char **ret_host)
{
    char *end = strchr(text, ']');
    char *colon = strchr(text, ':');

    *ret_host = text;
    if (text[0] == '[') {
        if (!end || (end[1] && (end[1] != ':' || !is_port(end + 2))))
            return false;
        *end = '\0';
        *ret_host = text + 1;
        return strchr(*ret_host, ':') != NULL;
    }
    if (!colon || strchr(colon + 1, ':'))
        return true; /* an IPv4 address, or an IPv6 address without a port */
    *colon = '\0';
    return is_port(colon + 1);
}

bool http_address_parse(const char *text, size_t length, struct http_address *ret_address)
{
    char copy[HTTP_ADDRESS_SIZE + 8]; /* with brackets and a port */
    char *host;
    struct in_addr v4;

    if (length >= sizeof(copy) || memchr(text, '\0', length))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (!cut_port(copy, &host))
        return false;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        set_v4(ret_address, &v4);
        return true;
    }
    return inet_pton(AF_INET6, host, ret_address->bytes) == 1;
}

void http_address_of_socket(const struct sockaddr *socket, struct http_address *ret_address)
{
    *ret_address = (struct http_address){0};
    if (socket->sa_family == AF_INET)
        set_v4(ret_address, &((const struct sockaddr_in *)(const void *)socket)->sin_addr);
    else if (socket->sa_family == AF_INET6)
        memcpy(ret_address->bytes, &((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr,
               sizeof(ret_address->bytes));
}

void http_address_print(const struct http_address *address, char out[static HTTP_ADDRESS_SIZE])
{
    bool v4 = http_address_is_v4(address);

    (void)inet_ntop(v4 ? AF_INET : AF_INET6, address->bytes + (v4 ? V4_OFFSET : 0), out,
                    HTTP_ADDRESS_SIZE); /* it always fits */
}

bool http_address_is_loopback(const struct http_address *address)
{
    static const struct http_address v6 = {.bytes = {[15] = 1}};

    return http_address_is_v4(address) ? address->bytes[V4_OFFSET] == 127
                                       : memcmp(address->bytes, v6.bytes, sizeof(v6.bytes)) == 0;
}

/* --- networks -------------------------------------------------------------------------------- */

/* Of the byte at `at`, in a prefix of so many bits. */
static uint8_t byte_mask(unsigned bits, size_t at)
{
    unsigned before = 8 * (unsigned)at;

    if (bits <= before)
        return 0;
    if (bits >= before + 8)
        return 0xff;
    return (uint8_t)((0xff00u >> (bits - before)) & 0xff);
}

/* "/24": up to three digits. */
static bool parse_prefix(const char *text, size_t length, unsigned *ret_bits)
{
    unsigned bits = 0;

    if (length < 1 || length > 3)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        bits = bits * 10 + (unsigned)(text[i] - '0');
    }
    *ret_bits = bits;
    return true;
}

static bool parse_network(const char *text, size_t length, struct http_network *network)
{
    const char *slash = memchr(text, '/', length);
    size_t host = slash ? (size_t)(slash - text) : length;
    unsigned max;

    if (!http_address_parse(text, host, &network->address))
        return false;
    max = http_address_is_v4(&network->address) ? 128 - V4_BITS : 128;
    network->bits = max;
    if (slash &&
        (!parse_prefix(slash + 1, length - host - 1, &network->bits) || network->bits > max))
        return false;
    network->bits += 128 - max;
    for (size_t i = 0; i < sizeof(network->address.bytes); i++)
        network->address.bytes[i] &= byte_mask(network->bits, i);
    return true;
}

int http_networks_parse(const char *list, struct http_networks *ret_networks, struct dc_err *err)
{
    struct http_networks networks = {0};

    if (!list)
        list = "127.0.0.0/8,::1";
    while (*list) {
        size_t blanks = strspn(list, " \t,");
        size_t length = strcspn(list + blanks, " \t,");

        list += blanks;
        if (!length)
            break;
        if (networks.count == HTTP_NETWORKS_MAX)
            return dc_fail(err, DC_INVALID, 0, "more than %d networks", HTTP_NETWORKS_MAX);
        if (!parse_network(list, length, &networks.all[networks.count]))
            return dc_fail(err, DC_INVALID, 0, "'%.*s' is neither an IP address nor a network",
                           (int)length, list);
        networks.count++;
        list += length;
    }
    *ret_networks = networks;
    return 0;
}

static bool contains(const struct http_network *network, const struct http_address *address)
{
    for (size_t i = 0; i < sizeof(address->bytes); i++)
        if ((address->bytes[i] & byte_mask(network->bits, i)) != network->address.bytes[i])
            return false;
    return true;
}

bool http_networks_contain(const struct http_networks *networks, const struct http_address *address)
{
    for (size_t i = 0; i < networks->count; i++)
        if (contains(&networks->all[i], address))
            return true;
    return false;
}

/* --- proxies --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool http_forwarded_client(const char *forwarded, const struct http_networks *trusted,
                           struct http_address *client)
{
    size_t end = strlen(forwarded);

    while (http_networks_contain(trusted, client)) {
        size_t last = end;
        size_t start;

        while (last && is_blank(forwarded[last - 1]))
            last--;
        start = last;
        while (start && forwarded[start - 1] != ',')
            start--;
        end = start ? start - 1 : 0;
        while (start < last && is_blank(forwarded[start]))
            start++;
        if (!http_address_parse(forwarded + start, last - start, client))
            return false;
        if (!end)
            return true;
    }
    return false;
}
