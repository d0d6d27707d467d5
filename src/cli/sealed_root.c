#include "cli/sealed_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/log.h"
#include "cli/data_dir.h"
#include "runs/launcher_options.h"

#include "base/poison.h"

extern char **environ;

enum { WORDS_MAX = 64, MANIFEST_MAX_BYTES = 256 * 1024, EXIT_NOT_CURRENT = 1, EXIT_NONE = 2 };

int sealed_root_find(const struct config *config, char ret_path[static SEALED_ROOT_PATH_MAX],
                     struct dc_err *err)
{
    char link[SEALED_ROOT_PATH_MAX];
    DC_AUTO(dc_free) char *real = NULL;

    (void)snprintf(link, sizeof(link), "%s/current", config_text(config, CONFIG_ROOT_DIR));
    real = realpath(link, NULL);
    if (!real)
        return dc_fail(err, errno == EACCES ? DC_DENIED : DC_NOT_FOUND, errno,
                       "sealed root '%.150s' (make it: docle runtimes refresh)", link);
    if ((size_t)snprintf(ret_path, SEALED_ROOT_PATH_MAX, "%s", real) >= SEALED_ROOT_PATH_MAX)
        return dc_fail(err, DC_INVALID, 0, "the sealed root's path is too long");
    return 0;
}

static int find_maker(char *ret_path, size_t size, struct dc_err *err)
{
    return launcher_find_file("src/runtimes/make-root", "runtimes/make-root", ret_path, size, err);
}

struct words {
    char *argv[WORDS_MAX + 1];
    size_t count;
    struct dc_arena arena;
    bool failed;
};

static void add_word(struct words *words, const char *text)
{
    char *copy = dc_arena_copy(&words->arena, text, strlen(text));

    if (!copy || words->count == WORDS_MAX)
        words->failed = true;
    else
        words->argv[words->count++] = copy;
}

/* "--runtime NAME=PATH" for each path of a list separated by commas. */
static void add_runtimes(struct words *words, const char *name, const char *list)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        char pair[1024];

        if (length) {
            (void)snprintf(pair, sizeof(pair), "%s=%.*s", name, (int)length, list);
            add_word(words, "--runtime");
            add_word(words, pair);
        }
        list += length + (list[length] == ',');
    }
}

static int build_words(const struct config *config, const char *flag, struct words *words,
                       struct dc_err *err)
{
    char path[1200];

    if (find_maker(path, sizeof(path), err) < 0)
        return -err->code;
    add_word(words, path);
    add_word(words, "--root-dir");
    add_word(words, config_text(config, CONFIG_ROOT_DIR));
    if (flag)
        add_word(words, flag);
    add_runtimes(words, "python", config_text(config, CONFIG_RUNTIMES_PYTHON));
    add_runtimes(words, "node", config_text(config, CONFIG_RUNTIMES_NODE));
    if (words->failed)
        return dc_fail(err, DC_LIMIT, 0, "the list of runtimes is too long");
    return 0;
}

