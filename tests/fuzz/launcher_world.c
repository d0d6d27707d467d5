#include "launcher_world.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#include "base/poison.h"

static int64_t now_ns;
static char files_path[256]; /* folders that play control groups */
static int files_fd = -1;
static int null_fd = -1;

/* --- wrapped calls --------------------------------------------------------------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
long __wrap_syscall(long number, ...);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time)
{
    if (id != CLOCK_MONOTONIC || !now_ns)
        return __real_clock_gettime(id, ret_time);
    ret_time->tv_sec = now_ns / DC_NS_PER_S;
    ret_time->tv_nsec = now_ns % DC_NS_PER_S;
    return 0;
}

/* The folders stay; an rmdir of them would not be refused by a real control group. */
int __wrap_unlinkat(int dir, const char *name, int flags)
{
    return flags & AT_REMOVEDIR ? 0 : __real_unlinkat(dir, name, flags);
}

/* The launcher's one bare call once it serves: a kill by pidfd. */
long __wrap_syscall(long number, ...)
{
    const uint64_t one = 1;
    va_list list;
    int fd;

    assert(number == SYS_pidfd_send_signal);
    va_start(list, number);
    fd = va_arg(list, int);
    va_end(list);
    return write(fd, &one, sizeof(one)) == sizeof(one) ? 0 : -1;
}

void world_advance(int64_t ns)
{
    now_ns += ns;
}

/* --- control groups -------------------------------------------------------------------------- */

static void write_text(int dir, const char *name, const char *text)
{
    DC_AUTO(dc_close) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
}

void world_set_usage(struct world *world, size_t slot, uint64_t cpu_us, unsigned ooms,
                     unsigned refused_forks)
{
    char text[48];

    (void)snprintf(text, sizeof(text), "usage_usec %llu\n", (unsigned long long)cpu_us);
    write_text(world->slots[slot].files_fd, "cpu.stat", text);
    (void)snprintf(text, sizeof(text), "oom 0\noom_kill %u\n", ooms);
    write_text(world->slots[slot].files_fd, "memory.events", text);
    (void)snprintf(text, sizeof(text), "max %u\n", refused_forks);
    write_text(world->slots[slot].files_fd, "pids.events", text);
}

void world_set_populated(struct world *world, size_t slot, bool populated)
{
    write_text(world->slots[slot].files_fd, "cgroup.events",
               populated ? "populated 1\nfrozen 1\n" : "populated 0\nfrozen 1\n");
}

