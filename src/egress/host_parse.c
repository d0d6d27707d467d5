/* From what people write to rules: the part that needs libidn2 and libpsl. API process, and the
 * operator's lists in docle-egress. */
#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/utf8.h"
#include "egress/host_rule.h"

#include "base/poison.h"

static int fail_name(const char *why, struct dc_err *err)
{
    return dc_fail(err, DC_INVALID, 0, "%s", why);
}

/* Hints at what was meant where it is easy to tell. */
static int fail_form(const char *text, size_t length, struct dc_err *err)
{
    if (memmem(text, length, "://", 3))
        return fail_name("is a URL; name the host alone, such as api.example.com", err);
    if (memchr(text, '/', length))
        return fail_name("has a path; name the host alone, such as api.example.com", err);
    if (memchr(text, '@', length))
        return fail_name("has a user; name the host alone, such as api.example.com", err);
    if (memchr(text, '[', length) || memchr(text, ':', length))
        return fail_name("is an IPv6 address; name a host", err);
    if (memchr(text, '*', length))
        return fail_name("may have one * only, at its start: *.example.com", err);
    return fail_name("is not a host name", err);
}

int host_name_normalise(const char *text, size_t length,
                        char ret_name[static DC_HOST_NAME_MAX_BYTES + 1], struct dc_err *err)
{
    char input[4 * DC_HOST_NAME_MAX_BYTES + 2];
    uint8_t *ascii = NULL;
    int result;

    if (length && text[length - 1] == '.')
        length--;
    if (!length)
        return fail_name("is empty", err);
    if (length >= sizeof(input))
        return fail_name("is longer than 253 bytes", err);
    if (memchr(text, '\0', length) || !dc_utf8_valid(text, length))
        return fail_name("is not a host name", err);
    memcpy(input, text, length);
    input[length] = '\0';
    /* Transitional processing would send names to other hosts than browsers do. Not with the rules
     * of STD3: this library drops what they forbid instead of refusing it; host_name_valid
     * refuses. */
    result = idn2_lookup_u8((const uint8_t *)input, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result == IDN2_MALLOC)
        return dc_fail(err, DC_KERNEL, 0, "no memory for a host name");
    if (result == IDN2_TOO_BIG_DOMAIN ||
        (ascii && strlen((char *)ascii) > DC_HOST_NAME_MAX_BYTES)) {
        idn2_free(ascii);
        return fail_name("is longer than 253 bytes", err);
    }
    if (result != IDN2_OK || !ascii)
        return fail_form(text, length, err);
    (void)snprintf(ret_name, DC_HOST_NAME_MAX_BYTES + 1, "%s", (const char *)ascii);
    idn2_free(ascii);
    for (char *at = ret_name; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at | 0x20);
    return host_name_valid(ret_name) ? 0 : fail_form(text, length, err);
}

/* Cuts ":port" off. An IPv6 address has more than one colon and is refused later. */
static int cut_port(const char *text, size_t *length, uint16_t *ret_port, struct dc_err *err)
{
    const char *colon = memchr(text, ':', *length);
    uint32_t port = 0;

    *ret_port = 0;
    if (!colon || memchr(colon + 1, ':', (size_t)(text + *length - colon - 1)) ||
        memmem(text, *length, "://", 3))
        return 0;
    if (colon + 1 == text + *length || text + *length - colon > 6)
        return fail_name("has no good port; it is from 1 to 65535", err);
    for (const char *at = colon + 1; at < text + *length; at++) {
        if (*at < '0' || *at > '9')
            return fail_name("has no good port; it is from 1 to 65535", err);
        port = port * 10 + (uint32_t)(*at - '0');
    }
    if (port < 1 || port > UINT16_MAX)
        return fail_name("has no good port; it is from 1 to 65535", err);
    *ret_port = (uint16_t)port;
    *length = (size_t)(colon - text);
    return 0;
}

static bool is_public_suffix(const char *name)
{
    return psl_is_public_suffix(psl_builtin(), name);
}

int host_rule_parse(const char *text, size_t length, struct egress_rule *ret_rule,
                    uint32_t *ret_notes, struct dc_err *err)
{
    struct egress_rule rule = {.kind = EGRESS_RULE_EXACT};
    char name[DC_HOST_NAME_MAX_BYTES + 1];
    uint32_t notes = 0;
    uint32_t address;

    if (cut_port(text, &length, &rule.port, err) < 0)
        return -err->code;
    if (length == 1 && text[0] == '*') {
        rule.kind = EGRESS_RULE_ANY;
        *ret_rule = rule;
        *ret_notes = HOST_RULE_WIDE;
        return 0;
    }
    if (length && text[0] == '*') {
        size_t skip = length > 1 && text[1] == '.' ? 2 : 1;

        rule.kind = EGRESS_RULE_BELOW;
        notes |= skip == 1 ? HOST_RULE_OLD_FORM : 0;
        text += skip;
        length -= skip;
    }
    if (address_parse_v4(text, length, &address) && rule.kind == EGRESS_RULE_EXACT) {
        rule.kind = EGRESS_RULE_ADDRESS;
        notes |= HOST_RULE_LOCAL;
    } else if (address_looks_numeric(text, length)) {
        return fail_name("is an address in a form that is not taken; name a host", err);
    }
    if (host_name_normalise(text, length, name, err) < 0)
        return -err->code;
    if (address_looks_numeric(name, strlen(name)) && rule.kind != EGRESS_RULE_ADDRESS)
        return fail_name("is an address in a form that is not taken; name a host", err);
    if (!strchr(name, '.'))
        notes |= HOST_RULE_LOCAL;
    if (rule.kind == EGRESS_RULE_BELOW && is_public_suffix(name))
        notes |= HOST_RULE_WIDE;
    (void)snprintf(rule.name, sizeof(rule.name), "%s", name);
    *ret_rule = rule;
    *ret_notes = notes;
    return 0;
}

/* --- the operator's exceptions --------------------------------------------------------------- */

static int parse_exception(const char *text, size_t length, struct host_exception *ret_exception,
                           struct dc_err *err)
{
    struct host_exception one = {0};
    char net[80];
    bool v6 = text[0] == '[' || memchr(text, ':', length) != memrchr(text, ':', length);

    if (!v6 && cut_port(text, &length, &one.port, err) < 0)
        return -err->code;
    if (length < sizeof(net)) {
        memcpy(net, text, length);
        net[length] = '\0';
        one.is_net = address_net_parse(net, &one.net, err) == 0;
    }
    if (!one.is_net && host_name_normalise(text, length, one.name, err) < 0)
        return -err->code;
    *ret_exception = one;
    return 0;
}

int host_exceptions_parse(const char *text, struct host_exceptions *ret_exceptions,
                          struct dc_err *err)
{
    static const char between[] = ", \t";
    struct host_exceptions *all = ret_exceptions;

    all->count = 0;
    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t length = strcspn(text, between);

        if (all->count == HOST_EXCEPTIONS_MAX)
            return dc_fail(err, DC_LIMIT, 0, "more than %d entries", HOST_EXCEPTIONS_MAX);
        if (parse_exception(text, length, &all->list[all->count], err) < 0)
            return dc_context(err, "'%.*s'", (int)(length < 80 ? length : 80), text);
        all->count++;
        text += length;
    }
    return 0;
}
