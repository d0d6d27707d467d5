#include "launcher/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "proto/spawn.h"

#include "base/poison.h"

/* Splits text at single spaces into argv. */
static int split_words(char *text, char *argv[static RUNTIME_ARGV_MAX + 1], struct dc_err *err)
{
    size_t count = 0;
    char *save = NULL;

    argv[0] = NULL;
    if (strcmp(text, "-") == 0)
        return 0;
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (count >= RUNTIME_ARGV_MAX)
            return dc_fail(err, DC_INVALID, 0, "more than %d words in a command", RUNTIME_ARGV_MAX);
        argv[count++] = word;
    }
    argv[count] = NULL;
    return 0;
}

int options_parse_runtime(struct runtime *runtime, const char *line, struct dc_err *err)
{
    char *save = NULL;
    char *fields[4];

    *runtime = (struct runtime){0};
    if ((size_t)snprintf(runtime->text, sizeof(runtime->text), "%s", line) >= sizeof(runtime->text))
        return dc_fail(err, DC_INVALID, 0, "a runtime's line is longer than %d bytes",
                       RUNTIME_TEXT_MAX);
    runtime->text[strcspn(runtime->text, "\n")] = '\0';
    for (size_t i = 0; i < 4; i++) {
        fields[i] = strtok_r(i ? NULL : runtime->text, "\t", &save);
        if (!fields[i])
            return dc_fail(err, DC_INVALID, 0, "a runtime's line has %zu fields, not 4", i);
    }
    (void)snprintf(runtime->public.name, sizeof(runtime->public.name), "%s", fields[0]);
    (void)snprintf(runtime->public.version, sizeof(runtime->public.version), "%s", fields[1]);
    if (split_words(fields[2], runtime->zygote_argv, err) < 0 ||
        split_words(fields[3], runtime->plain_argv, err) < 0)
        return dc_context(err, "runtime '%s'", fields[0]);
    if (!runtime->plain_argv[0])
        return dc_fail(err, DC_INVALID, 0, "runtime '%s' has no plain command", fields[0]);
    runtime->packages_dir = strtok_r(NULL, "\t", &save);
    if (runtime->packages_dir && runtime->packages_dir[0] != '/')
        return dc_fail(err, DC_INVALID, 0, "runtime '%s': packages in no absolute path", fields[0]);
    runtime->public.start = runtime->zygote_argv[0] ? START_ZYGOTE : START_PLAIN;
    return 0;
}

static int read_runtimes(struct options *options, struct dc_err *err)
{
    char path[1024];
    char line[RUNTIME_TEXT_MAX + 2];
    FILE *file;
    int result = 0;

    (void)snprintf(path, sizeof(path), "%s/runtimes.conf", options->root);
    file = fopen(path, "re");
    if (!file)
        return dc_fail(err, DC_NOT_FOUND, errno, "open '%s' (run: docle runtimes refresh)", path);
    while (result == 0 && fgets(line, sizeof(line), file)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (options->runtime_count == DC_RUNTIMES_MAX)
            result = dc_fail(err, DC_LIMIT, 0, "more than %d runtimes", DC_RUNTIMES_MAX);
        else
            result = options_parse_runtime(&options->runtimes[options->runtime_count++], line, err);
    }
    (void)fclose(file);
    if (result == 0 && options->runtime_count == 0)
        return dc_fail(err, DC_NOT_FOUND, 0, "no runtimes in '%s'", path);
    return result;
}

static int parse_number(const char *text, uint32_t low, uint32_t high, uint32_t *ret_value,
                        struct dc_err *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || value < low || value > high)
        return dc_fail(err, DC_INVALID, 0, "'%s' is not a number from %u to %u", text, low, high);
    *ret_value = (uint32_t)value;
    return 0;
}

/* "NAME=N": N spares for that runtime. */
static int parse_spares(struct options *options, const char *text, struct dc_err *err)
{
    const char *equals = strchr(text, '=');

    if (!equals)
        return dc_fail(err, DC_INVALID, 0, "--spares wants NAME=N");
    for (size_t i = 0; i < options->runtime_count; i++) {
        struct runtime *runtime = &options->runtimes[i];
        size_t length = strlen(runtime->public.name);

        if (length == (size_t)(equals - text) && memcmp(runtime->public.name, text, length) == 0)
            return parse_number(equals + 1, 0, DC_SPARES_MAX, &runtime->spares, err);
    }
    return 0; /* spares for a runtime that is not installed mean nothing */
}

static int parse_level(const char *text, enum launch_level *ret_level, struct dc_err *err)
{
    static const char *const names[] = {"limited", "standard", "full"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_level = (enum launch_level)i;
            return 0;
        }
    }
    return dc_fail(err, DC_INVALID, 0, "'%s' is not one of limited, standard, full", text);
}

