/*
 * Specifications of packages, as a caller writes them: checked, and brought into one form, so that
 * equal wishes have equal names. Only packages of the registry can be named: no path, URL, git
 * address, option or other index gets through, and so none reaches an installer. Pure; server and
 * CLI.
 */
#ifndef DOCLE_PACKAGES_SPEC_H
#define DOCLE_PACKAGES_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum package_kind { PACKAGE_PIP, PACKAGE_NPM, PACKAGE_KINDS };

enum {
    PACKAGE_SPEC_MAX_BYTES = 1024,
    PACKAGE_NAME_MAX_BYTES = 214, /* npm's own */
};

/* Appends the normal form of one specification to out:
 *   pip  "name[extra,extra]>=1,<2; marker": the name by PEP 503, no blanks but in the marker
 *   npm  "name@range", "@scope/name@range"; the range is left out when it is "latest"
 * -DC_INVALID: err->text says what is wrong and what to write instead, without quoting the input.
 * -DC_KERNEL: out is full. */
DC_MUST int package_spec_normalise(enum package_kind kind, const char *text, size_t length,
                                   struct dc_buf *out, struct dc_err *err);

/* Length of the name at the start of a normal form. */
size_t package_spec_name_length(enum package_kind kind, const char *normal);

/* Does the specification name one exact version? Others are resolved again after a while. */
bool package_spec_pinned(enum package_kind kind, const char *normal);

/* "pip", "npm". */
const char *package_kind_name(enum package_kind kind);

#endif