static void make_group(const char *name)
{
    static const char *const files[] = {"cgroup.procs", "cgroup.kill",   "memory.max",
                                        "memory.peak",  "pids.max",      "memory.swap.max",
                                        "cpu.max",      "cgroup.freeze", "memory.oom.group"};
    DC_AUTO(dc_close) int dir = -1;

    if (mkdirat(files_fd, name, 0700) < 0 && errno != EEXIST)
        abort();
    dir = openat(files_fd, name, O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        write_text(dir, files[i], "");
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_groups(void)
{
    (void)nftw(files_path, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

void world_prepare(void)
{
    char name[16];

    if (files_fd >= 0)
        return;
    (void)snprintf(files_path, sizeof(files_path), "%s/docle-world-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/dev/shm");
    if (!mkdtemp(files_path))
        abort();
    (void)atexit(remove_groups);
    files_fd = open(files_path, O_DIRECTORY | O_CLOEXEC);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (files_fd < 0 || null_fd < 0)
        abort();
    make_group("service");
    for (int i = 0; i < WORLD_ALL_SLOTS; i++) {
        (void)snprintf(name, sizeof(name), "slot%d", i);
        make_group(name);
    }
}

/* --- opening and closing --------------------------------------------------------------------- */

static int pair_with(int *ret_theirs)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        abort();
    *ret_theirs = ends[1];
    return ends[0];
}

static void open_slots(struct world *world)
{
    struct launcher *launcher = &world->launcher;

    launcher->slot_count = WORLD_ALL_SLOTS;
    launcher->slots = calloc(WORLD_ALL_SLOTS, sizeof(launcher->slots[0]));
    launcher->pending = calloc(WORLD_SLOTS, sizeof(launcher->pending[0]));
    if (!launcher->slots || !launcher->pending)
        abort();
    for (uint32_t i = 0; i < WORLD_ALL_SLOTS; i++) {
        char name[16];

        slot_init(&launcher->slots[i], i);
        (void)snprintf(name, sizeof(name), "slot%u", i);
        world->slots[i] = (struct world_slot){.init_fd = -1, .death_fd = -1, .child_fd = -1};
        world->slots[i].files_fd = openat(files_fd, name, O_DIRECTORY | O_CLOEXEC);
        write_text(world->slots[i].files_fd, "cgroup.kill", "");
        write_text(world->slots[i].files_fd, "memory.max", "max");
        write_text(world->slots[i].files_fd, "memory.swap.max", "max");
        write_text(world->slots[i].files_fd, "pids.max", "max");
        world->slots[i].kill_fd =
            openat(world->slots[i].files_fd, "cgroup.kill", O_RDWR | O_CLOEXEC);
        world_set_usage(world, i, 0, 0, 0);
        world_set_populated(world, i, false);
    }
}

void world_open(struct world *world)
{
    struct launcher *launcher = &world->launcher;
    struct dc_err err;

    world_prepare();
    now_ns = DC_NS_PER_S;
    dc_log_setup("world", getenv("DOCLE_TEST_LOG") ? DC_LOG_DEBUG : DC_LOG_OFF);
    *world = (struct world){.around_turn = world->around_turn,
                            .launcher = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                                         .run_filter_fd = dup(null_fd),
                                         .zygote_filter_fd = -1,
                                         .root_fd = -1,
                                         .sweeper_fd = -1,
                                         .landlock = true,
                                         .cores = 2}};
    launcher->options = (struct options){
        .slots = WORLD_SLOTS,
        .zygote_forks_max = 8,
        .zygote_age_max_s = 300,
        .runtime_count = WORLD_RUNTIMES,
        .runtimes = {{.public = {"python", "3.11.2", START_ZYGOTE, {0}}, .spares = 1},
                     {.public = {"node", "20.20.2", START_ZYGOTE, {0}}, .spares = 1}},
    };
    launcher->cgroups.version = 2;
    for (size_t i = 0; i < CG_PARTS; i++) {
        launcher->cgroups.has[i] = true;
        launcher->cgroups.base_fds[i] = launcher->cgroups.parent_fds[i] = -1;
    }
    launcher->cgroups.base_fds[CG_UNIFIED] = dup(files_fd);
    cgroup_leaf_init(&launcher->service_leaf);
    open_slots(world);
    for (size_t i = 0; i < ZYGOTES_MAX; i++)
        world->zygotes[i].fd = -1;
    world->server_fd = pair_with(&launcher->options.link_fd);
    world->nursery_fd = pair_with(&launcher->nursery.link_fd);
    if (loop_watch(launcher, launcher->nursery.link_fd, WATCH_NURSERY, 0, &err) < 0 ||
        loop_watch(launcher, launcher->options.link_fd, WATCH_SERVER, 0, &err) < 0)
        abort();
}

static void close_launcher(struct launcher *launcher)
{
    for (size_t i = 0; i < launcher->slot_count; i++) {
        struct slot *slot = &launcher->slots[i];
        int *fds[] = {&slot->init_fd,  &slot->init_pidfd,   &slot->pidns_fd, &slot->netns_fd,
                      &slot->child_fd, &slot->workspace_fd, &slot->mounts_fd};

        for (size_t f = 0; f < sizeof(fds) / sizeof(fds[0]); f++)
            dc_close_clear(fds[f]);
        cgroup_leaf_close(&slot->leaf);
        if (slot->has_run)
            run_release(&slot->run);
    }
    for (size_t i = 0; i < launcher->pending_count; i++)
        run_release(&launcher->pending[i]);
    for (size_t i = 0; i < ZYGOTES_MAX; i++) {
        if (launcher->zygotes[i].state == ZYGOTE_NONE)
            continue;
        dc_close(launcher->zygotes[i].control_fd);
        dc_close(launcher->zygotes[i].pidfd);
    }
    free(launcher->slots);
    free(launcher->pending);
    dc_close(launcher->cgroups.base_fds[CG_UNIFIED]);
    dc_close(launcher->epoll_fd);
    dc_close(launcher->run_filter_fd);
    dc_close(launcher->options.link_fd);
    dc_close(launcher->nursery.link_fd);
}

void world_close(struct world *world)
{
    close_launcher(&world->launcher);
    for (size_t i = 0; i < WORLD_ALL_SLOTS; i++) {
        dc_close(world->slots[i].init_fd);
        dc_close(world->slots[i].death_fd);
        dc_close(world->slots[i].child_fd);
        dc_close(world->slots[i].files_fd);
        dc_close(world->slots[i].kill_fd);
    }
    for (size_t i = 0; i < ZYGOTES_MAX; i++)
        dc_close(world->zygotes[i].fd);
    dc_close(world->server_fd);
    dc_close(world->nursery_fd);
}

/* --- speaking -------------------------------------------------------------------------------- */

void world_send(int fd, uint8_t type, const void *body, size_t length, size_t fd_count)
{
    int fds[DC_MESSAGE_MAX_FDS] = {0};
    struct dc_err err;

    for (size_t i = 0; i < fd_count; i++)
        fds[i] = null_fd;
    if (fd >= 0)
        dc_ignore(link_send(fd, type, body, length, fds, fd_count, &err)); /* it may be gone */
}

void world_send_raw(int fd, const void *bytes, size_t length, size_t count)
{
    enum { MANY = 40 };
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * MANY)] = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd < 0 || length == 0)
        return;
    count = count < MANY ? count : MANY;
    if (count) {
        struct cmsghdr *cmsg;

        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &null_fd, sizeof(int));
    }
    (void)sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void world_send_run(struct world *world, const struct launch_run *request)
{
    DC_AUTO(dc_close) int job = memfd_create("job", MFD_CLOEXEC);
    int fds[LAUNCH_RUN_FDS_MAX] = {job, null_fd, null_fd, null_fd, null_fd, null_fd};
    size_t count = request->flags & RUN_HAS_NETWORK ? LAUNCH_RUN_FDS_MAX : LAUNCH_RUN_FDS;
    struct dc_err err;

    if (job < 0 || write(job, &request->run, sizeof(request->run)) != sizeof(request->run))
        abort();
    dc_ignore(link_send(world->server_fd, LAUNCH_RUN, request, sizeof(*request), fds, count,
                        &err)); /* it may be gone */
}

