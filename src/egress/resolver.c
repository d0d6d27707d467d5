#include "egress/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#include "base/poison.h"

enum { TIMEOUT_MS = 2000, TRIES = 2, TICK_MS = 500, SOCKETS_MAX = 64 };

static const char resolv_conf[] = "/etc/resolv.conf";

struct resolver {
    uv_loop_t *loop;
    const char *servers;
    ares_channel channel;
    bool has_channel;
    struct timespec changed; /* of resolv.conf, when it was read */
    size_t pending;
    bool unwatched; /* a socket of the library's could not be watched; each tick tries again */
    uv_timer_t timer;
    struct watched {
        ares_socket_t fd;
        uv_poll_t *poll; /* NULL: free */
    } watched[SOCKETS_MAX];
};

struct question {
    struct resolver *resolver;
    resolver_done *done;
    void *context;
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct resolver *resolver = poll->data;
    ares_socket_t fd = ARES_SOCKET_BAD;

    for (size_t i = 0; i < SOCKETS_MAX; i++)
        if (resolver->watched[i].poll == poll)
            fd = resolver->watched[i].fd;
    if (fd == ARES_SOCKET_BAD)
        return;
    if (status < 0)
        events = UV_READABLE | UV_WRITABLE; /* it reads the error itself */
    ares_process_fd(resolver->channel, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
                    events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static struct watched *find(struct resolver *resolver, ares_socket_t fd)
{
    struct watched *spare = NULL;

    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        struct watched *one = &resolver->watched[i];

        if (one->poll && one->fd == fd)
            return one;
        if (!one->poll)
            spare = one;
    }
    return spare;
}

static void unwatch(struct watched *one)
{
    (void)uv_poll_stop(one->poll);
    uv_close((uv_handle_t *)one->poll, free_handle);
    one->poll = NULL;
}

/* What the library wants to know about its sockets. It keeps one while questions are under way, and
 * says so once: one that cannot be watched now must be later, or its answers are never read. */
static void on_state(void *context, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = context;
    struct watched *one = find(resolver, fd);

    if (!readable && !writable) {
        if (one && one->poll)
            unwatch(one);
        return;
    }
    if (!one) {
        resolver->unwatched = true;
        return;
    }
    if (!one->poll) {
        uv_poll_t *poll = malloc(sizeof(*poll));

        if (!poll || uv_poll_init(resolver->loop, poll, fd) < 0) {
            free(poll);
            resolver->unwatched = true;
            return;
        }
        poll->data = resolver;
        *one = (struct watched){fd, poll};
    }
    (void)uv_poll_start(one->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
                        on_socket);
}

static void watch_again(struct resolver *resolver)
{
    ares_socket_t fds[ARES_GETSOCK_MAXNUM];
    unsigned wanted = (unsigned)ares_getsock(resolver->channel, fds, ARES_GETSOCK_MAXNUM);

    resolver->unwatched = false;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        /* As ARES_GETSOCK_READABLE and _WRITABLE say, which shift into the sign. */
        bool readable = wanted >> i & 1;
        bool writable = wanted >> (i + ARES_GETSOCK_MAXNUM) & 1;

        if (readable || writable)
            on_state(resolver, fds[i], readable, writable);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct resolver *resolver = timer->data;

    if (resolver->unwatched)
        watch_again(resolver);
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void drop_channel(struct resolver *resolver)
{
    if (resolver->has_channel)
        ares_destroy(resolver->channel);
    resolver->has_channel = false;
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        if (resolver->watched[i].poll)
            unwatch(&resolver->watched[i]);
}

static int open_channel(struct resolver *resolver, struct dc_err *err)
{
    struct ares_options options = {
        .timeout = TIMEOUT_MS,
        .tries = TRIES,
        .ndots = 0,
        .domains = NULL, /* no search list: a name means itself */
        .ndomains = 0,
        .sock_state_cb = on_state,
        .sock_state_cb_data = resolver,
    };
    int result = ares_init_options(&resolver->channel, &options,
                                   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                                       ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB);

    if (result != ARES_SUCCESS)
        return dc_fail(err, DC_KERNEL, 0, "resolver: %s", ares_strerror(result));
    resolver->has_channel = true;
    if (!resolver->servers || !*resolver->servers)
        return 0;
    result = ares_set_servers_ports_csv(resolver->channel, resolver->servers);
    if (result != ARES_SUCCESS)
        return dc_fail(err, DC_INVALID, 0, "resolvers '%.80s': %s", resolver->servers,
                       ares_strerror(result));
    return 0;
}

/* The host's settings may change under us; they are taken over when nothing is under way. */
static void look_at_settings(struct resolver *resolver)
{
    struct stat info;
    struct dc_err err;

    if (resolver->pending || (resolver->servers && *resolver->servers) ||
        stat(resolv_conf, &info) < 0 ||
        (info.st_mtim.tv_sec == resolver->changed.tv_sec &&
         info.st_mtim.tv_nsec == resolver->changed.tv_nsec && resolver->has_channel))
        return;
    drop_channel(resolver);
    resolver->changed = info.st_mtim;
    if (open_channel(resolver, &err) < 0)
        dc_log_err(DC_LOG_ERROR, NULL, &err, "resolver");
}

int resolver_open(uv_loop_t *loop, const char *servers, struct resolver **ret_resolver,
                  struct dc_err *err)
{
    DC_AUTO(resolver_free) struct resolver *resolver = calloc(1, sizeof(*resolver));
    struct stat info;
    int result = ares_library_init(ARES_LIB_INIT_ALL);

    if (!resolver)
        return dc_fail(err, DC_KERNEL, ENOMEM, "resolver");
    if (result != ARES_SUCCESS)
        return dc_fail(err, DC_KERNEL, 0, "resolver: %s", ares_strerror(result));
    resolver->loop = loop;
    resolver->servers = servers;
    if (stat(resolv_conf, &info) == 0)
        resolver->changed = info.st_mtim;
    (void)uv_timer_init(loop, &resolver->timer); /* never fails */
    resolver->timer.data = resolver;
    if (open_channel(resolver, err) < 0)
        return -err->code;
    *ret_resolver = dc_take(resolver);
    return 0;
}

static void free_resolver(uv_handle_t *timer)
{
    free(timer->data);
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    drop_channel(resolver);
    if (!resolver->loop) { /* its timer is not in one */
        free(resolver);
        return;
    }
    uv_close((uv_handle_t *)&resolver->timer, free_resolver);
}

/* Takes the addresses out; false when there are too many to look at each. */
static bool collect(const struct ares_addrinfo *info, union resolver_address *list, size_t *count)
{
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
        bool v4 = node->ai_family == AF_INET && node->ai_addrlen >= sizeof(struct sockaddr_in);
        bool v6 = node->ai_family == AF_INET6 && node->ai_addrlen >= sizeof(struct sockaddr_in6);

        if (!v4 && !v6)
            continue;
        if (*count == RESOLVER_ADDRESSES_MAX)
            return false;
        list[*count] = (union resolver_address){0};
        memcpy(&list[*count], node->ai_addr,
               v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        (*count)++;
    }
    return true;
}

static enum resolver_status judge(int status, size_t count)
{
    if (status == ARES_SUCCESS)
        return count ? RESOLVER_FOUND : RESOLVER_MISSING;
    return status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME
               ? RESOLVER_MISSING
               : RESOLVER_FAILED;
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
    struct question *question = context;
    struct resolver *resolver = question->resolver;
    union resolver_address list[RESOLVER_ADDRESSES_MAX];
    enum resolver_status outcome;
    size_t count = 0;

    (void)timeouts;
    if (info && status == ARES_SUCCESS && !collect(info, list, &count))
        status = ARES_ENOMEM;
    ares_freeaddrinfo(info);
    outcome = judge(status, count);
    if (--resolver->pending == 0)
        (void)uv_timer_stop(&resolver->timer);
    question->done(question->context, outcome, list, outcome == RESOLVER_FOUND ? count : 0);
    free(question);
}

void resolver_ask(struct resolver *resolver, const char *name, resolver_done *done, void *context)
{
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC};
    struct question *question = malloc(sizeof(*question));

    look_at_settings(resolver);
    if (!question || !resolver->has_channel) {
        free(question);
        done(context, RESOLVER_FAILED, NULL, 0);
        return;
    }
    *question = (struct question){resolver, done, context};
    if (resolver->pending++ == 0)
        (void)uv_timer_start(&resolver->timer, on_tick, TICK_MS, TICK_MS);
    ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, question);
}
