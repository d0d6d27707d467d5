#include "cli/confine.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "cli/data_dir.h"
#include "sandbox/seal.h"
#include "sandbox/seccomp_program.h"
#include "sandbox/try_calls.h"

#include "base/poison.h"

/* Where the data folder is seen; the name is only a mount point, on the host it stays empty. */
static const char mount_parent[] = "/run/docle";
static const char mount_point[] = "/run/docle/data";

/* --- who ------------------------------------------------------------------------------------- */

int confine_identity(const struct config *config, struct confine_identity *ret_identity,
                     struct dc_err *err)
{
    const char *wanted = config_text_or_null(config, CONFIG_SERVER_USER);
    const struct passwd *user;

    *ret_identity = (struct confine_identity){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0) {
        if (wanted)
            return dc_fail(err, DC_INVALID, 0,
                           "server.user is for a server that is started as root; leave it out");
        return 0;
    }
    user = getpwnam(wanted ? wanted : "docle");
    if (!user && !wanted)
        user = getpwnam("nobody");
    if (!user)
        return dc_fail(err, DC_INVALID, 0,
                       "there is no user '%.60s' (make it: useradd --system "
                       "--no-create-home docle)",
                       wanted ? wanted : "nobody");
    if (user->pw_uid == 0)
        return dc_fail(err, DC_INVALID, 0,
                       "the API process does not run as root: give server.user "
                       "another user");
    ret_identity->change = true;
    ret_identity->uid = user->pw_uid;
    ret_identity->gid = user->pw_gid;
    (void)snprintf(ret_identity->name, sizeof(ret_identity->name), "%s", user->pw_name);
    return 0;
}

/* --- where ----------------------------------------------------------------------------------- */

static int mount_data_dir(const char *folder, struct dc_err *err)
{
    const unsigned long flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC;

    if ((mkdir(mount_parent, 0755) < 0 && errno != EEXIST) ||
        (mkdir(mount_point, 0755) < 0 && errno != EEXIST))
        return dc_fail_errno(err, "make '%s'", mount_point);
    if (unshare(CLONE_NEWNS) < 0)
        return dc_fail_errno(err, "mount namespace");
    /* Ours do not reach the host; the host's unmounts still reach us, so we pin nothing. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount(folder, mount_point, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, mount_point, NULL, flags, NULL) < 0)
        return dc_fail_errno(err, "mount '%s' at '%s'", folder, mount_point);
    return 0;
}

int confine_data_dir(const struct config *config, const struct confine_identity *identity,
                     char ret_path[static CONFINE_PATH_MAX], struct dc_err *err)
{
    const char *folder = config_text(config, CONFIG_DATA_DIR);

    if (data_dir_make(folder, 0700, err) < 0)
        return -err->code;
    if (!identity->change) {
        (void)snprintf(ret_path, CONFINE_PATH_MAX, "%s", folder);
        return 0;
    }
    if (data_dir_give(folder, identity->uid, identity->gid, err) < 0 ||
        mount_data_dir(folder, err) < 0)
        return -err->code;
    (void)snprintf(ret_path, CONFINE_PATH_MAX, "%s", mount_point);
    return 0;
}

/* --- rights ---------------------------------------------------------------------------------- */

static int set_capabilities(uint64_t wanted, struct dc_err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)wanted, (uint32_t)wanted, 0},
        {(uint32_t)(wanted >> 32), (uint32_t)(wanted >> 32), 0},
    };

    if (syscall(SYS_capset, &header, data) < 0)
        return dc_fail_errno(err, "capset");
    return 0;
}

static int empty_bounding_set(struct dc_err *err)
{
    for (unsigned long cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap) == 0)
            continue;
        if (errno == EINVAL)
            return 0; /* past the last one that this kernel knows */
        return dc_fail_errno(err, "drop capability %lu", cap);
    }
    return 0;
}

int confine_become(const struct confine_identity *identity, struct dc_err *err)
{
    if (!identity->change)
        return 0;
    if (empty_bounding_set(err) < 0)
        return -err->code;
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
        setresuid(identity->uid, identity->uid, identity->uid) < 0)
        return dc_fail_errno(err, "become user '%s'", identity->name);
    return set_capabilities(UINT64_C(1) << CAP_NET_BIND_SERVICE, err);
}

