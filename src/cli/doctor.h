/* What `docle serve` says when it refuses to start. */
#ifndef DOCLE_CLI_DOCTOR_H
#define DOCLE_CLI_DOCTOR_H

#include "base/buf.h"
#include "cli/config.h"

/* Appends the lines of doctor that are not well, with their remedies. Forks: one thread only. */
void doctor_explain(const struct config *config, struct dc_buf *out);

#endif
