/*
 * What a run wants installed: the `packages` of its request, or where there is no such field the
 * manifest among its files (requirements.txt, pyproject.toml, package.json with or without its lock
 * file). Checked and in normal form, so that equal wishes get the same layer. Server and CLI.
 *
 * Lifecycle: package_wish_init; package_wish_read, or package_wish_add for each specification;
 * package_wish_settle; package_wish_release. Strings live until then, but for those of a manifest,
 * which are the request's.
 */
#ifndef DOCLE_PACKAGES_WISH_H
#define DOCLE_PACKAGES_WISH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "packages/spec.h"
#include "runs/problems.h"
#include "runs/request.h"

enum { PACKAGE_MANIFEST_MAX_BYTES = 256 * 1024, PACKAGE_LOCK_MAX_BYTES = 4 * 1024 * 1024 };

struct package_wish {
    enum package_kind kind;
    size_t count;
    const char *specs[DC_PACKAGES_MAX]; /* in normal form; sorted and each once when settled */
    /* Handed to the installer as they are; length 0: not wanted. */
    struct run_text pyproject; /* pyproject.toml: its [project] dependencies */
    struct run_text lock;      /* package-lock.json, besides the specs of package.json */
    struct dc_arena arena;
};

void package_wish_init(struct package_wish *wish, enum package_kind kind);
void package_wish_release(struct package_wish *wish); /* accepts NULL */

static inline void package_wish_release_auto(struct package_wish *wish)
{
    package_wish_release(wish);
}

/* Is there anything to install? */
bool package_wish_any(const struct package_wish *wish);

/* Does it name exact versions only? What it gets then never has to be resolved again. */
bool package_wish_pinned(const struct package_wish *wish);

/* Adds one specification as written. -DC_INVALID: what is wrong with it; -DC_LIMIT: too many. */
DC_MUST int package_wish_add(struct package_wish *wish, const char *text, size_t length,
                             struct dc_err *err);

/* Sorts. -DC_INVALID: the same npm package twice with different ranges. */
DC_MUST int package_wish_settle(struct package_wish *wish, struct dc_err *err);

/* All of a request that run_request_check found good; settles. -DC_INVALID: problems has more than
 * before. -DC_KERNEL: memory. */
DC_MUST int package_wish_read(struct package_wish *wish, const struct run_request *request,
                              struct problems *problems, struct dc_err *err);

/* A copy that needs neither the wish nor its request. ret_copy: to be released in any case. */
DC_MUST int package_wish_copy(const struct package_wish *wish, struct package_wish *ret_copy,
                              struct dc_err *err);

/* Appends a text that is equal for equal wishes and differs for different ones. */
bool package_wish_print(const struct package_wish *wish, struct dc_buf *out);

#endif
