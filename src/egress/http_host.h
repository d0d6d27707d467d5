/* The host that an HTTP/1 request is for, read from its first bytes. Pure; the bytes are hostile.
 * docle-egress. */
#ifndef DOCLE_EGRESS_HTTP_HOST_H
#define DOCLE_EGRESS_HTTP_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "egress/tls_hello.h"

/* A request with exactly one Host, and in its target no other one. Strict: what servers read in
 * more than one way is PEEK_NONE, as are CONNECT and other protocols. The name is lowered, without
 * port and trailing dot. */
enum peek_result http_host_name(const uint8_t *bytes, size_t length,
                                char ret_name[static DC_HOST_NAME_MAX_BYTES + 1]);

#endif
