#include "base/buf.h"
#include "base/utf8.h"

#include <stdint.h>

static bool append_escape(struct dc_buf *buf, char c)
{
    static const char hex[] = "0123456789abcdef";
    char out[6] = {'\\', 'u', '0', '0', hex[(uint8_t)c >> 4], hex[(uint8_t)c & 15]};

    switch (c) {
    case '"':
        return dc_buf_append(buf, "\\\"", 2);
    case '\\':
        return dc_buf_append(buf, "\\\\", 2);
    case '\n':
        return dc_buf_append(buf, "\\n", 2);
    case '\r':
        return dc_buf_append(buf, "\\r", 2);
    case '\t':
        return dc_buf_append(buf, "\\t", 2);
    default:
        return dc_buf_append(buf, out, sizeof(out));
    }
}

bool dc_buf_json_string(struct dc_buf *buf, const char *text, size_t length)
{
    size_t plain = 0; /* start of the stretch not yet copied */
    size_t at = 0;
    bool good = dc_buf_byte(buf, '"');

    while (at < length && good) {
        uint8_t c = (uint8_t)text[at];
        size_t step = c < 0x80 ? 1 : dc_utf8_sequence(text + at, length - at);

        if (step && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            at += step;
            continue;
        }
        good = dc_buf_append(buf, text + plain, at - plain);
        if (step) {
            good = good && append_escape(buf, text[at]);
            at += 1;
        } else {
            good = good && dc_buf_append(buf, "\xef\xbf\xbd", 3);
            at += dc_utf8_bad_length(text + at, length - at);
        }
        plain = at;
    }
    good = good && dc_buf_append(buf, text + plain, length - plain);
    return good && dc_buf_byte(buf, '"');
}
