#include "store/hash.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/poison.h"

void store_sha256(const void *bytes, size_t length, uint8_t ret_hash[static STORE_HASH_BYTES])
{
    _Static_assert(STORE_HASH_BYTES == SHA256_DIGEST_LENGTH, "size of a SHA-256");

    if (!SHA256(length ? bytes : "", length, ret_hash))
        abort();
}

/* The library's own structure under a name of ours. */
static EVP_MD_CTX *context_of(struct store_hash *hash)
{
    return (EVP_MD_CTX *)(void *)hash;
}

static void begin(EVP_MD_CTX *context)
{
    if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        abort();
}

struct store_hash *store_hash_new(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (context)
        begin(context);
    return (struct store_hash *)(void *)context;
}

void store_hash_free(struct store_hash *hash)
{
    EVP_MD_CTX_free(context_of(hash));
}

void store_hash_add(struct store_hash *hash, const void *bytes, size_t length)
{
    if (EVP_DigestUpdate(context_of(hash), bytes, length) != 1)
        abort();
}

void store_hash_end(struct store_hash *hash, uint8_t ret_hash[static STORE_HASH_BYTES])
{
    if (EVP_DigestFinal_ex(context_of(hash), ret_hash, NULL) != 1)
        abort();
    begin(context_of(hash));
}

enum { HMAC_BLOCK = 64 };

static void hmac_half(struct store_hash *hash, const uint8_t key[static HMAC_BLOCK], uint8_t pad)
{
    uint8_t block[HMAC_BLOCK];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    store_hash_add(hash, block, sizeof(block));
    OPENSSL_cleanse(block, sizeof(block));
}

void store_hmac_sha256(const char *secret, const void *head, size_t head_length, const void *body,
                       size_t body_length, uint8_t ret_mac[static STORE_HASH_BYTES])
{
    DC_AUTO(store_hash_free) struct store_hash *hash = store_hash_new();
    uint8_t key[HMAC_BLOCK] = {0};

    if (!hash)
        abort();
    if (strlen(secret) > sizeof(key))
        store_sha256(secret, strlen(secret), key);
    else
        memcpy(key, secret, strlen(secret));
    hmac_half(hash, key, 0x36);
    store_hash_add(hash, head, head_length);
    store_hash_add(hash, body, body_length);
    store_hash_end(hash, ret_mac);
    hmac_half(hash, key, 0x5c);
    store_hash_add(hash, ret_mac, STORE_HASH_BYTES);
    store_hash_end(hash, ret_mac);
    OPENSSL_cleanse(key, sizeof(key));
}

bool store_equal(const void *one, const void *two, size_t length)
{
    return CRYPTO_memcmp(one, two, length) == 0;
}
