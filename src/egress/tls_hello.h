/* The name that a TLS client asks for, read from its first bytes. Pure; the bytes are hostile.
 * docle-egress. */
#ifndef DOCLE_EGRESS_TLS_HELLO_H
#define DOCLE_EGRESS_TLS_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

enum peek_result {
    PEEK_MORE,  /* well-formed so far, not whole yet */
    PEEK_FOUND, /* the name is known */
    PEEK_NONE,  /* something else, or without a name */
};

/* A ClientHello, in one record or several, has exactly one server name. One that hides its real
 * name (encrypted client hello) is PEEK_NONE: nobody could say where it leads. The name is lowered
 * and loses a trailing dot. */
enum peek_result tls_hello_name(const uint8_t *bytes, size_t length,
                                char ret_name[static DC_HOST_NAME_MAX_BYTES + 1]);

#endif
