/*
 * What fault_egress plays before docle-egress: the API process at its link, and a run that asks for
 * names and pages through the sockets which its slot's init would have made. Every wait is bounded,
 * and ends when the link does. The descriptors are the caller's.
 */
#ifndef DOCLE_TESTS_FAULT_EGRESS_WORLD_H
#define DOCLE_TESTS_FAULT_EGRESS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/egress.h"

enum { PATIENCE_S = 60, STEP_MS = 250, STUB_PORT = 5353 };

#define SYNTHETIC (EGRESS_SYNTHETIC_NET + 0x100u) /* of the first name that is asked for */

struct world {
    pid_t pid;
    int link;
    bool ended; /* the link has closed */
    bool ready;
    bool said_why;
    uint64_t closed;               /* the last session that has */
    int stub_udp, stub_tcp, relay; /* what the slot's init would have made */
};

int64_t now_ms(void); /* of the monotonic clock */

/* Takes what the link has, waiting up to ms. */
void hear(struct world *world, int64_t ms);

/* fd: sent along, or NULL. */
void tell(struct world *world, uint8_t type, const void *body, size_t length, const int *fd);

/* A run from its first question to the end of its session. NULL, or what it got that it should not
 * have; whole: every answer must come. */
const char *run_session(struct world *world, uint64_t id, bool whole);

/* True when the session, or the process, has ended. */
bool close_session(struct world *world, uint64_t id);

#endif
