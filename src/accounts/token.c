#include "accounts/token.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"

#include "base/poison.h"

enum { SECRET_BYTES = 32, CODES = 1000000, CODE_TEXT_MAX = 512 };

static const char *const prefixes[] = {"ds_", "dl_", "db_"};

void token_make(enum token_kind kind, char ret_text[static TOKEN_SIZE],
                uint8_t ret_hash[static STORE_HASH_BYTES])
{
    uint8_t secret[SECRET_BYTES];
    size_t head = strlen(prefixes[kind]);

    dc_random_bytes(secret, sizeof(secret));
    memcpy(ret_text, prefixes[kind], head);
    dc_hex(secret, sizeof(secret), ret_text + head);
    dc_wipe(secret, sizeof(secret));
    store_sha256(ret_text, TOKEN_SIZE - 1, ret_hash);
}

bool token_read(enum token_kind kind, const char *text, uint8_t ret_hash[static STORE_HASH_BYTES])
{
    size_t head = strlen(prefixes[kind]);

    if (strlen(text) != TOKEN_SIZE - 1 || memcmp(text, prefixes[kind], head) != 0 ||
        strspn(text + head, "0123456789abcdef") != TOKEN_SIZE - 1 - head)
        return false;
    store_sha256(text, TOKEN_SIZE - 1, ret_hash);
    return true;
}

/* Without bias: numbers of the last, unfinished round are drawn again. */
void code_make(char ret_code[static CODE_SIZE])
{
    uint32_t number;

    do {
        dc_random_bytes(&number, sizeof(number));
    } while (number >= UINT32_MAX / CODES * CODES);
    (void)snprintf(ret_code, CODE_SIZE, "%06u", number % CODES);
}

void code_hash(const char *code, const char *email, uint8_t ret_hash[static STORE_HASH_BYTES])
{
    char text[CODE_TEXT_MAX];
    int length = snprintf(text, sizeof(text), "%s:%s", code, email);

    store_sha256(text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1, ret_hash);
}
