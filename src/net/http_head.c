#include "net/http_head.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_path.h"
#include "net/http_split.h"

#include "base/poison.h"

static const struct http_refusal bad_request = {
    400, "Bad request", "bad_request",
    "The request is not well-formed HTTP/1.1; send it with an ordinary HTTP client."};
static const struct http_refusal bad_framing = {
    400, "Bad request", "bad_framing",
    "The length of the body is not clear; send one Content-Length, or one Transfer-Encoding: "
    "chunked."};
static const struct http_refusal bad_host = {400, "Bad request", "bad_host",
                                             "Send exactly one Host header."};
static const struct http_refusal bad_version = {505, "HTTP version not supported", "bad_version",
                                                "Use HTTP/1.1."};
static const struct http_refusal bad_path = {
    400, "Bad request", "bad_request",
    "The URL's path is not clear; send it without dot segments, backslashes and encoded slashes, "
    "percent signs or control characters."};
static const struct http_refusal target_too_long = {414, "URI too long", "uri_too_long",
                                                    "Keep the URL below 8 KiB."};
static const struct http_refusal head_too_long = {
    431, "Request header fields too large", "headers_too_large",
    "Send fewer or smaller headers: at most 100, 16 KiB together."};

/* --- scanning -------------------------------------------------------------------------------- */

const struct http_refusal *http_head_too_long(const char *bytes, size_t length)
{
    return memchr(bytes, '\n', length) ? &head_too_long : &target_too_long;
}

static bool is_token_char(unsigned char c)
{
    return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_value_char(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* "METHOD SP target SP HTTP/1.x"; line ends before CRLF. */
static const struct http_refusal *check_request_line(const char *line, size_t length)
{
    size_t at = 0;
    size_t start;

    while (at < length && at < 15 && isupper((unsigned char)line[at]))
        at++;
    if (at == 0 || at == length || line[at] != ' ')
        return &bad_request;
    start = ++at;
    while (at < length && (unsigned char)line[at] > 0x20 && (unsigned char)line[at] < 0x7f)
        at++;
    if (at - start > HTTP_TARGET_MAX_BYTES)
        return &target_too_long;
    if (at == start || line[start] != '/' || at == length || line[at] != ' ')
        return &bad_request;
    at++;
    if (length - at != 8 || memcmp(line + at, "HTTP/", 5) != 0 ||
        !isdigit((unsigned char)line[at + 5]) || line[at + 6] != '.' ||
        !isdigit((unsigned char)line[at + 7]))
        return &bad_request;
    if (memcmp(line + at, "HTTP/1.1", 8) != 0 && memcmp(line + at, "HTTP/1.0", 8) != 0)
        return &bad_version;
    return NULL;
}

static const struct http_refusal *check_field_line(const char *line, size_t length)
{
    size_t at = 0;

    while (at < length && is_token_char((unsigned char)line[at]))
        at++;
    if (at == 0 || at == length || line[at] != ':')
        return &bad_request;
    for (; at < length; at++)
        if (!is_value_char((unsigned char)line[at]))
            return &bad_request;
    return NULL;
}

static const struct http_refusal *check_lines(const char *text, size_t length)
{
    const struct http_refusal *refusal = NULL;
    bool ended = false; /* by the empty line */
    size_t fields = 0;
    size_t at = 0;

    while (!refusal && at < length) {
        const char *end = memmem(text + at, length - at, "\r\n", 2);
        size_t line = end ? (size_t)(end - text) - at : 0;

        if (!end || (!line && at + 2 != length))
            return &bad_request;
        if (at == 0)
            refusal = check_request_line(text, line);
        else if (line)
            refusal = check_field_line(text + at, line);
        else
            ended = true;
        fields += at && line;
        at += line + 2;
    }
    if (!refusal && !ended)
        return &bad_request;
    if (!refusal && fields > HTTP_FIELDS_MAX)
        return &head_too_long;
    return refusal;
}

/* --- arriving -------------------------------------------------------------------------------- */

/* A line feed without its carriage return, or a NUL, among the bytes from `from` on. */
static bool has_bad_byte(const char *bytes, size_t length, size_t from)
{
    const char *end = bytes + length;

    if (memchr(bytes + from, '\0', length - from))
        return true;
    for (const char *at = bytes + from; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        if (at == bytes || at[-1] != '\r')
            return true;
    return false;
}

size_t http_head_scan(const char *bytes, size_t length, size_t seen,
                      const struct http_refusal **ret_refusal)
{
    size_t from = seen > 3 ? seen - 3 : 0;
    const char *end = memmem(bytes + from, length - from, "\r\n\r\n", 4);
    const char *line;

    *ret_refusal = NULL;
    if (end)
        return (size_t)(end - bytes) + 4;
    if (!length)
        return 0;
    if (!isupper((unsigned char)bytes[0])) {
        *ret_refusal = &bad_request;
        return 0;
    }
    line = memchr(bytes, '\n', length);
    if (line && line >= bytes + seen && line[-1] == '\r')
        *ret_refusal = check_request_line(bytes, (size_t)(line - bytes) - 1);
    if (!*ret_refusal && has_bad_byte(bytes, length, seen))
        *ret_refusal = &bad_request;
    return 0;
}

/* --- meaning --------------------------------------------------------------------------------- */

const char *http_head_field(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (strcmp(head->fields[i].name, name) == 0)
            return head->fields[i].value;
    return NULL;
}

static size_t count_fields(const struct http_head *head, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < head->field_count; i++)
        count += strcmp(head->fields[i].name, name) == 0;
    return count;
}

static const struct http_refusal *read_framing(struct http_head *head)
{
    const char *length = http_head_field(head, "content-length");
    const char *coding = http_head_field(head, "transfer-encoding");
    char *end;

    if (count_fields(head, "content-length") > 1 || count_fields(head, "transfer-encoding") > 1 ||
        (length && coding) || (coding && head->minor == 0))
        return &bad_framing;
    if (coding) {
        head->chunked = strcasecmp(coding, "chunked") == 0;
        return head->chunked ? NULL : &bad_framing;
    }
    if (!length)
        return NULL;
    if (!isdigit((unsigned char)length[0]) || strspn(length, "0123456789") != strlen(length) ||
        strlen(length) > 18)
        return &bad_framing;
    head->has_length = true;
    head->length = strtoull(length, &end, 10);
    return NULL;
}

const struct http_refusal *http_head_parse(struct http_head *head, char *text, size_t length)
{
    const struct http_refusal *refusal = check_lines(text, length);
    const char *expect;

    *head = (struct http_head){0};
    if (!refusal)
        refusal = http_split(head, text, length) ? NULL : &bad_request;
    if (!refusal)
        refusal = read_framing(head);
    if (refusal)
        return refusal;
    if (count_fields(head, "host") > 1 || (head->minor == 1 && !http_head_field(head, "host")))
        return &bad_host;
    if (!http_path_well_formed(head->target))
        return &bad_path;
    expect = http_head_field(head, "expect");
    head->expect_continue = expect && strcasecmp(expect, "100-continue") == 0;
    return NULL;
}
