/*
 * The hosts of fault_egress, as processes of their own that end with the test: a resolver on
 * 127.0.0.1:53, for which every name is 127.0.0.1, and a server on port 80, which answers each
 * request with a page of the letter x and closes.
 */
#ifndef DOCLE_TESTS_FAULT_EGRESS_HOSTS_H
#define DOCLE_TESTS_FAULT_EGRESS_HOSTS_H

#include <netinet/in.h>
#include <stdint.h>

enum { EGRESS_HOSTS_PAGE_BYTES = 1 << 20 };

/* address, port: host order. */
struct sockaddr_in address_at(uint32_t address, uint16_t port);

/* Bound, and listening if it is a stream; ends the program when it cannot be. */
int socket_at(int type, uint32_t address, uint16_t port);

void egress_hosts_start(void);

#endif
