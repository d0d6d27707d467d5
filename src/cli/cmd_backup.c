/*
 * docle backup, docle restore: one file that holds the whole database.
 *
 * How it works: the copy is made beside the database, by the rights of the folder's owner, and its
 * bytes go to or come from a descriptor that the caller's own rights opened. So root may keep
 * backups where the server has no access, and opens nothing in a folder that the server could have
 * prepared.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "store/backup.h"

#include "base/poison.h"

enum { COPY_PATH_SIZE = DATA_DIR_PATH_SIZE + 32, OUTPUT_BYTES = 8192 };

struct backup_call {
    bool force;
    bool json;
};

enum { BACKUP_JSON };
enum { RESTORE_FORCE, RESTORE_JSON };

static const char copy_infix[] = ".copy-";

/* ---- the copy beside the database ---- */

/* Copies of commands that were killed. */
static void sweep_copies(const char *database)
{
    char folder[DATA_DIR_PATH_SIZE];
    char prefix[DATA_DIR_PATH_SIZE];
    struct dirent *entry;
    DIR *dir;

    (void)snprintf(folder, sizeof(folder), "%s", database);
    (void)snprintf(prefix, sizeof(prefix), "%s%s", strrchr(database, '/') + 1, copy_infix);
    dir = opendir(dirname(folder));
    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        long pid;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        pid = strtol(entry->d_name + strlen(prefix), NULL, 10);
        if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
}

static void name_copy(const char *database, char copy[static COPY_PATH_SIZE])
{
    sweep_copies(database);
    (void)snprintf(copy, COPY_PATH_SIZE, "%s%s%d", database, copy_infix, (int)getpid());
}

/* All that comes from one descriptor to another. */
static int pump(int from, int to, int64_t *ret_bytes, struct dc_err *err)
{
    char block[1 << 16];
    size_t length;

    *ret_bytes = 0;
    do {
        if (dc_read_full(from, block, sizeof(block), &length, err) < 0 ||
            dc_write_all(to, block, length, err) < 0)
            return -err->code;
        *ret_bytes += (int64_t)length;
    } while (length == sizeof(block));
    return 0;
}

static void print_facts(const struct store_backup_facts *facts, struct dc_buf *out)
{
    dc_buf_printf(out, "\"schema\":%d,\"projects\":%lld,\"runs\":%lld,\"ledger\":%lld",
                  facts->schema, (long long)facts->projects, (long long)facts->runs,
                  (long long)facts->ledger);
}

/* ---- backup ---- */

static int take_backup(void *context, int option, const char *value, struct dc_err *err)
{
    struct backup_call *backup = context;

    (void)option;
    (void)value;
    (void)err;
    backup->json = true;
    return 0;
}

/* A descriptor for reading a copy whose name is gone already. */
static int copy_out(const struct config *config, int *ret_fd, struct store_backup_facts *facts,
                    struct dc_err *err)
{
    char database[DATA_DIR_PATH_SIZE];
    char copy[COPY_PATH_SIZE];
    int result;

    if (data_dir_enter(config, database, err) < 0)
        return -err->code;
    name_copy(database, copy);
    result = store_backup(database, copy, facts, err);
    if (result == 0) {
        *ret_fd = open(copy, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (*ret_fd < 0)
            result = dc_fail_errno(err, "open '%s'", copy);
        (void)unlink(copy);
    }
    data_dir_leave();
    return result;
}

static int open_target(const char *file, int *ret_fd, struct dc_err *err)
{
    if (strcmp(file, "-") == 0) {
        if (isatty(STDOUT_FILENO))
            return dc_fail(err, DC_INVALID, 0,
                           "a backup is no text: send it to a file or a pipe, or name a file");
        *ret_fd = STDOUT_FILENO;
        return 0;
    }
    *ret_fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*ret_fd < 0)
        return dc_fail_errno(err, "make '%s'", file);
    return 0;
}

static int write_backup(const struct config *config, int target, struct store_backup_facts *facts,
                        int64_t *ret_bytes, struct dc_err *err)
{
    DC_AUTO(dc_close) int source = -1;

    if (copy_out(config, &source, facts, err) < 0 || pump(source, target, ret_bytes, err) < 0)
        return -err->code;
    /* A pipe has nothing to synchronise. */
    if (fsync(target) < 0 && errno != EINVAL && errno != EROFS)
        return dc_fail_errno(err, "write the backup");
    return 0;
}

static int say_backup(const char *file, const struct backup_call *backup,
                      const struct store_backup_facts *facts, int64_t bytes, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};

    dc_buf_init(&out, OUTPUT_BYTES);
    if (backup->json) {
        dc_buf_text(&out, "{\"file\":");
        dc_buf_json_string(&out, file, strlen(file));
        dc_buf_printf(&out, ",\"bytes\":%lld,", (long long)bytes);
        print_facts(facts, &out);
        dc_buf_text(&out, "}\n");
    } else {
        dc_buf_printf(&out,
                      "%s: %lld bytes, checked; %lld projects, %lld runs, %lld metered.\n"
                      "It holds results and account data: keep it as safe as the server.\n",
                      file, (long long)bytes, (long long)facts->projects, (long long)facts->runs,
                      (long long)facts->ledger);
    }
    return cli_output(&out, err);
}

