#include "store/hash.h"

#include <stdlib.h>

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

bool store_equal(const void *one, const void *two, size_t length)
{
    return CRYPTO_memcmp(one, two, length) == 0;
}
