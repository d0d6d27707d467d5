#include "runtimes/node/reach.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"

#include "base/poison.h"

/* Names as the Itanium C++ ABI mangles them, the same from Node 18 to 26. v8::Local is one pointer,
 * trivially copied, hence passed and returned in a register. */
#define ISOLATE_GET_CURRENT "_ZN2v87Isolate10GetCurrentEv"
#define ISOLATE_GET_CONTEXT "_ZN2v87Isolate17GetCurrentContextEv"
#define ISOLATE_LOW_MEMORY "_ZN2v87Isolate21LowMemoryNotificationEv"
#define ISOLATE_ADD_LIMIT "_ZN2v87Isolate24AddNearHeapLimitCallbackEPFmPvmmES1_"
#define ISOLATE_REMOVE_LIMIT "_ZN2v87Isolate27RemoveNearHeapLimitCallbackEPFmPvmmEm"
#define V8_SET_FLAGS "_ZN2v82V818SetFlagsFromStringEPKc"
#define NODE_GET_ENVIRONMENT "_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE"
#define NODE_AT_EXIT "_ZN4node6AtExitEPNS_11EnvironmentEPFvPvES2_"

/* A function pointer out of dlsym, which ISO C does not let one cast. */
#define FIND(name, pointer)                                                                        \
    ({                                                                                             \
        void *found = dlsym(RTLD_DEFAULT, (name));                                                 \
        memcpy(&(pointer), &found, sizeof(found));                                                 \
        found != NULL;                                                                             \
    })

typedef size_t near_limit_callback(void *data, size_t current_limit, size_t initial_limit);

static void *current_isolate(void)
{
    void *(*get_current)(void);

    return FIND(ISOLATE_GET_CURRENT, get_current) ? get_current() : NULL;
}

bool reach_at_exit(void (*on_exit)(void *context), void *context)
{
    void *(*get_context)(void *isolate);
    void *(*get_environment)(void *js_context);
    void (*at_exit)(void *environment, void (*callback)(void *), void *data);
    void *isolate = current_isolate();

    if (!isolate || !FIND(ISOLATE_GET_CONTEXT, get_context) ||
        !FIND(NODE_GET_ENVIRONMENT, get_environment) || !FIND(NODE_AT_EXIT, at_exit))
        return false;
    at_exit(get_environment(get_context(isolate)), on_exit, context);
    return true;
}

/* V8 calls this when the old generation comes near its limit; what it returns is the new one. */
static size_t raise_once(void *data, size_t current_limit, size_t initial_limit)
{
    const size_t *wanted = data;

    (void)initial_limit;
    return *wanted > current_limit ? *wanted : current_limit;
}

bool reach_set_heap_limit(uint64_t bytes)
{
    static size_t wanted;
    void (*add)(void *isolate, near_limit_callback *callback, void *data);
    void (*remove_and_set)(void *isolate, near_limit_callback *callback, size_t limit);
    void *isolate = current_isolate();

    if (!isolate || !FIND(ISOLATE_ADD_LIMIT, add) || !FIND(ISOLATE_REMOVE_LIMIT, remove_and_set))
        return false;
    wanted = bytes;
    /* Removing a callback may only lower the limit; it is raised by the callback, late. */
    add(isolate, raise_once, &wanted);
    remove_and_set(isolate, raise_once, wanted);
    add(isolate, raise_once, &wanted);
    return true;
}

void reach_set_random_seed(uint32_t seed)
{
    void (*set_flags)(const char *flags);
    char flag[40];

    if (!FIND(V8_SET_FLAGS, set_flags))
        return;
    (void)snprintf(flag, sizeof(flag), "--random-seed=%u", seed & 0x7fffffffu);
    set_flags(flag);
}

bool reach_reseed_openssl(void)
{
    int (*rand_poll)(void);
    void (*rand_seed)(const void *bytes, int length);
    unsigned char fresh[48];

    if (!FIND("RAND_poll", rand_poll) || !FIND("RAND_seed", rand_seed) || rand_poll() != 1)
        return false;
    dc_random_bytes(fresh, sizeof(fresh));
    rand_seed(fresh, sizeof(fresh));
    dc_wipe(fresh, sizeof(fresh));
    return true;
}

void reach_collect_garbage(void)
{
    void (*low_memory)(void *isolate);
    void *isolate = current_isolate();

    if (isolate && FIND(ISOLATE_LOW_MEMORY, low_memory))
        low_memory(isolate);
}
