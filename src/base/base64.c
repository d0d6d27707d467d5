#include "base/base64.h"

#include <stdint.h>

#include "base/poison.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool dc_base64_encode(struct dc_buf *out, const void *bytes, size_t length)
{
    const uint8_t *in = bytes;
    size_t wanted = DC_BASE64_LENGTH(length);
    char *to = dc_buf_reserve(out, wanted);

    if (!to)
        return false;
    for (; length >= 3; length -= 3, in += 3, to += 4) {
        to[0] = alphabet[in[0] >> 2];
        to[1] = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
        to[2] = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
        to[3] = alphabet[in[2] & 63];
    }
    if (length) {
        uint8_t second = length == 2 ? in[1] : 0;

        to[0] = alphabet[in[0] >> 2];
        to[1] = alphabet[(in[0] & 3) << 4 | second >> 4];
        to[2] = length == 2 ? alphabet[(second & 15) << 2] : '=';
        to[3] = '=';
    }
    dc_buf_commit(out, wanted);
    return true;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dc_base64_decode(const char *text, size_t length, void *out, size_t *ret_length)
{
    uint8_t *to = out;
    size_t padding = 0;

    if (length % 4)
        return false;
    if (length && text[length - 1] == '=')
        padding = text[length - 2] == '=' ? 2 : 1;
    for (size_t at = 0; at < length; at += 4) {
        size_t pad = at + 4 == length ? padding : 0;
        uint32_t group = 0;

        for (size_t i = 0; i < 4; i++) {
            int value = i >= 4 - pad ? 0 : value_of(text[at + i]);

            if (value < 0)
                return false;
            group = group << 6 | (uint32_t)value;
        }
        if (group & ((1u << (8 * pad)) - 1))
            return false;
        *to++ = (uint8_t)(group >> 16);
        if (pad < 2)
            *to++ = (uint8_t)(group >> 8);
        if (pad < 1)
            *to++ = (uint8_t)group;
    }
    *ret_length = length / 4 * 3 - padding;
    return true;
}
