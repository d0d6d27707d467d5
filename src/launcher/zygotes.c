#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "launcher/launcher.h"

#include "base/poison.h"

enum {
    START_TIMEOUT_S = 30,
    RETRY_MS = 500,
    FAILURES_BEFORE_PLAIN = 3,
    FAILURES_BEFORE_GIVING_UP = 6, /* then HELLO goes out without this runtime being ready */
};

/* Of those without packages. */
static struct zygote_link *find(struct launcher *launcher, uint32_t runtime,
                                enum zygote_state state)
{
    for (size_t i = 0; i < ZYGOTES_MAX; i++)
        if (launcher->zygotes[i].state == state && launcher->zygotes[i].runtime == runtime &&
            !launcher->zygotes[i].warm)
            return &launcher->zygotes[i];
    return NULL;
}

struct zygote_link *zygotes_serving(struct launcher *launcher, uint32_t runtime)
{
    return find(launcher, runtime, ZYGOTE_SERVING);
}

bool zygotes_settled(const struct launcher *launcher)
{
    for (uint32_t i = 0; i < launcher->options.runtime_count; i++) {
        bool serving = false;

        for (size_t z = 0; z < ZYGOTES_MAX; z++)
            serving = serving || (launcher->zygotes[z].state == ZYGOTE_SERVING &&
                                  launcher->zygotes[z].runtime == i && !launcher->zygotes[z].warm);
        if (!serving && launcher->zygote_failures[i] < FAILURES_BEFORE_GIVING_UP)
            return false;
    }
    return true;
}

/* --- starting -------------------------------------------------------------------------------- */

static int send_config(struct launcher *launcher, int control_fd, struct dc_err *err)
{
    struct zygote_config config = {
        .landlock = launcher->landlock,
        .without = launcher->options.without,
    };

    return link_send(control_fd, ZYGOTE_CONFIG, &config, sizeof(config), &launcher->rest_filter_fd,
                     1, err);
}

static struct zygote_link *find_place(struct launcher *launcher)
{
    for (size_t i = 0; i < ZYGOTES_MAX; i++)
        if (launcher->zygotes[i].state == ZYGOTE_NONE)
            return &launcher->zygotes[i];
    return NULL;
}

/* warm: the set of packages that it is to have imported, or NULL. */
static int start(struct launcher *launcher, uint32_t runtime, const struct warm_set *warm,
                 struct dc_err *err)
{
    struct nursery_zygote body = {
        .runtime = runtime,
        .plain = launcher->options.runtimes[runtime].public.start == START_PLAIN,
    };
    struct zygote_link *zygote = find_place(launcher);
    int ends[2];
    int fds[2] = {-1, warm ? warm->names_fd : -1};
    int result;

