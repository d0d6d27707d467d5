#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum { EVENTS_MAX = 64, ENDING_POLL_MS = 1, LIMIT_POLL_MS = 20, IDLE_POLL_MS = 1000 };

int loop_watch(struct launcher *launcher, int fd, enum watch_kind kind, uint32_t index,
               struct dc_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 | index};

    if (epoll_ctl(launcher->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return dc_fail_errno(err, "watch descriptor %d", fd);
    return 0;
}

static int dispatch(struct launcher *launcher, uint64_t tag, struct dc_err *err)
{
    uint32_t index = (uint32_t)tag;

    switch ((enum watch_kind)(tag >> 32)) {
    case WATCH_SERVER:
        return server_link_read(launcher, err);
    case WATCH_NURSERY:
        return dc_fail(err, DC_BUG, 0, "the nursery is gone");
    case WATCH_ZYGOTE:
        zygotes_on_message(launcher, index);
        return 0;
    case WATCH_INIT:
        slot_on_init(launcher, &launcher->slots[index]);
        return 0;
    case WATCH_CHILD:
        run_on_child(launcher, &launcher->slots[index]);
        return 0;
    case WATCH_OOM:
        run_on_oom(launcher, &launcher->slots[index]);
        return 0;
    case WATCH_DEATH:
        slot_on_death(launcher, &launcher->slots[index]);
        return 0;
    }
    return dc_fail(err, DC_BUG, 0, "event of kind %u", (unsigned)(tag >> 32));
}

/* How long until somebody has to look again. */
static int next_wait_ms(const struct launcher *launcher, int64_t now)
{
    int64_t wait = IDLE_POLL_MS;

    for (size_t i = 0; i < launcher->slot_count; i++) {
        const struct slot *slot = &launcher->slots[i];
        int64_t left = (slot->deadline_ns - now + DC_NS_PER_MS - 1) / DC_NS_PER_MS;

        if (slot->state == SLOT_ENDING && !slot->child_alive && wait > ENDING_POLL_MS)
            wait = ENDING_POLL_MS;
        if (slot->state == SLOT_RUNNING && wait > LIMIT_POLL_MS)
            wait = LIMIT_POLL_MS;
        if (slot->deadline_ns && left < wait)
            wait = left > 0 ? left : 0;
    }
    return (int)wait;
}

static void tend(struct launcher *launcher)
{
    int64_t now = dc_now();

    for (size_t i = 0; i < launcher->slot_count; i++)
        slot_tend(launcher, &launcher->slots[i], now);
    zygotes_tend(launcher, now);
    pool_pump(launcher);
    if (!launcher->announced && zygotes_settled(launcher)) {
        launcher->announced = true;
        server_link_hello(launcher);
    }
    server_link_stats(launcher, now);
}

int loop_turn(struct launcher *launcher, int wait_max_ms, struct dc_err *err)
{
    struct epoll_event events[EVENTS_MAX];
    int wait_ms;
    int count;

    tend(launcher);
    wait_ms = next_wait_ms(launcher, dc_now());
    count = epoll_wait(launcher->epoll_fd, events, EVENTS_MAX,
                       wait_ms < wait_max_ms ? wait_ms : wait_max_ms);
    if (count < 0 && errno != EINTR)
        return dc_fail_errno(err, "epoll_wait");
    for (int i = 0; i < count; i++)
        if (dispatch(launcher, events[i].data.u64, err) < 0)
            return -err->code;
    return 0;
}

int loop_run(struct launcher *launcher, struct dc_err *err)
{
    while (!launcher->leaving)
        if (loop_turn(launcher, IDLE_POLL_MS, err) < 0)
            return -err->code;
    return 0;
}
