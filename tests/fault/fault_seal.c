/*
 * Sealing a run for real, as root, with each system call on the way failing in turn: not once may
 * the program's code be reached, and the launcher hears why. What is done: a file system of its own
 * with the folders of the sealed root, then the code that a fork of a zygote runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "fault.h"
#include "fault_internal.h"
#include "proto/job.h"
#include "proto/link.h"
#include "sandbox/seal.h"
#include "sandbox/seccomp_policy.h"
#include "zygote/child.h"

enum { SKIP = 77, RUN_UID = 1700000000, GIVEN_UP = 125 };

/* Shared with the process that is sealed. */
struct seen {
    bool ran;
    bool ready;
    long calls; /* of the kind, in a run without faults */
    char status[4096];
};

static struct seen *seen;
static int filter_fd = -1;
static char place[] = "/tmp/docle-seal-XXXXXX"; /* where each try mounts its own root */

__attribute__((noreturn)) static void give_up(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    (void)fflush(stdout);
    _exit(1);
}

/* A root with what sealing expects, nothing of the host below it. */
static void enter_root(void)
{
    static const char *const folders[] = {"workspace", "tmp", "dev", "dev/shm", "proc"};

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        give_up("mount namespace");
    if (mount("root", place, "tmpfs", 0, "mode=0755") < 0 || chdir(place) < 0)
        give_up("root");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (mkdir(folders[i], 0755) < 0)
            give_up(folders[i]);
    if (mknod("dev/null", S_IFCHR | 0666, 0x103) < 0 || mount("proc", "proc", "proc", 0, NULL) < 0)
        give_up("devices");
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        give_up("pivot_root");
}

static int reseed(void *context)
{
    (void)context;
    return 0;
}

static void note_status(void)
{
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && read(fd, seen->status, sizeof(seen->status) - 1) < 0)
        seen->status[0] = '\0';
}

/* What a fork of a zygote does. */
__attribute__((noreturn)) static void become_run(int socket_fd, int netns_fd, int group_fd,
                                                 enum fault_kind kind, long nth)
{
    static char filter[1 << 16];
    static const struct zygote_hooks hooks = {.reseed = reseed};
    static struct prefault prefault;
    static struct fd_list inherited;
    struct child_plan plan = {
        .hooks = &hooks,
        .prefault = &prefault,
        .inherited = &inherited,
        .filter = filter,
        .spawn = {.uid = RUN_UID, .cgroup_count = 1, .disk_mb = 16},
        .pidns_fd = -1,
        .netns_fd = netns_fd,
        .socket_fd = socket_fd,
        .cgroup_fds = {group_fd, -1, -1, -1, -1},
    };
    ssize_t n = pread(filter_fd, filter, sizeof(filter), 0);
    struct zygote_run run;
    struct dc_err err;
    long before;
    int abi;

    if (n <= 0 || fd_list_read(&inherited, &err) < 0 || seal_landlock_abi(&abi, &err) < 0)
        give_up("filter");
    plan.config.landlock = abi > 0;
    plan.filter_bytes = (size_t)n;
    before = fault_calls(kind);
    fault_arm(kind, nth, false);
    child_become_run(&plan, &run);
    seen->ran = true;
    seen->calls = fault_calls(kind) - before;
    (void)fault_disarm();
    note_status();
    _exit(0);
}

static int make_job(struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;
    int fd;

    dc_buf_init(&buf, 4096);
    if (!job_put(&buf, JOB_ENTRYPOINT, "main.py", 7) || !job_put(&buf, JOB_ENV, "A=b", 3) ||
        !job_put_file(&buf, "sub/main.py", "print(1)", 8) || !job_put(&buf, JOB_END, NULL, 0) ||
        job_seal(&buf, &fd, err) < 0)
        give_up("job");
    return fd;
}