/* Where resolv.conf leads to: its folder, since the file is replaced when the network changes. When
 * that is /etc itself the file alone will do: whoever edits it there restarts the server. */
static void folder_of_resolver(char out[static PATH_MAX])
{
    char *slash = realpath("/etc/resolv.conf", out) ? strrchr(out, '/') : NULL;

    if (slash && slash != out)
        *slash = '\0';
    if (!slash || strcmp(out, "/etc") == 0)
        (void)snprintf(out, PATH_MAX, "/etc/resolv.conf");
}

static int seal_paths(const char *data_dir, const char *config_file, struct dc_err *err)
{
    char folder[CONFINE_PATH_MAX] = "/nonexistent";
    char resolver[PATH_MAX];
    const struct seal_grant grants[] = {
        {data_dir, SEAL_GRANT_OWN},
        {"/dev/null", SEAL_GRANT_USE},
        {"/dev/urandom", SEAL_GRANT_READ},
        {"/proc/self", SEAL_GRANT_READ}, /* the process's own figures */
        {"/etc/localtime", SEAL_GRANT_READ},
        {folder, SEAL_GRANT_READ},
        /* Names of the hosts that the server itself asks: docs/adr/0011-outbound-requests.md. */
        {"/etc/resolv.conf", SEAL_GRANT_READ},
        {"/etc/hosts", SEAL_GRANT_READ},
        {"/etc/nsswitch.conf", SEAL_GRANT_READ},
        {"/etc/host.conf", SEAL_GRANT_READ},
        {"/etc/gai.conf", SEAL_GRANT_READ},
        {resolver, SEAL_GRANT_READ},
    };
    char *slash;
    int abi;

    folder_of_resolver(resolver);

    /* The folder, not the file: editors replace a file by another one of the same name. */
    if (config_file) {
        (void)snprintf(folder, sizeof(folder), "%s", config_file);
        slash = strrchr(folder, '/');
        if (slash && slash != folder)
            *slash = '\0';
        else
            (void)snprintf(folder, sizeof(folder), "/nonexistent"); /* never all of "/" */
    }
    if (seal_landlock_abi(&abi, err) < 0)
        return -err->code;
    if (!abi) {
        dc_log(DC_LOG_WARN, "this kernel has no Landlock: the API process can read what its user "
                            "can read");
        return 0;
    }
    return seal_landlock_grants(grants, sizeof(grants) / sizeof(grants[0]), err);
}

/* --- system calls ---------------------------------------------------------------------------- */

/* What an API server never needs and an intruder wants. clone3 hides its flags behind a pointer;
 * glibc takes ENOSYS for "use clone". */
static const struct seccomp_rule denied[] = {
    {SYS_clone3, SECCOMP_RULE_ERRNO, ENOSYS, NULL},
    {SYS_execve, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_execveat, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_unshare, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_setns, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_mount, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_umount2, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_pivot_root, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_chroot, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_open_tree, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_move_mount, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_fsopen, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_fsconfig, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_fsmount, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_fspick, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_ptrace, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_process_vm_readv, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_process_vm_writev, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_pidfd_getfd, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_kcmp, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_bpf, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_perf_event_open, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_userfaultfd, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_io_uring_setup, SECCOMP_RULE_ERRNO, ENOSYS, NULL},
    {SYS_io_uring_enter, SECCOMP_RULE_ERRNO, ENOSYS, NULL},
    {SYS_io_uring_register, SECCOMP_RULE_ERRNO, ENOSYS, NULL},
    {SYS_keyctl, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_add_key, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_request_key, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_open_by_handle_at, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_name_to_handle_at, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_fanotify_init, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_mount_setattr, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_process_madvise, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_pidfd_send_signal, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_rt_sigqueueinfo, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_rt_tgsigqueueinfo, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_tkill, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_syslog, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_init_module, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_finit_module, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_delete_module, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_kexec_load, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_kexec_file_load, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_reboot, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_swapon, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_swapoff, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_settimeofday, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_clock_settime, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_sethostname, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_acct, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_quotactl, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_personality, SECCOMP_RULE_ERRNO, EPERM, NULL},
#ifdef SYS_fork
    {SYS_fork, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_vfork, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_modify_ldt, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_ioperm, SECCOMP_RULE_ERRNO, EPERM, NULL},
    {SYS_iopl, SECCOMP_RULE_ERRNO, EPERM, NULL},
#endif
};

