#include "accounts/email.h"

#include <string.h>
#include <strings.h>

#include "base/poison.h"

enum { LOCAL_MAX = 64, LABEL_MAX = 63 };

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* atext of RFC 5322, with dots that are neither first, last nor doubled. */
static bool local_is_good(const char *text, size_t length)
{
    if (length == 0 || length > LOCAL_MAX || text[0] == '.' || text[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' && text[i - 1] == '.')
            return false;
        if (!is_letter_or_digit(text[i]) && (!text[i] || !strchr(".!#$%&'*+/=?^_`{|}~-", text[i])))
            return false;
    }
    return true;
}

static bool label_is_good(const char *text, size_t length)
{
    if (length == 0 || length > LABEL_MAX || text[0] == '-' || text[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_letter_or_digit(text[i]) && text[i] != '-')
            return false;
    return true;
}

/* The last label has a letter: the domain is no IPv4 address. */
static bool domain_is_good(const char *domain)
{
    size_t labels = 0;
    const char *last = domain;

    if (strcmp(domain, "localhost") == 0)
        return true;
    for (const char *at = domain;; at++) {
        size_t length = strcspn(at, ".");

        if (!label_is_good(at, length))
            return false;
        labels++;
        last = at;
        at += length;
        if (!*at)
            break;
    }
    return labels >= 2 && last[strspn(last, "0123456789")] != '\0';
}

bool email_read(const char *text, size_t length, char ret_email[static STORE_EMAIL_SIZE])
{
    const char *at;

    while (length && is_blank(text[0])) {
        text++;
        length--;
    }
    while (length && is_blank(text[length - 1]))
        length--;
    if (length == 0 || length >= STORE_EMAIL_SIZE)
        return false;
    for (size_t i = 0; i < length; i++)
        ret_email[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]);
    ret_email[length] = '\0';
    at = strrchr(ret_email, '@');
    return at && strlen(ret_email) == length &&
           local_is_good(ret_email, (size_t)(at - ret_email)) && domain_is_good(at + 1);
}

/* The next entry of a list separated by commas and blanks; NULL at the end. */
static const char *next_entry(const char **list, size_t *ret_length)
{
    const char *entry = *list + strspn(*list, ", \t");

    *ret_length = strcspn(entry, ", \t");
    *list = entry + *ret_length;
    return *ret_length ? entry : NULL;
}

static bool is_below(const char *domain, const char *apex, size_t apex_length)
{
    size_t length = strlen(domain);

    return length > apex_length + 1 && domain[length - apex_length - 1] == '.' &&
           strncasecmp(domain + length - apex_length, apex, apex_length) == 0;
}

bool email_in_domains(const char *email, const char *list)
{
    const char *domain = strrchr(email, '@') + 1;
    const char *entry;
    size_t length;

    while ((entry = next_entry(&list, &length))) {
        if (length > 2 && entry[0] == '*' && entry[1] == '.') {
            if (is_below(domain, entry + 2, length - 2))
                return true;
        } else if (strlen(domain) == length && strncasecmp(domain, entry, length) == 0) {
            return true;
        }
    }
    return false;
}

bool email_in_list(const char *email, const char *list)
{
    const char *entry;
    size_t length;

    while ((entry = next_entry(&list, &length)))
        if (strlen(email) == length && strncasecmp(email, entry, length) == 0)
            return true;
    return false;
}