void world_init_ready(struct world *world, size_t index)
{
    struct world_slot *slot = &world->slots[index];
    int fds[INIT_READY_FDS] = {null_fd, null_fd, -1};
    struct dc_err err;

    slot->made = false;
    dc_close(slot->death_fd);
    slot->death_fd = fds[INIT_FD_PIDFD] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (slot->init_fd >= 0)
        dc_ignore(link_send(slot->init_fd, INIT_READY, NULL, 0, fds, INIT_READY_FDS, &err));
}

void world_init_scrubbed(struct world *world, size_t slot, bool clean)
{
    struct init_scrubbed body = {.clean = clean};

    world->slots[slot].scrub = false;
    if (clean)
        world->slots[slot].used = false;
    world_send(world->slots[slot].init_fd, INIT_SCRUBBED, &body, sizeof(body), 0);
}

void world_init_mounted(struct world *world, size_t slot, enum dc_code code)
{
    struct dc_err body = {.code = (int)code, .text = "no such layer"};

    world->slots[slot].mount = false;
    world_send(world->slots[slot].init_fd, INIT_MOUNTED, &body, sizeof(body), 0);
}

void world_init_networked(struct world *world, size_t slot, enum dc_code code)
{
    struct dc_err body = {.code = (int)code, .text = "no such address"};

    world->slots[slot].network = false;
    world_send(world->slots[slot].init_fd, INIT_NETWORKED, &body, sizeof(body), 0);
}

