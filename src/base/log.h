/*
 * Structured log: one JSON object a line on standard error. Never code, output, keys or tokens.
 * The process name and threshold are set once in main. Thread-safe: a line is one write(2).
 */
#ifndef DOCLE_BASE_LOG_H
#define DOCLE_BASE_LOG_H

#include "base/error.h"

/* DC_LOG_OFF is a threshold only. */
enum dc_log_level { DC_LOG_DEBUG, DC_LOG_INFO, DC_LOG_WARN, DC_LOG_ERROR, DC_LOG_OFF };

/* Call once in main, before threads. process is kept, not copied. */
void dc_log_setup(const char *process, enum dc_log_level threshold);

/* fields: printf-formatted text for "msg". */
void dc_log(enum dc_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As dc_log, and adds "code", "errno" and "error" from err, and "request" when request_id is not
 * NULL. */
void dc_log_err(enum dc_log_level level, const char *request_id, const struct dc_err *err,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
