/* UTF-8 scanning. Pure functions; all processes. */
#ifndef DOCLE_BASE_UTF8_H
#define DOCLE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes (1 to 4) of the well-formed sequence at text, or 0 when there is none. length >
 * 0. Overlong forms, surrogates and values above U+10FFFF are not well formed (Unicode 15, table
 * 3-7). */
size_t dc_utf8_sequence(const char *text, size_t length);

/* Length of the maximal bad subsequence at text, at least 1; call when dc_utf8_sequence gave 0. */
size_t dc_utf8_bad_length(const char *text, size_t length);

bool dc_utf8_valid(const char *text, size_t length);

/* How many of the first length bytes end on a character boundary: cuts an unfinished last
 * character off, and only that. */
size_t dc_utf8_cut(const char *text, size_t length);

#endif
