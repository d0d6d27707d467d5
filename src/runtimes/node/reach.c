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
#define ISOLATE_GENERATOR "_ZN2v88internal7Isolate23random_number_generatorEv"
#define GENERATOR_SET_SEED "_ZN2v84base21RandomNumberGenerator7SetSeedEl"
#define V8_SET_FLAGS "_ZN2v82V818SetFlagsFromStringEPKc"
#define NODE_GET_ENVIRONMENT "_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE"
#define NODE_SET_EXIT_HANDLER                                                                      \
    "_ZN4node21SetProcessExitHandlerEPNS_11EnvironmentEOSt8functionIFvS1_iEE"

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

/* A std::function<void(Environment *, int)> as libstdc++ lays it out; the mangled name above says
 * that this Node was built with it (libc++ would read St3__1). */
struct std_function {
    void (*functor[2])(int code);
    int (*manage)(void *target, const void *source, int operation);
    void (*invoke)(const void *functor, void *const *environment, const int *code);
};

enum { FUNCTOR_CLONE = 2 };

static int manage_functor(void *target, const void *source, int operation)
{
    if (operation == FUNCTOR_CLONE)
        memcpy(target, source, sizeof(((struct std_function *)0)->functor));
    return 0;
}

static void invoke_functor(const void *functor, void *const *environment, const int *code)
{
    void (*on_exit)(int code);

    (void)environment;
    memcpy(&on_exit, functor, sizeof(on_exit));
    on_exit(*code);
}

bool reach_on_exit(void (*on_exit)(int code))
{
    struct std_function handler = {{on_exit, NULL}, manage_functor, invoke_functor};
    void *(*get_context)(void *isolate);
    void *(*get_environment)(void *js_context);
    void (*set_handler)(void *environment, struct std_function *handler);
    void *isolate = current_isolate();

    if (!isolate || !FIND(ISOLATE_GET_CONTEXT, get_context) ||
        !FIND(NODE_GET_ENVIRONMENT, get_environment) || !FIND(NODE_SET_EXIT_HANDLER, set_handler))
        return false;
    set_handler(get_environment(get_context(isolate)), &handler);
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

bool reach_reseed_v8(void)
{
    void *(*get_generator)(void *isolate);
    void (*set_seed)(void *generator, int64_t seed);
    void *isolate = current_isolate();
    int64_t seed;

    if (!isolate || !FIND(ISOLATE_GENERATOR, get_generator) || !FIND(GENERATOR_SET_SEED, set_seed))
        return false;
    dc_random_bytes(&seed, sizeof(seed));
    set_seed(get_generator(isolate), seed);
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
