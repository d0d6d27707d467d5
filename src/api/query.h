/* Parameters of a request's query string. Everything in it is hostile. API process. */
#ifndef DOCLE_API_QUERY_H
#define DOCLE_API_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "runs/problems.h"

enum { QUERY_PARAMETERS_MAX = 16 };

struct query_parameter {
    const char *name; /* decoded, valid UTF-8 without NUL */
    const char *value;
};

struct query {
    struct query_parameter list[QUERY_PARAMETERS_MAX];
    int count;
};

/* Splits and decodes text ("a=b&c=d", NULL or "": nothing). Strings live in the arena. What is
 * malformed or given twice is added to problems. */
void query_parse(const char *text, struct dc_arena *arena, struct query *ret_query,
                 struct problems *problems);

/* The value, or NULL. */
const char *query_get(const struct query *query, const char *name);

/* Adds a problem for each parameter that is not in names (NULL-terminated). */
void query_only(const struct query *query, const char *const *names, struct problems *problems);

/* An integer of low..high; false, with a problem added, for anything else. */
bool query_number(const char *name, const char *value, int low, int high, int *ret_number,
                  struct problems *problems);

/* A moment in RFC 3339, as wall nanoseconds. False when it is none. */
bool query_moment(const char *text, int64_t *ret_wall_ns);

#endif
