#include "egress/tls_hello.h"

#include <stdbool.h>
#include <string.h>

#include "egress/host_rule.h"

#include "base/poison.h"

enum {
    RECORD_HANDSHAKE = 22,
    RECORD_HEAD = 5,
    RECORD_MAX = 1 << 14,
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_HEAD = 4,
    RANDOM_BYTES = 32,
    SESSION_ID_MAX = 32,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ENCRYPTED_HELLO = 0xfe0d,
    NAME_IS_HOST = 0,
    HELLO_MAX = 1 << 14,
};

/* A reader that never goes past its end; failed sticks. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static const uint8_t *take(struct reader *reader, size_t count)
{
    const uint8_t *bytes = reader->at;

    if (reader->failed || count > reader->left) {
        reader->failed = true;
        return NULL;
    }
    reader->at += count;
    reader->left -= count;
    return bytes;
}

static size_t take_number(struct reader *reader, size_t width)
{
    const uint8_t *bytes = take(reader, width);
    size_t number = 0;

    for (size_t i = 0; bytes && i < width; i++)
        number = number << 8 | bytes[i];
    return number;
}

static struct reader take_vector(struct reader *reader, size_t width)
{
    size_t length = take_number(reader, width);
    const uint8_t *bytes = take(reader, length);

    return (struct reader){bytes, bytes ? length : 0, reader->failed};
}

static bool read_name(struct reader extension, char out[static DC_HOST_NAME_MAX_BYTES + 1])
{
    struct reader list = take_vector(&extension, 2);
    size_t kind = take_number(&list, 1);
    struct reader name = take_vector(&list, 2);
    size_t length = name.left;

    if (list.failed || name.failed || list.left || extension.left || kind != NAME_IS_HOST)
        return false;
    if (length && name.at[length - 1] == '.')
        length--;
    if (!length || length > DC_HOST_NAME_MAX_BYTES || memchr(name.at, '\0', length))
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = (char)name.at[i];

        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    out[length] = '\0';
    return host_name_valid(out);
}

static enum peek_result read_hello(struct reader hello, char out[static DC_HOST_NAME_MAX_BYTES + 1])
{
    struct reader extensions;
    unsigned names = 0;

    (void)take(&hello, 2 + RANDOM_BYTES); /* version, random */
    if (take_vector(&hello, 1).left > SESSION_ID_MAX)
        return PEEK_NONE;
    (void)take_vector(&hello, 2); /* cipher suites */
    (void)take_vector(&hello, 1); /* compression */
    extensions = take_vector(&hello, 2);
    if (hello.failed || hello.left)
        return PEEK_NONE;
    while (extensions.left && !extensions.failed) {
        size_t kind = take_number(&extensions, 2);
        struct reader body = take_vector(&extensions, 2);

        if (extensions.failed || kind == EXTENSION_ENCRYPTED_HELLO)
            return PEEK_NONE;
        if (kind == EXTENSION_SERVER_NAME && (names++ || !read_name(body, out)))
            return PEEK_NONE;
    }
    return names == 1 && !extensions.failed ? PEEK_FOUND : PEEK_NONE;
}

/* Joins the handshake's bytes out of the records. */
enum peek_result tls_hello_name(const uint8_t *bytes, size_t length,
                                char ret_name[static DC_HOST_NAME_MAX_BYTES + 1])
{
    uint8_t message[HELLO_MAX + MESSAGE_HEAD];
    size_t have = 0;
    size_t want = MESSAGE_HEAD;

    while (have < want) {
        size_t record;
        size_t here;

        if (length < RECORD_HEAD)
            return length && bytes[0] != RECORD_HANDSHAKE ? PEEK_NONE : PEEK_MORE;
        record = (size_t)bytes[3] << 8 | bytes[4];
        if (bytes[0] != RECORD_HANDSHAKE || bytes[1] != 3 || !record || record > RECORD_MAX)
            return PEEK_NONE;
        here = length - RECORD_HEAD < record ? length - RECORD_HEAD : record;
        if (here > sizeof(message) - have)
            here = sizeof(message) - have;
        memcpy(message + have, bytes + RECORD_HEAD, here);
        have += here;
        if (have >= MESSAGE_HEAD) {
            size_t body = (size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3];

            if (message[0] != MESSAGE_CLIENT_HELLO || body > HELLO_MAX)
                return PEEK_NONE;
            want = MESSAGE_HEAD + body;
        }
        if (have >= want)
            break;
        if (length - RECORD_HEAD < record)
            return PEEK_MORE;
        bytes += RECORD_HEAD + record;
        length -= RECORD_HEAD + record;
    }
    return read_hello((struct reader){message + MESSAGE_HEAD, want - MESSAGE_HEAD, false},
                      ret_name);
}
