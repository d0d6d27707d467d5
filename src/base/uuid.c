#include "base/uuid.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/io.h"

#include "base/poison.h"

void dc_uuid7(int64_t wall_ns, char out[static DC_UUID_SIZE])
{
    uint64_t ms = (uint64_t)(wall_ns / DC_NS_PER_MS);
    uint32_t fraction = (uint32_t)((wall_ns % DC_NS_PER_MS) * 4096 / DC_NS_PER_MS);
    uint8_t bytes[16];
    char hex[sizeof(bytes) * 2 + 1];
    size_t at = 0;

    dc_random_bytes(bytes + 8, 8);
    for (size_t i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
    bytes[6] = (uint8_t)(0x70 | (fraction >> 8));
    bytes[7] = (uint8_t)fraction;
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));
    dc_hex(bytes, sizeof(bytes), hex);
    for (size_t i = 0; i < sizeof(bytes) * 2; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[at++] = '-';
        out[at++] = hex[i];
    }
    out[at] = '\0';
}

bool dc_uuid_valid(const char *text)
{
    for (size_t i = 0; i < DC_UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');

        if (dash ? text[i] != '-' : !hex)
            return false;
    }
    return text[DC_UUID_SIZE - 1] == '\0';
}
