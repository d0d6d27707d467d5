/*
 * How the launcher is started: the operator's words for its command line. Server and CLI.
 */
#ifndef DOCLE_RUNS_LAUNCHER_OPTIONS_H
#define DOCLE_RUNS_LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { LAUNCHER_ARGS_MAX = 48, LAUNCHER_LINK_FD = 3 };

/* Strings are borrowed for as long as the launcher may be (re)started. */
struct launcher_options {
    const char *path;           /* of docle-launcher; NULL: launcher_find() */
    const char *root;           /* sealed root's directory */
    const char *layers;         /* directory of package layers; NULL: none */
    uint32_t warm_sets;         /* of packages that are kept imported */
    uint32_t prepared_sets;     /* of packages that spares have imported */
    uint32_t warm_mb;           /* memory of all these; 0: none are kept */
    uint32_t slots;             /* 0: 2 × cores */
    uint32_t uid_base;          /* 0: the launcher's default */
    uint32_t zygote_forks_max;  /* 0: the launcher's default */
    uint32_t zygote_age_max_s;  /* 0: the launcher's default */
    const char *floor;          /* "limited", "standard", "full"; NULL: the launcher's default */
    const char *const *spares;  /* "python=2", …; NULL-terminated, or NULL for defaults */
    const char *const *without; /* test builds: defences to switch off; NULL-terminated or NULL */
    bool debug;                 /* zygotes keep standard error */

    /* docle-egress. */
    bool network;           /* it may be started */
    const char *relay_path; /* NULL: relay_find() */
    const char *private;    /* exceptions for private addresses, see host_rule.h; NULL: none */
    const char *resolvers;  /* NULL: the host's */
};

/* Writes the path of a program of ours: `built`, below the folder of this program (a build tree),
 * else `installed`, below libexecdir. */
DC_MUST int launcher_find_file(const char *built, const char *installed, char *ret_path,
                               size_t size, struct dc_err *err);

/* Writes the path of the launcher: beside this program, else in libexecdir. */
DC_MUST int launcher_find(char *ret_path, size_t size, struct dc_err *err);

/* The same for docle-egress. */
DC_MUST int relay_find(char *ret_path, size_t size, struct dc_err *err);

/* The argv of docle-egress, as launcher_argv. It becomes a user of its own when started as root:
 * the id after those that slots may have. */
DC_MUST int relay_argv(const struct launcher_options *options, char ***ret_argv,
                       struct dc_err *err);

/* The launcher's argv, NULL-terminated, in one allocation: free() it. */
DC_MUST int launcher_argv(const struct launcher_options *options, char ***ret_argv,
                          struct dc_err *err);

/* 2 × the cores of this machine, within the launcher's range. */
uint32_t launcher_default_slots(void);

#endif
