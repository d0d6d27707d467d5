/* Landlock by bare system calls: Debian 12 has no library for it. Kernel interface: landlock(7). */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "sandbox/seal.h"

#include "base/poison.h"

/* The structures of uapi linux/landlock.h up to ABI 6, which Debian 12's headers do not know yet.
 */
struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum fs_right {
    FS_EXECUTE = 1u << 0,
    FS_WRITE_FILE = 1u << 1,
    FS_READ_FILE = 1u << 2,
    FS_READ_DIR = 1u << 3,
    FS_REMOVE_DIR = 1u << 4,
    FS_MAKE_DIR = 1u << 7,
    FS_TRUNCATE = 1u << 14,  /* ABI 3 */
    FS_IOCTL_DEV = 1u << 15, /* ABI 5 */
};

enum { SCOPE_ALL = 3 }; /* abstract unix sockets and signals, ABI 6 */

static uint64_t all_fs_rights(int abi)
{
    static const int bits_of_abi[] = {13, 14, 15, 15, 16};
    int index = abi > 5 ? 4 : abi - 1;

    return (UINT64_C(1) << bits_of_abi[index]) - 1;
}

int seal_landlock_abi(int *ret_abi, struct dc_err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    if (abi < 1 && (abi == 0 || (errno != ENOSYS && errno != EOPNOTSUPP)))
        return dc_fail(err, DC_KERNEL, abi ? errno : 0,
                       "whether there is Landlock cannot be told; a filter around this process "
                       "must allow landlock_create_ruleset or answer ENOSYS");
    *ret_abi = abi < 1 ? 0 : (int)abi;
    return 0;
}

/* *ret_all: the rights that this kernel knows, all of which the ruleset handles. */
static int make_ruleset(bool scoped, uint64_t *ret_all, int *ret_ruleset, struct dc_err *err)
{
    struct ruleset_attr attr = {0};
    size_t size = sizeof(attr.handled_access_fs);
    int abi;

    if (seal_landlock_abi(&abi, err) < 0)
        return -err->code;
    if (!abi)
        return dc_fail(err, DC_NOT_FOUND, 0, "this kernel has no Landlock");
    attr.handled_access_fs = all_fs_rights(abi);
    if (scoped && abi >= 6) {
        attr.scoped = SCOPE_ALL;
        size = sizeof(attr);
    }
    *ret_ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (*ret_ruleset < 0)
        return dc_fail_errno(err, "landlock ruleset");
    *ret_all = attr.handled_access_fs;
    return 0;
}

static int allow(int ruleset, const char *path, uint64_t rights, struct dc_err *err)
{
    DC_AUTO(dc_close) int dir = open(path, O_PATH | O_CLOEXEC);
    struct path_beneath_attr rule = {.allowed_access = rights, .parent_fd = dir};

    if (dir < 0 || syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return dc_fail_errno(err, "landlock rule for '%s'", path);
    return 0;
}

int seal_landlock(struct dc_err *err)
{
    static const uint64_t look = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
    DC_AUTO(dc_close) int ruleset = -1;
    uint64_t all;
    uint64_t use;

    if (make_ruleset(true, &all, &ruleset, err) < 0)
        return -err->code;
    use = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | (all & FS_TRUNCATE);
    if (allow(ruleset, "/", look, err) < 0 || allow(ruleset, "/workspace", all, err) < 0 ||
        allow(ruleset, "/tmp", all, err) < 0 || allow(ruleset, "/dev/shm", all, err) < 0 ||
        allow(ruleset, "/dev", use | (all & FS_IOCTL_DEV), err) < 0 ||
        allow(ruleset, "/proc", use, err) < 0)
        return -err->code;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return dc_fail_errno(err, "landlock_restrict_self");
    return 0;
}

/* Rights that make sense for what is not a folder; more is EINVAL. */
static const uint64_t file_rights =
    FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;

static int add_grant(int ruleset, const struct seal_grant *grant, uint64_t all, struct dc_err *err)
{
    uint64_t rights[] = {
        [SEAL_GRANT_READ] = FS_READ_FILE | FS_READ_DIR,
        [SEAL_GRANT_USE] = FS_READ_FILE | FS_WRITE_FILE | (all & (FS_TRUNCATE | FS_IOCTL_DEV)),
        [SEAL_GRANT_OWN] = all & ~(uint64_t)FS_EXECUTE,
    };
    struct stat info;

    if (stat(grant->path, &info) < 0)
        return errno == ENOENT ? 0 : dc_fail_errno(err, "landlock rule for '%s'", grant->path);
    return allow(ruleset, grant->path,
                 S_ISDIR(info.st_mode) ? rights[grant->kind] : rights[grant->kind] & file_rights,
                 err);
}

int seal_landlock_grants(const struct seal_grant *grants, size_t count, struct dc_err *err)
{
    DC_AUTO(dc_close) int ruleset = -1;
    uint64_t all;

    if (make_ruleset(true, &all, &ruleset, err) < 0)
        return -err->code;
    for (size_t i = 0; i < count; i++)
        if (add_grant(ruleset, &grants[i], all, err) < 0)
            return -err->code;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return dc_fail_errno(err, "landlock_restrict_self");
    return 0;
}

int seal_landlock_trees(const int *dir_fds, size_t count, struct dc_err *err)
{
    DC_AUTO(dc_close) int ruleset = -1;
    uint64_t all;
    uint64_t use;

    if (make_ruleset(false, &all, &ruleset, err) < 0)
        return -err->code;
    use = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_MAKE_DIR | FS_REMOVE_DIR |
          (all & FS_TRUNCATE);
    for (size_t i = 0; i < count; i++) {
        struct path_beneath_attr rule = {.allowed_access = use, .parent_fd = dir_fds[i]};

        if (dir_fds[i] >= 0 &&
            syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
            return dc_fail_errno(err, "landlock rule");
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return dc_fail_errno(err, "landlock_restrict_self");
    return 0;
}
