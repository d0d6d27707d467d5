/* Every fixed maximum of the product, in one place. Units are in the names. All processes. */
#ifndef DOCLE_BASE_LIMITS_H
#define DOCLE_BASE_LIMITS_H

enum {
    /* Request bodies and what they hold. */
    DC_BODY_MAX_BYTES = 10 * 1024 * 1024,
    DC_ANONYMOUS_BODY_MAX_BYTES = 1024 * 1024,
    DC_SHARE_MAX_BYTES = 1024 * 1024, /* of a program that is shared by link */
    DC_JSON_DEPTH_MAX = 32,
    DC_FILES_MAX = 1000,
    DC_PATH_MAX_BYTES = 1024, /* of a workspace path; each component at most 255 */
    DC_PATH_DEPTH_MAX = 32,   /* components of a workspace path */
    DC_STDIN_MAX_BYTES = 1024 * 1024,
    DC_ARGS_MAX = 64,
    DC_ARG_MAX_BYTES = 4096,
    DC_ENV_MAX = 64,
    DC_ENV_MAX_BYTES = 4096, /* name, '=' and value */
    DC_PACKAGES_MAX = 50,    /* named in one request */
    DC_ARTIFACT_GLOBS_MAX = 32,
    DC_ARTIFACTS_MAX = 32,
    DC_ARTIFACTS_MAX_BYTES = 8 * 1024 * 1024,
    DC_USER_ID_MAX_BYTES = 255,
    DC_USER_TEXT_MAX_BYTES = 320,
    DC_USER_METADATA_MAX_BYTES = 4096,
    DC_IDEMPOTENCY_KEY_MAX_BYTES = 255,

    /* Policy: ranges and defaults. */
    DC_TIMEOUT_MIN_MS = 100,
    DC_TIMEOUT_MAX_MS = 300000,
    DC_TIMEOUT_DEFAULT_MS = 3000,
    DC_MEMORY_MIN_MB = 64,
    DC_MEMORY_MAX_MB = 2048,
    DC_MEMORY_DEFAULT_MB = 256,
    DC_DISK_MIN_MB = 1,
    DC_DISK_MAX_MB = 1024,
    DC_PROCESSES_MIN = 1,
    DC_PROCESSES_MAX = 512,
    DC_PROCESSES_DEFAULT = 64,
    DC_OUTPUT_MIN_BYTES = 1024,
    DC_OUTPUT_MAX_BYTES = 10 * 1024 * 1024,
    DC_OUTPUT_DEFAULT_BYTES = 1024 * 1024,
    DC_CPUS_MIN_CENTI = 10,       /* hundredths of a core */
    DC_CPUS_MAX_CENTI = 100 * 64, /* the host's cores are a ceiling besides */
    DC_CPUS_DEFAULT_CENTI = 100,
    DC_CPU_MAX_MS = DC_TIMEOUT_MAX_MS * 64,

    /* The network of a run. */
    DC_HOST_NAME_MAX_BYTES = 253,
    DC_NET_HOSTS_MAX = 64,    /* entries of allowedHosts */
    DC_NET_PORTS_MAX = 14,    /* different ports of a run; each is a listening socket */
    DC_NET_ADDRESSES_MAX = 8, /* of those hosts: addresses instead of names */
    DC_NET_NAMES_MAX = 1024,  /* names that one run may look up and reach */
    DC_NET_LOG_MAX = 256,     /* attempts that are listed with a result */

    /* The link between the processes. */
    DC_MESSAGE_MAX_BYTES = 2048,
    DC_MESSAGE_MAX_FDS = 16,

    /* The pool. */
    DC_SLOTS_MAX = 512,
    DC_RUNTIMES_MAX = 8,
    DC_SPARES_MAX = 16, /* per runtime */
    DC_LAYER_ID_BYTES = 16,
    DC_WARM_MAX = 8,     /* sets of packages with a zygote of their own */
    DC_PREPARED_MAX = 8, /* those with spares that have them imported */
    DC_WARM_ALL = DC_WARM_MAX + DC_PREPARED_MAX,
    DC_OWNER_BYTES = 16,
};

#endif
