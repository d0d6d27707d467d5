/* Installs under way and those who wait for them: who begins one, who joins it, and for how long.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "packages/packages_internal.h"

#include "base/poison.h"

enum {
    CLOCK_MS = 100, /* how often ceilings are looked at */
    TIMEOUT_EXIT_CODE = 124,
};

/* It waits in the queue of its project, at whose caps it may stand for long: nobody else waits
 * there with it. */
static bool may_join(const struct packages *packages, const struct install *install,
                     const char *project)
{
    bool running = false;

    return !install->abandoned &&
           (install->started || strcmp(install->project, project) == 0 ||
            (engine_find(packages->engine, install->project, install->run_id, &running) &&
             running));
}

static struct install *find_install(const struct packages *packages, const char *key,
                                    const char *project)
{
    struct install *install = packages->installs;

    while (install && (strcmp(install->key, key) != 0 || !may_join(packages, install, project)))
        install = install->next;
    return install;
}

static void unlink_install(struct packages *packages, const struct install *install)
{
    struct install **link = &packages->installs;

    while (*link != install)
        link = &(*link)->next;
    *link = install->next;
}

static void let_go(struct install *install)
{
    if (--install->holders)
        return;
    package_failure_release(&install->failure);
    package_wish_release(&install->wish);
    free(install);
}

/* From the start each time: who is told runs on top of us, and leaves the list. */
static void tell_askers(struct packages *packages, const struct install *install)
{
    struct asking *asking = packages->asking;

    while (asking) {
        if (asking->install != install || asking->told) {
            asking = asking->next;
            continue;
        }
        asking->told = true;
        await_flag_set(&asking->news);
        asking = packages->asking;
    }
}

/* ---- ceilings ---- */

struct install_clock {
    uv_timer_t timer;
    struct install *install;
};

static void free_clock(uv_handle_t *timer)
{
    free(timer->data);
}

static void stop_clock(struct install *install)
{
    struct install_clock *clock = install->clock;

    install->clock = NULL;
    uv_close((uv_handle_t *)&clock->timer, free_clock);
}

static int64_t end_of(int64_t now, uint32_t ceiling_s)
{
    return ceiling_s ? now + ceiling_s * DC_NS_PER_S : INT64_MAX;
}

static struct asking *find_expired(const struct packages *packages, const struct install *install,
                                   int64_t now)
{
    struct asking *asking = packages->asking;

    while (asking && (asking->install != install || asking->told || asking->expired ||
                      asking->until_ns > now))
        asking = asking->next;
    return asking;
}

static bool is_awaited(const struct packages *packages, const struct install *install)
{
    const struct asking *asking = packages->asking;

    while (asking && asking->install != install)
        asking = asking->next;
    return asking != NULL;
}

static void on_clock(uv_timer_t *timer)
{
    struct install_clock *clock = timer->data;
    struct install *install = clock->install;
    struct packages *packages = install->packages;
    int64_t now = dc_now();
    struct asking *asking;
    struct dc_err ignored;

    if (!install->started)
        return;
    while ((asking = find_expired(packages, install, now))) { /* who is told leaves the list */
        asking->expired = true;
        await_flag_set(&asking->news);
    }
    if (install->abandoned || now < install->until_ns || is_awaited(packages, install))
        return;
    install->abandoned = true;
    dc_ignore(engine_cancel(packages->engine, install->project, install->run_id, &ignored));
}

static int start_clock(struct install *install, struct dc_err *err)
{
    struct install_clock *clock = calloc(1, sizeof(*clock));

    if (!clock)
        return dc_fail(err, DC_KERNEL, ENOMEM, "an install");
    clock->install = install;
    clock->timer.data = clock;
    install->clock = clock;
    (void)uv_timer_init(install->packages->loop, &clock->timer); /* never fails */
    (void)uv_timer_start(&clock->timer, on_clock, CLOCK_MS, CLOCK_MS);
    return 0;
}

void install_has_started(struct install *install)
{
    int64_t now = dc_now();

    install->started = true;
    install->until_ns = end_of(now, install->ceiling_s);
    for (struct asking *asking = install->packages->asking; asking; asking = asking->next)
        if (asking->install == install)
            asking->until_ns = end_of(now, asking->ceiling_s);
}

