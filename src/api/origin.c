#include "api/origin.h"

#include <string.h>
#include <strings.h>

#include "base/poison.h"

/* The length of "scheme://host:port" in a URL. */
static size_t origin_length(const char *url)
{
    const char *authority = strstr(url, "://");

    return authority ? (size_t)(authority + 3 - url) + strcspn(authority + 3, "/?#") : 0;
}

static bool is_of_app(const char *origin, const char *app_url)
{
    size_t length = origin_length(app_url);

    return length && strlen(origin) == length && strncasecmp(origin, app_url, length) == 0;
}

static bool is_of_host(const struct origin_facts *facts)
{
    const char *scheme = facts->secure ? "https://" : "http://";
    size_t length = strlen(scheme);

    return facts->host && *facts->host && strncasecmp(facts->origin, scheme, length) == 0 &&
           strcasecmp(facts->origin + length, facts->host) == 0;
}

bool origin_is_own(const struct origin_facts *facts)
{
    if (facts->fetch_site && strcmp(facts->fetch_site, "same-origin") != 0 &&
        strcmp(facts->fetch_site, "none") != 0)
        return false;
    if (!facts->origin)
        return true;
    /* A page without referrers sends "null" with its own forms; then the other header must speak.
     */
    if (strcmp(facts->origin, "null") == 0)
        return facts->fetch_site != NULL;
    return is_of_app(facts->origin, facts->app_url) || is_of_host(facts);
}
