#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "proto/egress.h"
#include "proto/link.h"

#include "base/poison.h"

enum { HELLO_WAIT_MS = 60000 };

/* Test builds: DOCLE_TEST_WITHOUT=seccomp,landlock switches defences off, one by one, to show that
 * an attack then succeeds. */
static void read_without(struct launch_plan *plan)
{
#ifdef DOCLE_TEST_HOOKS
    const char *wanted = getenv("DOCLE_TEST_WITHOUT");
    char *save = NULL;
    size_t count = 0;

    (void)snprintf(plan->without_text, sizeof(plan->without_text), "%s", wanted ? wanted : "");
    for (char *word = strtok_r(plan->without_text, ",", &save); word && count < LAUNCH_WITHOUT_MAX;
         word = strtok_r(NULL, ",", &save))
        plan->without[count++] = word;
    plan->options.without = plan->without;
#else
    (void)plan;
#endif
}

int launch_plan(const struct config *config, enum launch_profile profile, struct launch_plan *plan,
                struct dc_err *err)
{
    static const char *const levels[] = {"limited", "standard", "full"};
    bool single = profile != LAUNCH_SERVER;

    *plan = (struct launch_plan){0};
    if ((profile == LAUNCH_LOOK ? sealed_root_find(config, plan->root, err)
                                : sealed_root_ensure(config, plan->root, err)) < 0)
        return -err->code;
    (void)snprintf(plan->spare_texts[0], sizeof(plan->spare_texts[0]), "python=%u",
                   single ? 0 : config_number(config, CONFIG_SPARES_PYTHON));
    (void)snprintf(plan->spare_texts[1], sizeof(plan->spare_texts[1]), "node=%u",
                   single ? 0 : config_number(config, CONFIG_SPARES_NODE));
    plan->spares[0] = plan->spare_texts[0];
    plan->spares[1] = plan->spare_texts[1];
    plan->options = (struct launcher_options){
        .root = plan->root,
        .slots = single ? 1 : config_number(config, CONFIG_SLOTS),
        .uid_base = config_number(config, CONFIG_UID_BASE),
        .zygote_forks_max = config_number(config, CONFIG_ZYGOTE_FORKS),
        .zygote_age_max_s = config_number(config, CONFIG_ZYGOTE_AGE_SECONDS),
        .floor = levels[config_number(config, CONFIG_FLOOR)],
        .spares = plan->spares,
        .debug = config_number(config, CONFIG_LOG_LEVEL) == 0,
        .network = !single && config_number(config, CONFIG_NETWORK_ENABLED),
        .private = config_text_or_null(config, CONFIG_NETWORK_PRIVATE),
        .resolvers = config_text_or_null(config, CONFIG_NETWORK_RESOLVERS),
    };
    read_without(plan);
    return 0;
}

int launch_network_limits(const struct config *config, bool any,
                          struct run_network_limits *ret_limits, struct dc_err *err)
{
    if (run_network_limits_parse(config_text(config, CONFIG_NETWORK_DEFAULT_HOSTS),
                                 config_text(config, CONFIG_NETWORK_PRIVATE),
                                 config_text(config, CONFIG_NETWORK_BLOCKED_PORTS), ret_limits,
                                 err) < 0)
        return dc_context(err, "network settings");
    ret_limits->allow_any = any || config_number(config, CONFIG_NETWORK_ALLOW_ANY);
    return 0;
}

void launch_engine_network(const struct config *config, struct engine_options *options)
{
    options->network = true;
    options->egress = (struct egress_limits){
        .bytes_max = (uint64_t)config_number(config, CONFIG_NETWORK_MEGABYTES) << 20,
        .bytes_per_second = config_number(config, CONFIG_NETWORK_KILOBYTES_PER_SECOND) * 1000u,
        .connections_max = config_number(config, CONFIG_NETWORK_CONNECTIONS),
        .attempts_max = config_number(config, CONFIG_NETWORK_ATTEMPTS),
        .idle_ms = 1000 * config_number(config, CONFIG_NETWORK_IDLE_SECONDS),
    };
}

int launch_keeper(const struct launch_plan *plan, bool quiet, struct launcher_keeper *ret_keeper,
                  struct dc_err *err)
{
    DC_AUTO(dc_close) int saved = -1;
    DC_AUTO(dc_close) int null = -1;
    int result;

