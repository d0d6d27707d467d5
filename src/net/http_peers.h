/* How many connections each client has. A client is an IPv4 address, or the /64 network of an IPv6
 * address, which is what one subscriber has. API process, on the loop's thread. */
#ifndef DOCLE_NET_HTTP_PEERS_H
#define DOCLE_NET_HTTP_PEERS_H

#include "net/http_address.h"

enum { HTTP_PEERS_BUCKETS = 1024 };

struct http_peer; /* of one client; lives while its count is not 0 */

struct http_peers {
    struct http_peer *buckets[HTTP_PEERS_BUCKETS];
    uint64_t seed; /* so that nobody can choose addresses that meet in one bucket */
};

void http_peers_init(struct http_peers *peers);

/* One connection more. NULL without memory. */
struct http_peer *http_peers_enter(struct http_peers *peers, const struct http_address *address);

/* One less; accepts NULL. */
void http_peers_leave(struct http_peers *peers, struct http_peer *peer);

unsigned http_peer_count(const struct http_peer *peer);

#endif
