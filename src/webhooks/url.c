#include "webhooks/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

enum { URL_MAX_BYTES = 2048, PORT_HTTP = 80, PORT_HTTPS = 443 };

/* No blank, no control character, nothing beyond ASCII; none that readers of URLs disagree on. */
static bool is_plain_text(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f || strchr("\\\"<>^`{|}#", *text))
            return false;
    return true;
}

static int read_port(const char *text, size_t length, uint16_t *ret_port, struct dc_err *err)
{
    unsigned long port = length && length <= 5 ? strtoul(text, NULL, 10) : 0;

    if (strspn(text, "0123456789") < length || port < 1 || port > UINT16_MAX)
        return dc_fail(err, DC_INVALID, 0, "its port must be a number from 1 to 65535");
    *ret_port = (uint16_t)port;
    return 0;
}

static int read_v6(const char *text, size_t length, struct webhook_url *url, struct dc_err *err)
{
    struct in6_addr address;

    if (length < sizeof(url->host)) {
        memcpy(url->host, text, length);
        url->host[length] = '\0';
        if (inet_pton(AF_INET6, url->host, &address) == 1)
            return 0;
    }
    return dc_fail(err, DC_INVALID, 0, "what stands between [ and ] must be an IPv6 address");
}

static int read_name(const char *text, size_t length, struct webhook_url *url, struct dc_err *err)
{
    uint32_t address;

    if (address_parse_v4(text, length, &address)) {
        memcpy(url->host, text, length);
        url->host[length] = '\0';
        return 0;
    }
    if (address_looks_numeric(text, length))
        return dc_fail(err, DC_INVALID, 0,
                       "write an IPv4 address as four decimal numbers, or give a name");
    if (host_name_normalise(text, length, url->host, err) < 0)
        return dc_fail(err, DC_INVALID, 0, "its host is no name of a host");
    return 0;
}

/* text: from the host on. */
static int read_authority(const char *text, struct webhook_url *url, struct dc_err *err)
{
    size_t length = strcspn(text, "/?");
    const char *end = text + length;
    const char *colon;
    size_t host;

    if (memchr(text, '@', length))
        return dc_fail(err, DC_INVALID, 0, "it must not hold a user or a password");
    if (*text == '[') {
        const char *bracket = memchr(text, ']', length);

        if (!bracket)
            return dc_fail(err, DC_INVALID, 0, "a ] is missing in it");
        if (read_v6(text + 1, (size_t)(bracket - text - 1), url, err) < 0)
            return -err->code;
        host = (size_t)(bracket + 1 - text);
    } else {
        colon = memchr(text, ':', length);
        host = colon ? (size_t)(colon - text) : length;
        if (read_name(text, host, url, err) < 0)
            return -err->code;
    }
    if (text + host == end)
        return 0;
    if (text[host] != ':')
        return dc_fail(err, DC_INVALID, 0, "nothing but a port may stand behind its host");
    return read_port(text + host + 1, length - host - 1, &url->port, err);
}

int webhook_url_read(const char *text, bool plain, struct webhook_url *ret_url, struct dc_err *err)
{
    struct webhook_url url = {.port = PORT_HTTPS};
    const char *rest = text;

    if (strlen(text) > URL_MAX_BYTES)
        return dc_fail(err, DC_INVALID, 0, "is longer than %d bytes", URL_MAX_BYTES);
    if (!is_plain_text(text))
        return dc_fail(err, DC_INVALID, 0,
                       "must be ASCII without blanks and fragment; write other characters as %%XX");
    if (strncmp(text, "https://", 8) == 0) {
        rest = text + 8;
    } else if (plain && strncmp(text, "http://", 7) == 0) {
        rest = text + 7;
        url.plain = true;
        url.port = PORT_HTTP;
    } else {
        return dc_fail(err, DC_INVALID, 0, "must begin with https://%s",
                       plain ? " or http://" : "");
    }
    if (read_authority(rest, &url, err) < 0)
        return -err->code;
    *ret_url = url;
    return 0;
}

bool webhook_url_allows(const struct webhook_url *url, const struct host_exceptions *exceptions,
                        const struct sockaddr *address)
{
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return false;
    return address_class_of(address) == ADDRESS_PUBLIC ||
           host_exceptions_hold(exceptions, url->host, address, url->port);
}