static int run_backup(struct cli_call *call, struct dc_err *err)
{
    struct backup_call backup = {0};
    struct store_backup_facts facts = {0};
    int result = cli_parse(call, take_backup, &backup, err);
    const char *file;
    bool piped;
    int64_t bytes = 0;
    int target = -1;

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0 || open_target(call->argv[0], &target, err) < 0)
        return -err->code;
    file = call->argv[0];
    piped = target == STDOUT_FILENO;
    result = write_backup(&call->config, target, &facts, &bytes, err);
    if (!piped)
        dc_close(target);
    if (result < 0 && !piped)
        (void)unlink(file);
    if (result < 0 || piped)
        return result;
    return say_backup(file, &backup, &facts, bytes, err);
}

static const struct cli_option backup_options[] = {
    {"json", 0, NULL, "Print {\"file\",\"bytes\",\"schema\",\"projects\",\"runs\",\"ledger\"}."},
    {0},
};

const struct cli_command command_backup = {
    .name = "backup",
    .operands = "FILE",
    .summary = "Write the whole database into one file, beside a running server.",
    .detail = "FILE must be new; - writes to standard output, say for a pipe to a compressor. The "
              "file is of one moment and has been read back whole before the command ends. "
              "Package layers and the sealed root are not in it: they are made again when needed.",
    .options = backup_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_backup,
};

/* ---- restore ---- */

static int take_restore(void *context, int option, const char *value, struct dc_err *err)
{
    struct backup_call *restore = context;

    (void)value;
    (void)err;
    if (option == RESTORE_FORCE)
        restore->force = true;
    else
        restore->json = true;
    return 0;
}

static int write_copy(int source, const char *copy, struct dc_err *err)
{
    DC_AUTO(dc_close)
    int fd = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int64_t bytes;

    if (fd < 0)
        return dc_fail_errno(err, "make '%s'", copy);
    if (pump(source, fd, &bytes, err) < 0)
        return -err->code;
    if (bytes == 0)
        return dc_fail(err, DC_INVALID, 0, "it is empty");
    if (fsync(fd) < 0)
        return dc_fail_errno(err, "write '%s'", copy);
    return 0;
}

struct restored {
    struct store_backup_facts facts;
    char replaced[STORE_REPLACED_PATH_SIZE];
};

static int copy_in(const struct config *config, int source, bool force, struct restored *restored,
                   struct dc_err *err)
{
    char database[DATA_DIR_PATH_SIZE];
    char copy[COPY_PATH_SIZE];
    int result;

    if (data_dir_enter(config, database, err) < 0)
        return -err->code;
    name_copy(database, copy);
    result = write_copy(source, copy, err);
    if (result == 0)
        result = store_backup_check(copy, &restored->facts, err);
    if (result < 0)
        (void)dc_context(err, "the backup");
    else
        result = store_restore(database, copy, force ? STORE_RESTORE_BROKEN : STORE_RESTORE_SAFE,
                               restored->replaced, err);
    (void)unlink(copy); /* gone already when all went well */
    data_dir_leave();
    return result;
}

static int say_restored(const struct backup_call *restore, const struct restored *restored,
                        struct dc_err *err)
{
    const struct store_backup_facts *facts = &restored->facts;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};

    dc_buf_init(&out, OUTPUT_BYTES);
    if (restore->json) {
        dc_buf_text(&out, "{\"replaced\":");
        if (restored->replaced[0])
            dc_buf_json_string(&out, restored->replaced, strlen(restored->replaced));
        else
            dc_buf_text(&out, "null");
        dc_buf_byte(&out, ',');
        print_facts(facts, &out);
        dc_buf_text(&out, "}\n");
        return cli_output(&out, err);
    }
    dc_buf_printf(&out, "Restored: %lld projects, %lld runs, %lld metered.\n",
                  (long long)facts->projects, (long long)facts->runs, (long long)facts->ledger);
    if (restored->replaced[0])
        dc_buf_printf(&out, "What was there is kept as %s\n", restored->replaced);
    return cli_output(&out, err);
}

static int run_restore(struct cli_call *call, struct dc_err *err)
{
    struct backup_call restore = {0};
    struct restored restored = {0};
    int result = cli_parse(call, take_restore, &restore, err);
    DC_AUTO(dc_close) int opened = -1;
    int source = STDIN_FILENO;

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0)
        return -err->code;
    if (strcmp(call->argv[0], "-") != 0) {
        opened = open(call->argv[0], O_RDONLY | O_CLOEXEC);
        if (opened < 0)
            return dc_fail_errno(err, "open '%s'", call->argv[0]);
        source = opened;
    }
    if (copy_in(&call->config, source, restore.force, &restored, err) < 0)
        return -err->code;
    return say_restored(&restore, &restored, err);
}

static const struct cli_option restore_options[] = {
    {"force", 'f', NULL, "Even when the present database cannot be read; it is set aside."},
    {"json", 0, NULL, "Print {\"replaced\",\"schema\",\"projects\",\"runs\",\"ledger\"}."},
    {0},
};

const struct cli_command command_restore = {
    .name = "restore",
    .operands = "FILE",
    .summary = "Put a backup in the place of the database, while no server runs.",
    .detail = "FILE is what docle backup wrote; - reads standard input. It is checked whole "
              "first, and a backup of an older version is brought up to date at the next start. "
              "The present database stays beside it as docle.db.replaced-TIME.",
    .options = restore_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_restore,
};
