#include "base/utf8.h"

#include <stdint.h>

/* Number of continuation bytes that lead wants, and the range of the first of them; -1: no lead. */
static int lead_needs(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xbf;
    if (lead < 0x80)
        return 0;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0)
            *ret_low = 0xa0;
        if (lead == 0xed)
            *ret_high = 0x9f;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0)
            *ret_low = 0x90;
        if (lead == 0xf4)
            *ret_high = 0x8f;
        return 3;
    }
    return -1;
}

/* Bytes of the sequence at text that are well formed so far; *ret_whole tells if it is complete. */
static size_t scan(const uint8_t *bytes, size_t length, bool *ret_whole)
{
    uint8_t low;
    uint8_t high;
    int needs = lead_needs(bytes[0], &low, &high);
    size_t good = 1;

    *ret_whole = false;
    if (needs < 0)
        return 1;
    for (int i = 0; i < needs; i++) {
        if (good == length || bytes[good] < low || bytes[good] > high)
            return good;
        low = 0x80;
        high = 0xbf;
        good++;
    }
    *ret_whole = true;
    return good;
}

size_t dc_utf8_sequence(const char *text, size_t length)
{
    bool whole;
    size_t good = scan((const uint8_t *)text, length, &whole);

    return whole ? good : 0;
}

size_t dc_utf8_bad_length(const char *text, size_t length)
{
    bool whole;

    return scan((const uint8_t *)text, length, &whole);
}

bool dc_utf8_valid(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t step = dc_utf8_sequence(text + at, length - at);

        if (!step)
            return false;
        at += step;
    }
    return true;
}

size_t dc_utf8_cut(const char *text, size_t length)
{
    size_t back = 0;

    while (back < 3 && back < length && ((uint8_t)text[length - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < length) {
        uint8_t low;
        uint8_t high;
        int needs = lead_needs((uint8_t)text[length - 1 - back], &low, &high);

        if (needs > 0 && (size_t)needs > back)
            return length - 1 - back;
    }
    return length;
}
