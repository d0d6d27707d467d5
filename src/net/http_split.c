#include "net/http_split.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#ifdef HTTP_WITH_LLHTTP
#include <llhttp.h>
#else
#include <http_parser.h>
#endif

#include "base/poison.h"

/* --- the library's judgement ----------------------------------------------------------------- */

/* Both libraries forget what they know when the message is over, which it is for them with the
 * head: the body is framed by http_body.c. */

#ifdef HTTP_WITH_LLHTTP

static int on_head_complete(llhttp_t *parser)
{
    struct http_head *head = parser->data;

    head->minor = parser->http_minor;
    head->keep_alive = llhttp_should_keep_alive(parser) != 0;
    return 1;
}

static bool judge(struct http_head *head, const char *text, size_t length)
{
    static const llhttp_settings_t settings = {.on_headers_complete = on_head_complete};
    enum llhttp_errno result;
    llhttp_t parser;

    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = head;
    result = llhttp_execute(&parser, text, length);
    return result == HPE_OK || result == HPE_PAUSED_UPGRADE;
}

#else

static int on_head_complete(http_parser *parser)
{
    struct http_head *head = parser->data;

    head->minor = parser->http_minor;
    head->keep_alive = http_should_keep_alive(parser) != 0;
    return 1;
}

static bool judge(struct http_head *head, const char *text, size_t length)
{
    static const http_parser_settings settings = {.on_headers_complete = on_head_complete};
    http_parser parser;
    size_t taken;

    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = head;
    taken = http_parser_execute(&parser, &settings, text, length);
    return HTTP_PARSER_ERRNO(&parser) == HPE_OK && (taken == length || parser.upgrade);
}

#endif

/* --- splitting ------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* "name: value" between line and end, which is its CR. */
static void split_field(struct http_field *field, char *line, char *end)
{
    char *colon = memchr(line, ':', (size_t)(end - line));
    char *value = colon + 1;

    for (char *c = line; c < colon; c++)
        *c = (char)tolower((unsigned char)*c);
    *colon = '\0';
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    *end = '\0';
    *field = (struct http_field){line, value};
}

/* "METHOD target HTTP/1.x" */
static void split_request_line(struct http_head *head, char *line)
{
    char *target = strchr(line, ' ') + 1;

    assert((size_t)(target - line) <= sizeof(head->method));
    memcpy(head->method, line, (size_t)(target - line) - 1);
    *strchr(target, ' ') = '\0';
    head->target = target;
}

bool http_split(struct http_head *head, char *text, size_t length)
{
    char *end = memchr(text, '\r', length);
    char *last = text + length - 2; /* the empty line */

    head->minor = -1;
    if (!judge(head, text, length) || head->minor < 0)
        return false;
    split_request_line(head, text);
    for (char *line = end + 2; line < last; line = end + 2) {
        end = memchr(line, '\r', length - (size_t)(line - text));
        split_field(&head->fields[head->field_count++], line, end);
    }
    return true;
}
