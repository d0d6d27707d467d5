/* Amounts of money: integer millionths of a currency's unit, and decimal numbers outside. Exact
 * both ways; never floating point. Pure; API process and CLI. */
#ifndef DOCLE_LIMITS_MONEY_H
#define DOCLE_LIMITS_MONEY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MONEY_SIZE = 24, /* of the text, with the NUL */
};

#define MONEY_MAX_MICROS (INT64_C(1000000000) * 1000000) /* a billion units */

/* "12", "12.5", "0.001": at most six decimals, 0 to MONEY_MAX_MICROS. */
bool money_parse(const char *text, int64_t *ret_micros);

/* "0.042", "12", "-0.5": a JSON number, without zeros at its end. */
const char *money_print(int64_t micros, char out[static MONEY_SIZE]);

#endif
