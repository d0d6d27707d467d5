/*
 * What the operator decides about the launcher: its command line, given by `docle serve` or
 * `docle run` before they drop their rights, and the list of runtimes that lies beside the sealed
 * root. Both are the operator's, never a caller's.
 */
#ifndef DOCLE_LAUNCHER_OPTIONS_H
#define DOCLE_LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "proto/launch.h"

enum { RUNTIME_ARGV_MAX = 24, RUNTIME_TEXT_MAX = 1024 };

struct runtime {
    struct launch_runtime public;            /* name, version, start */
    uint32_t spares;                         /* kept sealed ahead */
    char *zygote_argv[RUNTIME_ARGV_MAX + 1]; /* into text; NULL-terminated; empty: no zygote */
    char *plain_argv[RUNTIME_ARGV_MAX + 1];  /* without the entry point */
    const char *packages_dir;                /* where layers are mounted inside; NULL: nowhere */
    char text[RUNTIME_TEXT_MAX];
};

struct options {
    const char *root;   /* directory that holds rootfs/, empty/ and runtimes.conf */
    const char *layers; /* directory of package layers; NULL: none */
    int link_fd;
    uint32_t slots;
    uint32_t uid_base; /* first of slots + spares + 1 host ids that nobody else uses */
    enum launch_level floor;
    uint32_t zygote_forks_max;
    uint32_t zygote_age_max_s;
    uint32_t warm_sets;     /* of packages, that the server may have imported; 0: none */
    uint32_t prepared_sets; /* that it may have spares with; 0: none */
    uint32_t warm_mb;       /* memory of all these together */
    uint32_t without;       /* enum seal_without; test builds only */
    bool probe;             /* try what must be refused and say how it went; test builds only */
    bool debug;             /* zygotes keep our standard error */
    size_t runtime_count;
    struct runtime runtimes[DC_RUNTIMES_MAX];
};

/* Fills options from argv and reads <root>/runtimes.conf. */
DC_MUST int options_read(struct options *options, int argc, char **argv, struct dc_err *err);

/* One line of runtimes.conf: name, version, zygote argv, plain argv, separated by tabs; the argvs
 * are words separated by single spaces, "-" stands for none; then, optional, the absolute path in
 * the sealed root where packages are mounted. Cuts the line into pieces. */
DC_MUST int options_parse_runtime(struct runtime *runtime, const char *line, struct dc_err *err);

#endif
