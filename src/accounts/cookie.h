/* The Cookie header of a request (RFC 6265, 5.4); hostile. Pure; API process. */
#ifndef DOCLE_ACCOUNTS_COOKIE_H
#define DOCLE_ACCOUNTS_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

/* The value of the cookie, without quotes around it. False: it is not there, does not fit, or is
 * there twice with different values: then somebody else has set one of them, for a parent domain or
 * a path, and neither can be believed. */
bool cookie_find(const char *header, const char *name, char *ret_value, size_t size);

#endif
