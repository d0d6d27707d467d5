/* Targets that are taken: decoded, and decoded again, they name nothing outside, in whatever
 * reading. */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_path.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes in place, leniently; returns the new length. */
static size_t decode(char *text, size_t length)
{
    size_t out = 0;

    for (size_t i = 0; i < length; i++) {
        char digits[3] = {0};

        if (text[i] == '%' && i + 2 < length && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            memcpy(digits, text + i + 1, 2);
            text[out++] = (char)strtoul(digits, NULL, 16);
            i += 2;
        } else {
            text[out++] = text[i];
        }
    }
    return out;
}

static void check_plain(const char *path, size_t length)
{
    size_t start = 0;

    for (size_t i = 0; i <= length; i++) {
        if (i < length && path[i] != '/' && path[i] != '\\') {
            assert((unsigned char)path[i] >= 0x20 && path[i] != 0x7f);
            continue;
        }
        assert(i == length || path[i] == '/');
        assert(!(i - start == 1 && path[start] == '.'));
        assert(!(i - start == 2 && path[start] == '.' && path[start + 1] == '.'));
        start = i + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *target = calloc(1, size + 1);
    size_t length;

    assert(target);
    memcpy(target, data, size);
    if (http_path_well_formed(target)) {
        length = decode(target, strcspn(target, "?"));
        check_plain(target, length);
        assert(decode(target, length) == length);
    }
    free(target);
    return 0;
}
