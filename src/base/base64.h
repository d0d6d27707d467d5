/* Base64 of RFC 4648, section 4, with padding. Pure functions; all processes. */
#ifndef DOCLE_BASE_BASE64_H
#define DOCLE_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Characters that length bytes take, without a NUL. */
#define DC_BASE64_LENGTH(length) (((length) + 2) / 3 * 4)

/* Appends the encoding; false when it did not fit. */
bool dc_base64_encode(struct dc_buf *out, const void *bytes, size_t length);

/* Strict: the alphabet, padding and zero bits after the last byte exactly as an encoder writes
 * them, nothing between. out has room for length / 4 * 3 bytes. Returns false for anything else. */
bool dc_base64_decode(const char *text, size_t length, void *out, size_t *ret_length);

#endif
