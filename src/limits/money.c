#include "limits/money.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/poison.h"

enum { MICROS = 1000000, DECIMALS = 6 };

bool money_parse(const char *text, int64_t *ret_micros)
{
    size_t whole = strspn(text, "0123456789");
    size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    int64_t micros = 0;

    if (!whole || whole > 10 || decimals > DECIMALS || (text[whole] == '.' && !decimals) ||
        text[whole + (text[whole] == '.') + decimals])
        return false;
    for (size_t i = 0; i < whole; i++)
        micros = micros * 10 + (text[i] - '0');
    for (size_t i = 0; i < DECIMALS; i++)
        micros = micros * 10 + (i < decimals ? text[whole + 1 + i] - '0' : 0);
    if (micros > MONEY_MAX_MICROS)
        return false;
    *ret_micros = micros;
    return true;
}

const char *money_print(int64_t micros, char out[static MONEY_SIZE])
{
    uint64_t size = micros < 0 ? -(uint64_t)micros : (uint64_t)micros;
    const char *sign = micros < 0 ? "-" : "";
    uint64_t rest = size % MICROS;
    int digits = DECIMALS;

    while (digits && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    if (digits)
        (void)snprintf(out, MONEY_SIZE, "%s%" PRIu64 ".%0*" PRIu64, sign, size / MICROS, digits,
                       rest);
    else
        (void)snprintf(out, MONEY_SIZE, "%s%" PRIu64, sign, size / MICROS);
    return out;
}
