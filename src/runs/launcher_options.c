#include "runs/launcher_options.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/limits.h"

#include "base/poison.h"

#ifndef DOCLE_LIBEXECDIR
#define DOCLE_LIBEXECDIR "/usr/libexec/docle"
#endif

int launcher_find(char *ret_path, size_t size, struct dc_err *err)
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
    if ((size_t)snprintf(ret_path, size, "%s/docle-launcher", self) < size &&
        access(ret_path, X_OK) == 0)
        return 0;
    if ((size_t)snprintf(ret_path, size, "%s/docle-launcher", DOCLE_LIBEXECDIR) < size &&
        access(ret_path, X_OK) == 0)
        return 0;
    return dc_fail(err, DC_NOT_FOUND, 0, "docle-launcher is neither in '%s' nor in '%s'", self,
                   DOCLE_LIBEXECDIR);
}

uint32_t launcher_default_slots(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 2;
    uint32_t slots = 2 * (uint32_t)cores;

    return slots > DC_SLOTS_MAX / 2 ? DC_SLOTS_MAX / 2 : slots;
}

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

int launcher_argv(const struct launcher_options *options, char ***ret_argv, struct dc_err *err)
{
    enum { TEXT_MAX = 8192 };
    const size_t pointers = sizeof(char *) * (LAUNCHER_ARGS_MAX + 1);
    DC_AUTO(dc_free) char *memory = calloc(1, pointers + TEXT_MAX);
    struct words words = {(char **)(void *)memory, 0, memory + pointers, TEXT_MAX, false};

    if (!memory)
        return dc_fail(err, DC_KERNEL, ENOMEM, "launcher's command line");
    add(&words, "docle-launcher");
    add_pair(&words, "--root", options->root); /* first: the runtimes are read from there */
    add_pair(&words, "--layers", options->layers);
    add_number(&words, "--link-fd", LAUNCHER_LINK_FD);
    add_number(&words, "--slots", options->slots ? options->slots : launcher_default_slots());
    add_number(&words, "--uid-base", options->uid_base);
    add_number(&words, "--zygote-forks", options->zygote_forks_max);
    add_number(&words, "--zygote-age", options->zygote_age_max_s);
    add_pair(&words, "--floor", options->floor);
    add_each(&words, "--spares", options->spares);
    add_each(&words, "--without", options->without);
    if (options->debug)
        add(&words, "--debug");
    if (words.failed)
        return dc_fail(err, DC_LIMIT, 0, "launcher's command line is too long");
    *ret_argv = (char **)(void *)dc_take(memory);
    return 0;
}
