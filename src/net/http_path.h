/* The target of a request, "/path?query". Nothing in it may mean one thing here and another to a
 * proxy or a file system: what is doubtful is refused, and the rest is taken as it was sent. Pure;
 * API process. */
#ifndef DOCLE_NET_HTTP_PATH_H
#define DOCLE_NET_HTTP_PATH_H

#include <stdbool.h>

/* False for: a percent sign without two hex digits; NUL, a control, a slash, a backslash or a
 * percent sign encoded in the path (so also double encoding); a backslash; a segment that is "." or
 * "..", however encoded; a fragment; NUL encoded in the query. */
bool http_path_well_formed(const char *target);

#endif