void world_child_ready(struct world *world, size_t slot)
{
    world->slots[slot].spawned = false;
    world_send(world->slots[slot].child_fd, CHILD_READY, NULL, 0, CHILD_READY_FDS);
}

void world_zygote_ready(struct world *world, size_t zygote, const char *problem)
{
    struct zygote_ready body = {.threads = 1};
    DC_AUTO(dc_close) int handle = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct dc_err err;

    world->zygotes[zygote].fresh = false;
    (void)snprintf(body.problem, sizeof(body.problem), "%s", problem);
    if (world->zygotes[zygote].fd < 0)
        return;
    dc_ignore(link_send(world->zygotes[zygote].fd, ZYGOTE_BORN, NULL, 0, &handle, 1, &err));
    world_send(world->zygotes[zygote].fd, ZYGOTE_READY, &body, sizeof(body), 0);
}

void world_zygote_exited(struct world *world, size_t zygote, uint32_t slot, int32_t status)
{
    struct zygote_exited body = {.slot = slot, .status = status, .cpu_ns = 1000};

    if (slot < WORLD_ALL_SLOTS)
        world->slots[slot].owed = false;
    world_send(world->zygotes[zygote].fd, ZYGOTE_EXITED, &body, sizeof(body), 0);
}

/* --- hearing --------------------------------------------------------------------------------- */

static bool hear(int fd, struct link_message *message)
{
    struct dc_err err;

    return fd >= 0 && link_receive(fd, message, &err) == 0;
}

static void hear_nursery(struct world *world)
{
    struct link_message message;

    while (hear(world->nursery_fd, &message)) {
        assert(message.header.fd_count == 1);
        (void)fcntl(message.fds[0], F_SETFL, O_NONBLOCK);
        if (message.header.type == NURSERY_SLOT) {
            struct nursery_slot body;
            struct world_slot *slot;

            memcpy(&body, message.body, sizeof(body));
            assert(body.index < WORLD_ALL_SLOTS);
            slot = &world->slots[body.index];
            dc_close(slot->init_fd);
            slot->init_fd = link_message_take_fd(&message, 0);
            slot->made = true;
            slot->used = slot->scrub = slot->collect = slot->mount = slot->network = false;
        } else {
            size_t i = 0;

            assert(message.header.type == NURSERY_ZYGOTE);
            while (i < ZYGOTES_MAX && world->zygotes[i].fd >= 0)
                i++;
            if (i < ZYGOTES_MAX)
                world->zygotes[i] = (struct world_zygote){link_message_take_fd(&message, 0), true};
        }
        link_message_release(&message);
    }
}

/* A closed link is forgotten, so that its place serves the next zygote. */
static void hear_zygote(struct world *world, uint32_t index)
{
    struct world_zygote *zygote = &world->zygotes[index];
    struct pollfd ended = {.fd = zygote->fd};
    struct link_message message;

    while (hear(zygote->fd, &message)) {
        struct zygote_spawn body;
        struct world_slot *slot;

        assert(message.header.type == ZYGOTE_SPAWN || message.header.type == ZYGOTE_CONFIG);
        if (message.header.type == ZYGOTE_SPAWN) {
            memcpy(&body, message.body, sizeof(body));
            assert(body.slot < WORLD_ALL_SLOTS && body.uid == body.slot + 1);
            assert(message.header.fd_count == ZYGOTE_SPAWN_FDS + body.cgroup_count);
            slot = &world->slots[body.slot];
            assert(!slot->used); /* a slot is lent only when it is clean */
            dc_close(slot->child_fd);
            slot->child_fd = link_message_take_fd(&message, SPAWN_FD_SOCKET);
            (void)fcntl(slot->child_fd, F_SETFL, O_NONBLOCK);
            slot->spawned = slot->owed = true;
            slot->killed = false;
            slot->zygote = index;
        }
        link_message_release(&message);
    }
    if (zygote->fd >= 0 && poll(&ended, 1, 0) == 1 && ended.revents & POLLHUP)
        dc_close_clear(&zygote->fd);
}

