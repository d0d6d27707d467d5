/* What a list shows of a run at a glance: how the program begins, and the line that says what went
 * wrong. Pure. Server only. */
#ifndef DOCLE_RUNS_GLANCE_H
#define DOCLE_RUNS_GLANCE_H

#include <stddef.h>

#include "runs/request.h"

enum {
    GLANCE_PROGRAM_MAX_BYTES = 2000,
    GLANCE_LINE_MAX_BYTES = 160,
};

/* The first bytes of the file that is run, in whole characters. Empty when it is no text. Points
 * into the request. */
struct run_text glance_program(const struct run_request *request);

/* The first line of it that is not blank, cut, without the blanks around it. Points into head. */
struct run_text glance_line(const char *head);

/* The last line of standard error that says something: no traceback's frames, no closing braces,
 * no interpreter's name. Empty when there is none, or it is no text. Points into text. */
struct run_text glance_error(const char *text, size_t length);

#endif
