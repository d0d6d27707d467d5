/* Writing the files that a run gave back. CLI process. */
#ifndef DOCLE_CLI_RUN_OUTPUT_H
#define DOCLE_CLI_RUN_OUTPUT_H

#include "base/error.h"
#include "runs/result.h"

/*
 * Writes the files of a result below folder, which is made when missing. SECURITY: names and
 * contents come from a hostile program; nothing is written outside the folder, through a link, or
 * over what is there already as anything but a regular file. *ret_count: files written.
 */
DC_MUST int run_output_save(const struct run_result *result, const char *folder, size_t *ret_count,
                            struct dc_err *err);

#endif
