#include "webhooks/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "limits/money.h"
#include "store/hash.h"

#include "base/poison.h"

enum { SECRET_BYTES = 32 };

static void print_budget(const struct store_webhook_event *event, struct dc_buf *out)
{
    char amount[MONEY_SIZE];
    char budget[MONEY_SIZE];

    (void)dc_buf_printf(out, "\"budget\":\"%s\",\"subject\":", event->kind);
    (void)dc_buf_json_string(out, event->subject, strlen(event->subject));
    (void)dc_buf_printf(out,
                        ",\"period\":\"%04d-%02d\",\"threshold\":%" PRId64
                        ",\"amount\":%s,\"limit\":%s,\"currency\":",
                        (int)(event->period / 100), (int)(event->period % 100), event->threshold,
                        money_print(event->amount_micros, amount),
                        money_print(event->budget_micros, budget));
    (void)dc_buf_json_string(out, event->currency, strlen(event->currency));
}

void webhook_print_body(const struct store_webhook_event *event, struct dc_buf *out)
{
    char at[25];

    dc_format_iso8601(event->at, at);
    (void)dc_buf_printf(
        out,
        "{\"id\":\"%s\",\"type\":\"%s\",\"created_at\":\"%s\",\"project_id\":\"%s\",\"data\":{",
        event->id, event->type, at, event->project_id);
    if (*event->kind)
        print_budget(event, out);
    (void)dc_buf_text(out, "}}");
}

void webhook_sign(const struct store_webhook *webhook, int64_t now_s, const char *body,
                  size_t length, char ret_header[static WEBHOOK_SIGNATURE_SIZE])
{
    const char *const secrets[] = {webhook->secret, webhook->old_secret};
    char head[32];
    int head_length = snprintf(head, sizeof(head), "%" PRId64 ".", now_s);
    int at = snprintf(ret_header, WEBHOOK_SIGNATURE_SIZE, "t=%" PRId64, now_s);

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        uint8_t mac[STORE_HASH_BYTES];
        char hex[2 * STORE_HASH_BYTES + 1];

        if (!*secrets[i])
            continue;
        store_hmac_sha256(secrets[i], head, (size_t)head_length, body, length, mac);
        dc_hex(mac, sizeof(mac), hex);
        at += snprintf(ret_header + at, WEBHOOK_SIGNATURE_SIZE - (size_t)at, ",v1=%s", hex);
    }
}

void webhook_secret_make(char ret_secret[static STORE_WEBHOOK_SECRET_SIZE])
{
    uint8_t secret[SECRET_BYTES];

    dc_random_bytes(secret, sizeof(secret));
    memcpy(ret_secret, "dw_", 3);
    dc_hex(secret, sizeof(secret), ret_secret + 3);
    dc_wipe(secret, sizeof(secret));
}
