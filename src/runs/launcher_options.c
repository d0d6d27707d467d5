#include "runs/launcher_options.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/limits.h"

#include "base/poison.h"

#ifndef DOCLE_LIBEXECDIR
#define DOCLE_LIBEXECDIR "/usr/libexec/docle"
#endif

int launcher_find_file(const char *built, const char *installed, char *ret_path, size_t size,
                       struct dc_err *err)
{
    char self[1024];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n < 0)
        return dc_fail_errno(err, "read /proc/self/exe");
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    if ((size_t)snprintf(ret_path, size, "%s/%s", self, built) < size &&
        access(ret_path, X_OK) == 0)
        return 0;
    if ((size_t)snprintf(ret_path, size, "%s/%s", DOCLE_LIBEXECDIR, installed) < size &&
        access(ret_path, X_OK) == 0)
        return 0;
    return dc_fail(err, DC_NOT_FOUND, 0, "%s is neither in '%.60s' nor in '%s'", installed, self,
                   DOCLE_LIBEXECDIR);
}

int launcher_find(char *ret_path, size_t size, struct dc_err *err)
{
    return launcher_find_file("docle-launcher", "docle-launcher", ret_path, size, err);
}

int relay_find(char *ret_path, size_t size, struct dc_err *err)
{
    return launcher_find_file("docle-egress", "docle-egress", ret_path, size, err);
}

uint32_t launcher_default_slots(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 2;
    uint32_t slots = 2 * (uint32_t)cores;

    return slots > DC_SLOTS_MAX / 2 ? DC_SLOTS_MAX / 2 : slots;
}

enum { WORDS_TEXT_MAX = 16384 };

/* argv under construction: pointers first, texts behind them in the same allocation. */
struct words {
    char **argv;
    size_t count;
    char *text;
    size_t left;
    bool failed;
};

static void add(struct words *words, const char *word)
{
    size_t size = strlen(word) + 1;

    if (words->failed)
        return;
    if (words->count == LAUNCHER_ARGS_MAX || size > words->left) {
        words->failed = true;
        return;
    }
    memcpy(words->text, word, size);
    words->argv[words->count++] = words->text;
    words->text += size;
    words->left -= size;
}

static void add_pair(struct words *words, const char *name, const char *value)
{
    if (!value)
        return;
    add(words, name);
    add(words, value);
}

static void add_number(struct words *words, const char *name, uint32_t value)
{
    char text[16];

    if (!value)
        return;
    (void)snprintf(text, sizeof(text), "%u", value);
    add_pair(words, name, text);
}

static void add_each(struct words *words, const char *name, const char *const *values)
{
    for (; values && *values; values++)
        add_pair(words, name, *values);
}

/* Test builds: those of docle-egress are told by their names. */
static void add_without(struct words *words, const char *const *values, bool of_relay)
{
    for (; values && *values; values++)
        if ((strncmp(*values, "egress-", 7) == 0) == of_relay)
            add_pair(words, "--without", *values);
}

/* A fresh one; *ret_memory holds everything, NULL without memory. */
static struct words words_new(char **ret_memory)
{
    const size_t pointers = sizeof(char *) * (LAUNCHER_ARGS_MAX + 1);
    char *memory = calloc(1, pointers + WORDS_TEXT_MAX);

    *ret_memory = memory;
    return (struct words){(char **)(void *)memory, 0, memory + pointers, WORDS_TEXT_MAX, !memory};
}

static int words_take(const struct words *words, char **memory, char ***ret_argv,
                      struct dc_err *err)
{
    if (!*memory)
        return dc_fail(err, DC_KERNEL, ENOMEM, "a command line");
    if (words->failed)
        return dc_fail(err, DC_LIMIT, 0, "the command line of %s is too long", words->argv[0]);
    *ret_argv = (char **)(void *)dc_take(*memory);
    return 0;
}

static bool can_change_user(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & 1u << CAP_SETUID) &&
           (data[0].effective & 1u << CAP_SETGID);
}

int relay_argv(const struct launcher_options *options, char ***ret_argv, struct dc_err *err)
{
    DC_AUTO(dc_free) char *memory = NULL;
    struct words words = words_new(&memory);

    add(&words, "docle-egress");
    add_number(&words, "--link-fd", LAUNCHER_LINK_FD);
    if (can_change_user() && options->uid_base)
        add_number(&words, "--uid", options->uid_base + DC_SLOTS_MAX + 1);
    add_pair(&words, "--private", options->private);
    add_pair(&words, "--resolvers", options->resolvers);
    add_without(&words, options->without, true);
    if (options->debug)
        add(&words, "--debug");
    return words_take(&words, &memory, ret_argv, err);
}

int launcher_argv(const struct launcher_options *options, char ***ret_argv, struct dc_err *err)
{
    DC_AUTO(dc_free) char *memory = NULL;
    struct words words = words_new(&memory);

    add(&words, "docle-launcher");
    add_pair(&words, "--root", options->root); /* first: the runtimes are read from there */
    add_pair(&words, "--layers", options->layers);
    add_number(&words, "--warm", options->warm_sets);
    add_number(&words, "--prepared", options->prepared_sets);
    add_number(&words, "--warm-mb", options->warm_mb);
    add_number(&words, "--link-fd", LAUNCHER_LINK_FD);
    add_number(&words, "--slots", options->slots ? options->slots : launcher_default_slots());
    add_number(&words, "--uid-base", options->uid_base);
    add_number(&words, "--zygote-forks", options->zygote_forks_max);
    add_number(&words, "--zygote-age", options->zygote_age_max_s);
    add_pair(&words, "--floor", options->floor);
    add_each(&words, "--spares", options->spares);
    add_without(&words, options->without, false);
    if (options->debug)
        add(&words, "--debug");
    return words_take(&words, &memory, ret_argv, err);
}
