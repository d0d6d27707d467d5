/*
 * What the parsers of a request's parts share: request_parse.c (the body and its fields) and
 * request_policy.c. Internal to src/runs. A mistake becomes a problem at its path and parsing goes
 * on; memory that runs out is noted and told once, at the end. Texts are borrowed from the JSON
 * tree, which lives as long as the request.
 */
#ifndef DOCLE_RUNS_REQUEST_PARSE_H
#define DOCLE_RUNS_REQUEST_PARSE_H

#include <jansson.h>

#include "runs/request.h"

enum { REQUEST_PATH_TEXT = 96 }; /* bytes of a path such as "files[3].content", with its end */

struct request_parser {
    struct run_request *request;
    struct problems *problems;
    bool no_memory;
};

void request_wrong_type(struct request_parser *parser, const char *path, const char *wanted,
                        const json_t *value);

/* Each says whether *ret was set; if not, there is a problem. nul: the string may hold NUL. */
bool request_take_text(struct request_parser *parser, const char *path, const json_t *value,
                       bool nul, struct run_text *ret_text);
bool request_take_flag(struct request_parser *parser, const char *path, const json_t *value,
                       bool *ret_flag);

/* An array of at most max strings without NUL, in the request's arena; those that are none are left
 * out. *ret_count: 0 before. */
void request_take_list(struct request_parser *parser, const char *name, const json_t *value,
                       size_t max, struct run_text **ret_list, size_t *ret_count);

/* request_policy.c: the object `policy`, whose unknown fields are refused. */
void request_take_policy(struct request_parser *parser, const json_t *value);

#endif
