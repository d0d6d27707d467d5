/* A resolver that changes its mind, for a server under test: each look-up of a name below
 * shim.example gives the next of the addresses in DOCLE_TEST_DNS, separated by commas; the last one
 * stays. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take_next(char *address, size_t size)
{
    static int calls;
    const char *at = getenv("DOCLE_TEST_DNS");

    for (int i = 0; i < calls && strchr(at, ','); i++)
        at = strchr(at, ',') + 1;
    calls++;
    (void)snprintf(address, size, "%.*s", (int)strcspn(at, ","), at);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    static const char suffix[] = ".shim.example";
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(
            RTLD_NEXT, "getaddrinfo");
    size_t length = node ? strlen(node) : 0;
    char address[64];

    if (length >= sizeof(suffix) && strcmp(node + length - (sizeof(suffix) - 1), suffix) == 0) {
        take_next(address, sizeof(address));
        node = address;
    }
    return real(node, service, hints, result);
}