    if (!quiet)
        return launcher_keeper_start(&plan->options, ret_keeper, err);
    saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved < 0 || null < 0 || dup2(null, STDERR_FILENO) < 0)
        return dc_fail_errno(err, "standard error");
    result = launcher_keeper_start(&plan->options, ret_keeper, err);
    (void)dup2(saved, STDERR_FILENO); /* it was there a moment ago */
    return result;
}

static int await_readable(int fd, int64_t deadline, const char *who, struct dc_err *err)
{
    int64_t left = (deadline - dc_now()) / DC_NS_PER_MS;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (left <= 0 || poll(&poll_fd, 1, (int)left) == 0)
        return dc_fail(err, DC_TIMEOUT, 0, "the %s is silent", who);
    return 0;
}

static int await_relay(int fd, struct launch_hello *ret_hello, struct dc_err *err)
{
    struct link_message message;
    struct dc_err theirs;

    (void)ret_hello; /* it says that it is ready, and no more */
    if (await_readable(fd, dc_now() + HELLO_WAIT_MS * DC_NS_PER_MS, "relay", err) < 0 ||
        link_receive(fd, &message, err) < 0)
        return dc_context(err, "docle-egress");
    link_message_release(&message);
    if (message.header.type == EGRESS_READY)
        return 0;
    if (message.header.type != EGRESS_FATAL || message.header.length != sizeof(theirs))
        return dc_fail(err, DC_BUG, 0, "message %u of docle-egress", message.header.type);
    memcpy(&theirs, message.body, sizeof(theirs));
    theirs.text[sizeof(theirs.text) - 1] = '\0';
    return dc_fail(err, DC_DENIED, theirs.errnum, "%s", theirs.text);
}

/* One message of the launcher. 1: it was HELLO. */
static int hear(int fd, struct launch_hello *ret_hello, struct dc_err *err)
{
    struct link_message message;
    struct dc_err theirs;

    if (link_receive(fd, &message, err) < 0)
        return dc_context(err, "the launcher ended");
    link_message_release(&message);
    if (message.header.type == LAUNCH_HELLO && message.header.length == sizeof(*ret_hello)) {
        memcpy(ret_hello, message.body, sizeof(*ret_hello));
        return 1;
    }
    if (message.header.type == LAUNCH_FATAL && message.header.length == sizeof(theirs)) {
        memcpy(&theirs, message.body, sizeof(theirs));
        theirs.text[sizeof(theirs.text) - 1] = '\0';
        return dc_fail(err, DC_DENIED, theirs.errnum, "%s", theirs.text);
    }
    return 0;
}

static int await_hello(int fd, struct launch_hello *ret_hello, struct dc_err *err)
{
    int64_t deadline = dc_now() + HELLO_WAIT_MS * DC_NS_PER_MS;
    int result = 0;

    while (result == 0) {
        if (await_readable(fd, deadline, "launcher", err) < 0)
            return -err->code;
        result = hear(fd, ret_hello, err);
    }
    return result < 0 ? result : 0;
}

/* Starts a program by the keeper, on a link of ours, and hears what it says first. */
static int probe(const struct launch_plan *plan,
                 int (*start)(struct launcher_keeper *keeper, int link_fd, struct dc_err *err),
                 int (*await)(int fd, struct launch_hello *ret_hello, struct dc_err *err),
                 struct launch_hello *ret_hello, struct dc_err *err)
{
    struct launcher_keeper keeper;
    int ends[2];
    int result;

    if (launch_keeper(plan, !plan->options.debug, &keeper, err) < 0)
        return -err->code;
    result = link_pair(ends, err);
    if (result == 0) {
        result = start(&keeper, ends[1], err);
        dc_close(ends[1]);
        if (result == 0)
            result = await(ends[0], ret_hello, err);
        dc_close(ends[0]);
    }
    launcher_keeper_release(&keeper);
    return result;
}

int launch_probe_relay(const struct launch_plan *plan, struct dc_err *err)
{
    return probe(plan, launcher_keeper_relay, await_relay, NULL, err);
}

int launch_probe(const struct launch_plan *plan, struct launch_hello *ret_hello, struct dc_err *err)
{
    return probe(plan, launcher_keeper_launch, await_hello, ret_hello, err);
}
