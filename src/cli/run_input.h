/* What `docle run` runs: a file, standard input or a folder, made into a request. CLI process. */
#ifndef DOCLE_CLI_RUN_INPUT_H
#define DOCLE_CLI_RUN_INPUT_H

#include "base/error.h"
#include "runs/request.h"

/* Reads a file, or standard input for "-", of at most max bytes. The caller frees *ret_bytes. */
DC_MUST int run_input_read(const char *path, size_t max, char **ret_bytes, size_t *ret_length,
                           struct dc_err *err);

/* Adds what `operand` names to the request: "-" is code on standard input, a folder is all regular
 * files in it but for .git and __pycache__, a file is itself. Sets the language from the file's or
 * entry point's ending when the request has none. */
DC_MUST int run_input_add(struct run_request *request, const char *operand, struct dc_err *err);

#endif