#ifdef DOCLE_TEST_HOOKS
static int parse_without(const char *text, uint32_t *without, struct dc_err *err)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } all[] = {
        {"seccomp", WITHOUT_SECCOMP},
        {"landlock", WITHOUT_LANDLOCK},
        {"netns", WITHOUT_NETNS},
        {"pidns", WITHOUT_PIDNS},
        {"mounts", WITHOUT_MOUNTS},
        {"userns", WITHOUT_USERNS},
        {"caps", WITHOUT_CAPS},
        {"fd-scrub", WITHOUT_FD_SCRUB},
        {"reseed", WITHOUT_RESEED},
        {"rlimits", WITHOUT_RLIMITS},
        {"cgroup", WITHOUT_CGROUP},
        {"ipcns", WITHOUT_IPCNS},
        {"scrub", WITHOUT_SCRUB},
        {"disk", WITHOUT_DISK},
        {"deadline", WITHOUT_DEADLINE},
        {"rate", WITHOUT_RATE},
        {"cgroupns", WITHOUT_CGROUPNS},
        {"init", WITHOUT_INIT},
        {"socket-cap", WITHOUT_SOCKET_CAP},
        {"overlay", WITHOUT_OVERLAY},
        {"readonly", WITHOUT_READONLY},
        {"service-netns", WITHOUT_SERVICE_NETNS},
        {"zygote-filter", WITHOUT_ZYGOTE_FILTER},
        {"own-seccomp", WITHOUT_OWN_SECCOMP},
        {"own-landlock", WITHOUT_OWN_LANDLOCK},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(text, all[i].name) == 0) {
            *without |= all[i].flag;
            return 0;
        }
    }
    return dc_fail(err, DC_INVALID, 0, "--without does not know '%s'", text);
}
#endif

enum option_code {
    OPT_ROOT = 256,
    OPT_LAYERS,
    OPT_LINK_FD,
    OPT_SLOTS,
    OPT_SPARES,
    OPT_FLOOR,
    OPT_UID_BASE,
    OPT_ZYGOTE_FORKS,
    OPT_ZYGOTE_AGE,
    OPT_WARM,
    OPT_WARM_MB,
    OPT_PREPARED,
    OPT_WITHOUT,
    OPT_DEBUG,
    OPT_PROBE,
};

static const struct option long_options[] = {
    {"root", required_argument, NULL, OPT_ROOT},
    {"layers", required_argument, NULL, OPT_LAYERS},
    {"link-fd", required_argument, NULL, OPT_LINK_FD},
    {"slots", required_argument, NULL, OPT_SLOTS},
    {"spares", required_argument, NULL, OPT_SPARES},
    {"floor", required_argument, NULL, OPT_FLOOR},
    {"uid-base", required_argument, NULL, OPT_UID_BASE},
    {"zygote-forks", required_argument, NULL, OPT_ZYGOTE_FORKS},
    {"zygote-age", required_argument, NULL, OPT_ZYGOTE_AGE},
    {"warm", required_argument, NULL, OPT_WARM},
    {"warm-mb", required_argument, NULL, OPT_WARM_MB},
    {"prepared", required_argument, NULL, OPT_PREPARED},
    {"without", required_argument, NULL, OPT_WITHOUT},
    {"debug", no_argument, NULL, OPT_DEBUG},
    {"probe", no_argument, NULL, OPT_PROBE},
    {NULL, 0, NULL, 0},
};

static int parse_option(struct options *options, int code, const char *value, struct dc_err *err)
{
    uint32_t number = 0;

    switch (code) {
    case OPT_ROOT:
        options->root = value;
        return read_runtimes(options, err);
    case OPT_WARM:
        return parse_number(value, 0, DC_WARM_MAX, &options->warm_sets, err);
    case OPT_PREPARED:
        return parse_number(value, 0, DC_PREPARED_MAX, &options->prepared_sets, err);
    case OPT_WARM_MB:
        return parse_number(value, 0, 1u << 20, &options->warm_mb, err);
    case OPT_LAYERS:
        options->layers = value;
        return 0;
    case OPT_LINK_FD:
        if (parse_number(value, 3, 1024, &number, err) < 0)
            return -err->code;
        options->link_fd = (int)number;
        return 0;
    case OPT_SLOTS:
        return parse_number(value, 1, DC_SLOTS_MAX / 2, &options->slots, err);
    case OPT_SPARES:
        return parse_spares(options, value, err);
    case OPT_FLOOR:
        return parse_level(value, &options->floor, err);
    case OPT_UID_BASE:
        return parse_number(value, 1000, 2147000000, &options->uid_base, err);
    case OPT_ZYGOTE_FORKS:
        return parse_number(value, 1, UINT32_MAX, &options->zygote_forks_max, err);
    case OPT_ZYGOTE_AGE:
        return parse_number(value, 1, UINT32_MAX, &options->zygote_age_max_s, err);
    case OPT_DEBUG:
        options->debug = true;
        return 0;
#ifdef DOCLE_TEST_HOOKS
    case OPT_WITHOUT:
        return parse_without(value, &options->without, err);
    case OPT_PROBE:
        options->probe = true;
        return 0;
#endif
    default:
        return dc_fail(err, DC_INVALID, 0, "unknown option; see docle-launcher(8)");
    }
}

int options_read(struct options *options, int argc, char **argv, struct dc_err *err)
{
    int code;

    *options = (struct options){
        .link_fd = -1,
        .slots = 4,
        .uid_base = 1900000000,
        .floor = LEVEL_STANDARD,
        .zygote_forks_max = 10000,
        .zygote_age_max_s = 3600,
    };
    opterr = 0;
    while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (parse_option(options, code, optarg, err) < 0)
            return dc_context(err, "%s", argv[optind - 1]);
    if (!options->root || options->link_fd < 0)
        return dc_fail(err, DC_INVALID, 0,
                       "--root (first) and --link-fd are needed; `docle serve` starts me");
    return 0;
}
