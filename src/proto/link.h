/*
 * Framing of the SOCK_SEQPACKET links between our processes: one message is one packet, a fixed
 * 8-byte header, a fixed-size body per type, and an exact number of descriptors per type. Pure
 * transport: what the types mean stands in launch.h and zygote.h. All processes.
 *
 * A receiver treats any deviation (version, length, descriptor count) as a broken peer: it closes
 * what it got and ends the link.
 */
#ifndef DOCLE_PROTO_LINK_H
#define DOCLE_PROTO_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

enum { LINK_VERSION = 1 };

struct link_header {
    uint8_t version; /* LINK_VERSION */
    uint8_t type;
    uint16_t fd_count;
    uint32_t length; /* of the body, bytes */
};

struct link_message {
    struct link_header header;
    int fds[DC_MESSAGE_MAX_FDS]; /* owned by the receiver until taken; unused ones are -1 */
    _Alignas(8) uint8_t body[DC_MESSAGE_MAX_BYTES - sizeof(struct link_header)];
};

/* Makes a connected pair, both ends close-on-exec. */
DC_MUST int link_pair(int ret_fds[static 2], struct dc_err *err);

/* Sends one message; the descriptors stay the caller's. Blocks unless fd is non-blocking, then
 * DC_BUSY. DC_NOT_FOUND: the peer is gone. */
DC_MUST int link_send(int fd, uint8_t type, const void *body, size_t length, const int *fds,
                      size_t fd_count, struct dc_err *err);

/* Receives one message. DC_BUSY: none now (non-blocking fd). DC_NOT_FOUND: the peer closed.
 * DC_BUG: malformed. On success the caller owns message->fds; release with link_message_release. */
DC_MUST int link_receive(int fd, struct link_message *message, struct dc_err *err);

/* Closes the descriptors not taken. Accepts a message that was never filled if fds are all -1. */
void link_message_release(struct link_message *message);

/* Takes descriptor i out of the message: the caller owns it now. */
int link_message_take_fd(struct link_message *message, size_t i);

/* True when the message has exactly this body length and descriptor count. */
bool link_message_is(const struct link_message *message, size_t length, size_t fd_count);

#endif
