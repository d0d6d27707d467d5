#include "cli/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

#include "base/poison.h"

int data_dir_make(const char *path, mode_t mode, struct dc_err *err)
{
    char part[DATA_DIR_PATH_SIZE];

    if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
        return dc_fail(err, DC_INVALID, 0, "the path '%.64s…' is too long", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return dc_fail(err, dc_code_from_errno(errno), errno, "make folder '%s'", part);
        *slash = '/';
    }
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return dc_fail(err, dc_code_from_errno(errno), errno, "make folder '%s'", path);
    return 0;
}

int data_dir_database(const char *folder, char *ret_path, size_t size, struct dc_err *err)
{
    if ((size_t)snprintf(ret_path, size, "%s/docle.db", folder) >= size)
        return dc_fail(err, DC_INVALID, 0, "the path '%.64s…' is too long", folder);
    return 0;
}

enum { DEPTH_MAX = 64 };

static int give_folder(int dir_fd, uid_t uid, gid_t gid, unsigned depth, struct dc_err *err);

/* SECURITY: the folder may belong to the unprivileged server while root works in it, so links are
 * never followed and only folders and regular files with one name are given away. */
static int give_entry(int dir_fd, const char *name, uid_t uid, gid_t gid, unsigned depth,
                      struct dc_err *err)
{
    DC_AUTO(dc_close)
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;

    if (fd < 0)
        return errno == ELOOP || errno == ENOENT ? 0 : dc_fail_errno(err, "open '%s'", name);
    if (fstat(fd, &info) < 0)
        return dc_fail_errno(err, "stat '%s'", name);
    if (info.st_uid == uid || (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) ||
        (S_ISREG(info.st_mode) && info.st_nlink != 1))
        return 0;
    if (S_ISDIR(info.st_mode) && depth == 0 && strcmp(name, "packages") != 0)
        return 0;
    /* What is inside first: a folder that is given already is not looked into again. */
    if (S_ISDIR(info.st_mode) && give_folder(fd, uid, gid, depth + 1, err) < 0)
        return dc_context(err, "'%s'", name);
    if (fchown(fd, uid, gid) < 0)
        return dc_fail_errno(err, "give '%s' to user %u", name, (unsigned)uid);
    return 0;
}

static int give_folder(int dir_fd, uid_t uid, gid_t gid, unsigned depth, struct dc_err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int result = 0;

    if (!dir) {
        dc_close(fd);
        return dc_fail_errno(err, "read a folder");
    }
    if (depth > DEPTH_MAX)
        result = dc_fail(err, DC_LIMIT, 0, "folders are more than %d deep", DEPTH_MAX);
    while (result == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = give_entry(fd, entry->d_name, uid, gid, depth, err);
    (void)closedir(dir);
    return result;
}

int data_dir_give(const char *path, uid_t uid, gid_t gid, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = open(path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return dc_fail_errno(err, "open '%s'", path);
    if (fchown(fd, uid, gid) < 0 || fchmod(fd, 0700) < 0)
        return dc_fail_errno(err, "give '%s' to user %u", path, (unsigned)uid);
    if (give_folder(fd, uid, gid, 0, err) < 0)
        return dc_context(err, "data folder '%s'", path);
    return 0;
}

/* SECURITY: root opens nothing in a folder that the unprivileged server may have prepared: it works
 * as the folder's owner, unless a folder above is closed to that user (a clone below /root). */
static void become_owner(const char *folder, struct stat *ret_info)
{
    if (geteuid() != 0 || stat(folder, ret_info) < 0 || ret_info->st_uid == 0)
        return;
    if (setegid(ret_info->st_gid) == 0 && seteuid(ret_info->st_uid) == 0 &&
        eaccess(folder, W_OK | X_OK) == 0)
        return;
    data_dir_leave();
}

void data_dir_leave(void)
{
    if (getuid() == 0 && (seteuid(0) < 0 || setegid(0) < 0))
        abort(); /* cannot happen: the saved ids are root's */
}

int data_dir_enter(const struct config *config, char ret_path[static DATA_DIR_PATH_SIZE],
                   struct dc_err *err)
{
    const char *folder = config_text(config, CONFIG_DATA_DIR);
    struct stat info;

    if (data_dir_make(folder, 0700, err) < 0 ||
        data_dir_database(folder, ret_path, DATA_DIR_PATH_SIZE, err) < 0)
        return -err->code;
    become_owner(folder, &info);
    return 0;
}

int data_dir_open_store(const struct config *config, struct store_conn **ret_conn,
                        struct dc_err *err)
{
    const char *folder = config_text(config, CONFIG_DATA_DIR);
    char path[DATA_DIR_PATH_SIZE];
    struct stat info = {0};

    if (data_dir_make(folder, 0700, err) < 0 ||
        data_dir_database(folder, path, sizeof(path), err) < 0)
        return -err->code;
    become_owner(folder, &info);
    if (store_open(path, ret_conn, err) < 0)
        return dc_context(err, "data folder '%s'", folder);
    if (geteuid() == 0 && info.st_uid != 0 &&
        data_dir_give(folder, info.st_uid, info.st_gid, err) < 0) {
        store_conn_free(dc_take(*ret_conn));
        return dc_context(err, "data folder '%s'", folder);
    }
    return 0;
}
