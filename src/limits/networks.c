#include "limits/networks.h"

#include <string.h>

#include "base/poison.h"

enum { ENTRY_MAX = HTTP_ADDRESS_SIZE + 8, V4_BITS = 96 };

static bool is_v4(const struct http_network *network, const char *printed)
{
    return network->bits >= V4_BITS && !strchr(printed, ':');
}

static size_t count_of(const struct dc_buf *list)
{
    size_t count = list->length > 0;

    for (size_t i = 0; i < list->length; i++)
        count += list->data[i] == ',';
    return count;
}

static int fail_entry(struct dc_err *err)
{
    return dc_fail(err, DC_INVALID, 0,
                   "is no address or network such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32");
}

int networks_add(struct dc_buf *list, const char *entry, size_t length, struct dc_err *err)
{
    char text[ENTRY_MAX];
    char printed[HTTP_ADDRESS_SIZE];
    struct http_networks networks;
    struct http_network *network = &networks.all[0];
    bool v4;
    bool whole;

    if (!length || length >= sizeof(text) || memchr(entry, ',', length) ||
        memchr(entry, '\0', length))
        return fail_entry(err);
    memcpy(text, entry, length);
    text[length] = '\0';
    if (http_networks_parse(text, &networks, err) < 0 || networks.count != 1)
        return fail_entry(err);
    http_address_print(&network->address, printed);
    if (count_of(list) == HTTP_NETWORKS_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d addresses", HTTP_NETWORKS_MAX);
    v4 = is_v4(network, printed);
    whole = network->bits == 128;
    if ((list->length && !dc_buf_byte(list, ',')) || !dc_buf_text(list, printed) ||
        (!whole && !dc_buf_printf(list, "/%u", v4 ? network->bits - V4_BITS : network->bits)))
        return dc_fail(err, DC_LIMIT, 0, "the addresses are longer than %zu bytes together",
                       list->max);
    return 0;
}

bool networks_match(const char *list, const struct http_address *address)
{
    struct http_networks networks;
    struct dc_err err;

    return http_networks_parse(list, &networks, &err) == 0 &&
           http_networks_contain(&networks, address);
}