/* Starts argv with standard output (and error, with both) on out_fd. */
static int start(char **argv, int out_fd, bool both, pid_t *ret_pid, struct dc_err *err)
{
    posix_spawn_file_actions_t actions;
    int result;

    (void)posix_spawn_file_actions_init(&actions);
    result = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    if (result == 0 && both)
        result = posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
    if (result == 0)
        result = posix_spawn(ret_pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return result ? dc_fail(err, DC_KERNEL, result, "start '%s'", argv[0]) : 0;
}

static int await(pid_t pid, int *ret_status, struct dc_err *err)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return dc_fail_errno(err, "wait for make-root");
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* Runs make-root. said: gets what it prints; NULL: only what it says on standard error is shown. */
static int run_maker(const struct config *config, const char *flag, char *said, size_t said_size,
                     int *ret_status, struct dc_err *err)
{
    struct words words = {0};
    DC_AUTO(dc_close) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int ends[2] = {-1, -1};
    size_t length = 0;
    pid_t pid;
    int result = build_words(config, flag, &words, err);

    if (result == 0 && null < 0)
        result = dc_fail_errno(err, "open /dev/null");
    if (result == 0 && said && pipe2(ends, O_CLOEXEC) < 0)
        result = dc_fail_errno(err, "pipe");
    if (result == 0)
        result = start(words.argv, said ? ends[1] : null, said != NULL, &pid, err);
    dc_close(ends[1]);
    dc_arena_release(&words.arena);
    if (result == 0 && said)
        result = dc_read_full(ends[0], said, said_size - 1, &length, err);
    dc_close(ends[0]);
    if (said)
        said[length] = '\0';
    return result < 0 ? result : await(pid, ret_status, err);
}

int sealed_root_refresh(const struct config *config, bool quiet, struct dc_err *err)
{
    int status;

    if (data_dir_make(config_text(config, CONFIG_ROOT_DIR), 0755, err) < 0 ||
        run_maker(config, quiet ? "--quiet" : NULL, NULL, 0, &status, err) < 0)
        return dc_context(err, "sealed root");
    if (status)
        return dc_fail(err, DC_KERNEL, 0,
                       "the sealed root could not be made (make-root ended with "
                       "%d)",
                       status);
    return 0;
}

int sealed_root_check(const struct config *config, enum sealed_root_state *ret_state, char *why,
                      size_t why_size, struct dc_err *err)
{
    int status;

    if (run_maker(config, "--check", why, why_size, &status, err) < 0)
        return -err->code;
    why[strcspn(why, "\n")] = '\0';
    if (status != 0 && status != EXIT_NOT_CURRENT && status != EXIT_NONE)
        return dc_fail(err, DC_KERNEL, 0, "make-root --check: %.150s", why);
    *ret_state = status == 0                  ? SEALED_ROOT_CURRENT
                 : status == EXIT_NOT_CURRENT ? SEALED_ROOT_STALE
                                              : SEALED_ROOT_NONE;
    if (*ret_state == SEALED_ROOT_CURRENT)
        why[0] = '\0';
    return 0;
}

int sealed_root_ensure(const struct config *config, char ret_path[static SEALED_ROOT_PATH_MAX],
                       struct dc_err *err)
{
    enum sealed_root_state state;
    char why[128];

    if (sealed_root_check(config, &state, why, sizeof(why), err) < 0)
        return -err->code;
    if (state == SEALED_ROOT_CURRENT)
        return sealed_root_find(config, ret_path, err);
    dc_log(DC_LOG_INFO, "making the sealed root in %s: %s", config_text(config, CONFIG_ROOT_DIR),
           why[0] ? why : "there is none");
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "docle: making the sealed root, which takes some seconds, once\n");
    if (sealed_root_refresh(config, true, err) < 0) {
        if (state == SEALED_ROOT_NONE)
            return -err->code;
        dc_log_err(DC_LOG_WARN, NULL, err, "going on with the old sealed root");
    }
    return sealed_root_find(config, ret_path, err);
}

int sealed_root_manifest(const struct config *config, struct dc_buf *out, struct dc_err *err)
{
    char path[SEALED_ROOT_PATH_MAX];
    char file[SEALED_ROOT_PATH_MAX + 16];
    DC_AUTO(dc_free) char *text = malloc(MANIFEST_MAX_BYTES);

    if (!text)
        return dc_fail(err, DC_KERNEL, ENOMEM, "manifest");
    if (sealed_root_find(config, path, err) < 0)
        return -err->code;
    (void)snprintf(file, sizeof(file), "%s/manifest", path);
    if (dc_read_file_at(AT_FDCWD, file, text, MANIFEST_MAX_BYTES, err) < 0)
        return -err->code;
    dc_buf_text(out, text);
    return 0;
}

int sealed_root_interpreter(const struct config *config, const char *name,
                            char ret_path[static SEALED_ROOT_PATH_MAX], struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf manifest = {0};
    char *save = NULL;
    char found[16];

    dc_buf_init(&manifest, MANIFEST_MAX_BYTES);
    if (sealed_root_manifest(config, &manifest, err) < 0)
        return -err->code;
    for (char *line = manifest.data ? strtok_r(manifest.data, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save))
        if (sscanf(line, "runtime %15s %*s %2047s", found, ret_path) == 2 &&
            strcmp(found, name) == 0)
            return 0;
    return dc_fail(err, DC_NOT_FOUND, 0, "no %s in the sealed root", name);
}
