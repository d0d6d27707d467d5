#include "billing/signature.h"

#include <string.h>

#include "base/io.h"
#include "store/hash.h"

#include "base/poison.h"

enum { STAMP_DIGITS_MAX = 12 };

/* The stamp of a header, or -1. One only: two would leave open which one was signed. */
static int64_t read_stamp(const char *header)
{
    int64_t stamp = -1;

    for (const char *at = header; at; at = strchr(at, ',')) {
        int64_t number = 0;
        size_t digits;

        at += *at == ',';
        if (strncmp(at, "t=", 2) != 0)
            continue;
        digits = strspn(at + 2, "0123456789");
        if (stamp >= 0 || !digits || digits > STAMP_DIGITS_MAX ||
            (at[2 + digits] != ',' && at[2 + digits] != '\0'))
            return -1;
        for (size_t i = 0; i < digits; i++)
            number = number * 10 + (at[2 + i] - '0');
        stamp = number;
        if (!*at)
            break;
    }
    return stamp;
}

/* Is one of the header's v1 this one? Looks at all of them. */
static bool has_signature(const char *header, const char wanted[static 2 * STORE_HASH_BYTES])
{
    bool found = false;

    for (const char *at = header; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "v1=", 3) == 0 && strcspn(at + 3, ",") == (size_t)2 * STORE_HASH_BYTES)
            found |= store_equal(at + 3, wanted, (size_t)2 * STORE_HASH_BYTES);
    }
    return found;
}

bool signature_valid(const char *header, const char *body, size_t length,
                     const char *const secrets[static SIGNATURE_SECRETS], int64_t now_s)
{
    bool valid = false;
    char head[STAMP_DIGITS_MAX + 2];
    size_t head_length;
    const char *text;
    int64_t stamp;

    if (!header || strlen(header) > SIGNATURE_HEADER_MAX_BYTES)
        return false;
    stamp = read_stamp(header);
    if (stamp < 0 || now_s - stamp > SIGNATURE_TOLERANCE_S || stamp - now_s > SIGNATURE_TOLERANCE_S)
        return false;
    text = strncmp(header, "t=", 2) == 0 ? header + 2 : strstr(header, ",t=") + 3;
    head_length = strspn(text, "0123456789"); /* as it was sent: leading zeros are signed too */
    memcpy(head, text, head_length);
    head[head_length++] = '.';
    for (int i = 0; i < SIGNATURE_SECRETS; i++) {
        uint8_t mac[STORE_HASH_BYTES];
        char hex[2 * STORE_HASH_BYTES + 1];

        if (!secrets[i] || !*secrets[i])
            continue;
        store_hmac_sha256(secrets[i], head, head_length, body, length, mac);
        dc_hex(mac, sizeof(mac), hex);
        valid |= has_signature(header, hex);
    }
    return valid;
}
