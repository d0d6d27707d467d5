/* Rules of a key and what a browser says of itself, a line each: a rule that is taken reads again
 * as itself, and a host matches only what it ends with. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "limits/domains.h"
#include "limits/money.h"
#include "limits/networks.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_domain(const char *rule, size_t length, const char *origin)
{
    DC_AUTO(dc_buf_release) struct dc_buf list;
    DC_AUTO(dc_buf_release) struct dc_buf again;
    char host[DOMAIN_SIZE];
    struct domain_set set = {0};
    struct dc_err err;
    const char *bare;

    dc_buf_init(&list, 1024);
    dc_buf_init(&again, 1024);
    if (domains_add(&list, rule, length, &err) < 0)
        return;
    assert(domains_add(&again, list.data, list.length, &err) == 0);
    assert(strcmp(list.data, again.data) == 0 && !strchr(list.data, ','));
    bare = list.data + (strncmp(list.data, "*.", 2) == 0 ? 2 : 0);
    if (!origin_host(origin, host))
        return;
    assert(domain_set_add(&set, list.data, &err) == 0);
    assert(domains_match(list.data, host) == domain_set_match(&set, host));
    if (domains_match(list.data, host)) {
        assert(strlen(host) >= strlen(bare));
        assert(strcmp(host + strlen(host) - strlen(bare), bare) == 0);
    }
    domain_set_release(&set);
}

static void check_network(const char *entry, size_t length)
{
    DC_AUTO(dc_buf_release) struct dc_buf list;
    DC_AUTO(dc_buf_release) struct dc_buf again;
    struct dc_err err;

    dc_buf_init(&list, 1024);
    dc_buf_init(&again, 1024);
    if (networks_add(&list, entry, length, &err) < 0)
        return;
    assert(networks_add(&again, list.data, list.length, &err) == 0);
    assert(strcmp(list.data, again.data) == 0);
}

static void check_money(const char *text)
{
    char printed[MONEY_SIZE];
    int64_t micros;
    int64_t again;

    if (!money_parse(text, &micros))
        return;
    assert(money_parse(money_print(micros, printed), &again) && again == micros);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 2);
    size_t length;

    assert(text);
    memcpy(text, data, size);
    length = strcspn(text, "\n");
    text[length] = '\0';
    check_domain(text, length, text + length + 1);
    check_network(text, length);
    check_money(text);
    free(text);
    return 0;
}
