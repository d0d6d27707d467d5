/* What users give webhooks: the first byte chooses a URL, or texts of an event that becomes JSON.
 */
#include <assert.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "webhooks/message.h"
#include "webhooks/url.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken has one host, and leads home under no name. */
static void try_url(const char *text)
{
    static const struct host_exceptions none;
    const struct sockaddr_in home = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in6 home6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct webhook_url url;
    struct dc_err err;

    for (int plain = 0; plain < 2; plain++) {
        if (webhook_url_read(text, plain, &url, &err) < 0) {
            assert(err.code == DC_INVALID);
            continue;
        }
        assert(plain || !url.plain);
        assert(*url.host && url.port && strcspn(url.host, "/?#@\\[] ") == strlen(url.host));
        assert(!webhook_url_allows(&url, &none, (const struct sockaddr *)&home));
        assert(!webhook_url_allows(&url, &none, (const struct sockaddr *)&home6));
    }
}

/* Whatever an end user is called, the body is one object of JSON and the signature one line. */
static void try_event(const char *text)
{
    struct store_webhook_event event = {
        .kind = "user", .type = "budget.threshold", .period = 202511};
    struct store_webhook webhook = {.secret = "dw_1", .old_secret = "dw_2"};
    char signature[WEBHOOK_SIGNATURE_SIZE];
    struct dc_buf body;

    (void)snprintf(event.subject, sizeof(event.subject), "%s", text);
    dc_buf_init(&body, WEBHOOK_BODY_MAX_BYTES);
    webhook_print_body(&event, &body);
    assert(!body.failed);
    webhook_sign(&webhook, 1764000000, dc_buf_str(&body), body.length, signature);
    assert(strspn(signature, "0123456789abcdefvt=,") == strlen(signature));
    if (strlen(text) < sizeof(event.subject)) { /* the store cuts no character in two */
        json_t *json = json_loadb(dc_buf_str(&body), body.length, 0, NULL);

        assert(json_is_object(json) || !dc_utf8_valid(text, strlen(text)));
        json_decref(json);
    }
    dc_buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = size ? malloc(size) : NULL;

    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] == 'u')
        try_url(text);
    else
        try_event(text);
    free(text);
    return 0;
}