/* Plays the launcher until the other side ends; what it said when it gave up, or nothing. */
static void play_launcher(int fd, struct dc_err *ret_said)
{
    struct link_message message;
    struct dc_err err;
    DC_AUTO(dc_close) int job = make_job(&err);
    DC_AUTO(dc_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[CHILD_JOB_FDS] = {job, null, null, null};
    struct child_job body = {.memory_mb = 256};

    *ret_said = (struct dc_err){0};
    while (link_receive(fd, &message, &err) == 0) {
        if (message.header.type == CHILD_READY) {
            seen->ready = true;
            dc_ignore(link_send(fd, CHILD_JOB, &body, sizeof(body), fds, CHILD_JOB_FDS, &err));
        } else if (message.header.type == CHILD_FAILED &&
                   link_message_is(&message, sizeof(*ret_said), 0)) {
            memcpy(ret_said, message.body, sizeof(*ret_said));
        }
        link_message_release(&message);
    }
}

/* One try in processes of its own; the status of the one that was sealed. */
static int try_once(enum fault_kind kind, long nth, struct dc_err *ret_said)
{
    DC_AUTO(dc_close) int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    DC_AUTO(dc_close) int group = memfd_create("cgroup.procs", MFD_CLOEXEC);
    int ends[2];
    int status;
    pid_t pid;
    struct dc_err err;

    *seen = (struct seen){0};
    if (netns < 0 || group < 0 || link_pair(ends, &err) < 0)
        give_up("descriptors");
    (void)fflush(stdout);
    pid = fork();
    if (pid == 0) {
        dc_close(ends[0]);
        if (unshare(CLONE_NEWPID) < 0)
            give_up("pid namespace");
        pid = fork();
        if (pid == 0) {
            enter_root();
            become_run(ends[1], netns, group, kind, nth);
        }
        dc_close(ends[1]);
        if (waitpid(pid, &status, 0) != pid)
            give_up("waitpid");
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    dc_close(ends[1]);
    play_launcher(ends[0], ret_said);
    dc_close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        give_up("fork");
    return WEXITSTATUS(status);
}

static bool check_sealed(void)
{
    static const char *const facts[] = {
        "\nSeccomp:\t2\n",
        "\nNoNewPrivs:\t1\n",
        "\nCapPrm:\t0000000000000000\n",
        "\nCapBnd:\t0000000000000000\n",
        "\nUid:\t1000\t1000\t1000\t1000\n",
    };
    bool good = true;

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (strstr(seen->status, facts[i]))
            continue;
        printf("# not in /proc/self/status: %s", facts[i] + 1);
        good = false;
    }
    return good;
}

static bool report(int number, bool good, const char *name)
{
    printf("%sok %d - %s\n", good ? "" : "not ", number, name);
    return good;
}

/* Every call of the kind fails once. */
static bool try_all(enum fault_kind kind, long calls)
{
    bool good = calls > 0;

    for (long nth = 1; nth <= calls; nth++) {
        struct dc_err said;
        int status = try_once(kind, nth, &said);
        bool told = said.code != DC_OK && said.text[0];

        if (getenv("DOCLE_TEST_LOG"))
            printf("# call %ld: exit %d, %s%s\n", nth, status, seen->ready ? "after READY: " : "",
                   told ? said.text : "(nothing said)");
        if (seen->ran) {
            printf("# call %ld: the code was reached\n", nth);
            good = false;
        }
        /* Before READY somebody waits for a word. */
        if (!seen->ready && (status != GIVEN_UP || !told)) {
            printf("# call %ld: it did not give up, exit %d\n", nth, status);
            good = false;
        }
    }
    return good;
}

int main(void)
{
    struct dc_err said = {0};
    bool good = true;
    int status;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0) {
        printf("1..0 # SKIP needs root\n");
        return SKIP;
    }
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED || seccomp_policy_run(&filter_fd, &said) < 0 || !mkdtemp(place))
        give_up("preparation");
    printf("1..3\n");
    status = try_once(FAULT_SYSTEM, 0, &said);
    if (status != 0)
        printf("# exit %d: %s\n", status, said.text);
    good &= report(1, status == 0 && seen->ran && check_sealed(), "without faults it is sealed");
    good &= report(2, try_all(FAULT_SYSTEM, seen->calls), "no failed call leads to the code");
    status = try_once(FAULT_MEMORY, 0, &said);
    good &= report(3, status == 0 && try_all(FAULT_MEMORY, seen->calls),
                   "no failed allocation leads to the code");
    (void)rmdir(place);
    return good ? 0 : 1;
}
