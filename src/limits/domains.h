/*
 * Which web origins may use a key: a list of domains, and the host that a browser says it comes
 * from. A rule is a host ("example.com", "localhost"), or "*." before one, which stands for it and
 * everything below it. Schemes and ports do not matter. A list as kept has its rules in lower case,
 * separated by commas. Pure; API process and CLI.
 */
#ifndef DOCLE_LIMITS_DOMAINS_H
#define DOCLE_LIMITS_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    DOMAIN_SIZE = 256, /* a host as text, with the NUL */
    DOMAINS_MAX = 50,  /* rules of one key */
};

/* Appends a rule as it is kept, after a comma where the list is not empty. DC_INVALID: it is none,
 * with a text for who wrote it; names beyond ASCII are to be written as browsers send them, xn--….
 */
DC_MUST int domains_add(struct dc_buf *list, const char *rule, size_t length, struct dc_err *err);

/* Does a rule of the list stand for this host? host: of origin_host. */
bool domains_match(const char *list, const char *host);

/* The host of an Origin field, or of a Referer, in lower case and without a dot at its end. False
 * for what is no http or https URL with a plain host: "null", user names, other schemes. */
bool origin_host(const char *value, char ret_host[static DOMAIN_SIZE]);

/*
 * All domains of many keys together: might any of them be used from this host? For preflights,
 * which carry no key. The texts are borrowed.
 */
struct domain_set {
    struct domain_rule *rules; /* open addressing */
    size_t place_count;        /* a power of two, or 0 */
    size_t count;
};

DC_MUST int domain_set_add(struct domain_set *set, const char *list, struct dc_err *err);
bool domain_set_match(const struct domain_set *set, const char *host);
void domain_set_release(struct domain_set *set); /* accepts a zeroed one */

#endif