    if (!zygote)
        return dc_fail(err, DC_LIMIT, 0, "all %d fork servers are in use", ZYGOTES_MAX);
    if (link_pair(ends, err) < 0)
        return -err->code;
    if (warm)
        memcpy(body.layer, warm->wish.layer, sizeof(body.layer));
    fds[0] = ends[1];
    result = link_send(launcher->nursery.link_fd, NURSERY_ZYGOTE, &body, sizeof(body), fds,
                       warm ? 2 : 1, err);
    dc_close(ends[1]);
    if (result == 0)
        result = send_config(launcher, ends[0], err);
    if (result == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        result = dc_fail(err, DC_KERNEL, 0, "O_NONBLOCK");
    if (result == 0)
        result = loop_watch(launcher, ends[0], WATCH_ZYGOTE, (uint32_t)(zygote - launcher->zygotes),
                            err);
    if (result < 0) {
        dc_close(ends[0]);
        return result;
    }
    *zygote = (struct zygote_link){
        .state = ZYGOTE_STARTING,
        .runtime = runtime,
        .plain = body.plain,
        .control_fd = ends[0],
        .pidfd = -1,
        .started_ns = dc_now(),
    };
    if (warm) {
        zygote->warm = (uint32_t)(warm - launcher->warm) + 1;
        memcpy(zygote->layer, warm->wish.layer, sizeof(zygote->layer));
    }
    return 0;
}

static void note_failure(struct launcher *launcher, uint32_t runtime)
{
    struct launch_runtime *public = &launcher->options.runtimes[runtime].public;
    uint32_t failures = ++launcher->zygote_failures[runtime];
    uint32_t patience = failures < 8 ? failures : 8;

    launcher->zygote_retry_ns[runtime] = dc_now() + patience * RETRY_MS * DC_NS_PER_MS;
    if (failures == FAILURES_BEFORE_PLAIN && public->start == START_ZYGOTE) {
        dc_log(DC_LOG_ERROR, "runtime %s %s cannot serve as a zygote: plain starts from here on",
               public->name, public->version);
        public->start = START_PLAIN;
    }
}

/* --- ending ---------------------------------------------------------------------------------- */

static void close_zygote(struct zygote_link *zygote)
{
    if (zygote->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, zygote->pidfd, SIGKILL, NULL, 0);
    dc_close_clear(&zygote->pidfd);
    dc_close_clear(&zygote->control_fd);
    zygote->state = ZYGOTE_NONE;
}

/* What it had running is orphaned: nobody will learn the exit status, so it ends here. */
static void orphan_children(struct launcher *launcher, uint32_t index)
{
    for (size_t i = 0; i < launcher->slot_count; i++) {
        struct slot *slot = &launcher->slots[i];
        struct dc_err err;

        if (!slot->child_alive || slot->zygote != index)
            continue;
        slot->child_alive = false;
        slot->condemned = true;
        if (slot->has_run && !slot->run.stopped) {
            (void)dc_fail(&err, DC_BUG, 0, "its zygote died");
            run_trouble(launcher, slot, &err);
        } else if (slot->state == SLOT_SPAWNING || slot->state == SLOT_PREPARING ||
                   slot->state == SLOT_SPARE) {
            slot_kill_inside(launcher, slot);
        }
    }
}

static void lost(struct launcher *launcher, uint32_t index, const char *why)
{
    struct zygote_link *zygote = &launcher->zygotes[index];
    uint32_t runtime = zygote->runtime;
    enum zygote_state was = zygote->state;

    dc_log(DC_LOG_WARN, "zygote %u of runtime %s: %s", index,
           launcher->options.runtimes[runtime].public.name, why);
    close_zygote(zygote);
    launcher->stats.zygote_restarts++;
    if (was == ZYGOTE_STARTING && zygote->warm)
        warm_failed(launcher, zygote);
    else if (was == ZYGOTE_STARTING)
        note_failure(launcher, runtime);
    orphan_children(launcher, index);
}

static void retire_if_replaced(struct launcher *launcher, const struct zygote_link *young)
{
    for (uint32_t i = 0; i < ZYGOTES_MAX; i++) {
        struct zygote_link *old = &launcher->zygotes[i];

        if (old == young || old->state != ZYGOTE_SERVING || old->runtime != young->runtime ||
            old->warm != young->warm)
            continue;
        old->state = ZYGOTE_RETIRING;
        for (size_t s = 0; s < launcher->slot_count; s++) {
            struct slot *slot = &launcher->slots[s];

            if (slot->state == SLOT_SPARE && slot->zygote == i && !slot->has_run)
                slot_kill_inside(launcher, slot);
        }
    }
}

/* --- events ---------------------------------------------------------------------------------- */

static void on_ready(struct launcher *launcher, uint32_t index, const struct link_message *message)
{
    struct zygote_link *zygote = &launcher->zygotes[index];
    struct zygote_ready ready;
    const char *refusal;

    memcpy(&ready, message->body, sizeof(ready));
    ready.problem[sizeof(ready.problem) - 1] = '\0';
    refusal = ready.problem[0] ? ready.problem
              : zygote->warm   ? warm_refusal(launcher, zygote, &ready)
                               : NULL;
    if (refusal) {
        lost(launcher, index, refusal);
        return;
    }
    dc_log(DC_LOG_INFO,
           "zygote %u serves %s %s%s: %u MB, %u threads, %u pages learned, %u of them written, "
           "%lld ms",
           index, launcher->options.runtimes[zygote->runtime].public.name,
           launcher->options.runtimes[zygote->runtime].public.version,
           zygote->plain  ? " (plain starts)"
           : zygote->warm ? " with packages"
                          : "",
           ready.resident_mb, ready.threads, ready.learned_pages, ready.written_pages,
           (long long)((dc_now() - zygote->started_ns) / DC_NS_PER_MS));
    zygote->state = ZYGOTE_SERVING;
    zygote->resident_mb = ready.resident_mb;
    retire_if_replaced(launcher, zygote);
    if (zygote->warm)
        warm_ready(launcher, zygote);
    else
        launcher->zygote_failures[zygote->runtime] = 0;
}

static void on_exited(struct launcher *launcher, uint32_t index, const struct link_message *message)
{
    struct zygote_exited exited;

    memcpy(&exited, message->body, sizeof(exited));
    if (exited.slot >= launcher->slot_count || launcher->zygotes[index].children == 0) {
        lost(launcher, index, "reports an exit that cannot be");
        return;
    }
    launcher->zygotes[index].children--;
    if (launcher->slots[exited.slot].child_alive && launcher->slots[exited.slot].zygote == index)
        run_on_exit(launcher, &launcher->slots[exited.slot], &exited);
}

void zygotes_on_message(struct launcher *launcher, uint32_t index)
{
    struct zygote_link *zygote = &launcher->zygotes[index];
    struct link_message message;
    struct dc_err err;
    int result;

    if (zygote->state == ZYGOTE_NONE)
        return;
    result = link_receive(zygote->control_fd, &message, &err);
    if (result == -DC_BUSY)
        return;
    if (result < 0) {
        lost(launcher, index, err.text);
        return;
    }
    if (message.header.type == ZYGOTE_BORN && link_message_is(&message, 0, 1) && zygote->pidfd < 0)
        zygote->pidfd = link_message_take_fd(&message, 0);
    else if (message.header.type == ZYGOTE_READY && zygote->state == ZYGOTE_STARTING &&
             link_message_is(&message, sizeof(struct zygote_ready), 0))
        on_ready(launcher, index, &message);
    else if (message.header.type == ZYGOTE_EXITED &&
             link_message_is(&message, sizeof(struct zygote_exited), 0))
        on_exited(launcher, index, &message);
    else
        lost(launcher, index, "sent what it must not");
    link_message_release(&message);
}

static bool worn_out(const struct launcher *launcher, const struct zygote_link *zygote, int64_t now)
{
    return zygote->forks >= launcher->options.zygote_forks_max ||
           now - zygote->started_ns >= launcher->options.zygote_age_max_s * DC_NS_PER_S;
}

static void tend_warm(struct launcher *launcher, int64_t now)
{
    struct dc_err err;

    for (uint32_t set = 0; set < launcher->options.warm_sets; set++) {
        bool worn = false;

        for (size_t i = 0; i < ZYGOTES_MAX; i++)
            worn |= launcher->zygotes[i].warm == set + 1 &&
                    launcher->zygotes[i].state == ZYGOTE_SERVING &&
                    worn_out(launcher, &launcher->zygotes[i], now);
        if (!warm_wanted(launcher, set, worn, now))
            continue;
        if (start(launcher, launcher->warm[set].wish.runtime, &launcher->warm[set], &err) < 0) {
            dc_log_err(DC_LOG_WARN, NULL, &err, "cannot start a zygote with packages");
            launcher->warm[set].retry_ns = now + START_TIMEOUT_S * DC_NS_PER_S;
        }
    }
}

void zygotes_tend(struct launcher *launcher, int64_t now)
{
    struct dc_err err;

    for (uint32_t i = 0; i < ZYGOTES_MAX; i++) {
        struct zygote_link *zygote = &launcher->zygotes[i];

        if (zygote->state == ZYGOTE_STARTING &&
            now - zygote->started_ns > START_TIMEOUT_S * DC_NS_PER_S)
            lost(launcher, i, "did not get ready in time");
        if (zygote->state == ZYGOTE_RETIRING && zygote->children == 0)
            close_zygote(zygote);
    }
    for (uint32_t runtime = 0; runtime < launcher->options.runtime_count; runtime++) {
        struct zygote_link *serving = zygotes_serving(launcher, runtime);

        if (find(launcher, runtime, ZYGOTE_STARTING) || now < launcher->zygote_retry_ns[runtime] ||
            (serving && !worn_out(launcher, serving, now)))
            continue;
        if (start(launcher, runtime, NULL, &err) < 0) {
            dc_log_err(DC_LOG_ERROR, NULL, &err, "cannot start a zygote");
            note_failure(launcher, runtime);
        }
    }
    tend_warm(launcher, now);
}
