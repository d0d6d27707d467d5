#include "net/http_peers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/poison.h"

struct http_peer {
    struct http_address address;
    unsigned count;
    struct http_peer *next;
};

void http_peers_init(struct http_peers *peers)
{
    *peers = (struct http_peers){0};
    if (getrandom(&peers->seed, sizeof(peers->seed), GRND_NONBLOCK) < 0)
        peers->seed = 0; /* still correct */
}

static struct http_peer **find(struct http_peers *peers, const struct http_address *address)
{
    uint64_t halves[2];
    uint64_t hash;
    struct http_peer **slot;

    memcpy(halves, address->bytes, sizeof(halves));
    hash = (halves[0] ^ peers->seed) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 29) ^ halves[1]) * UINT64_C(0xbf58476d1ce4e5b9);
    slot = &peers->buckets[(hash >> 40) % HTTP_PEERS_BUCKETS];
    while (*slot && memcmp((*slot)->address.bytes, address->bytes, sizeof(address->bytes)) != 0)
        slot = &(*slot)->next;
    return slot;
}

static struct http_address client_of(const struct http_address *address)
{
    static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    struct http_address client = *address;

    if (memcmp(address->bytes, v4_prefix, sizeof(v4_prefix)) != 0)
        memset(client.bytes + 8, 0, 8);
    return client;
}

struct http_peer *http_peers_enter(struct http_peers *peers, const struct http_address *address)
{
    struct http_address client = client_of(address);
    struct http_peer **slot = find(peers, &client);

    if (!*slot) {
        *slot = calloc(1, sizeof(**slot));
        if (!*slot)
            return NULL;
        (*slot)->address = client;
    }
    (*slot)->count++;
    return *slot;
}

void http_peers_leave(struct http_peers *peers, struct http_peer *peer)
{
    struct http_peer **slot;

    if (!peer || --peer->count)
        return;
    slot = find(peers, &peer->address);
    *slot = peer->next;
    free(peer);
}

unsigned http_peer_count(const struct http_peer *peer)
{
    return peer->count;
}
