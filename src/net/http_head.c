#include "net/http_head.h"

#include <ctype.h>
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
static const struct http_refusal target_too_long = {414, "URI too long", "uri_too_long",
                                                    "Keep the URL below 8 KiB."};
static const struct http_refusal head_too_long = {
    431, "Request header fields too large", "headers_too_large",
    "Send fewer or smaller headers: at most 100, 16 KiB together."};

/* --- scanning -------------------------------------------------------------------------------- */

size_t http_head_find_end(const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);

    return end ? (size_t)(end - bytes) + 4 : 0;
}

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
    if (length - at != 8 || memcmp(line + at, "HTTP/", 5) != 0)
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
    size_t fields = 0;
    size_t at = 0;

    while (!refusal && at < length) {
        const char *end = memmem(text + at, length - at, "\r\n", 2);
        size_t line = end ? (size_t)(end - text) - at : 0;

        if (!end)
            return &bad_request;
        if (at == 0)
            refusal = check_request_line(text, line);
        else if (line)
            refusal = check_field_line(text + at, line);
        fields += at && line;
        at += line + 2;
    }
    if (!refusal && fields > HTTP_FIELDS_MAX)
        return &head_too_long;
    return refusal;
}

/* A percent sign starts two hex digits, which are not those of NUL. */
static bool target_well_formed(const char *target)
{
    for (; *target; target++) {
        if (*target != '%')
            continue;
        if (!isxdigit((unsigned char)target[1]) || !isxdigit((unsigned char)target[2]) ||
            (target[1] == '0' && target[2] == '0'))
            return false;
    }
    return true;
}

/* --- the library parser ---------------------------------------------------------------------- */

struct splitting {
    struct http_head *head;
    bool failed;
};

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct splitting *splitting = parser->data;

    (void)length; /* ended by the space, which becomes a NUL afterwards */
    splitting->head->target = at;
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t length)
{
    struct splitting *splitting = parser->data;
    struct http_head *head = splitting->head;

    (void)length;
    if (head->field_count == HTTP_FIELDS_MAX)
        return 1;
    head->fields[head->field_count++] = (struct http_field){at, ""};
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct splitting *splitting = parser->data;
    struct http_head *head = splitting->head;

    if (head->field_count == 0)
        return 1;
    /* Trailing blanks are not part of the value; what follows it is a blank or the CR. */
    while (length && (at[length - 1] == ' ' || at[length - 1] == '\t'))
        length--;
    if (!length)
        return 0; /* `at` is past the line already */
    head->fields[head->field_count - 1].value = at;
    ((char *)(uintptr_t)at)[length] = '\0';
    return 0;
}

static int on_head_complete(http_parser *parser)
{
    (void)parser;
    return 1; /* the body is framed by http_body.c */
}

/* Names are ended and lowered only after the parser has gone over them. */
static void end_strings(struct http_head *head)
{
    ((char *)(uintptr_t)head->target)[strcspn(head->target, " ")] = '\0';
    for (size_t i = 0; i < head->field_count; i++) {
        char *name = (char *)(uintptr_t)head->fields[i].name;
        size_t length = strcspn(name, ":");

        name[length] = '\0';
        for (size_t c = 0; c < length; c++)
            name[c] = (char)tolower((unsigned char)name[c]);
    }
}

static const struct http_refusal *split(struct http_head *head, char *text, size_t length)
{
    static const http_parser_settings settings = {.on_url = on_url,
                                                  .on_header_field = on_field,
                                                  .on_header_value = on_value,
                                                  .on_headers_complete = on_head_complete};
    struct splitting splitting = {.head = head};
    http_parser parser;

    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &splitting;
    if (http_parser_execute(&parser, &settings, text, length) != length && !parser.upgrade)
        return &bad_request;
    if (HTTP_PARSER_ERRNO(&parser) != HPE_OK || !head->target)
        return &bad_request;
    (void)strncpy(head->method, http_method_str((enum http_method)parser.method),
                  sizeof(head->method) - 1);
    head->minor = parser.http_minor;
    head->keep_alive = http_should_keep_alive(&parser) != 0;
    end_strings(head);
    return NULL;
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
        refusal = split(head, text, length);
    if (!refusal)
        refusal = read_framing(head);
    if (refusal)
        return refusal;
    if (count_fields(head, "host") > 1 || (head->minor == 1 && !http_head_field(head, "host")))
        return &bad_host;
    if (!target_well_formed(head->target))
        return &bad_request;
    expect = http_head_field(head, "expect");
    head->expect_continue = expect && strcasecmp(expect, "100-continue") == 0;
    return NULL;
}
