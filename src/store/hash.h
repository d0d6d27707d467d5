/* SHA-256 and comparison in constant time, by libcrypto. No state; any thread. */
#ifndef DOCLE_STORE_HASH_H
#define DOCLE_STORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STORE_HASH_BYTES = 32 };

/* Aborts the process when libcrypto cannot compute: there is no meaningful way on. */
void store_sha256(const void *bytes, size_t length, uint8_t ret_hash[static STORE_HASH_BYTES]);

/* Time depends on length alone. */
bool store_equal(const void *one, const void *two, size_t length);

#endif
