/* What docle keys says of a key's rules, as options and as text. CLI process. */
#ifndef DOCLE_CLI_KEY_OPTIONS_H
#define DOCLE_CLI_KEY_OPTIONS_H

#include "cli/cli.h"
#include "store/keys.h"

/* Texts are owned or borrowed from argv. Lifecycle: init, take per option, fill, release. */
struct key_options {
    struct store_key_change change; /* fields: which were given */
    bool test;
    struct dc_buf domains;
    struct dc_buf networks;
};

void key_options_init(struct key_options *options);
void key_options_release(struct key_options *options);

/* The entries of a command's table, in the order of key_options_take's numbers. */
#define KEY_OPTIONS                                                                                \
    {"name", 'n', "TEXT", "What the key is for, to tell it from others."},                         \
        {"scopes", 0, "LIST", "What it may: run, read, or run,read."},                             \
        {"expires", 0, "TIME",                                                                     \
         "When it ends: 90d, 12h, or a moment such as 2030-01-31T00:00:00Z;"                       \
         " none is never."},                                                                       \
        {"domains", 0, "LIST",                                                                     \
         "Web origins that may use it: example.com,*.example.org,localhost;"                       \
         " none is any client."},                                                                  \
        {"ips", 0, "LIST", "Addresses and networks that may use it; none is any."},                \
        {"rate-limit", 0, "N", "Requests in a minute; none is no limit."},                         \
        {"concurrency", 0, "N", "Runs under way at once; none is what the project may."},          \
        {"budget", 0, "AMOUNT", "What it may cost in a UTC month; none is no budget."},            \
    {                                                                                              \
        "budget-stops", 0, "ANSWER", "Whether runs beyond the budget are refused: yes or no."      \
    }

enum { KEY_OPTION_TEST = 9 }; /* of docle keys create alone: after KEY_OPTIONS */

DC_MUST int key_options_take(struct key_options *options, int option, const char *value,
                             struct dc_err *err);

/* A new key, without its project. */
DC_MUST int key_options_fill_new(const struct key_options *options, struct store_key_new *ret_made,
                                 struct dc_err *err);

/* "90d", "12h", "30m", "45s" as nanoseconds. */
DC_MUST int key_duration(const char *text, int64_t *ret_ns, struct dc_err *err);

/* wanted may be the key's identifier or its prefix, when only one active key has that. */
DC_MUST int key_find(struct store_conn *conn, const char *wanted, char id[static DC_UUID_SIZE],
                     struct dc_err *err);

/* The audit log's row of a change; in its transaction. */
DC_MUST int key_audit(struct store_conn *conn, const char *project_id, const char *action,
                      const char *target, struct dc_err *err);

/* "  [run; 60/min; …]", nothing for a key without limits. */
void key_rules_print(const struct store_key_rules *rules, struct dc_buf *out);
/* Members, each after a comma. */
void key_rules_print_json(const struct store_key *key, struct dc_buf *out);

#endif
