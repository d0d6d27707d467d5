#include "api/query.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"

#include "base/poison.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* NULL for a broken escape, a NUL, bad UTF-8 or no memory. */
static char *decode(const char *text, size_t length, struct dc_arena *arena)
{
    char *out = dc_arena_alloc(arena, length + 1);
    size_t to = 0;

    for (size_t at = 0; out && at < length; at++) {
        int value = (unsigned char)text[at];

        if (text[at] == '+') {
            value = ' ';
        } else if (text[at] == '%') {
            int high = at + 2 < length ? hex_digit(text[at + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[at + 2]) : -1;

            if (low < 0)
                return NULL;
            value = high * 16 + low;
            at += 2;
        }
        if (value == 0)
            return NULL;
        out[to++] = (char)value;
    }
    return out && dc_utf8_valid(out, to) ? out : NULL;
}

static void add(struct query *query, const char *name, const char *value, struct problems *problems)
{
    char quoted[72];

    if (!name || !value) {
        problems_add(problems, PROBLEM_ENCODING, "",
                     "a query parameter is not well encoded: use percent-encoded UTF-8");
        return;
    }
    if (query_get(query, name)) {
        problems_add(problems, PROBLEM_VALUE, problem_quote(name, strlen(name), quoted),
                     "given twice: send it once");
        return;
    }
    query->list[query->count++] = (struct query_parameter){name, value};
}

void query_parse(const char *text, struct dc_arena *arena, struct query *ret_query,
                 struct problems *problems)
{
    *ret_query = (struct query){0};
    while (text && *text) {
        size_t length = strcspn(text, "&");
        const char *equals = memchr(text, '=', length);
        size_t name_length = equals ? (size_t)(equals - text) : length;

        if (ret_query->count == QUERY_PARAMETERS_MAX) {
            problems_add(problems, PROBLEM_TOO_MANY, "", "more than %d query parameters",
                         QUERY_PARAMETERS_MAX);
            return;
        }
        if (length)
            add(ret_query, decode(text, name_length, arena),
                equals ? decode(equals + 1, length - name_length - 1, arena) : "", problems);
        text += length + (text[length] == '&');
    }
}

const char *query_get(const struct query *query, const char *name)
{
    for (int i = 0; i < query->count; i++)
        if (strcmp(query->list[i].name, name) == 0)
            return query->list[i].value;
    return NULL;
}

static bool listed(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

void query_only(const struct query *query, const char *const *names, struct problems *problems)
{
    for (int i = 0; i < query->count; i++) {
        const char *name = query->list[i].name;
        char quoted[72];

        if (!listed(names, name))
            problems_add(problems, PROBLEM_UNKNOWN_FIELD, problem_quote(name, strlen(name), quoted),
                         "no such query parameter; see /openapi.json for those there are");
    }
}

bool query_number(const char *name, const char *value, int low, int high, int *ret_number,
                  struct problems *problems)
{
    size_t length = strspn(value, "0123456789");
    int number = 0;

    for (size_t i = 0; i < length && number <= high; i++)
        number = number * 10 + (value[i] - '0');
    if (length == 0 || value[length] || number < low || number > high) {
        problems_add(problems, PROBLEM_RANGE, name, "must be a number from %d to %d", low, high);
        return false;
    }
    *ret_number = number;
    return true;
}

/* Reads exactly digits; -1 for anything else. */
static int take_digits(const char **text, int digits)
{
    int number = 0;

    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        number = number * 10 + (**text - '0');
    }
    return number;
}

static bool take(const char **text, const char *one_of)
{
    if (!**text || !strchr(one_of, **text))
        return false;
    (*text)++;
    return true;
}

/* ".123456789", as nanoseconds; further digits are dropped. */
static bool take_fraction(const char **text, int64_t *ret_ns)
{
    int64_t unit = DC_NS_PER_S / 10;

    *ret_ns = 0;
    if (!take(text, "."))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        *ret_ns += unit * (**text - '0');
    return true;
}

/* "Z" or "+02:00", as seconds to subtract. */
static bool take_zone(const char **text, int64_t *ret_seconds)
{
    int sign = **text == '-' ? -1 : 1;
    int hours;
    int minutes;

    *ret_seconds = 0;
    if (take(text, "Zz"))
        return true;
    if (!take(text, "+-"))
        return false;
    hours = take_digits(text, 2);
    if (hours < 0 || hours > 23 || !take(text, ":"))
        return false;
    minutes = take_digits(text, 2);
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return minutes >= 0 && minutes <= 59;
}

static bool take_date(const char **text, struct tm *tm)
{
    int year = take_digits(text, 4);

    if (year < 1970 || !take(text, "-"))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = take_digits(text, 2) - 1;
    if (tm->tm_mon < 0 || tm->tm_mon > 11 || !take(text, "-"))
        return false;
    tm->tm_mday = take_digits(text, 2);
    return tm->tm_mday >= 1 && tm->tm_mday <= 31;
}

static bool take_time(const char **text, struct tm *tm)
{
    tm->tm_hour = take_digits(text, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || !take(text, ":"))
        return false;
    tm->tm_min = take_digits(text, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59 || !take(text, ":"))
        return false;
    tm->tm_sec = take_digits(text, 2);
    return tm->tm_sec >= 0 && tm->tm_sec <= 60;
}

bool query_moment(const char *text, int64_t *ret_wall_ns)
{
    struct tm tm = {0};
    int day;
    int64_t fraction;
    int64_t zone;
    int64_t seconds;

    if (!take_date(&text, &tm) || !take(&text, "Tt ") || !take_time(&text, &tm) ||
        !take_fraction(&text, &fraction) || !take_zone(&text, &zone) || *text)
        return false;
    day = tm.tm_mday;
    seconds = timegm(&tm);
    if (tm.tm_mday != day) /* 31 February: timegm made it March */
        return false;
    seconds -= zone;
    if (seconds < 0)
        return false; /* before 1970 */
    if (seconds > INT64_MAX / DC_NS_PER_S - 1) {
        *ret_wall_ns = INT64_MAX; /* after what nanoseconds can tell: later than anything */
        return true;
    }
    *ret_wall_ns = seconds * DC_NS_PER_S + fraction;
    return true;
}
