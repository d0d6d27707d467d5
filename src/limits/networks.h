/* Which addresses may use a key: a list of IPv4 and IPv6 addresses and networks. A list as kept is
 * "192.0.2.0/24,2001:db8::1". Pure; API process and CLI. */
#ifndef DOCLE_LIMITS_NETWORKS_H
#define DOCLE_LIMITS_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/http_address.h"

/* At most HTTP_NETWORKS_MAX entries. Appends one as it is kept. DC_INVALID: it is none, with a text
 * for who wrote it. */
DC_MUST int networks_add(struct dc_buf *list, const char *entry, size_t length, struct dc_err *err);

/* Is the address in the list? A list that cannot be read has nobody in it. */
bool networks_match(const char *list, const struct http_address *address);

#endif
