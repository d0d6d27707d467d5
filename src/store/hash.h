/* SHA-256 and comparison in constant time, by libcrypto. No state; any thread. */
#ifndef DOCLE_STORE_HASH_H
#define DOCLE_STORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

enum { STORE_HASH_BYTES = 32 };

/* Aborts the process when libcrypto cannot compute: there is no meaningful way on. */
void store_sha256(const void *bytes, size_t length, uint8_t ret_hash[static STORE_HASH_BYTES]);

/* HMAC (RFC 2104) of head and body, one after the other. */
void store_hmac_sha256(const char *secret, const void *head, size_t head_length, const void *body,
                       size_t body_length, uint8_t ret_mac[static STORE_HASH_BYTES]);

/* The same piece by piece; for one thread at a time. */
struct store_hash;
struct store_hash *store_hash_new(void); /* NULL without memory */
void store_hash_free(struct store_hash *hash);
void store_hash_add(struct store_hash *hash, const void *bytes, size_t length);
/* Of what was added since the last end; begins anew. */
void store_hash_end(struct store_hash *hash, uint8_t ret_hash[static STORE_HASH_BYTES]);
DC_AUTO_DEFINE(struct store_hash *, store_hash_free)

/* Time depends on length alone. */
bool store_equal(const void *one, const void *two, size_t length);

#endif
