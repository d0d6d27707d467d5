/*
 * A run request: the body of POST /api/run, checked, or the same built piece by piece by the CLI.
 * Everything in it is the caller's and hostile until run_request_check() found no problem.
 *
 * Lifecycle: run_request_init; then run_request_parse (which fills and checks), or the run_request_
 * set/add functions followed by run_request_check; run_request_release. Strings live until then.
 * Server and CLI.
 */
#ifndef DOCLE_RUNS_REQUEST_H
#define DOCLE_RUNS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/error.h"
#include "runs/policy.h"
#include "runs/problems.h"

enum run_lang { RUN_PYTHON, RUN_NODE, RUN_LANGS };

struct run_text {
    const char *bytes; /* NUL after the last byte; may hold NUL only where said */
    size_t length;
};

struct run_file {
    struct run_text path;
    struct run_text content; /* any bytes */
    size_t index;            /* as the caller counts */
};

struct run_request {
    bool has_lang;
    enum run_lang lang;
    const char
        *version; /* "20", "3.11.2": wanted version of the runtime, or NULL for the default */
    struct run_policy policy;
    uint32_t policy_asked; /* bit 1u << field: the caller named a value */

    bool has_code;
    struct run_text code;   /* as given; after the check it is files[0] when there were no files */
    struct run_file *files; /* in the order given */
    size_t file_count;
    const char *entrypoint; /* after the check: one of files */

    const char *repo; /* as written, or NULL */
    bool has_repo;    /* its files are among files by now */

    struct run_text *args;
    size_t arg_count;
    struct run_text *env; /* "NAME=value" */
    size_t env_count;
    struct run_text *artifacts; /* globs */
    size_t artifact_count;
    bool has_packages;         /* the caller named some, or none on purpose: [] */
    struct run_text *packages; /* specifications as written; src/packages judges them */
    size_t package_count;
    struct run_text stdin_bytes; /* any bytes */

    struct {
        const char *id; /* NULL: no userContext */
        const char *email;
        const char *name;
        const char *tier;     /* "free", "pro", "enterprise" or NULL */
        const char *metadata; /* compact JSON, or NULL */
    } user;

    enum run_wish { RUN_SAYS_NOTHING, RUN_SAYS_NO, RUN_SAYS_YES } allow_net;
    const char *allow_net_name; /* static: as the caller called it */
    bool has_hosts;
    struct run_text *hosts; /* allowedHosts as written */
    size_t host_count;
    bool has_ports;
    uint32_t ports[DC_NET_PORTS_MAX]; /* allowedPorts */
    size_t port_count;
    struct host_policy *network; /* after the check: what the run may reach; NULL: nothing */

    struct run_text *warnings; /* for the caller: taken, but not as written */
    size_t warning_count;

    uint8_t layer[DC_LAYER_ID_BYTES]; /* packages to mount, as in launch.h; all zero: none */
    bool wired;                       /* for runs of our own making: standard output goes to */
    int stdout_fd;                    /* this descriptor, borrowed until the run has ended */
    bool stream;
    bool no_store; /* store:false: only the metering is kept */

    struct dc_arena arena; /* owns what the pointers above point to, but for: */
    void *json;            /* the parsed body (json_t *), NULL when not parsed */
};

void run_request_init(struct run_request *request);
void run_request_release(struct run_request *request); /* accepts NULL */

static inline void run_request_release_auto(struct run_request *request)
{
    run_request_release(request);
}

/* Parses a body and looks at types and forms alone. Where problems has none afterwards, or no
 * repository is wanted, run_request_check comes next. 0, or -DC_KERNEL: memory. -DC_INVALID: not
 * even JSON, there is nothing to check. */
DC_MUST int run_request_read(struct run_request *request, const char *body, size_t length,
                             struct problems *problems, struct dc_err *err);

/* Both: parses and checks a body. 0: good. -DC_INVALID: problems has at least one. -DC_KERNEL:
 * memory. */
DC_MUST int run_request_parse(struct run_request *request, const char *body, size_t length,
                              const struct run_limits *limits, struct problems *problems,
                              struct dc_err *err);

/* For the CLI. Copies what it is given. -DC_KERNEL: memory; -DC_LIMIT: too many of a kind. */
DC_MUST int run_request_set_code(struct run_request *request, const void *code, size_t length,
                                 struct dc_err *err);
DC_MUST int run_request_add_file(struct run_request *request, const char *path, const void *content,
                                 size_t length, struct dc_err *err);
DC_MUST int run_request_add_arg(struct run_request *request, const char *arg, struct dc_err *err);
DC_MUST int run_request_add_env(struct run_request *request, const char *name_value,
                                struct dc_err *err);
DC_MUST int run_request_add_artifact(struct run_request *request, const char *glob,
                                     struct dc_err *err);
DC_MUST int run_request_set_text(struct run_request *request, const char **slot, const char *text,
                                 struct dc_err *err);
DC_MUST int run_request_set_stdin(struct run_request *request, const void *bytes, size_t length,
                                  struct dc_err *err);
/* An entry of allowedHosts; with it allowNet. */
DC_MUST int run_request_allow_host(struct run_request *request, const char *host,
                                   struct dc_err *err);
/* An entry of allowedPorts. */
DC_MUST int run_request_allow_port(struct run_request *request, uint32_t port, struct dc_err *err);

/* For runs of our own making, such as an installer's: lets it reach one host on one port, even
 * where that is not public (an address of a private network, this machine's loopback address). Not
 * to be called for what a caller named. host: a name, an IPv4 address or "localhost"; on ports 80
 * and 443 the run must ask for the same name in HTTP's Host or TLS' SNI, as all runs. Any number of
 * times, before the check, which then lets allowedHosts alone. The run needs an engine with a
 * network. The result's members then hold "network", as those of every run with a network. */
DC_MUST int run_request_trust(struct run_request *request, const char *host, uint16_t port,
                              struct dc_err *err);

/* A package as written; with it the manifests among the files do not count. */
DC_MUST int run_request_add_package(struct run_request *request, const char *spec,
                                    struct dc_err *err);
/* Names a policy value explicitly. */
void run_request_set_policy(struct run_request *request, enum policy_field field, uint32_t value);

/* Checks the whole, fills policy and entry point. As run_request_parse. Call once. */
DC_MUST int run_request_check(struct run_request *request, const struct run_limits *limits,
                              struct problems *problems, struct dc_err *err);

/* Deepest nesting of a JSON text; brackets inside strings do not count. The text need not be valid.
 * Check it before parsing: the parser calls itself for each level, and a task's stack is small. */
size_t run_json_depth(const char *text, size_t length);

bool run_request_has_layer(const struct run_request *request);

/* "python", "node". */
const char *run_lang_name(enum run_lang lang);
bool run_lang_from_name(const char *name, enum run_lang *ret_lang);
/* By the ending of a file name: .py → python; .js .mjs .cjs .ts .mts .cts → node. */
bool run_lang_from_path(const char *path, enum run_lang *ret_lang);

/* Appends the inputs as JSON for the history: the request's fields with env values redacted. */
bool run_request_print(const struct run_request *request, struct dc_buf *out);

#endif