/* checks must live until the program is finished. Rootless, launcher and server share a user, and
 * not every kernel's Landlock keeps signals inside: so none goes to anybody else. */
static int add_own_signals(struct seccomp_program *program, struct seccomp_clause *own,
                           struct seccomp_check *check, struct dc_err *err)
{
    const struct seccomp_rule rules[] = {
        {SYS_kill, SECCOMP_RULE_CHECK, 0, check},
        {SYS_tgkill, SECCOMP_RULE_CHECK, 0, check},
    };

    *own = (struct seccomp_clause){{{0, UINT32_MAX, (uint32_t)getpid(), false}}};
    *check = (struct seccomp_check){EPERM, 1, own};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (seccomp_program_add(program, &rules[i], err) < 0)
            return -err->code;
    return 0;
}

static int add_checked(struct seccomp_program *program, struct dc_err *err)
{
    static const struct seccomp_clause threads[] = {
        {{{0, CLONE_THREAD, CLONE_THREAD, false}}},
    };
    static const struct seccomp_clause families[] = {
        {{{0, UINT32_MAX, AF_UNIX, false}}},
        {{{0, UINT32_MAX, AF_INET, false}}},
        {{{0, UINT32_MAX, AF_INET6, false}}},
    };
    static const struct seccomp_check clone_check = {EPERM, 1, threads};
    static const struct seccomp_check socket_check = {EAFNOSUPPORT, 3, families};
    const struct seccomp_rule rules[] = {
        {SYS_clone, SECCOMP_RULE_CHECK, 0, &clone_check},
        {SYS_socket, SECCOMP_RULE_CHECK, 0, &socket_check},
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (seccomp_program_add(program, &rules[i], err) < 0)
            return -err->code;
    return 0;
}

static int seal_calls(struct dc_err *err)
{
    DC_AUTO(seccomp_program_free) struct seccomp_program *program = seccomp_program_new();
    struct seccomp_clause own;
    struct seccomp_check own_check;
    const void *code;
    size_t bytes;

    if (!program)
        return dc_fail(err, DC_KERNEL, ENOMEM, "seccomp filter");
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
        if (seccomp_program_add(program, &denied[i], err) < 0)
            return -err->code;
    if (add_checked(program, err) < 0 || add_own_signals(program, &own, &own_check, err) < 0 ||
        seccomp_program_finish(program, SECCOMP_DEFAULT_ALLOW, &code, &bytes, err) < 0)
        return -err->code;
    return seal_seccomp(code, bytes, err);
}

/* Tries what must fail now. */
static int check_sealed(struct dc_err *err)
{
    if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
        return dc_fail(err, DC_BUG, errno, "unshare was not refused");
    if (syscall(SYS_fork) == 0)
        _exit(1);
    if (errno != EPERM)
        return dc_fail(err, DC_BUG, errno, "fork was not refused");
    return 0;
}

int confine_seal(const char *data_dir, const char *config_file, struct dc_err *err)
{
    if (set_capabilities(0, err) < 0)
        return -err->code;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return dc_fail_errno(err, "process rights");
#ifdef DOCLE_TEST_HOOKS
    /* LeakSanitizer looks at the process as a debugger does, from a process that it clones. */
    if (getenv("DOCLE_TEST_UNSEALED"))
        return prctl(PR_SET_DUMPABLE, 1) < 0 ? dc_fail_errno(err, "process rights") : 0;
#endif
    if (seal_paths(data_dir, config_file, err) < 0 || seal_calls(err) < 0 || check_sealed(err) < 0)
        return -err->code;
#ifdef DOCLE_TEST_HOOKS
    if (getenv("DOCLE_TEST_PROBE"))
        try_calls("server");
#endif
    return 0;
}