/* SECURITY: no job without its limits. The file keeps the tail of what was longer. */
static void check_limits(const struct world_slot *slot, const struct run *run)
{
    char memory[24];
    char processes[24];
    char wanted[24];
    struct dc_err err;

    if (dc_read_file_at(slot->files_fd, "memory.max", memory, sizeof(memory), &err) < 0 ||
        dc_read_file_at(slot->files_fd, "pids.max", processes, sizeof(processes), &err) < 0)
        abort();
    (void)snprintf(wanted, sizeof(wanted), "%llu",
                   (unsigned long long)(run->request.memory_mb + run->request.disk_mb) << 20);
    assert(strncmp(memory, wanted, strlen(wanted)) == 0);
    if (dc_read_file_at(slot->files_fd, "memory.swap.max", wanted, sizeof(wanted), &err) < 0)
        abort();
    assert(wanted[0] == '0'); /* no swap */
    (void)snprintf(wanted, sizeof(wanted), "%u", run->request.processes);
    assert(strncmp(processes, wanted, strlen(wanted)) == 0);
}

static void hear_child(struct world *world, size_t index)
{
    struct world_slot *slot = &world->slots[index];
    struct pollfd ended = {.fd = slot->child_fd};
    struct link_message message;

    while (hear(slot->child_fd, &message)) {
        uint64_t run = UINT64_MAX;

        assert(message.header.type == CHILD_JOB && message.header.fd_count == CHILD_JOB_FDS);
        assert(pread(message.fds[JOB_FD_JOB], &run, sizeof(run), 0) == sizeof(run));
        assert(run < WORLD_RUNS && world->runs[run].asked && !world->runs[run].delivered);
        assert(!slot->used);
        check_limits(slot, &world->launcher.slots[index].run);
        world->runs[run].delivered = true;
        world->delivered++;
        slot->used = true;
        link_message_release(&message);
    }
    /* A child without a job leaves when its socket closes. */
    if (slot->child_fd >= 0 && poll(&ended, 1, 0) == 1 && ended.revents & POLLHUP)
        slot->killed = true;
}

static void hear_init(struct world *world, size_t index)
{
    struct world_slot *slot = &world->slots[index];
    struct link_message message;

    while (hear(slot->init_fd, &message)) {
        slot->scrub |= message.header.type == INIT_SCRUB;
        slot->collect |= message.header.type == INIT_COLLECT;
        slot->mount |= message.header.type == INIT_MOUNT;
        slot->network |= message.header.type == INIT_NETWORK;
        assert(slot->scrub || slot->collect || slot->mount || slot->network);
        link_message_release(&message);
    }
}

static void take_ended(struct world *world, const struct link_message *message)
{
    struct launch_ended ended;

    assert(link_message_is(message, sizeof(ended), 0));
    memcpy(&ended, message->body, sizeof(ended));
    assert(memchr(ended.text, '\0', sizeof(ended.text)));
    assert(ended.kind <= END_SANDBOX_ERROR);
    assert(ended.run < WORLD_RUNS && world->runs[ended.run].asked);
    world->runs[ended.run] = (struct world_run){0};
    world->last = ended;
    world->in_flight--;
    world->ended++;
}

