/* Addresses, networks and X-Forwarded-For, a line each: what is read prints and reads again as
 * itself, and no header makes a client of an address that is not in it. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_address.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const char *text)
{
    struct http_address address;
    struct http_address again;
    char printed[HTTP_ADDRESS_SIZE];

    if (!http_address_parse(text, strlen(text), &address))
        return;
    http_address_print(&address, printed);
    assert(http_address_parse(printed, strlen(printed), &again));
    assert(memcmp(&address, &again, sizeof(address)) == 0);
}

static void check_forwarded(const struct http_networks *networks, const char *forwarded)
{
    struct http_address client;
    struct http_address before;

    (void)http_address_parse("127.0.0.1", 9, &client);
    before = client;
    if (!http_forwarded_client(forwarded, networks, &client) &&
        !http_networks_contain(networks, &before))
        assert(memcmp(&client, &before, sizeof(client)) == 0); /* nobody is believed unasked */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 3); /* three strings at the least */
    char *forwarded;
    char *list;
    struct http_networks networks;
    struct dc_err err;

    assert(text);
    memcpy(text, data, size);
    list = text + strcspn(text, "\n");
    *list++ = '\0';
    forwarded = list + strcspn(list, "\n");
    *forwarded++ = '\0';
    check_address(text);
    if (http_networks_parse(list, &networks, &err) == 0)
        check_forwarded(&networks, forwarded);
    free(text);
    return 0;
}
