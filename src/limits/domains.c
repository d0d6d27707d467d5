#include "limits/domains.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/poison.h"

enum { LABEL_MAX = 63, HOST_MAX = 253 };

/* ---- hosts ---- */

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Labels of letters, digits, hyphens. out has DOMAIN_SIZE bytes. */
static bool read_host(const char *text, size_t length, char *out)
{
    size_t label = 0;

    if (length && text[length - 1] == '.')
        length--;
    if (!length || length > HOST_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = lower(text[i]);

        if (c == '.') {
            if (!label)
                return false;
            label = 0;
        } else if (!is_label_char(c) || ++label > LABEL_MAX) {
            return false;
        }
        out[i] = c;
    }
    out[length] = '\0';
    return label > 0;
}

/* ---- rules ---- */

static int fail_rule(const char *rule, size_t length, struct dc_err *err)
{
    char shown[65];
    size_t count = 0;

    for (size_t i = 0; i < length && count < sizeof(shown) - 1; i++)
        shown[count++] = (char)(rule[i] > 0x20 && rule[i] < 0x7f ? rule[i] : '?');
    shown[count] = '\0';
    return dc_fail(err, DC_INVALID, 0,
                   "'%s' is not a domain such as example.com, *.example.com or localhost; no "
                   "scheme, port or path, names beyond ASCII as xn--…",
                   shown);
}

/* Is the rule in the list? Counts the rules on the way. */
static bool list_has(const char *list, const char *rule, size_t *ret_count)
{
    size_t length = strlen(rule);

    *ret_count = 0;
    while (list && *list) {
        size_t piece = strcspn(list, ",");

        if (piece == length && memcmp(list, rule, length) == 0)
            return true;
        list += piece + (list[piece] == ',');
        ++*ret_count;
    }
    return false;
}

int domains_add(struct dc_buf *list, const char *rule, size_t length, struct dc_err *err)
{
    char kept[DOMAIN_SIZE + 2];
    size_t head = length > 2 && rule[0] == '*' && rule[1] == '.' ? 2 : 0;
    const char *host = kept + head;
    size_t count;

    memcpy(kept, "*.", 2);
    if (!read_host(rule + head, length - head, kept + head))
        return fail_rule(rule, length, err);
    if (head && !strchr(host, '.') && strcmp(host, "localhost") != 0)
        return dc_fail(err, DC_INVALID, 0, "'*.%.60s' is too wide; name a domain below it", host);
    if (list_has(list->data, kept, &count))
        return 0;
    if (count == DOMAINS_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d domains", DOMAINS_MAX);
    if ((list->length && !dc_buf_byte(list, ',')) || !dc_buf_text(list, kept))
        return dc_fail(err, DC_LIMIT, 0, "the domains are longer than %zu bytes together",
                       list->max);
    return 0;
}

/* Is host the domain, or below it? */
static bool is_below(const char *host, const char *domain, size_t length)
{
    size_t whole = strlen(host);

    if (whole < length || memcmp(host + whole - length, domain, length) != 0)
        return false;
    return whole == length || host[whole - length - 1] == '.';
}

static bool rule_matches(const char *rule, size_t length, const char *host)
{
    if (length > 2 && rule[0] == '*' && rule[1] == '.')
        return is_below(host, rule + 2, length - 2);
    return strlen(host) == length && memcmp(host, rule, length) == 0;
}

bool domains_match(const char *list, const char *host)
{
    while (*list) {
        size_t length = strcspn(list, ",");

        if (rule_matches(list, length, host))
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

bool origin_host(const char *value, char ret_host[static DOMAIN_SIZE])
{
    size_t length;
    size_t port;

    if (strncasecmp(value, "https://", 8) == 0)
        value += 8;
    else if (strncasecmp(value, "http://", 7) == 0)
        value += 7;
    else
        return false;
    length = strcspn(value, ":/?#");
    port = 0;
    if (value[length] == ':') {
        port = strspn(value + length + 1, "0123456789");
        if (port > 5)
            return false;
        port++;
    }
    /* What follows host and port can only be a path; a name before an @ is no host. */
    if (value[length + port] && !strchr("/?#", value[length + port]))
        return false;
    return read_host(value, length, ret_host);
}

/* ---- many lists ---- */

struct domain_rule {
    const char *text; /* NULL: free */
    size_t length;
};

static uint64_t hash_of(const char *text, size_t length, uint64_t hash)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static const uint64_t seed = UINT64_C(0xcbf29ce484222325);

/* Where the rule is, or would be. The text of a wildcard may be in two pieces. */
static struct domain_rule *find(const struct domain_set *set, const char *head, const char *tail,
                                size_t length)
{
    size_t front = strlen(head);
    uint64_t hash = hash_of(tail, length, hash_of(head, front, seed));
    size_t at = (size_t)(hash ^ (hash >> 29)) & (set->place_count - 1);

    for (;; at = (at + 1) & (set->place_count - 1)) {
        struct domain_rule *rule = &set->rules[at];

        if (!rule->text ||
            (rule->length == front + length && memcmp(rule->text, head, front) == 0 &&
             memcmp(rule->text + front, tail, length) == 0))
            return rule;
    }
}

static int grow(struct domain_set *set, struct dc_err *err)
{
    struct domain_set grown = {.place_count = set->place_count ? set->place_count * 2 : 64,
                               .count = set->count};

    grown.rules = calloc(grown.place_count, sizeof(*grown.rules));
    if (!grown.rules)
        return dc_fail(err, DC_KERNEL, ENOMEM, "%zu domains", grown.place_count);
    for (size_t i = 0; i < set->place_count; i++)
        if (set->rules[i].text)
            *find(&grown, "", set->rules[i].text, set->rules[i].length) = set->rules[i];
    free(set->rules);
    *set = grown;
    return 0;
}

int domain_set_add(struct domain_set *set, const char *list, struct dc_err *err)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        struct domain_rule *rule;

        if (set->count * 2 >= set->place_count && grow(set, err) < 0)
            return -err->code;
        rule = find(set, "", list, length);
        set->count += !rule->text;
        *rule = (struct domain_rule){list, length};
        list += length + (list[length] == ',');
    }
    return 0;
}

bool domain_set_match(const struct domain_set *set, const char *host)
{
    if (!set->count)
        return false;
    if (find(set, "", host, strlen(host))->text)
        return true;
    for (const char *at = host; at; at = strchr(at, '.')) {
        at += *at == '.';
        if (find(set, "*.", at, strlen(at))->text)
            return true;
    }
    return false;
}

void domain_set_release(struct domain_set *set)
{
    free(set->rules);
    *set = (struct domain_set){0};
}
