#include "store/hash.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/poison.h"

void store_sha256(const void *bytes, size_t length, uint8_t ret_hash[static STORE_HASH_BYTES])
{
    _Static_assert(STORE_HASH_BYTES == SHA256_DIGEST_LENGTH, "size of a SHA-256");

    if (!SHA256(length ? bytes : "", length, ret_hash))
        abort();
}

bool store_equal(const void *one, const void *two, size_t length)
{
    return CRYPTO_memcmp(one, two, length) == 0;
}
