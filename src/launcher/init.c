/*
 * How it works: the init of one slot, pid 1 of its pid namespace and alone in its network namespace
 * between runs. It makes the namespaces usable, hands them to the launcher, and after each run
 * resets the pid counter and tells whether the network namespace still looks as on its first day:
 * counters cannot be reset, so a slot whose run used the network is not lent again. It never sees
 * user code; runs are children of the zygote, which waits for them. For a run that may use the
 * network it makes the sockets that lead to docle-egress (slot_network.c); such a slot ends with
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "launcher/confine.h"
#include "launcher/nursery.h"
#include "proto/link.h"
#include "proto/spawn.h"

#include "base/poison.h"

enum { SNAPSHOT_MAX = 32 * 1024 };

static char pristine[SNAPSHOT_MAX];
static size_t pristine_length;

static int loopback_up(struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};

    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return dc_fail_errno(err, "loopback flags");
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return dc_fail_errno(err, "bring loopback up");
    return 0;
}

/* What a run could leave behind for the next one to see. Any use of TCP or UDP shows in these
 * counters; netstat would only say more about it, and the socket tables of IP are left out because
 * reading them walks the whole host's hash table (36 % of the machine's time at full load,
 * measured). Unix sockets outlive their processes while they are on the way in messages of each
 * other (v16_sockets_in_flight.py). */
static size_t snapshot(char out[static SNAPSHOT_MAX])
{
    static const char *const files[] = {"dev", "snmp", "snmp6", "unix"};
    DC_AUTO(dc_close) int dir = open("/proc/self/net", O_DIRECTORY | O_CLOEXEC);
    size_t length = 0;

    for (size_t i = 0; dir >= 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        DC_AUTO(dc_close) int fd = openat(dir, files[i], O_RDONLY | O_CLOEXEC);
        size_t n = 0;
        struct dc_err ignored;

        if (fd >= 0)
            dc_ignore(dc_read_full(fd, out + length, SNAPSHOT_MAX - length, &n, &ignored));
        length += n;
    }
    return length;
}

static int announce(int link_fd, struct dc_err *err)
{
    DC_AUTO(dc_close) int pidns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    DC_AUTO(dc_close) int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    DC_AUTO(dc_close) int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int fds[INIT_READY_FDS];

    if (pidns < 0 || netns < 0 || pidfd < 0)
        return dc_fail_errno(err, "open the slot's namespaces");
    fds[INIT_FD_PIDNS] = pidns;
    fds[INIT_FD_NETNS] = netns;
    fds[INIT_FD_PIDFD] = pidfd;
    return link_send(link_fd, INIT_READY, NULL, 0, fds, INIT_READY_FDS, err);
}

static void reset_pid_counter(void)
{
    struct dc_err ignored; /* then the next run merely has another pid than 2 */

    dc_ignore(dc_write_file_at(AT_FDCWD, "/proc/sys/kernel/ns_last_pid", "1", &ignored));
}

static int scrub(int link_fd, struct dc_err *err)
{
    static char now[SNAPSHOT_MAX];
    size_t length = snapshot(now);
    struct init_scrubbed reply = {
        .clean = length == pristine_length && memcmp(now, pristine, length) == 0,
    };

    reset_pid_counter();
    return link_send(link_fd, INIT_SCRUBBED, &reply, sizeof(reply), NULL, 0, err);
}

/* A process of its own reads the artifacts, with the rights of the run and under its filter. */
static int collect(int link_fd, const struct link_message *message, int run_filter_fd,
                   struct dc_err *err)
{
    struct init_collect body;
    pid_t pid;

    memcpy(&body, message->body, sizeof(body));
    pid = fork();
    if (pid < 0)
        return dc_fail_errno(err, "fork the collector");
    if (pid == 0)
        collector_main(message->fds[COLLECT_FD_WORKSPACE], message->fds[COLLECT_FD_JOB],
                       message->fds[COLLECT_FD_OUT], body.uid, run_filter_fd);
    (void)waitpid(pid, NULL, 0); /* SIGCHLD is ignored: returns once it has ended */
    return link_send(link_fd, INIT_COLLECTED, NULL, 0, NULL, 0, err);
}

static int network(int link_fd, const struct link_message *message, struct dc_err *err)
{
    struct launch_network body;
    struct dc_err result = {0};

    memcpy(&body, message->body, sizeof(body));
    dc_ignore(slot_network(&body, message->fds[0], &result)); /* the launcher hears how it went */
    return link_send(link_fd, INIT_NETWORKED, &result, sizeof(result), NULL, 0, err);
}

static int give_layer(const struct nursery_plan *plan, uint32_t slot, int link_fd,
                      const struct link_message *message, struct dc_err *err)
{
    struct init_mount wish;
    struct dc_err reply = {0};

    memcpy(&wish, message->body, sizeof(wish));
    dc_ignore(layers_give(plan, slot, &wish, message->fds[0], &reply)); /* the reply says it */
    return link_send(link_fd, INIT_MOUNTED, &reply, sizeof(reply), NULL, 0, err);
}

static int serve_once(const struct nursery_plan *plan, uint32_t slot, int link_fd,
                      struct dc_err *err)
{
    int run_filter_fd = plan->run_filter_fd;
    struct link_message message;
    int result = link_receive(link_fd, &message, err);

    if (result < 0)
        return result;
    if (message.header.type == INIT_SCRUB && link_message_is(&message, 0, 0))
        result = scrub(link_fd, err);
    else if (message.header.type == INIT_COLLECT &&
             link_message_is(&message, sizeof(struct init_collect), INIT_COLLECT_FDS))
        result = collect(link_fd, &message, run_filter_fd, err);
    else if (message.header.type == INIT_MOUNT &&
             link_message_is(&message, sizeof(struct init_mount), 1))
        result = give_layer(plan, slot, link_fd, &message, err);
    else if (message.header.type == INIT_NETWORK &&
             link_message_is(&message, sizeof(struct launch_network), 1))
        result = network(link_fd, &message, err);
    link_message_release(&message);
    return result;
}

_Noreturn void slot_init_main(const struct nursery_plan *plan, uint32_t slot, int link_fd)
{
    const int keep[] = {link_fd, plan->run_filter_fd, plan->filters->init_fd};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct dc_err err;

    if (sigaction(SIGCHLD, &ignore, NULL) < 0 ||
        confine_fds(keep, sizeof(keep) / sizeof(keep[0]), &err) < 0 || loopback_up(&err) < 0 ||
        layers_prepare_slot(plan, slot, &err) < 0)
        _exit(1);
    /* No TIME_WAIT is kept, so that no connection of one run is felt by the next. */
    dc_ignore(dc_write_file_at(AT_FDCWD, "/proc/sys/net/ipv4/tcp_max_tw_buckets", "0", &err));
    pristine_length = snapshot(pristine);
    if (confine_init(plan, &err) < 0 || announce(link_fd, &err) < 0)
        _exit(1);
    while (serve_once(plan, slot, link_fd, &err) == 0)
        ;
    _exit(0);
}
