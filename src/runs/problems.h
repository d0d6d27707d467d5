/*
 * What is wrong with a request: all of it, so that a caller mends it in one go. Each problem has a
 * path, a stable code and a text that names the next step. Server and CLI.
 *
 * Lifecycle: problems_init, any number of problems_add, problems_release. Bounded: after
 * PROBLEMS_MAX the rest is only counted.
 */
#ifndef DOCLE_RUNS_PROBLEMS_H
#define DOCLE_RUNS_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum { PROBLEMS_MAX = 32 };

/* Stable: clients switch on the names. */
enum problem_code {
    PROBLEM_INVALID_JSON,   /* "invalid_json" */
    PROBLEM_TOO_DEEP,       /* "json_too_deep" */
    PROBLEM_MISSING,        /* "missing_field" */
    PROBLEM_TYPE,           /* "invalid_type" */
    PROBLEM_VALUE,          /* "invalid_value" */
    PROBLEM_RANGE,          /* "out_of_range" */
    PROBLEM_CEILING,        /* "above_ceiling": of the operator or the plan */
    PROBLEM_UNKNOWN_FIELD,  /* "unknown_field" */
    PROBLEM_PATH,           /* "invalid_path" */
    PROBLEM_DUPLICATE_PATH, /* "duplicate_path" */
    PROBLEM_ENCODING,       /* "invalid_encoding" */
    PROBLEM_TOO_MANY,       /* "too_many" */
    PROBLEM_TOO_LARGE,      /* "too_large" */
    PROBLEM_DISK,           /* "files_exceed_disk" */
    PROBLEM_ENTRYPOINT,     /* "entrypoint_not_found" */
    PROBLEM_NOT_ENABLED,    /* "not_enabled" */
    PROBLEM_RUNTIME,        /* "runtime_unavailable" */
    PROBLEM_PACKAGE,        /* "invalid_package" */
    PROBLEM_CODES
};

struct problem {
    enum problem_code code;
    char path[96]; /* "policy.timeoutMs", "files[3].path"; empty: the request as a whole */
    char message[304];
};

struct problems {
    size_t count; /* in list */
    size_t total; /* with those that did not fit */
    struct problem *list;
};

void problems_init(struct problems *problems);
void problems_release(struct problems *problems);

static inline void problems_release_auto(struct problems *problems)
{
    problems_release(problems);
}

/* path: borrowed. Texts reach clients; they may quote the caller's own input only through
 * problem_quote(). */
void problems_add(struct problems *problems, enum problem_code code, const char *path,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Has this top-level field a problem? */
bool problems_about(const struct problems *problems, const char *field);

/* A printable, shortened copy of hostile text in out, for messages. Returns out. */
const char *problem_quote(const char *text, size_t length, char out[static 72]);

const char *problem_code_name(enum problem_code code);

/* Appends the members of an error body, without braces:
 *   "error":"Invalid payload","code":…,"message":…,"issues":{…},"details":[…]
 * `code` and `message` are the first problem's. Call only when there is a problem. */
bool problems_print(const struct problems *problems, struct dc_buf *out);

#endif