static void join(struct install *install, struct asking *asking)
{
    int64_t until_ns = end_of(dc_now(), asking->ceiling_s);

    asking->install = install;
    asking->told = false;
    asking->until_ns = install->started ? until_ns : INT64_MAX;
    if (!asking->ceiling_s || (install->ceiling_s && asking->ceiling_s > install->ceiling_s))
        install->ceiling_s = asking->ceiling_s;
    if (install->started && until_ns > install->until_ns)
        install->until_ns = until_ns;
}

uint32_t install_ceiling(const struct packages *packages, const struct package_asker *asker)
{
    return asker->install_s < packages->options.install_s ? asker->install_s : 0;
}

static int fail_expired(const struct asking *asking, struct package_failure *failure,
                        struct dc_err *err)
{
    failure->exit_code = TIMEOUT_EXIT_CODE;
    (void)snprintf(failure->message, sizeof(failure->message),
                   "it did not end within %u s, which is as long as this project may install; ask "
                   "for fewer packages, or have that raised",
                   asking->ceiling_s);
    return dc_fail(err, DC_CONFLICT, 0, "%s", failure->message);
}

static void install_task(void *arg)
{
    struct install *install = arg;
    struct packages *packages = install->packages;
    int64_t begun = dc_now();

    packages->stats.installing++;
    install_carry_out(install);
    packages->stats.installing--;
    packages->stats.installs++;
    packages->stats.failures += install->result < 0;
    packages->stats.install_ns += (uint64_t)(dc_now() - begun);
    unlink_install(packages, install);
    stop_clock(install);
    install->done = true;
    tell_askers(packages, install);
    if (install->result == 0)
        packages_keep_budget(packages);
    let_go(install);
    if (!packages->installs && !packages->evicting)
        await_list_wake(&packages->idle);
}

static struct install *begin_install(struct packages *packages, const char *key,
                                     const char *runtime, const struct package_wish *wish,
                                     const struct package_asker *asker, struct dc_err *err)
{
    struct install *install = calloc(1, sizeof(*install));

    if (!install) {
        (void)dc_fail(err, DC_KERNEL, ENOMEM, "an install");
        return NULL;
    }
    *install = (struct install){.packages = packages,
                                .share = asker->share,
                                .ceiling_s = install_ceiling(packages, asker),
                                .holders = 2};
    dc_uuid7(dc_wall_now(), install->run_id);
    (void)snprintf(install->project, sizeof(install->project), "%s", asker->project);
    if (package_wish_copy(wish, &install->wish, err) < 0 || start_clock(install, err) < 0) {
        package_wish_release(&install->wish);
        free(install);
        return NULL;
    }
    memcpy(install->key, key, LAYER_KEY_SIZE);
    (void)snprintf(install->runtime, sizeof(install->runtime), "%s", runtime);
    install->next = packages->installs;
    packages->installs = install;
    if (task_start(packages->loop, install_task, install, err) == 0)
        return install;
    unlink_install(packages, install);
    stop_clock(install);
    package_wish_release(&install->wish);
    free(install);
    return NULL;
}

static void copy_failure(const struct package_failure *from, struct package_failure *to)
{
    to->exit_code = from->exit_code;
    memcpy(to->message, from->message, sizeof(to->message));
    dc_buf_init(&to->text, from->text.length + 1);
    (void)dc_buf_append(&to->text, dc_buf_str(&from->text), from->text.length);
}

int install_await(struct packages *packages, const char *key, const char *runtime,
                  const struct package_wish *wish, struct asking *asking,
                  struct package_failure *failure, struct engine_refusal *ret_refusal,
                  struct dc_err *err)
{
    struct install *install = find_install(packages, key, asking->asker->project);
    int result;

    if (install) {
        install->holders++;
        packages->stats.joined++;
    } else {
        install = begin_install(packages, key, runtime, wish, asking->asker, err);
        if (!install)
            return -err->code;
    }
    join(install, asking);
    while (!install->done && !asking->cancelled && !asking->expired)
        await_flag_wait(&asking->news);
    asking->install = NULL;
    result = install->result;
    if (asking->cancelled) {
        failure->cancelled = true;
        result = dc_fail(err, DC_CONFLICT, 0, "cancelled");
    } else if (!install->done) {
        result = fail_expired(asking, failure, err);
    } else if (result < 0) {
        *err = install->err;
        *ret_refusal = install->refusal;
        if (result == -DC_CONFLICT)
            copy_failure(&install->failure, failure);
    }
    let_go(install);
    return result;
}