static void hear_server(struct world *world)
{
    struct link_message message;

    while (hear(world->server_fd, &message)) {
        struct launch_started started;

        switch (message.header.type) {
        case LAUNCH_STARTED:
            assert(link_message_is(&message, sizeof(started), 0));
            memcpy(&started, message.body, sizeof(started));
            assert(started.run < WORLD_RUNS && world->runs[started.run].asked);
            assert(!world->runs[started.run].started);
            world->runs[started.run].started = true;
            break;
        case LAUNCH_ENDED:
            take_ended(world, &message);
            break;
        case LAUNCH_HELLO:
            assert(++world->hellos == 1);
            assert(link_message_is(&message, sizeof(struct launch_hello), 0));
            break;
        default:
            assert(message.header.type == LAUNCH_STATS);
            assert(link_message_is(&message, sizeof(struct launch_stats), 0));
            break;
        }
        link_message_release(&message);
    }
}

/* What the kernel does: a group that was killed is empty. */
static void empty_killed(struct world *world)
{
    for (size_t i = 0; i < WORLD_ALL_SLOTS; i++) {
        struct stat stat;

        if (fstat(world->slots[i].kill_fd, &stat) < 0)
            abort();
        if (stat.st_size == 0)
            continue;
        if (ftruncate(world->slots[i].kill_fd, 0) < 0)
            abort();
        world_set_populated(world, i, false);
        world->slots[i].killed = true;
    }
}

/* --- turns ----------------------------------------------------------------------------------- */

/* Learns which runs were taken: those that the launcher has now. */
static void note_runs(struct world *world)
{
    const struct launcher *launcher = &world->launcher;
    size_t count = launcher->pending_count;

    for (size_t i = 0; i < launcher->pending_count; i++) {
        uint64_t run = launcher->pending[i].request.run;

        assert(run < WORLD_RUNS);
        world->in_flight += !world->runs[run].asked;
        world->runs[run].asked = true;
    }
    for (size_t i = 0; i < launcher->slot_count; i++)
        count += launcher->slots[i].has_run;
    assert(count == launcher->running_count);
    assert(count <= WORLD_SLOTS);
}

bool world_turn(struct world *world)
{
    if (world->launcher.leaving || world->broken)
        return false;
    if (world->around_turn)
        world->around_turn(true);
    world->broken = loop_turn(&world->launcher, 0, &world->error) < 0;
    if (world->around_turn)
        world->around_turn(false);
    empty_killed(world);
    for (uint32_t i = 0; i < ZYGOTES_MAX; i++)
        hear_zygote(world, i);
    for (size_t i = 0; i < WORLD_ALL_SLOTS; i++) {
        hear_child(world, i);
        hear_init(world, i);
    }
    hear_nursery(world);
    hear_server(world);
    note_runs(world); /* last: an id may have ended and come again in one turn */
    assert(world->server_fd < 0 || world->launcher.leaving ||
           world->in_flight == world->launcher.running_count);
    return !world->launcher.leaving && !world->broken;
}

void world_behave(struct world *world)
{
    for (size_t i = 0; i < ZYGOTES_MAX; i++)
        if (world->zygotes[i].fd >= 0 && world->zygotes[i].fresh)
            world_zygote_ready(world, i, "");
    for (size_t i = 0; i < WORLD_ALL_SLOTS; i++) {
        struct world_slot *slot = &world->slots[i];

        if (slot->made)
            world_init_ready(world, i);
        if (slot->owed && (slot->used || slot->killed))
            world_zygote_exited(world, slot->zygote, (uint32_t)i, slot->killed ? SIGKILL : 0);
        else if (slot->spawned)
            world_child_ready(world, i);
        if (slot->collect)
            world_send(slot->init_fd, INIT_COLLECTED, NULL, 0, 0);
        if (slot->mount)
            world_init_mounted(world, i, DC_OK);
        if (slot->network)
            world_init_networked(world, i, DC_OK);
        if (slot->scrub)
            world_init_scrubbed(world, i, true);
        slot->collect = false;
    }
}
