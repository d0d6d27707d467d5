/*
 * docle-egress: the way out of runs that may use the network.
 *
 * How it works: the keeper of `docle serve` starts this program beside the launcher. It gives up
 * all rights, and then lets out of the host's network what the policy of a run allows, and nothing
 * else: a run's network namespace has no route but one that leads back to itself, and on it the
 * sockets that the slot's init made and gave to this process. A name that the run may reach gets an
 * address from 198.18.0.0/15; a connection to that address is answered here, held against the
 * policy, resolved, connected and relayed. TLS passes unopened. The process ends with its link to
 * the API process.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "egress/confine.h"
#include "egress/egress.h"
#include "proto/link.h"

#include "base/poison.h"

enum { OPEN_FILES_MAX = 65536, FILES_APART = 256 /* listeners, resolver, the rest */ };

struct options {
    int link_fd;
    uid_t uid; /* to become; 0: stay */
    const char *exceptions;
    const char *resolvers;
    bool debug;
    uint32_t without; /* enum egress_without; test builds only */
};

enum option_code { OPT_LINK_FD = 256, OPT_UID, OPT_PRIVATE, OPT_RESOLVERS, OPT_DEBUG, OPT_WITHOUT };

static const struct option long_options[] = {
    {"link-fd", required_argument, NULL, OPT_LINK_FD},
    {"uid", required_argument, NULL, OPT_UID},
    {"private", required_argument, NULL, OPT_PRIVATE},
    {"resolvers", required_argument, NULL, OPT_RESOLVERS},
    {"debug", no_argument, NULL, OPT_DEBUG},
#ifdef DOCLE_TEST_HOOKS
    {"without", required_argument, NULL, OPT_WITHOUT},
#endif
    {0},
};

static int read_number(const char *text, long max, long *ret_number, struct dc_err *err)
{
    char *end;

    errno = 0;
    *ret_number = strtol(text, &end, 10);
    if (errno || end == text || *end || *ret_number < 0 || *ret_number > max)
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is not a number from 0 to %ld", text, max);
    return 0;
}

static int options_read(struct options *options, int argc, char **argv, struct dc_err *err)
{
    long number = 0;
    int code;

    *options = (struct options){.link_fd = -1, .exceptions = "", .resolvers = ""};
    opterr = 0;
    while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (code) {
        case OPT_LINK_FD:
            if (read_number(optarg, INT_MAX, &number, err) < 0)
                return dc_context(err, "--link-fd");
            options->link_fd = (int)number;
            break;
        case OPT_UID:
            if (read_number(optarg, INT_MAX, &number, err) < 0)
                return dc_context(err, "--uid");
            options->uid = (uid_t)number;
            break;
        case OPT_PRIVATE:
            options->exceptions = optarg;
            break;
        case OPT_RESOLVERS:
            options->resolvers = optarg;
            break;
        case OPT_DEBUG:
            options->debug = true;
            break;
#ifdef DOCLE_TEST_HOOKS
        case OPT_WITHOUT:
            options->without |= strcmp(optarg, "egress-addresses") == 0 ? EGRESS_WITHOUT_ADDRESSES
                                                                        : EGRESS_WITHOUT_NAMES;
            break;
#endif
        default:
            return dc_fail(err, DC_INVALID, 0, "unknown option; `docle serve` starts me");
        }
    }
    if (options->link_fd < 0)
        return dc_fail(err, DC_INVALID, 0, "--link-fd is needed; `docle serve` starts me");
    return 0;
}

static int own_process(const struct options *options, size_t *ret_connections_max,
                       struct dc_err *err)
{
    static const int ignored[] = {SIGINT, SIGHUP, SIGTERM, SIGPIPE};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct rlimit files = {OPEN_FILES_MAX, OPEN_FILES_MAX};

    (void)clearenv(); /* the resolver's library would look into it */
    (void)umask(077);
    if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
            return dc_fail_errno(err, "open files");
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* as many as the host lets us */
    }
    if (files.rlim_cur < 2 * FILES_APART)
        return dc_fail(err, DC_LIMIT, 0, "%llu open files are too few",
                       (unsigned long long)files.rlim_cur);
    *ret_connections_max = (files.rlim_cur - FILES_APART) / 2;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        if (sigaction(ignored[i], &ignore, NULL) < 0)
            return dc_fail_errno(err, "signals");
    if (fcntl(options->link_fd, F_SETFD, FD_CLOEXEC) < 0)
        return dc_fail_errno(err, "link descriptor %d", options->link_fd);
    return 0;
}

static int serve(struct egress *egress, const struct options *options, struct dc_err *err)
{
    egress->without = options->without;
    if (host_exceptions_parse(options->exceptions, &egress->exceptions, err) < 0)
        return dc_context(err, "--private");
    if (own_process(options, &egress->connections_max, err) < 0 ||
        confine_become(options->uid, err) < 0)
        return -err->code;
    if (uv_loop_init(&egress->loop) < 0)
        return dc_fail(err, DC_KERNEL, 0, "event loop");
    if (resolver_open(&egress->loop, options->resolvers, &egress->resolver, err) < 0 ||
        confine_seal(err) < 0 || link_open(egress, options->link_fd, err) < 0)
        return -err->code;
    (void)uv_timer_init(&egress->loop, &egress->tick); /* never fails */
    egress->tick.data = egress;
    link_tell(egress, EGRESS_READY, NULL, 0);
    (void)uv_run(&egress->loop, UV_RUN_DEFAULT); /* until the link closes */
    return dc_fail(err, DC_BUG, 0, "the loop ended");
}

int main(int argc, char **argv)
{
    static struct egress egress = {.link_fd = -1};
    struct options options;
    struct dc_err err;
    struct dc_err ignored;
    int result = options_read(&options, argc, argv, &err);

    dc_log_setup("docle-egress", options.debug ? DC_LOG_DEBUG : DC_LOG_INFO);
    if (result == 0)
        result = serve(&egress, &options, &err);
    dc_log_err(DC_LOG_ERROR, NULL, &err, "leaving");
    if (options.link_fd >= 0)
        dc_ignore(link_send(options.link_fd, EGRESS_FATAL, &err, sizeof(err), NULL, 0, &ignored));
    return result < 0 ? 1 : 0;
}
