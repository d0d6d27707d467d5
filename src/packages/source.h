/*
 * Where packages come from: what make-root noted of the host's pip and npm (installers.conf beside
 * the sealed root), and what the operator says otherwise. Server and CLI; read while the process
 * still may.
 */
#ifndef DOCLE_PACKAGES_SOURCE_H
#define DOCLE_PACKAGES_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "packages/spec.h"

enum { PACKAGE_HOSTS_MAX = 16, PACKAGE_MORE_MAX = 8, PACKAGE_LINES_MAX = 32 };

struct package_host {
    const char *name;
    uint16_t port;
};

struct package_source {
    bool available; /* the sealed root has the installer */
    const char *index;
    const char *more[PACKAGE_MORE_MAX]; /* further indexes, of the operator's choice */
    size_t more_count;
    const char *lines[PACKAGE_LINES_MAX]; /* npm: of an .npmrc; credentials and scopes. Secret */
    size_t line_count;
    const char *cert; /* path in the sealed root, or NULL */
    struct package_host hosts[PACKAGE_HOSTS_MAX];
    size_t host_count;
};

struct package_sources {
    bool closed; /* the sealed root says where they come from, but not to this user */
    struct package_source of[PACKAGE_KINDS];
    struct dc_arena arena;
};

/* What the operator says; NULL or empty: as the host's pip and npm are configured. */
struct package_source_options {
    const char *pip_index;
    const char *npm_registry;
    const char *npm_config; /* lines of an .npmrc, separated by newlines or semicolons */
    const char *hosts; /* further ones that packages come from, separated by commas or blanks */
};

/* root: of the sealed root's generation. A root without installers.conf has no installers, and
 * one whose file is another user's sets `closed`.
 * -DC_INVALID: an address or host that is none. Release in any case. */
DC_MUST int package_sources_read(const char *root, const struct package_source_options *options,
                                 struct package_sources *ret_sources, struct dc_err *err);
/* The same from the text of the file; a part of it. */
DC_MUST int package_sources_parse(const char *text, const struct package_source_options *options,
                                  struct package_sources *ret_sources, struct dc_err *err);
void package_sources_release(struct package_sources *sources);

static inline void package_sources_release_auto(struct package_sources *sources)
{
    package_sources_release(sources);
}

#endif
